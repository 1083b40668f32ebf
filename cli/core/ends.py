"""When a run that follows a deployment is over, and what is said then: what happened, what is safe, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from cli.core.agents import NOTHING_KNOWN, REFUSALS_THAT_COUNT, Knowledge, Workload, paid_for
from cli.core.view import Attempt, DeploymentView, short
from moorage import terms
from moorage.money import Money
from moorage.types import DeploymentState, OrderId, OrderState

BIDDING_BLOCKS = 5
"""How long after it could be matched an order without bids is waited for: providers bid within a block or two."""
FAILURES_THAT_COUNT = 12
"""In a row, some four minutes: an agent that does not answer as often is away."""


class Why(Enum):
    GONE = auto()
    """There is nothing left to follow."""
    NO_BIDS = auto()
    AGENT = auto()
    """One does not take what it is given."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a run is over before everything runs."""

    why: Why
    text: str


def end_of(view: DeploymentView) -> End | None:
    """Return why nobody needs to follow a deployment any more."""
    if view.state is not DeploymentState.ACTIVE:
        text = f"the deployment is {view.state.value}, somebody has deleted it: `moorage delete` sees it to its end"
        return End(Why.GONE, text)
    if view.live_groups == 0:
        text = "no group lives any more: `moorage update` orders them again, `moorage delete` brings back what is left"
        return End(Why.GONE, text)
    return None


def end_of_waiting(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge], money: Money) -> End | None:
    """Return why it is of no use to wait until everything runs."""
    found = (each for attempt in view.wanted for each in _of_attempt(view, attempt, knowledge, money))
    return next(found, None)


def _of_attempt(
    view: DeploymentView, attempt: Attempt, knowledge: Mapping[OrderId, Knowledge], money: Money
) -> Iterator[End]:
    if attempt.state is OrderState.OPEN:
        if not attempt.bids and view.block_number >= attempt.match_block + BIDDING_BLOCKS:
            yield End(Why.NO_BIDS, _nobody_bids(attempt, money))
        return
    known = knowledge.get(attempt.id, NOTHING_KNOWN)
    if known.refusals >= REFUSALS_THAT_COUNT:
        yield End(Why.AGENT, f"provider {attempt.provider} refuses (lease {short(attempt.id)}): {_agent(view, known)}")
    elif known.failures >= FAILURES_THAT_COUNT and attempt.state is OrderState.LEASE_ACTIVE:
        text = f"provider {attempt.provider} is not to be reached (lease {short(attempt.id)}): {_agent(view, known)}"
        yield End(Why.AGENT, text)
    elif known.report is not None and known.report.version == view.version:
        yield from (End(Why.AGENT, _kept_back(each)) for each in known.report.workloads if each.is_kept_back)


def _kept_back(workload: Workload) -> str:
    return (
        f"workload {workload.name}: {workload.reason}; its provider goes on trying: `moorage logs {workload.name}` "
        "shows what it writes, `moorage update` brings another version, or the one before again"
    )


def _nobody_bids(attempt: Attempt, money: Money) -> str:
    most = money.per_hour(terms.max_charge_of(attempt.key))
    return (
        f"no provider has bid for group {attempt.group.name} at up to {most} since block {attempt.created_block}; its "
        f"order stays open with {money.amount(attempt.deposit)} that come back when it ends: `moorage search` says "
        "who would bid, `moorage update` orders anew with another max-price, `moorage delete` ends it"
    )


def _agent(view: DeploymentView, known: Knowledge) -> str:
    return (
        f"{known.problem}; {paid_for(view)}: the deployment lives on, `moorage deploy` tries again, "
        "`moorage delete` ends it"
    )
