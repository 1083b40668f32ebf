"""The matrix of states and calls on the model alone, which takes a second: what is refused, and what moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.matrices.calls import calls
from tests.matrices.cast import ORDINARY
from tests.matrices.pair import Call, Pair
from tests.matrices.states import states, tell
from tests.stateful.model import Account, DeploymentName, DeploymentState, State, Terms

States = dict[Terms | DeploymentName, State | DeploymentState]


@dataclass(frozen=True)
class Move:
    """An order or a deployment that went from one state into another."""

    kind: str  # of what
    before: str
    after: str
    by: str  # the transaction


@dataclass(frozen=True)
class Cell:
    """A call in a state."""

    state: str
    label: str
    refusal: str | None
    moves: frozenset[Move]
    robbed: frozenset[Account]  # whoever has less than before, but the caller and what is the caller's


@cache
def cells() -> tuple[Cell, ...]:
    return tuple(cell for name in states() for cell in _cells_of(name))


def _cells_of(name: str) -> Iterator[Cell]:
    pair = Pair(ORDINARY, is_model_alone=True)
    terms = tell(pair, states()[name])
    for sent in calls(pair, terms):
        before = _all_states(pair)
        had = {account: pair.worth(account) for account in pair.model.accounts}
        with pair.branch():
            refusal = pair.send(sent)
            moves = _moves(before, _all_states(pair), sent.name)
            robbed = frozenset(account for account in had if pair.worth(account) < had[account])
        yield Cell(name, sent.label, refusal, moves, robbed - _own(pair, sent))


def _all_states(pair: Pair) -> States:
    orders: States = {terms: order.state for terms, order in pair.model.orders.items()}
    return orders | {name: deployment.state for name, deployment in pair.model.deployments.items()}


def _moves(before: States, after: States, by: str) -> frozenset[Move]:
    unknown = {State: State.UNKNOWN, DeploymentState: DeploymentState.UNKNOWN}
    pairs = ((before.get(item, unknown[type(state)]), state) for item, state in after.items())
    return frozenset(Move(type(new).__name__, old.name, new.name, by) for old, new in pairs if old != new)


def _own(pair: Pair, sent: Call) -> set[Account]:
    providers = pair.model.providers.items()
    return {sent.caller, *(number for number, provider in providers if provider.owner == sent.caller)}
