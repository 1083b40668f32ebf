"""The match: when, with whom, for how long, and who is paid for it."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    COLLATERAL,
    MAX_BLOCKS,
    MAX_CHARGE,
    MINIMUM_DEPOSIT,
    PERIOD,
    PREPAID_BLOCKS,
    REMAINDER,
    TIP,
    UNKNOWN_ID,
    WAIT,
    Order,
    group_of,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"


@pytest.fixture(scope="module")
def order(market, provider):
    """An order with one bid at the maximum price."""
    [order] = market.submit()
    market.bid(provider, order)
    return order


def test_submit_lease__one_bid__creates_a_lease(market, exchange, provider, order):
    tenant_before = market.available(market.tenant)
    block = market.order(order)["match_block"]
    market.mine_to(block)

    tx = exchange.submit_lease([order.key], {"from": market.facilitator})

    assert logged(tx) == [
        (
            "LeaseCreated",
            {
                "lease": order.id,
                "provider": provider.number,
                "facilitator": market.facilitator.address,
                "charge": CHARGE,
                "blocks": PREPAID_BLOCKS,
                "refund": 0,
            },
        )
    ]
    assert market.lease(order) == {
        "state": ACTIVE,
        "provider": provider.number,
        "charge": CHARGE,
        "remainder": REMAINDER,
        "is_awaiting": True,
        "claimed_block": block,
        "confirmed_block": block,
        "funded_block": block + PREPAID_BLOCKS,
        "deadline_block": block + PERIOD,
        "earned": 0,
        "runway_blocks": PREPAID_BLOCKS,
        "is_stale": False,
        "is_exhausted": False,
    }
    assert market.available(market.tenant) == tenant_before
    assert market.available(market.facilitator) == TIP
    assert market.committed(provider.account) == COLLATERAL


def test_submit_lease__a_block_before_the_wait_is_over__is_refused(market, exchange, order):
    market.mine_to(market.order(order)["match_block"] - 1)

    assert refusal(exchange.submit_lease, [order.key], by=market.facilitator) == NOTHING


def test_submit_lease__a_block_after_the_wait_is_over__matches(market, exchange, order):
    market.mine_to(market.order(order)["match_block"] + 1)

    exchange.submit_lease([order.key], {"from": market.facilitator})

    assert market.lease(order)["state"] == ACTIVE


@pytest.mark.parametrize("role", ["stranger", "tenant", "operator", "attacker"])
def test_c07_submit_lease__by_anyone__pays_the_tip_to_the_caller(market, exchange, order, role):
    caller = getattr(market, role)
    market.mine_to(market.order(order)["match_block"])
    before = market.available(caller)

    exchange.submit_lease([order.key], {"from": caller})

    assert market.available(caller) - before == TIP


def test_submit_lease__no_wait_duration__matches_in_the_next_block(market, exchange, provider):
    [order] = market.submit(wait=0)
    market.bid(provider, order)

    exchange.submit_lease([order.key], {"from": market.facilitator})

    assert market.lease(order)["state"] == ACTIVE


@pytest.mark.parametrize("prices", [(9, 8, 7), (9, 7, 8), (7, 8, 9)], ids=str)
def test_submit_lease__several_bids__picks_the_lowest(market, provider, rival, third, prices):
    [order] = market.submit()
    bidders = [provider, rival, third]
    for bidder, price in zip(bidders, prices, strict=True):
        market.bid(bidder, order, price)

    market.match(order)

    lease = market.lease(order)
    winner = bidders[prices.index(7)]
    assert (lease["provider"], lease["charge"]) == (winner.number, 7 * 4)


def test_submit_lease__equal_bids__picks_the_earliest(market, provider, rival, third):
    [order] = market.submit()
    for bidder in (third, rival, provider):
        market.bid(bidder, order, 7)

    market.match(order)

    assert market.lease(order)["provider"] == third.number


def test_submit_lease__lowest_bid_cancelled__picks_the_next(market, exchange, provider, rival):
    [order] = market.submit()
    market.bid(rival, order, 8)
    market.bid(provider, order, 7)
    exchange.cancel_fulfillment(provider.number, order.key, {"from": provider.operator})

    market.match(order)

    assert market.lease(order)["provider"] == rival.number


def test_submit_lease__no_bids__is_refused(market, exchange):
    [order] = market.submit()
    market.mine_to(market.order(order)["match_block"] + 1)

    assert refusal(exchange.submit_lease, [order.key], by=market.facilitator) == NOTHING


def test_submit_lease__already_a_lease__is_refused(market, exchange, order):
    market.match(order)

    assert refusal(exchange.submit_lease, [order.key], by=market.facilitator) == NOTHING


def test_submit_lease__order_closed__is_refused(market, exchange, order):
    market.mine_to(market.order(order)["match_block"])
    market.close(order)

    assert refusal(exchange.submit_lease, [order.key], by=market.facilitator) == NOTHING


def test_submit_lease__other_terms_than_ordered__is_refused(market, exchange, order):
    cheaper = Order(order.deployment, order.nonce, WAIT, group_of(price=9))
    market.mine_to(market.order(order)["match_block"])

    assert refusal(exchange.submit_lease, [cheaper.key], by=market.facilitator) == NOTHING


def test_submit_lease__empty_batch__is_refused(market, exchange):
    assert refusal(exchange.submit_lease, [], by=market.facilitator) == NOTHING


def test_submit_lease__batch_above_32__is_refused(market, exchange, order):
    market.mine_to(market.order(order)["match_block"])

    assert refusal(exchange.submit_lease, [order.key] * 33, by=market.facilitator) == ""


def test_submit_lease__batch_of_32_times_the_same__matches_once(market, exchange, order):
    market.mine_to(market.order(order)["match_block"])

    tx = exchange.submit_lease([order.key] * 32, {"from": market.facilitator})

    assert len(logged(tx)) == 1
    assert market.available(market.facilitator) == TIP


def test_submit_lease__mixed_batch__matches_what_is_ready(market, exchange, provider, order):
    [leased] = market.matched(provider)
    first, second, without_bid = market.submit(group_of(), group_of(), group_of())
    market.bid(provider, first)
    market.bid(provider, second)
    market.mine_to(market.order(second)["match_block"])
    [too_early] = market.submit()
    market.bid(provider, too_early)
    unknown = Order(UNKNOWN_ID, first.nonce, WAIT, first.group)
    batch = [each.key for each in (unknown, leased, first, without_bid, too_early, second)]
    tips_before = market.available(market.facilitator)

    tx = exchange.submit_lease(batch, {"from": market.facilitator})

    assert [fields["lease"] for _, fields in logged(tx)] == [first.id, second.id]
    assert market.available(market.facilitator) - tips_before == 2 * TIP


# ----------------------------------------------------------------------------------------------- blocks and money


@pytest.mark.parametrize(
    ("deposit", "price", "blocks", "remainder"),
    [
        (MINIMUM_DEPOSIT, 10, 2 * PERIOD, 0),
        (MINIMUM_DEPOSIT + CHARGE - 1, 10, 2 * PERIOD, CHARGE - 1),
        (MINIMUM_DEPOSIT + CHARGE, 10, 2 * PERIOD + 1, 0),
        (MINIMUM_DEPOSIT, 1, 2 * PERIOD * 10, 0),
        (MINIMUM_DEPOSIT, 3, 666, 8),
    ],
)
def test_submit_lease__a_deposit__buys_whole_blocks_and_the_lease_keeps_the_rest(
    market, provider, deposit, price, blocks, remainder
):
    [order] = market.submit(deposits=[deposit])
    market.bid(provider, order, price)
    before = market.available(market.tenant)

    [(_, fields)] = logged(market.match(order))

    assert (fields["blocks"], fields["refund"]) == (blocks, 0)
    assert (market.lease(order)["runway_blocks"], market.lease(order)["remainder"]) == (blocks, remainder)
    assert market.available(market.tenant) == before


@pytest.mark.parametrize(
    ("above", "refund", "remainder"),
    [(-1, 0, 2), (0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 3, 0), (4, 4, 0), (1_000, 1_000, 0)],
)
def test_submit_lease__deposit_around_the_longest_span__returns_whole_blocks_beyond_it(
    market, provider, above, refund, remainder
):
    charge = 3
    deposit = MAX_BLOCKS * charge + above + TIP
    market.give(market.tenant, 2**34)
    [order] = market.submit(group_of(price=charge, count=1, collateral=TIP), deposits=[deposit])
    market.bid(provider, order)
    before = market.available(market.tenant)

    [(_, fields)] = logged(market.match(order))

    assert (fields["blocks"], fields["refund"]) == (MAX_BLOCKS - (above < 0), refund)
    assert market.available(market.tenant) - before == refund
    assert market.lease(order)["remainder"] == remainder


def test_submit_lease__bid_of_the_interest_alone__is_matched(market, provider):
    [order] = market.submit(group_of(price=1, count=1, collateral=3 * 10**6))
    market.bid(provider, order, 0)

    market.match(order)

    assert market.lease(order)["charge"] == 3


def test_submit_lease__highest_charge_of_all__is_matched(market, provider):
    market.give(market.tenant, 2**95)
    deposit = 2 * PERIOD * MAX_CHARGE + TIP
    [order] = market.submit(group_of(price=MAX_CHARGE, count=1, collateral=TIP), deposits=[deposit])
    market.bid(provider, order)

    market.match(order)

    lease = market.lease(order)
    assert (lease["charge"], lease["remainder"], lease["runway_blocks"]) == (MAX_CHARGE, 0, 2 * PERIOD)


def test_submit_lease__highest_remainder_of_all__stays_in_the_lease(market, provider):
    market.give(market.tenant, 2**95)
    highest = MAX_CHARGE - 1
    deposit = 2 * PERIOD * MAX_CHARGE + highest + TIP
    [order] = market.submit(group_of(price=MAX_CHARGE, count=1, collateral=TIP), deposits=[deposit])
    market.bid(provider, order)

    [(_, fields)] = logged(market.match(order))

    lease = market.lease(order)
    assert (fields["blocks"], fields["refund"]) == (2 * PERIOD, 0)
    assert (lease["charge"], lease["remainder"], lease["runway_blocks"]) == (MAX_CHARGE, highest, 2 * PERIOD)
    assert (lease["provider"], lease["is_awaiting"], lease["earned"]) == (provider.number, True, 0)
