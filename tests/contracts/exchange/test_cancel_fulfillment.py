"""Bids taken back: until when, by whom, and what stays of the book."""

from __future__ import annotations

import pytest

from tests.contracts.market import COLLATERAL, PLAIN, UNKNOWN_ID, WAIT, Order, group_of, logged, refusal

NOT_OPEN = "order_book: order not open"
NO_BID = "order_book: no such bid"
BINDING = "order_book: bid is binding"
NOT_OPERATOR = "order_book: not the operator"


@pytest.fixture(scope="module")
def order(market, provider, rival, third):
    """An order with three bids, of provider, rival and third, at 6, 7 and 8."""
    [order] = market.submit()
    for bidder, price in ((provider, 6), (rival, 7), (third, 8)):
        market.bid(bidder, order, price)
    return order


def _cancel(market, provider, order):
    return market.exchange.cancel_fulfillment(provider.number, order.key, {"from": provider.operator})


def _refusal(market, provider, order, by=None) -> str:
    return refusal(market.exchange.cancel_fulfillment, provider.number, order.key, by=by or provider.operator)


def _bidders(market, order) -> list[int]:
    return [provider for provider, _, _ in market.view("bids", order.id)]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_cancel_fulfillment__head_middle_or_tail__closes_the_gap(market, provider, rival, third, order, position):
    bidders = [provider, rival, third]
    gone = bidders.pop(position)
    available = market.available(gone.account)

    tx = _cancel(market, gone, order)

    assert logged(tx) == [("FulfillmentCancelled", {"order": order.id, "provider": gone.number})]
    assert _bidders(market, order) == [each.number for each in bidders]
    assert market.order(order)["bid_count"] == 2
    assert market.available(gone.account) - available == COLLATERAL
    assert market.committed(gone.account) == 0
    assert market.view("fulfillment", order.id, gone.number) == (0, 0, 0)


@pytest.mark.parametrize("positions", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)], ids=str)
def test_cancel_fulfillment__all_one_after_another__leaves_an_empty_book(
    market, provider, rival, third, order, positions
):
    bidders = [provider, rival, third]

    for position in positions:
        _cancel(market, bidders[position], order)

    assert _bidders(market, order) == []
    market.bid(rival, order, 10)
    assert _bidders(market, order) == [rival.number]


@pytest.mark.parametrize("role", ["owner", "tenant", "stranger", "attacker", "rival_operator"])
def test_cancel_fulfillment__by_another_than_the_operator__is_refused(market, provider, order, role):
    assert _refusal(market, provider, order, by=getattr(market, role)) == NOT_OPERATOR


def test_cancel_fulfillment__provider_deregistered__may_still_cancel(market, provider, order):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    _cancel(market, provider, order)

    assert market.committed(provider.account) == 0


# ---------------------------------------------------------------------------------------------------- the deadline


@pytest.fixture(scope="module")
def slow(market, provider):
    """Two orders, with bids, that wait 40 and 41 blocks."""
    [even] = market.submit(wait=40)
    [odd] = market.submit(wait=41)
    market.bid(provider, even)
    market.bid(provider, odd)
    return even, odd


@pytest.mark.parametrize("which", [0, 1], ids=["even", "odd"])
@pytest.mark.parametrize("offset", [-1, 0])
def test_cancel_fulfillment__until_half_of_the_wait__is_accepted(market, provider, slow, which, offset):
    order = slow[which]
    created = market.order(order)["match_block"] - order.wait_blocks
    market.mine_to(created + 20 + offset)

    _cancel(market, provider, order)

    assert _bidders(market, order) == []


@pytest.mark.parametrize("which", [0, 1], ids=["even", "odd"])
@pytest.mark.parametrize("offset", [1, 20, 200])
def test_cancel_fulfillment__after_half_of_the_wait__is_refused(market, provider, slow, which, offset):
    order = slow[which]
    created = market.order(order)["match_block"] - order.wait_blocks
    market.mine_to(created + 20 + offset)

    assert _refusal(market, provider, order) == BINDING


@pytest.mark.parametrize("wait", [0, 1])
def test_cancel_fulfillment__no_time_to_wait__binds_at_once(market, provider, wait):
    [order] = market.submit(wait=wait)
    market.bid(provider, order)

    assert _refusal(market, provider, order) == BINDING


def test_cancel_fulfillment__bid_after_half_of_the_wait__binds_at_once(market, exchange, provider, slow):
    even, _ = slow
    _cancel(market, provider, even)
    market.mine_to(market.order(even)["match_block"] - 19)
    market.bid(provider, even)

    assert _refusal(market, provider, even) == BINDING


def test_cancel_fulfillment__on_a_recreated_order__has_its_own_half(market, exchange, provider, rival):
    [order] = market.matched(provider, group_of(persist=True))
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    exchange.submit_stale_lease([order.key], {"from": market.stranger})
    renewed = order.renewed()
    market.bid(rival, renewed)
    market.mine_to(market.order(renewed)["match_block"] - WAIT // 2)

    _cancel(market, rival, renewed)

    assert _bidders(market, renewed) == []


# --------------------------------------------------------------------------------------------------------- refused


def test_cancel_fulfillment__no_bid__is_refused(market, provider):
    [order] = market.submit()

    assert _refusal(market, provider, order) == NO_BID


@pytest.mark.parametrize("number", [0, 99, 2**32, 2**256 - 1])
def test_cancel_fulfillment__unknown_provider__is_refused(market, exchange, order, number):
    assert refusal(exchange.cancel_fulfillment, number, order.key, by=market.operator) == NO_BID


def test_cancel_fulfillment__second_time__is_refused(market, provider, order):
    _cancel(market, provider, order)

    assert _refusal(market, provider, order) == NO_BID


def test_cancel_fulfillment__matched__is_refused_to_winner_and_loser(market, provider, rival, order):
    market.match(order)

    assert [_refusal(market, each, order) for each in (provider, rival)] == [NOT_OPEN] * 2


def test_cancel_fulfillment__order_closed__is_refused(market, provider, order):
    market.close(order)

    assert _refusal(market, provider, order) == NOT_OPEN


def test_cancel_fulfillment__unknown_order__is_refused(market, provider, order):
    assert _refusal(market, provider, Order(UNKNOWN_ID, order.nonce, WAIT, PLAIN)) == NOT_OPEN


def test_cancel_fulfillment__bid_and_cancelled_again__moves_the_collateral_once(market, provider, order):
    _cancel(market, provider, order)
    before = tuple(market.view("account", provider.account))
    market.bid(provider, order, 5)

    _cancel(market, provider, order)

    assert tuple(market.view("account", provider.account)) == before
