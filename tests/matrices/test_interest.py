"""Interest at the highest rate on the largest collateral, for more years than anybody leases: all fields hold it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.matrices.cast import (
    DEAR,
    DEAR_AND_QUICK,
    FACILITATOR,
    GROUP,
    MOST_LOCKED,
    OPERATOR,
    OWNER,
    STRANGER,
    TENANT,
    UNIT,
    WINNER,
)
from tests.matrices.pair import Pair, call
from tests.stateful.evm import FIRST_BLOCK
from tests.stateful.model import MAX_BLOCKS, MAX_CHARGE, MAX_MONEY, DeploymentName, Group, Lease, State, Terms

NAME = DeploymentName(TENANT, 1)
BLOCKS_OF_A_YEAR = 365 * 7_200
INTEREST = MOST_LOCKED // 10**6  # of a block


def lent(collateral: int, price: int = 0) -> Group:
    return replace(GROUP, resources=(replace(UNIT, price=price, collateral=collateral, count=1),))


def leased(pair: Pair, collateral: int, deposit: int) -> Terms:
    """Bring a lease about that costs interest alone, and confirm it for the first time."""
    terms = Terms(NAME, 0, 0, lent(collateral))
    pair.do("submit_deployment", TENANT, NAME.salt, 1, 0, [terms.group], [deposit])
    pair.do("submit_fulfillment", OPERATOR, WINNER, *terms, [0], 0)
    pair.do("submit_lease", FACILITATOR, [terms])
    pair.do("submit_lease_confirmation", OPERATOR, WINNER, [terms])
    pair.compare()
    return terms


def lease_of(pair: Pair, terms: Terms) -> Lease:
    lease = pair.model.orders[terms].lease
    assert lease is not None
    return lease


def serve(pair: Pair, terms: Terms, end: int) -> None:
    """Confirm once in each period, as late as one may."""
    while lease_of(pair, terms).confirmed < end:
        pair.set_block(min(pair.model.block + DEAR.parameters.period, end))
        assert pair.send(call("submit_lease_confirmation", OPERATOR, WINNER, [terms])) is None


def test_b11_interest__on_the_largest_collateral_for_as_long_as_all_money_lasts__is_paid_to_the_unit() -> None:
    pair = Pair(DEAR)
    everything = MAX_MONEY - MOST_LOCKED
    with pair.branch():
        terms = leased(pair, MOST_LOCKED, everything)
        lease = lease_of(pair, terms)
        blocks = lease.funded - lease.confirmed
        assert (lease.charge, blocks) == (INTEREST, everything // INTEREST)
        assert blocks > 10 * BLOCKS_OF_A_YEAR

        serve(pair, terms, lease.funded)
        assert lease.earned > 2**95
        pair.set_block(lease.funded + 2)
        assert pair.send(call("finish_leases", FACILITATOR, [terms])) is None

        assert pair.worth(WINNER) == MOST_LOCKED + blocks * INTEREST
        assert pair.worth(TENANT) == everything % INTEREST
        assert pair.send(call("withdraw", OWNER, WINNER, pair.worth(WINNER))) is None


def test_b11_interest__of_more_than_ten_years_in_a_stale_lease__waits_whole_for_its_provider() -> None:
    pair = Pair(DEAR)
    with pair.branch():
        terms = leased(pair, MOST_LOCKED, MAX_MONEY - MOST_LOCKED)
        lease = lease_of(pair, terms)
        serve(pair, terms, lease.funded - DEAR.parameters.period - 1)
        pair.set_block(lease.funded)
        earned = lease.earned
        assert earned == (lease.confirmed - lease.claimed) * INTEREST > 2**95

        assert pair.send(call("submit_stale_lease", FACILITATOR, [terms])) is None
        assert pair.worth(WINNER) == 0
        assert pair.send(call("claim", STRANGER, [terms])) is None

        assert pair.worth(WINNER) == earned
        assert pair.worth(TENANT) == MAX_MONEY - earned


def test_b11_interest__of_a_unit_for_as_many_blocks_as_a_lease_can_have__ends_in_its_field() -> None:
    pair = Pair(DEAR)
    with pair.branch():
        terms = leased(pair, 10**6, MAX_BLOCKS + 7)
        lease = lease_of(pair, terms)
        assert (lease.charge, lease.funded - lease.confirmed) == (1, MAX_BLOCKS)
        assert pair.send(call("fund", TENANT, terms, 1)) == "leases: bad number of blocks"

        pair.set_block(FIRST_BLOCK + DEAR.parameters.period)
        assert pair.send(call("submit_lease_confirmation", OPERATOR, WINNER, [terms])) is None
        assert pair.send(call("fund", TENANT, terms, DEAR.parameters.period + 1)) == "leases: bad number of blocks"
        assert pair.send(call("fund", TENANT, terms, DEAR.parameters.period)) is None
        assert pair.send(call("close_deployment", TENANT, NAME, [terms])) is None
        assert pair.send(call("confirm_closed", OPERATOR, WINNER, [terms])) is None

        assert pair.state_of(terms) == State.CLOSED
        assert pair.worth(WINNER) == MOST_LOCKED + DEAR.parameters.period


@pytest.mark.parametrize("collateral", [10**6 - 1, 10**6, MOST_LOCKED, MAX_MONEY])
def test_b11_interest__with_the_highest_price_that_leaves_room_for_it__is_bounded_before_it_begins(
    collateral: int,
) -> None:
    pair = Pair(DEAR_AND_QUICK)
    interest = collateral // 10**6
    answers = {}
    for price in (0, MAX_CHARGE - interest - 1, MAX_CHARGE - interest, MAX_CHARGE - interest + 1, MAX_CHARGE):
        deposit = 8 * (price + interest)  # two periods
        sent = call("submit_deployment", TENANT, price, 1, 0, [lent(collateral, price)], [deposit])
        with pair.branch():
            answers[price] = pair.send(sent)

    assert answers.pop(0) == (None if interest else "terms: charge is zero")
    taken = {price for price, refusal in answers.items() if refusal is None}
    assert taken == {price for price in answers if price + interest <= MAX_CHARGE}
    assert {answers[price] for price in answers.keys() - taken} <= {
        "terms: price too high",
        "terms: bad resource group",
    }
