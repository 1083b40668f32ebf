"""What prolonging a deployment costs: how long each group lasts now and then, and whose account pays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from cli.core.report import runway_blocks
from cli.core.view import Attempt, DeploymentView, full
from moorage import terms
from moorage.money import Money
from moorage.types import MAX_BLOCKS, MAX_MONEY, Address, Lease, Manager, OrderState, Permission


@dataclass(frozen=True, slots=True)
class Longer:
    """Each group lasts so many blocks longer."""

    blocks: int


@dataclass(frozen=True, slots=True)
class UpTo:
    """Each group lasts so many blocks from now on; what lasts longer is left alone."""

    blocks: int


@dataclass(frozen=True, slots=True)
class Spend:
    """At most so many ledger units; all groups last equally many blocks longer."""

    amount: int


Wish = Longer | UpTo | Spend


@dataclass(frozen=True, slots=True)
class Funding:
    """One group's part."""

    attempt: Attempt
    charge_per_block: int
    """Of an open order at the maximum price."""
    runway_blocks: int
    """How long it lasts now."""
    kept_blocks: int
    """How many of them are left when it has been funded: of one that is used up, those that nobody was paid for."""
    least_blocks: int
    """That the exchange takes."""
    blocks: int = 0

    @property
    def cost(self) -> int:
        return self.blocks * self.charge_per_block

    @property
    def runway_after_blocks(self) -> int:
        return self.kept_blocks + self.blocks

    @property
    def is_revival(self) -> bool:
        return self.least_blocks > 1


@dataclass(frozen=True, slots=True)
class FundPlan:
    fundings: tuple[Funding, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    """Groups that can not be funded, and why."""
    enough: tuple[Funding, ...] = ()
    """Those that last as long as was wished already."""

    @property
    def total(self) -> int:
        """Ledger units."""
        return sum(funding.cost for funding in self.fundings)


class NotPossible(ValueError):
    """The exchange would refuse it; the message says what it takes."""


class Payer(Enum):
    """Whose account pays."""

    TENANT = auto()
    MANAGER = auto()
    """The tenant's, by a key that it has let do that."""
    GIVER = auto()
    """That of somebody else, who gets nothing back."""


def plan_funding(view: DeploymentView, groups: Collection[str], wish: Wish, money: Money) -> FundPlan:
    """Return what to fund.

    Args:
        view: the deployment.
        groups: names of those that are meant; none for all.
        wish: how long, or how much.
        money: of the market.

    Raises:
        NotPossible: no such group, or more or less than the exchange takes.
    """
    chosen = _chosen(view, groups)
    found = [(attempt, _fundable(view, attempt)) for attempt in chosen]
    skipped = tuple((attempt.group.name, reason) for attempt, reason in found if isinstance(reason, str))
    wanted = _lengthened([funding for _, funding in found if isinstance(funding, Funding)], wish, money)
    longer = tuple(replace(each, blocks=max(blocks, each.least_blocks)) for each, blocks in wanted if blocks)
    plan = FundPlan(longer, skipped, tuple(each for each, blocks in wanted if not blocks))
    _check_limits(plan, money)
    return plan


def _chosen(view: DeploymentView, groups: Collection[str]) -> tuple[Attempt, ...]:
    names = [attempt.group.name for attempt in view.current]
    for unknown in (name for name in groups if name not in names):
        raise NotPossible(f"no group {unknown!r} in deployment {full(view.id)}: it has {', '.join(names)}")
    return tuple(attempt for attempt in view.current if not groups or attempt.group.name in groups)


def _fundable(view: DeploymentView, attempt: Attempt) -> Funding | str:
    """Return how a group can be funded in the next block, or why it can not."""
    lease, block = attempt.lease, view.block_number + 1
    if attempt.state is OrderState.OPEN:
        charge = terms.max_charge_of(attempt.key)
        ahead = (attempt.deposit - view.tip) // charge
        return Funding(attempt, charge, ahead, ahead, 1)
    if lease is None or attempt.state is not OrderState.LEASE_ACTIVE:
        return "has ended" if not attempt.is_live else "is closing"
    if lease.is_stale(block, view.period_blocks):
        return f"is stale: `moorage stale {full(lease.id)}` ends it, and orders it again if it persists"
    ahead = runway_blocks(view, lease)
    if lease.is_exhausted(block, view.period_blocks):
        return Funding(attempt, lease.charge_per_block, ahead, _unpaid(view, lease, block), 2 * view.period_blocks)
    return Funding(attempt, lease.charge_per_block, ahead, ahead, 1)


def _unpaid(view: DeploymentView, lease: Lease, block: int) -> int:
    """Return the prepaid blocks of a used up lease that a revival does not pay its provider for."""
    return 0 if block <= lease.deadline_block(view.period_blocks) else lease.funded_block - lease.confirmed_block


def _lengthened(fundable: Sequence[Funding], wish: Wish, money: Money) -> list[tuple[Funding, int]]:
    """Return groups with the blocks that are wished for each."""
    match wish:
        case Longer(blocks):
            return [(each, blocks) for each in fundable]
        case UpTo(blocks):
            return [(each, max(blocks - each.kept_blocks, 0)) for each in fundable]
        case Spend(amount):
            blocks = _affordable(fundable, amount, money)
            return [(each, blocks) for each in fundable]


def _affordable(fundable: Sequence[Funding], amount: int, money: Money) -> int:
    """Return how many blocks longer all groups can last for an amount."""
    least = max((each.least_blocks for each in fundable), default=1)
    charges = sum(each.charge_per_block for each in fundable)
    blocks = amount // charges if charges else 0
    if fundable and blocks < least:
        needed = money.at_most(least * charges)
        reason = "a lease that is used up takes no less than two periods" if least > 1 else "a block costs that"
        raise NotPossible(f"{money.amount(amount)} is too little: at least {needed}, {reason}")
    return blocks


def _check_limits(plan: FundPlan, money: Money) -> None:
    for each in plan.fundings:
        if each.runway_after_blocks > MAX_BLOCKS:
            most = money.span(max(MAX_BLOCKS - each.kept_blocks, 0))
            text = f"group {each.attempt.group.name} can last {most} longer at most: a lease has no more than"
            raise NotPossible(f"{text} {MAX_BLOCKS:,} blocks")
    if plan.total > MAX_MONEY:
        raise NotPossible(f"{money.at_most(plan.total)} is more than the exchange can hold")


def payer_of(view: DeploymentView, wallet: Address, manager: Manager | None, total: int, money: Money) -> Payer:
    """Return whose account pays if a wallet funds.

    Raises:
        NotPossible: the wallet is a manager and may not, or not so much.
    """
    if wallet == view.tenant:
        return Payer.TENANT
    if manager is None:
        return Payer.GIVER
    if Permission.FUND not in manager.permissions:
        raise NotPossible(f"wallet {wallet} is a manager that may not fund: its tenant can let it, or remove it")
    if view.block_number >= manager.expires_block:
        raise NotPossible(f"wallet {wallet} was a manager until block {manager.expires_block}: its tenant can renew it")
    if manager.spendable < total:
        left = money.amount(manager.spendable)
        raise NotPossible(f"{money.at_most(total)} are above what wallet {wallet} may spend still: {left}")
    return Payer.MANAGER


def describe_funding(plan: FundPlan, money: Money) -> list[tuple[str, ...]]:
    """Return the rows of a table: each group with how long it lasts now and then."""
    rows: list[tuple[str, ...]] = [("GROUP", "STATE", "PRICE", "LASTS", "THEN", "COST")]
    for each in plan.fundings:
        state = "open order" if each.attempt.state is OrderState.OPEN else "leased"
        now, then = lasting(each.runway_blocks, money), lasting(each.runway_after_blocks, money)
        price, cost = money.per_hour(each.charge_per_block), money.at_most(each.cost)
        rows.append((each.attempt.group.name, "used up" if each.is_revival else state, price, now, then, cost))
    return rows


def describe_taken(each: Funding, money: Money) -> str:
    """Return what is taken in fact: the exchange charges the lease's price, of an open order the maximum."""
    at = "max-price, until it is leased" if each.attempt.state is OrderState.OPEN else "the price of its lease"
    return f"group {each.attempt.group.name}: {money.at_most(each.cost)} is taken, at {at}"


def lasting(blocks: int, money: Money) -> str:
    """Return a runway in hours, and in days where it has some."""
    return f"{money.hours(blocks)} h ({money.span(blocks)})"


def revivals(plan: FundPlan) -> list[str]:
    """Return the groups whose leases are used up and would be revived."""
    return [each.attempt.group.name for each in plan.fundings if each.is_revival]


def funding_document(each: Funding, money: Money) -> dict[str, object]:
    """Return a group's part for programs; money in tokens as text."""
    return {
        "name": each.attempt.group.name,
        "order": full(each.attempt.id),
        "blocks": each.blocks,
        "cost": money.number(each.cost),
        "runway_blocks": each.runway_blocks,
        "runway_hours": money.hours(each.runway_blocks),
        "runway_after_blocks": each.runway_after_blocks,
        "runway_after_hours": money.hours(each.runway_after_blocks),
        "is_revival": each.is_revival,
    }
