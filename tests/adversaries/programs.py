"""What a program is, how several act on one stage, and those of the honest: orders, service, cranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from tests.adversaries.cast import FACILITATOR, GROUP, PERIOD, TENANT, deposit_for
from tests.adversaries.stage import Stage
from tests.stateful.model import DeploymentState, Group, State, Terms

Program = Iterator[int]
"""Acts whenever it is resumed, and yields the block in which it will act again."""


def play(stage: Stage, *programs: Program, until: int) -> None:
    """Let programs act, in one block in the order in which they are given, until the end of a block."""
    turns = [(stage.block, rank, program) for rank, program in enumerate(programs)]
    heapify(turns)
    while turns and turns[0][0] <= until:
        block, rank, program = heappop(turns)
        stage.go_to(block)
        for again in program:
            assert again > block
            heappush(turns, (again, rank, program))
            break
    stage.go_to(until)


def order(stage: Stage, group: Group = GROUP, periods: int = 10) -> Terms:
    """Order one group, prepaid at its maximum charge."""
    charge = stage.model.max_charge(group)
    return stage.submit_deployment(TENANT, [group], [deposit_for(periods, charge)])[-1]


def leased(stage: Stage, number: int, price: int, group: Group = GROUP, periods: int = 10) -> Terms:
    """Bring a lease about that has just been confirmed for the first time."""
    terms = order(stage, group, periods)
    stage.submit_fulfillment(number, terms, price)
    stage.pass_blocks(terms.wait_duration)
    stage.submit_lease(FACILITATOR, [terms])
    stage.submit_lease_confirmation(number, [terms])
    return terms


def service(stage: Stage, number: int, every: int = PERIOD // 2) -> Program:
    """Confirm all leases of a provider twice in each period, and what has closed."""
    while True:
        for state, send in (
            (State.ACTIVE, stage.submit_lease_confirmation),
            (State.CLOSING, stage.confirm_closed),
        ):
            mine = [terms for terms in stage.orders_in(state) if stage.lease(terms).provider == number]
            if mine:
                send(number, mine)
        yield stage.block + every


def cranks(stage: Stage, who: str = FACILITATOR) -> Program:
    """Send all that anyone may send, as soon as it can be sent."""
    model = stage.model
    while True:
        for send, is_ready in (
            (stage.submit_lease, model._is_matchable),
            (stage.submit_stale_lease, model._is_stale),
            (stage.finish_leases, model._is_finishable),
        ):
            ready = [terms for terms, order in model.orders.items() if is_ready(order)]
            if ready:
                send(who, ready)
        closing = [name for name, it in model.deployments.items() if it.state == DeploymentState.CLOSING]
        ended = [name for name in closing if model.deployments[name].live_groups == 0]
        if ended:
            stage.deployment_closed(who, ended)
        yield stage.block + 1


def bid(stage: Stage, number: int, terms: Terms, price: int) -> Program:
    """Bid once."""
    stage.submit_fulfillment(number, terms, price)
    yield from ()


def tenancy(stage: Stage, orders: Sequence[Terms], closing_block: int) -> Program:
    """Close at a block."""
    yield closing_block
    for name in dict.fromkeys(terms.deployment for terms in orders):
        stage.close_deployment(name.tenant, name)
