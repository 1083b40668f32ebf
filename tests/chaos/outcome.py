"""What a run of the scenario has come to, and in what two runs differ.

What depends on when something was noticed (heights, and how far a living lease is confirmed) is taken out, and all else
has to be equal: states, money to the last unit, who got which tip, what runs, and how often each thing happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

PERIODIC = frozenset({"LeaseConfirmed", "LeaseClaimed"})
"""What happens as often as it has to."""
AGAIN = "-again"
"""What the name of an order ends in that replaces one of a stale lease."""
CAUSES = {
    "FulfillmentSubmitted": ("OrderCreated", "OrderRecreated"),
    "LeaseCreated": ("OrderCreated", "OrderRecreated"),
    "FulfillmentReleased": ("LeaseCreated",),
    "LeaseConfirmed": ("LeaseCreated",),
    "LeaseStale": ("LeaseCreated",),
    "LeaseClosed": ("LeaseClosing",),
    "DeploymentClosed": ("LeaseClosed",),
}
"""What daemons do, and after what: a delay is not counted again in all that follows."""


Act = tuple[str, str, str]
"""An event, what it is about, and the provider in it."""


@dataclass(frozen=True)
class Outcome:
    """The end of a run."""

    accounts: dict[str, tuple[int, int]]
    """Role -> available and committed, as if all of the living leases had been earned from their match on."""
    orders: dict[str, str]
    """Order -> its state, its provider, and whether it waits for its first confirmation."""
    deployments: dict[str, str]
    things: tuple[str, ...]
    """Names of the containers, networks and volumes on the engine."""
    manifests: frozenset[str]
    acts: Counter[Act]
    """How often each was seen, but for what is periodic."""
    started: Counter[str]
    """Container -> how often it was started."""
    wrongly_removed: tuple[str, ...]
    reverted: tuple[str, ...]
    """Transactions of daemons that failed in a block."""
    heights: dict[Act, int]
    """The block of the first of each, counted from the beginning of the run."""
    blocks: int
    """How long it took until all was over."""
    sent: Counter[str]
    """Role -> transactions in blocks."""
    confirmations: Counter[tuple[str, int]]
    """(lease, block) -> how often it was confirmed there."""
    crashes: dict[str, tuple[str, ...]]
    """Daemon -> why it ended, each time."""

    def differences(self, other: Outcome, late_blocks: int) -> list[str]:
        """Return what this run has come to otherwise than another, the fault-free one.

        Args:
            late_blocks: how much longer each thing may have taken after its cause.
        """
        return [*self._contradictions(), *self._inequalities(other), *self._delays(other, late_blocks)]

    def _contradictions(self) -> Iterator[str]:
        """Yield what no run may show."""
        if self.wrongly_removed:
            yield f"removed from live leases: {self.wrongly_removed}"
        for name, times in self.started.items():
            if times > 1:
                yield f"{name} was started {times} times"
        for (lease, block), times in self.confirmations.items():
            if times > 1:
                yield f"lease {lease} was confirmed {times} times in block {block}"
        for transaction in self.reverted:
            yield f"failed in a block: {transaction}"

    def _inequalities(self, other: Outcome) -> Iterator[str]:
        for field in fields(self):
            if field.name in ("accounts", "orders", "deployments", "acts", "started"):
                ours, theirs = getattr(self, field.name), getattr(other, field.name)
                for key in sorted({*ours, *theirs}):
                    if ours.get(key) != theirs.get(key):
                        yield f"{field.name} {key}: {ours.get(key)} instead of {theirs.get(key)}"
            elif field.name in ("things", "manifests") and getattr(self, field.name) != getattr(other, field.name):
                yield f"{field.name}: {getattr(self, field.name)} instead of {getattr(other, field.name)}"

    def _delays(self, other: Outcome, late_blocks: int) -> Iterator[str]:
        usual = dict(other._reactions())
        for act, blocks in self._reactions():
            if act in usual and blocks > usual[act] + late_blocks:
                yield f"{act} took {blocks} blocks instead of {usual[act]}"

    def _reactions(self) -> Iterator[tuple[Act, int]]:
        """Yield each act of a daemon with the blocks that it took after its cause."""
        for act, block in self.heights.items():
            event, what, _ = act
            causes = [
                height
                for (name, about, _), height in self.heights.items()
                if name in CAUSES.get(event, ()) and about in (what, f"{what}{AGAIN}")
            ]
            if causes:
                yield act, block - max(causes)
