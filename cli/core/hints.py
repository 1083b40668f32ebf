"""What a tenant should know although nothing has happened: nobody bids, nobody matches, the money ends."""

from __future__ import annotations

from collections.abc import Iterator

from cli.core.story import Line
from cli.core.view import Attempt, DeploymentView, full, short
from moorage.money import Money
from moorage.terms import max_charge_of
from moorage.types import DeploymentState, OrderState

PATIENCE_BLOCKS = 5
"""How long facilitators and providers may take before it is worth a line."""


def hints(view: DeploymentView, money: Money) -> tuple[Line, ...]:
    """Return what is worth telling now; each of them is told once for an order, by its event and order."""
    if view.state is not DeploymentState.ACTIVE:
        return ()
    return tuple(line for attempt in view.current for line in _of_attempt(view, attempt, money))


def _of_attempt(view: DeploymentView, attempt: Attempt, money: Money) -> Iterator[Line]:
    group = attempt.group.name
    if attempt.state is OrderState.OPEN:
        late = view.block_number - attempt.match_block
        if late >= 0 and not attempt.bids:
            most = money.per_hour(max_charge_of(attempt.key))
            text = (
                f"no provider has bid for group {group} yet at up to {most}; the order stays open: "
                "`moorage search` says who would bid"
            )
            yield _hint(view, attempt, "no-bids", text)
        elif late >= PATIENCE_BLOCKS:
            since = f"group {group} could be matched since block {attempt.match_block}"
            text = f"{since}, but no facilitator has done it: `moorage match {full(attempt.id)}` does"
            yield _hint(view, attempt, "not-matched", text)
    lease = attempt.lease
    if lease is None or attempt.state is not OrderState.LEASE_ACTIVE:
        return
    if lease.is_stale(view.block_number - PATIENCE_BLOCKS, view.period_blocks):
        overdue = f"lease {short(lease.id)} of group {group} is overdue"
        text = f"{overdue}, but no facilitator has ended it: `moorage stale {full(lease.id)}` does"
        yield _hint(view, attempt, "not-ended", text)
    elif lease.is_exhausted(view.block_number, view.period_blocks):
        text = f"lease {short(lease.id)} of group {group} is used up: `moorage fund`, or its workloads are stopped"
        yield _hint(view, attempt, "exhausted", text)
    elif not lease.is_awaiting and lease.funded_block - view.block_number <= view.period_blocks:
        left = money.span(lease.funded_block - view.block_number)
        yield _hint(view, attempt, "low", f"lease {short(lease.id)} of group {group} is prepaid for {left} only")


def _hint(view: DeploymentView, attempt: Attempt, event: str, text: str) -> Line:
    return Line(view.block_number, event, text, {"order": full(attempt.id), "group": attempt.group.name})
