"""What an update of a deployment is: the file beside what is on chain, which groups that makes or ends, what it costs.

A group whose terms are the same keeps its order or lease. One whose terms change is ended and ordered anew under
the same name; the exchange knows no way to change the terms of an order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cli.core.service_changes import ServiceChange, service_changes
from cli.core.view import Attempt, DeploymentView
from moorage import regions, terms, units
from moorage.manifest import MAX_GROUPS, Manifest
from moorage.money import Money
from moorage.types import Group, OrderKey, OrderState, ResourceGroup

LIVING = (OrderState.OPEN, OrderState.LEASE_ACTIVE)


class Sign(StrEnum):
    """What becomes of a group."""

    SAME = "="
    """Its order or lease goes on."""
    ADDED = "+"
    CHANGED = "~"
    """It ends, and is ordered anew with other terms."""
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What becomes of one group."""

    name: str
    sign: Sign
    before: Attempt | None = None
    """Its order or lease on chain that has not ended."""
    after: Group | None = None
    """As the file has it."""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between a file and its deployment."""

    groups: tuple[GroupChange, ...]
    services: tuple[ServiceChange, ...] | None
    """None: this machine does not have the manifest that is on chain, so that nobody can tell."""
    live_groups: int
    """That have not ended on chain, those that are closing included."""
    wait_duration: tuple[int, int] | None = None
    """Blocks on chain and in the file, if they differ: a deployment keeps the one it was made with."""

    @property
    def is_empty(self) -> bool:
        """Return whether file and chain say the same, but for a wait-duration that no update changes."""
        return self.services == () and all(each.sign is Sign.SAME for each in self.groups)

    @property
    def added(self) -> tuple[Group, ...]:
        """What is ordered."""
        return tuple(each.after for each in self.groups if each.after is not None and each.sign is not Sign.SAME)

    @property
    def ended(self) -> tuple[Attempt, ...]:
        """Orders and leases that end."""
        return tuple(each.before for each in self.groups if each.before is not None and each.sign is not Sign.SAME)

    @property
    def removed_keys(self) -> tuple[OrderKey, ...]:
        return tuple(attempt.key for attempt in self.ended)

    @property
    def excess_groups(self) -> int:
        """How many groups too many would live afterwards: a lease lives on until its provider has confirmed its end."""
        orders = sum(attempt.state is OrderState.OPEN for attempt in self.ended)
        return max(0, self.live_groups + len(self.added) - orders - MAX_GROUPS)


def compare(
    view: DeploymentView,
    running: Manifest | None,
    groups: Sequence[Group],
    wait_duration_blocks: int,
    manifest: Manifest,
    money: Money,
) -> Changes:
    """Return what an update to a file would change.

    Args:
        view: the deployment on chain.
        running: its manifest of the newest version on chain, if this machine has it.
        groups: of the file, as `compile` returns them.
        wait_duration_blocks: of the file.
        manifest: of the file.
        money: of the market, for words.
    """
    living = [attempt for attempt in view.wanted if attempt.state in LIVING]
    kept = {group.name: _counterpart(group, living) for group in groups}
    changes = [_group_change(view, kept[group.name], group, money) for group in groups]
    changes += [GroupChange(each.group.name, Sign.REMOVED, each) for each in living if each not in kept.values()]
    services = service_changes(running, manifest) if running is not None else None
    return Changes(tuple(changes), services, view.live_groups, _wait(view, wait_duration_blocks))


def _counterpart(group: Group, living: Sequence[Attempt]) -> Attempt | None:
    """Return what lives of a group. Of several under one name, which the exchange allows, one with the same terms."""
    named = [attempt for attempt in living if attempt.group.name == group.name]
    return max(named, key=lambda attempt: attempt.group == group, default=None)


def _wait(view: DeploymentView, wanted: int) -> tuple[int, int] | None:
    there = {terms.wait_duration_blocks(attempt.key) for attempt in view.attempts} - {wanted}
    return (there.pop(), wanted) if there else None


def _group_change(view: DeploymentView, before: Attempt | None, after: Group, money: Money) -> GroupChange:
    if before is None:
        ended = next((each for each in view.wanted if each.group.name == after.name), None)
        details = (
            () if ended is None else (f"its {_words(ended)} has ended ({ended.state.value}): it is ordered again",)
        )
        return GroupChange(after.name, Sign.ADDED, None, after, details)
    if before.group == after:
        return GroupChange(after.name, Sign.SAME, before, after)
    return GroupChange(after.name, Sign.CHANGED, before, after, tuple(_differences(before.group, after, money)))


def _words(attempt: Attempt) -> str:
    return "order" if attempt.lease is None else "lease"


def _differences(before: Group, after: Group, money: Money) -> Iterator[str]:
    if before.regions != after.regions:
        yield f"region {regions.describe([before.regions])} -> {regions.describe([after.regions])}"
    if before.persist != after.persist:
        yield f"persist {str(before.persist).lower()} -> {str(after.persist).lower()}"
    longest = max(len(before.resources), len(after.resources))
    for index in range(longest):
        old = before.resources[index] if index < len(before.resources) else None
        new = after.resources[index] if index < len(after.resources) else None
        if old != new:
            yield from _resource_differences(old, new, money)


def _resource_differences(before: ResourceGroup | None, after: ResourceGroup | None, money: Money) -> Iterator[str]:
    if before is None or after is None:
        one = before or after
        assert one is not None
        yield f"{'+' if before is None else '-'} {one.count} x {size_of(one)}"
        return
    if before.compute != after.compute:
        yield f"{size_of(before)} -> {size_of(after)}"
    if before.count != after.count:
        yield f"{before.count} -> {after.count} x {size_of(after)}"
    if before.price_per_block != after.price_per_block:
        old, new = money.per_hour(before.price_per_block), money.per_hour(after.price_per_block)
        yield f"max-price {old} -> {new}"
    if before.collateral != after.collateral:
        yield f"collateral {money.amount(before.collateral)} -> {money.amount(after.collateral)} each"


def size_of(resource: ResourceGroup) -> str:
    """Return the size of a compute unit in words."""
    compute = resource.compute
    cpu, memory = units.format_cpu(compute.milli_cpu), units.format_size(compute.memory_bytes)
    return f"{cpu} cpu, {memory} memory, {units.format_size(compute.disk_bytes)} disk"


def refund_now(view: DeploymentView, attempt: Attempt) -> int:
    """Return the ledger units that come back if an order or lease ends in the view's block.

    Of an order at once; of a lease once its provider has confirmed the end. The tip of the finish is in it.
    """
    lease = attempt.lease
    if lease is None:
        return attempt.deposit + view.tip
    used = (
        lease.claimed_block
        if lease.is_awaiting
        else min(max(view.block_number, lease.confirmed_block), lease.funded_block)
    )
    return lease.charge_per_block * (lease.funded_block - used) + lease.remainder + view.tip
