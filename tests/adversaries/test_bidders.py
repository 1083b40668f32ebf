"""Bidders who do not want to serve: they fill books, bid next to nothing, take bids back, or come last."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from tests.adversaries.attack_costs import cost_of_delaying
from tests.adversaries.cast import (
    ATTACKER,
    ATTACKERS,
    BOOK,
    COLLATERAL,
    FACILITATOR,
    FUNDS,
    GROUP,
    INTEREST,
    OWNER,
    PERIOD,
    PERSISTENT,
    PRICE,
    PROVIDER,
    SECOND_PROVIDER,
    TENANT,
    TIP,
    UNIT,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import Program, bid, cranks, order, play, service, tenancy
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import State, Terms

HALF = WAIT // 2


def fill_the_book(stage: Stage, terms: Terms, price: int) -> Program:
    """Bid with as many registrations as a book has places."""
    for number in ATTACKERS[:BOOK]:
        stage.submit_fulfillment(number, terms, price)
    yield from ()


def fill_and_cancel(stage: Stage, terms: Terms, price: int, cancelled_block: int) -> Program:
    """Fill the book and empty it again, too late for others if that were possible."""
    yield from fill_the_book(stage, terms, price)
    yield cancelled_block
    for number in ATTACKERS[:BOOK]:
        stage.cancel_fulfillment(number, terms)


def bid_at(stage: Stage, number: int, terms: Terms, price: int, block: int) -> Program:
    yield block
    yield from bid(stage, number, terms, price)


def pay(price: int, blocks: int) -> int:
    return (price + INTEREST) * blocks


def test_c01_bid_spammer__book_filled_at_the_ceiling__honest_lower_bid_evicts_and_wins(stage: Stage) -> None:
    terms = order(stage)
    start = stage.block

    play(
        stage,
        fill_the_book(stage, terms, PRICE),
        bid_at(stage, PROVIDER, terms, PRICE - 1, start + WAIT - 1),
        cranks(stage),
        service(stage, PROVIDER),
        tenancy(stage, [terms], start + 5 * PERIOD),
        until=start + 6 * PERIOD,
    )
    profits = stage.leave()

    first_confirmation = start + PERIOD // 2
    assert stage.lease(terms).provider == PROVIDER
    assert profits[OWNER] == pay(PRICE - 1, start + 5 * PERIOD - first_confirmation)
    assert profits[ATTACKER] == 0


@pytest.mark.parametrize("cancelled", [HALF - 1, HALF])
def test_c02_low_baller__cancels_until_half_of_the_wait__honest_bids_enter_and_win(
    stage: Stage, cancelled: int
) -> None:
    terms = order(stage)
    start = stage.block

    play(
        stage,
        fill_and_cancel(stage, terms, price=1, cancelled_block=start + cancelled),
        bid_at(stage, PROVIDER, terms, PRICE, start + HALF + 1),
        cranks(stage),
        until=start + WAIT,
    )
    profits = stage.leave()

    assert stage.lease(terms).provider == PROVIDER
    assert profits[ATTACKER] == 0


def test_c02_low_baller__cancels_after_half_of_the_wait__is_bound_and_pays_with_its_collateral(stage: Stage) -> None:
    terms = order(stage)
    start = stage.block

    with refused("order_book: bid is binding"):
        play(stage, fill_and_cancel(stage, terms, price=1, cancelled_block=start + HALF + 1), until=start + WAIT)
    play(stage, cranks(stage), until=start + WAIT + PERIOD + 1)
    profits = stage.leave()

    assert stage.state(terms) == State.STALE
    assert profits[ATTACKER] == -COLLATERAL
    assert profits[TENANT] == COLLATERAL - 3 * TIP  # of match, stale call and closed deployment


def test_c02_low_baller__wins_a_persistent_order_again_and_again__loses_a_collateral_each_time(stage: Stage) -> None:
    terms = order(stage, PERSISTENT)
    start, delays = stage.block, 5

    for number in ATTACKERS[:delays]:
        stage.submit_fulfillment(PROVIDER, terms, PRICE)
        stage.submit_fulfillment(number, terms, 1)
        stage.pass_blocks(WAIT)
        stage.submit_lease(FACILITATOR, [terms])
        stage.release_fulfillments(FACILITATOR, terms, [PROVIDER])
        stage.pass_blocks(PERIOD + 1)
        stage.submit_stale_lease(ATTACKER, [terms])
        terms = stage.renewed(terms)
    cost = cost_of_delaying(stage.block - start, WAIT, PERIOD, COLLATERAL, TIP)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    play(stage, cranks(stage), service(stage, PROVIDER), until=stage.block + WAIT + PERIOD)
    profits = stage.leave()

    assert stage.lease(terms).provider == PROVIDER
    assert profits[ATTACKER] == -cost == -delays * (COLLATERAL - TIP)
    assert profits[TENANT] > delays * (COLLATERAL - 2 * TIP) - deposit_for(10)


def test_c02_canceller__evicts_all_honest_bids_and_cancels__they_bid_again_and_win(stage: Stage) -> None:
    terms = order(stage)
    start = stage.block
    stage.submit_fulfillment(PROVIDER, terms, PRICE)

    play(
        stage,
        fill_and_cancel(stage, terms, PRICE - 1, cancelled_block=start + HALF),
        bid_at(stage, PROVIDER, terms, PRICE, start + HALF + 1),
        cranks(stage),
        until=start + WAIT,
    )
    profits = stage.leave()

    assert stage.lease(terms).provider == PROVIDER
    assert profits[ATTACKER] == 0


def test_c02_canceller__bids_and_cancels_fifty_times__is_where_it_began(stage: Stage) -> None:
    terms = order(stage)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)

    for _ in range(50):
        stage.submit_fulfillment(ATTACKERS[0], terms, 1)
        stage.cancel_fulfillment(ATTACKERS[0], terms)
    play(stage, cranks(stage), until=stage.block + WAIT)

    assert stage.lease(terms).provider == PROVIDER
    assert stage.leave()[ATTACKER] == 0


@pytest.mark.parametrize(("less", "winner"), [(0, PROVIDER), (1, ATTACKERS[0])])
def test_c04_sniper__bids_in_the_last_block__wins_only_if_it_is_cheaper_and_serves(
    stage: Stage, less: int, winner: int
) -> None:
    terms = order(stage)
    start = stage.block
    sniper = ATTACKERS[0]

    play(
        stage,
        bid(stage, PROVIDER, terms, PRICE),
        bid_at(stage, sniper, terms, PRICE - less, start + WAIT),  # in the block of the match, before it
        cranks(stage),
        service(stage, PROVIDER),
        service(stage, sniper),
        tenancy(stage, [terms], start + 5 * PERIOD),
        until=start + 6 * PERIOD,
    )
    profits = stage.leave()

    assert stage.lease(terms).provider == winner
    owner = ATTACKER if winner == sniper else OWNER
    assert profits[owner] == pay(PRICE - less, 5 * PERIOD - PERIOD // 2)
    assert profits[TENANT] == -profits[owner] - 2 * TIP  # of match and closed deployment


def test_c09_ties__four_equal_bids_in_all_orders_and_with_any_hint__first_in_wins(stage: Stage) -> None:
    arrivals = list(permutations((PROVIDER, SECOND_PROVIDER, *ATTACKERS[:2])))
    orders = []
    for _ in range(3):
        orders += stage.submit_deployment(TENANT, 8 * [GROUP], 8 * [deposit_for(2)])

    for terms, numbers in zip(orders, arrivals, strict=True):
        for place, number in enumerate(numbers):
            stage.submit_fulfillment(number, terms, PRICE, hint=numbers[place - 1])  # the first names a stranger
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, orders)

    assert [stage.lease(terms).provider for terms in orders] == [numbers[0] for numbers in arrivals]
    assert stage.leave()[ATTACKER] == 0


def test_c18_extremes__more_collateral_than_anybody_has_for_no_price__nobody_is_made_to_lock_it(stage: Stage) -> None:
    trap = replace(GROUP, resources=(replace(UNIT, price=0, collateral=FUNDS + 1),))
    terms = order(stage, trap)

    with refused("ledger: insufficient funds"):
        stage.submit_fulfillment(PROVIDER, terms, 0)
    play(stage, cranks(stage), until=stage.block + WAIT)
    profits = stage.leave()

    assert stage.state(terms) == State.ORDER_CLOSED
    assert (profits[OWNER], profits[TENANT]) == (0, -TIP)


def test_c18_extremes__collateral_above_what_the_owner_allows__is_refused(stage: Stage) -> None:
    stage.set_collateral_cap(PROVIDER, COLLATERAL - 1)
    terms = order(stage)

    with refused("ledger: above collateral cap"):
        stage.submit_fulfillment(PROVIDER, terms, PRICE)

    assert stage.leave()[OWNER] == 0


def test_c18_extremes__collateral_of_a_tip_for_a_high_price__costs_the_provider_that_and_pays_for_the_call(
    stage: Stage,
) -> None:
    bare = replace(GROUP, resources=(replace(UNIT, collateral=TIP),))
    terms = order(stage, bare)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)

    play(stage, cranks(stage), until=stage.block + WAIT + PERIOD + 1)
    profits = stage.leave()

    assert stage.state(terms) == State.STALE
    assert profits[OWNER] == -TIP
    assert profits[FACILITATOR] == stage.tips[FACILITATOR] == 2 * TIP
