"""Transactions in one block, in every order: after each step the contract is what the model is, and pays once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.matrices.cast import (
    FACILITATOR,
    NEW_BIDDER,
    OPERATOR,
    ORDINARY,
    OTHER_OPERATOR,
    OWNER,
    STRANGER,
    TENANT,
    WINNER,
)
from tests.matrices.interface import functions
from tests.matrices.pair import Call, Pair, call
from tests.matrices.states import Step, at, tell
from tests.stateful.model import DeploymentState, State, Terms


def actions(pair: Pair, terms: Terms) -> dict[str, Call]:
    """Return what can meet in a block."""
    (unit,) = terms.group.resources
    name, replacing = terms.deployment, terms._replace(nonce=terms)
    return {
        "confirm": call("submit_lease_confirmation", OPERATOR, WINNER, [terms]),
        "confirm again": call("submit_lease_confirmation", OPERATOR, WINNER, [terms, terms]),
        "stale": call("submit_stale_lease", FACILITATOR, [terms]),
        "stale again": call("submit_stale_lease", STRANGER, [terms, terms]),
        "resign": call("submit_stale_lease", OWNER, [terms]),
        "close": call("close_deployment", TENANT, name, [terms, replacing]),
        "remove": call("update_deployment", TENANT, name, 0, [], [], [terms]),
        "fund": call("fund", TENANT, terms, 2 * pair.model.parameters.period),
        "claim": call("claim", STRANGER, [terms]),
        "claim again": call("claim", OWNER, [terms, terms]),
        "finish": call("finish_leases", FACILITATOR, [terms]),
        "confirm closed": call("confirm_closed", OPERATOR, WINNER, [terms]),
        "end": call("deployment_closed", FACILITATOR, [name]),
        "match": call("submit_lease", FACILITATOR, [terms]),
        "cancel": call("cancel_fulfillment", OPERATOR, WINNER, terms),
        "bid": call("submit_fulfillment", OTHER_OPERATOR, NEW_BIDDER, *terms, [unit.price - 100], 0),
    }


@dataclass
class Exploration:
    """All orders of some transactions, from one state on.

    What is refused changes nothing: an order in which it is tried in vain goes through the same states without it.
    """

    pair: Pair
    terms: Terms
    calls: dict[str, Call]
    tries: int = 0
    outcomes: set[tuple[str, ...]] = field(default_factory=set)  # what was accepted, in order

    def __post_init__(self) -> None:
        order = self.pair.model.orders[self.terms]
        lease, now = order.lease, self.pair.model.block
        self.start = self._provider_has()
        self.most = 0  # that the provider can earn on top, in this block
        if lease and order.state == State.ACTIVE and not lease.is_awaiting:
            self.most = lease.charge * (min(now, lease.funded) - lease.confirmed)

    def explore(self, names: frozenset[str], done: tuple[str, ...] = ()) -> None:
        """Try all that is left in this state, and go on from each state to which one of them leads."""
        self.outcomes.add(done)
        for name in sorted(names):
            with self.pair.branch():
                self.tries += 1
                if self.pair.send(self.calls[name]) is None:
                    self._check_payment(name)
                    self.explore(names - {name}, (*done, name))

    def _provider_has(self) -> int:
        earned = functions("Exchange")["lease"].outputs.index("earned")
        orders = self.pair.model.orders
        held = sum(int(self.pair.model.lease_view(terms)[earned]) for terms in orders)
        slashed = [self.pair.model.collateral(t.group) for t, order in orders.items() if order.state == State.STALE]
        return self.pair.worth(WINNER) + held + sum(slashed)

    def _check_payment(self, name: str) -> None:
        gained = self._provider_has() - self.start
        assert 0 <= gained <= self.most, f"{name}: the provider has gained {gained} of {self.most}"
        deployment = self.pair.model.deployments[self.terms.deployment]
        assert deployment.state != DeploymentState.CLOSED or deployment.live_groups == 0


def explored(story: Sequence[Step], block: int, names: Sequence[str], *, is_model_alone: bool = False) -> Exploration:
    """Tell a story up to a block, counted from the creation of its order, and go on in every order."""
    pair = Pair(ORDINARY, is_model_alone=is_model_alone)
    with pair.branch():
        terms = tell(pair, [*story, at(block)])
        calls = actions(pair, terms)
        exploration = Exploration(pair, terms, {name: calls[name] for name in names})
        exploration.explore(frozenset(names))
    return exploration
