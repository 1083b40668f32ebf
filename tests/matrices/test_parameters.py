"""Markets whose parameters are as small or as large as the constructor lets them be: leases are served to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import boa  # type: ignore[import-untyped]
import pytest

from tests.matrices.cast import (
    ALL_MONEY,
    FACILITATOR,
    GROUP,
    LOSER,
    OPERATOR,
    OTHER_OPERATOR,
    OTHER_OWNER,
    OWNER,
    STRANGER,
    TENANT,
    UNIT,
    WINNER,
)
from tests.matrices.pair import Pair, call
from tests.matrices.test_constructors import RANGES
from tests.stateful.evm import FIRST_BLOCK, Setting
from tests.stateful.model import NOTHING, DeploymentName, Parameters, Provider, State, Terms

CAP = 2**90 - 1
NAME = DeploymentName(TENANT, 1)
WAIT = 3
LEAST, MOST = ([limits[end] for limits in RANGES["Exchange"].values()] for end in (0, 1))
NAMES = [name.removesuffix("_blocks").removeprefix("reconfirmation_") for name in RANGES["Exchange"]]


def corners() -> Iterator[tuple[str, list[int]]]:
    """Yield all at one end, and each alone at the other."""
    for end, start, other in (("least", LEAST, MOST), ("most", MOST, LEAST)):
        yield f"all {end}", start
        for place, name in enumerate(NAMES):
            yield f"all {end} but {name}", [*start[:place], other[place], *start[place + 1 :]]


CORNERS = dict(corners())


@pytest.fixture(params=CORNERS)
def opened(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Return a market for this test alone."""
    parameters = Parameters(1, *CORNERS[request.param])
    providers = Provider(OWNER, OPERATOR, 1, CAP), Provider(OTHER_OWNER, OTHER_OPERATOR, 1, CAP)
    deposits = (TENANT, TENANT, ALL_MONEY - 2 * CAP), (TENANT, WINNER, CAP), (TENANT, LOSER, CAP)
    with boa.env.anchor():
        yield Pair(Setting(request.param, 18, parameters, {TENANT: ALL_MONEY}, providers, deposits))


def test_e14_market__opened_at_the_bounds_of_its_parameters__serves_leases_and_pays_everybody_out(opened: Pair) -> None:
    pair, parameters = opened, opened.model.parameters
    unit = replace(UNIT, price=5, collateral=max(parameters.tip, 10**6), count=1)
    orders = [Terms(NAME, nonce, WAIT, replace(GROUP, resources=(unit,))) for nonce in range(3)]
    closed = orders[1]
    deposits = 3 * [pair.model.minimum_deposit(closed.group) + 3]
    pair.do("submit_deployment", TENANT, NAME.salt, 1, WAIT, [terms.group for terms in orders], deposits)
    for terms in orders:
        pair.do("submit_fulfillment", OPERATOR, WINNER, *terms, [5], 0)
    dearer = call("submit_fulfillment", OTHER_OPERATOR, LOSER, *closed, [5], 0)
    assert pair.send(dearer) == ("order_book: book is full" if parameters.max_fulfillments == 1 else None)

    match = FIRST_BLOCK + WAIT
    pair.set_block(match - 1)
    assert pair.send(call("submit_lease", FACILITATOR, orders)) == NOTHING
    pair.set_block(match)
    assert pair.send(call("submit_lease", FACILITATOR, orders)) is None
    for turn in range(2):
        pair.set_block(match + turn * parameters.period)
        assert pair.send(call("submit_lease_confirmation", OPERATOR, WINNER, orders[turn:])) is None
    pair.set_block(pair.model.block + 1)
    assert pair.send(call("submit_stale_lease", FACILITATOR, orders)) is None
    assert pair.send(call("close_deployment", TENANT, NAME, orders)) is None
    assert pair.send(call("confirm_closed", OPERATOR, WINNER, [closed])) is None
    ended = pair.model.block
    pair.set_block(ended + parameters.grace)
    assert pair.send(call("finish_leases", FACILITATOR, orders)) == NOTHING
    pair.set_block(ended + parameters.grace + 1)
    assert pair.send(call("finish_leases", FACILITATOR, orders)) is None
    assert pair.send(call("deployment_closed", FACILITATOR, [NAME])) is None

    assert [pair.state_of(terms) for terms in orders] == [State.STALE, State.CLOSED, State.CLOSED]
    leave(pair, closed)


def leave(pair: Pair, order: Terms) -> None:
    """Free what a loser has locked, and let everybody take out all that there is."""
    if LOSER in pair.model.orders[order].fulfillments:
        pair.do("release_fulfillments", STRANGER, order, [LOSER])
    for account, balance in list(pair.model.accounts.items()):
        if balance.available:
            owner = pair.model.providers[account].owner if isinstance(account, int) else account
            pair.do("withdraw", owner, account, balance.available)
    pair.compare()
    assert pair.model.holdings == 0
