"""Which registered providers would bid for a group, at which price, or why they would not: by what is on chain.

A provider advertises free capacity and the price of one CPU with 2 GiB of memory. What it asks for another size lies
between two bounds that follow from that; what it asks for disk, and what functions of its own say, is not on chain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from moorage import regions, terms, units
from moorage.advertisement import Advertisement
from moorage.money import Money
from moorage.types import Account, ComputeUnit, Group, Parameters, ProviderNumber, ResourceGroup

ADVERTISED = ComputeUnit(milli_cpu=1_000, memory_bytes=2 * 2**30, disk_bytes=0)
"""What the advertised price is for, see moorage.advertisement."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered provider, by what is on chain."""

    number: ProviderNumber
    region: int
    """One bit of moorage.regions."""
    collateral_cap: int
    account: Account
    advertisement: Advertisement | None
    """None: it has not advertised lately."""


class Answer(StrEnum):
    YES = "yes"
    """All that is on chain speaks for a bid."""
    MAYBE = "maybe"
    """Something that would decide is not on chain."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one provider would bid for one group."""

    group: str
    provider: ProviderNumber
    region: int
    answer: Answer
    lowest: int | None
    """Ledger units per block that it would ask for the group at least, interest on collateral included."""
    highest: int | None
    """What it would ask at most; without what it asks for disk."""
    reasons: tuple[str, ...]
    """Why not, or what is not known."""


def judge(
    groups: Sequence[Group], candidates: Sequence[Candidate], parameters: Parameters, money: Money
) -> tuple[Verdict, ...]:
    """Return a verdict for each group and provider; of each group the likeliest and cheapest first."""
    found: list[Verdict] = []
    for group in groups:
        verdicts = [_verdict(group, each, parameters, money) for each in candidates]
        found += sorted(verdicts, key=_order)
    return tuple(found)


def _order(verdict: Verdict) -> tuple[int, bool, int, int]:
    unknown = verdict.highest is None
    return list(Answer).index(verdict.answer), unknown, verdict.highest or 0, verdict.provider


def _verdict(group: Group, candidate: Candidate, parameters: Parameters, money: Money) -> Verdict:
    told = candidate.advertisement
    lowest, highest = price_bounds(group, told.price, parameters) if told is not None else (None, None)
    against = (*_against(group, candidate, money), *_too_dear(group, lowest, parameters, money))
    unknown = tuple(_unknown(group, candidate, highest, parameters, money))
    answer = Answer.NO if against else Answer.MAYBE if unknown else Answer.YES
    return Verdict(group.name, candidate.number, candidate.region, answer, lowest, highest, against or unknown)


def _against(group: Group, candidate: Candidate, money: Money) -> Iterator[str]:
    if not group.regions & candidate.region:
        wanted = regions.describe([group.regions])
        yield f"is in {regions.describe([candidate.region])}, `region` is {wanted}"
    if candidate.advertisement is not None:
        yield from _lacking(needed(group), candidate.advertisement.free)
    collateral, account = terms.collateral(group), candidate.account
    if collateral > account.available:
        yield f"has {money.amount(account.available)} free, `collateral` comes to {money.amount(collateral)}"
    elif collateral > candidate.collateral_cap - account.committed:
        left = max(0, candidate.collateral_cap - account.committed)
        yield f"may lock {money.amount(left)} more, `collateral` comes to {money.amount(collateral)}"


def _lacking(wanted: ComputeUnit, free: ComputeUnit) -> Iterator[str]:
    if wanted.milli_cpu > free.milli_cpu:
        yield f"has {units.format_cpu(free.milli_cpu)} cpu free, {units.format_cpu(wanted.milli_cpu)} are asked for"
    for name, has, asks in (
        ("memory", free.memory_bytes, wanted.memory_bytes),
        ("disk", free.disk_bytes, wanted.disk_bytes),
    ):
        if asks > has:
            yield f"has {units.format_size(has)} {name} free, {units.format_size(asks)} are asked for"


def _too_dear(group: Group, lowest: int | None, parameters: Parameters, money: Money) -> Iterator[str]:
    most = terms.max_charge(group, parameters)
    if lowest is not None and lowest > most:
        yield f"asks {money.per_hour(lowest)} or more: raise max-price by {_rise(group, lowest, parameters)} %"


def _unknown(
    group: Group, candidate: Candidate, highest: int | None, parameters: Parameters, money: Money
) -> Iterator[str]:
    told = candidate.advertisement
    if told is None:
        yield "has told no price or capacity lately: only an order shows"
        return
    most = terms.max_charge(group, parameters)
    if highest is not None and highest > most:
        yield f"may ask too much: sure with max-price {_rise(group, highest, parameters)} % higher"


def _rise(group: Group, charge: int, parameters: Parameters) -> int:
    """Return by how many percent max-price has to rise for a charge, rounded up; interest stays what it is."""
    interest = terms.interest(terms.collateral(group), parameters)
    return math.ceil(Fraction(charge - interest, terms.max_charge(group, parameters) - interest) * 100) - 100


def needed(group: Group) -> ComputeUnit:
    """Return what all compute units of a group come to."""
    return ComputeUnit(
        sum(each.compute.milli_cpu * each.count for each in group.resources),
        sum(each.compute.memory_bytes * each.count for each in group.resources),
        sum(each.compute.disk_bytes * each.count for each in group.resources),
    )


def price_bounds(group: Group, advertised: int, parameters: Parameters) -> tuple[int, int]:
    """Return the least and the most that a provider would ask per block, disk and its own functions aside.

    Its price is so much per CPU and so much per byte, but not below a least price; how the advertised sum divides into
    these is not on chain. So another size costs between the smaller and the larger of the two ratios, and where those
    are on one side of 1, between the advertised price and that.

    Args:
        advertised: ledger units per block of ADVERTISED.
    """
    interest = terms.interest(terms.collateral(group), parameters)
    lowest = sum(_unit_bounds(each, advertised)[0] * each.count for each in group.resources)
    highest = sum(_unit_bounds(each, advertised)[1] * each.count for each in group.resources)
    return lowest + interest, highest + interest


def _unit_bounds(resource: ResourceGroup, advertised: int) -> tuple[int, int]:
    cpu = Fraction(resource.compute.milli_cpu, ADVERTISED.milli_cpu)
    memory = Fraction(resource.compute.memory_bytes, ADVERTISED.memory_bytes)
    ratios = (Fraction(1), cpu, memory)
    return math.ceil(advertised * min(ratios)), math.ceil(advertised * max(ratios))
