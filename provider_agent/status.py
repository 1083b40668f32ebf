"""Reads what the status command shows, and words it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moorage import units
from moorage.advertisement import Advertisement
from moorage.chain.contracts import Registry, provider_account
from moorage.chain.market import Market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.doctor.chain import base_fee
from moorage.maintenance import Maintenance
from moorage.money import Money
from moorage.types import ComputeUnit
from provider_agent.core.spending import wei_per_hour
from provider_agent.core.summary import LeaseLine, Summary, summarise
from provider_agent.registration import RegistrationError, load_registration
from provider_agent.settings import Settings

WEI_PER_COIN = 10**18
LOOK_BACK_BLOCKS = 50_000
"""How far back an advertisement is looked for."""


@dataclass(frozen=True, slots=True)
class Status:
    summary: Summary
    advertisement: Advertisement | None
    coin_wei: int
    need_wei_per_hour: int
    """What the leases' confirmations cost at what gas costs now."""
    is_draining: bool

    @property
    def runway_hours(self) -> int | None:
        """How long the coin lasts; None if nothing has to be confirmed."""
        return self.coin_wei // self.need_wei_per_hour if self.need_wei_per_hour else None


async def read_status(rpc: Rpc, market: Market, settings: Settings) -> Status:
    """Read what the provider of the data directory has at the newest block.

    Raises:
        RegistrationError: it is not registered.
        NodeUnavailable: the node does not answer.
    """
    number = load_registration(settings, market).provider
    reader, registry = MarketReader(rpc, market, number), Registry(rpc, market)
    snapshot = await reader.snapshot()
    provider = await registry.provider(snapshot.block, number)
    if provider is None:
        raise RegistrationError(f"the registry does not know provider {number}: use another data_dir")
    (account,) = await reader.exchange.accounts(snapshot.block, [provider_account(number)])
    summary = summarise(snapshot, provider, account, settings.capacity)
    first = max(market.first_block, snapshot.block.number - LOOK_BACK_BLOCKS)
    fee, _ = await base_fee(rpc)
    try:
        coin = as_number(await rpc.call("eth_getBalance", provider.operator, "latest"))
    except NodeRefused as error:
        raise NodeUnavailable(f"the coin of {provider.operator} could not be read: {error}") from error
    period = market.parameters.reconfirmation_period_blocks
    return Status(
        summary,
        await registry.advertisement(number, first, snapshot.block.number),
        coin,
        wei_per_hour(len(summary.leases), period, market.seconds_per_block, fee),
        Maintenance(settings.data_dir).is_draining,
    )


def document(status: Status, money: Money) -> dict[str, Any]:
    """Return a status for programs; amounts are decimal text in tokens, and wei of the chain's coin."""
    summary, told = status.summary, status.advertisement
    provider = summary.provider
    return {
        "provider": provider.number,
        "owner": provider.owner,
        "operator": provider.operator,
        "endpoint": provider.endpoint,
        "is_registered": provider.region != 0,
        "block": summary.block.number,
        "draining": status.is_draining,
        "leases": [_lease(line, money) for line in summary.leases],
        "blocks_to_deadline": summary.blocks_to_deadline,
        "bids": [
            {"order": bid.order.hex(), "charge_per_hour": money.hourly_number(bid.charge_per_block)}
            for bid in summary.open_bids
        ],
        "lost_bids": summary.lost_bids,
        "account": {
            "available": money.number(summary.available),
            "locked": money.number(summary.locked),
            "slashed": money.number(summary.slashed),
            "cap": money.number(provider.collateral_cap),
            "cap_left": money.number(summary.cap_left),
        },
        "earned_unclaimed": money.number(summary.earned),
        "unclaimed_stale_leases": summary.unclaimed_leases,
        "charge_per_hour": money.hourly_number(summary.charge_per_block),
        "capacity": _compute(summary.capacity),
        "reserved": _compute(summary.reserved),
        "free": _compute(summary.free),
        "advertised": None
        if told is None
        else {
            "block": told.block_number,
            "free": _compute(told.free),
            "price_per_hour": money.hourly_number(told.price),
        },
        "coin_wei": str(status.coin_wei),
        "runway_hours": status.runway_hours,
    }


def as_text(status: Status, money: Money) -> list[str]:
    """Return a status for people."""
    summary, told = status.summary, status.advertisement
    provider, block = summary.provider, summary.block.number
    hours = status.runway_hours
    lasts = "" if hours is None else f", enough for about {min(hours, 9_999)} hours of confirmations"
    lines = [
        f"provider     {provider.number}, operator {provider.operator}" + ("" if provider.region else ", deregistered"),
        f"block        {block}",
        f"leases       {len(summary.leases)}, earning {money.per_hour(summary.charge_per_block)}",
        *(f"  {text}" for text in (_lease_text(line, block, money) for line in summary.leases)),
        f"bids         {len(summary.open_bids)} open, {summary.lost_bids} lost ones to be released",
        f"collateral   {money.amount(summary.available)} free, {money.amount(summary.locked)} locked, "
        f"the cap leaves {money.amount(summary.cap_left)}",
    ]
    if summary.slashed:
        lines.append(f"lost         {money.amount(summary.slashed)} of collateral so far; it counts against the cap")
    claims = f", and what {summary.unclaimed_leases} stale leases hold" if summary.unclaimed_leases else ""
    lines += [
        f"earned       {money.amount(summary.earned)} to be collected{claims}",
        f"capacity     {_size(summary.free)} free of {_size(summary.capacity)}",
        f"advertised   {'nothing' if told is None else f'{_size(told.free)}, in block {told.block_number}'}",
        f"coin         {status.coin_wei / WEI_PER_COIN:.6g}{lasts}",
    ]
    if status.is_draining:
        lines.append("maintenance  on: no new bids; end it with drain --off")
    return lines


def _lease(line: LeaseLine, money: Money) -> dict[str, Any]:
    return {
        "lease": line.lease.hex(),
        "deployment": line.deployment.hex(),
        "group": line.group,
        "state": line.standing.value,
        "charge_per_hour": money.hourly_number(line.charge_per_block),
        "confirmed_block": line.confirmed_block,
        "deadline_block": line.deadline_block,
        "funded_block": line.funded_block,
        "earned": money.number(line.earned),
    }


def _lease_text(line: LeaseLine, block: int, money: Money) -> str:
    paid = f"paid for {money.span(line.funded_block - block)}"
    due = f"to be confirmed within {line.deadline_block - block} blocks"
    return f"{line.lease.hex()[:12]}  {line.standing.value:<9}  {money.per_hour(line.charge_per_block)}, {paid}, {due}"


def _compute(unit: ComputeUnit) -> dict[str, int]:
    return {"milli_cpu": unit.milli_cpu, "memory_bytes": unit.memory_bytes, "disk_bytes": unit.disk_bytes}


def _size(unit: ComputeUnit) -> str:
    parts = units.format_cpu(unit.milli_cpu), units.format_size(unit.memory_bytes), units.format_size(unit.disk_bytes)
    return "{} cpu, {} memory, {} disk".format(*parts)
