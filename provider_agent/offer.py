"""Turns what an operator has written, in tokens, hours and seconds, into ledger units and blocks."""

from __future__ import annotations

from fractions import Fraction

from moorage import units
from moorage.chain.market import Market
from moorage.types import ComputeUnit
from provider_agent.core.admission import Admission, Limits
from provider_agent.core.advertisement import AdvertisementPolicy
from provider_agent.core.pricing import PricePolicy
from provider_agent.plugins import load_policy, load_pricing
from provider_agent.settings import Settings

ADVERTISEMENTS_A_PERIOD = 24
"""How often at most within the time after which capacity is advertised anyway."""


def price_policy(settings: Settings, market: Market) -> PricePolicy:
    """Return hourly prices in tokens as ledger units per block."""
    token = units.ledger_units_per_token(market.parameters.token_decimals)
    per_block = token * market.seconds_per_block / units.SECONDS_PER_HOUR
    prices = settings.prices
    return PricePolicy(
        per_milli_cpu=prices.core * per_block / 1_000,
        per_memory_byte=prices.memory_gib * per_block / 2**30,
        per_disk_byte=prices.disk_gb * per_block / 10**9,
        minimum=max(1, int(prices.minimum * per_block)),
    )


def admission(settings: Settings, market: Market) -> Admission:
    """Return which orders get a bid, beside what is possible at all.

    Raises:
        SettingsError: a function of the operator can't be loaded.
    """
    limits = settings.admission
    smallest = ComputeUnit(limits.smallest_milli_cpu or 0, limits.smallest_memory_bytes or 0, 0)
    return Admission(
        Limits(
            longest_wait_blocks=units.to_blocks(settings.longest_wait_seconds, market.seconds_per_block),
            exposure=_ledger_units(limits.exposure, market),
            exposure_per_lease=_ledger_units(limits.exposure_per_lease, market),
            smallest=smallest if smallest != ComputeUnit(0, 0, 0) else None,
            largest_milli_cpu=limits.largest_milli_cpu,
            largest_memory_bytes=limits.largest_memory_bytes,
            largest_disk_bytes=limits.largest_disk_bytes,
        ),
        load_policy(settings),
        load_pricing(settings),
    )


def advertisement_policy(settings: Settings, market: Market) -> AdvertisementPolicy:
    """Return how often the registry is told of free capacity."""
    longest = units.to_blocks(settings.advertise_every_seconds, market.seconds_per_block)
    return AdvertisementPolicy(longest_blocks=longest, shortest_blocks=longest // ADVERTISEMENTS_A_PERIOD)


def _ledger_units(tokens: Fraction | None, market: Market) -> int | None:
    """Return an amount in ledger units, rounded down: a limit is never more than what was written."""
    if tokens is None:
        return None
    return int(tokens * units.ledger_units_per_token(market.parameters.token_decimals))
