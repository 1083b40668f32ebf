"""Losers get their collateral back once the order is no longer open, whoever asks."""

from __future__ import annotations

import pytest

from tests.contracts.market import COLLATERAL, GRACE, UNKNOWN_ID, logged, refusal

NOTHING = "exchange: nothing is ready"
OPEN = "order_book: order is open"


@pytest.fixture(scope="module")
def order(market, provider, rival, third):
    """An open order with three bids; the provider's is the lowest."""
    [order] = market.submit()
    for bidder, price in ((provider, 6), (rival, 7), (third, 8)):
        market.bid(bidder, order, price)
    return order


def _release(market, order, *providers, by=None):
    numbers = [each.number for each in providers]
    return market.exchange.release_fulfillments(order.id, numbers, {"from": by or market.stranger})


def _refusal(market, order, *numbers) -> str:
    return refusal(market.exchange.release_fulfillments, order.id, list(numbers), by=market.stranger)


@pytest.mark.parametrize("role", ["stranger", "attacker", "tenant", "rival_operator", "operator"])
def test_release_fulfillments__loser_after_the_match__gets_its_collateral(market, rival, order, role):
    market.match(order)
    before = market.available(rival.account)

    tx = _release(market, order, rival, by=getattr(market, role))

    assert logged(tx) == [("FulfillmentReleased", {"order": order.id, "provider": rival.number})]
    assert market.available(rival.account) - before == COLLATERAL
    assert market.committed(rival.account) == 0
    assert market.view("fulfillment", order.id, rival.number) == (0, 0, 0)


def test_release_fulfillments__winner__keeps_its_collateral_locked(market, provider, order):
    market.match(order)

    assert _refusal(market, order, provider.number) == NOTHING


def test_release_fulfillments__order_closed__releases_all(market, provider, rival, third, order):
    market.close(order)

    tx = _release(market, order, provider, rival, third)

    assert [fields["provider"] for _, fields in logged(tx)] == [1, 2, 3]
    assert [market.committed(each.account) for each in (provider, rival, third)] == [0, 0, 0]


def test_release_fulfillments__order_open__is_refused(market, rival, order):
    assert _refusal(market, order, rival.number) == OPEN


def test_release_fulfillments__mixed_list__releases_the_losers(market, provider, rival, third, order):
    market.match(order)

    tx = market.exchange.release_fulfillments(
        order.id, [0, 99, 1, third.number, third.number, 2**32, 2**256 - 1, rival.number], {"from": market.stranger}
    )

    assert [fields["provider"] for _, fields in logged(tx)] == [third.number, rival.number]
    assert market.committed(provider.account) == COLLATERAL


def test_release_fulfillments__second_time__is_refused(market, rival, order):
    market.match(order)
    _release(market, order, rival)

    assert _refusal(market, order, rival.number) == NOTHING


def test_release_fulfillments__cancelled_before__is_refused(market, exchange, rival, order):
    exchange.cancel_fulfillment(rival.number, order.key, {"from": rival.operator})
    market.match(order)

    assert _refusal(market, order, rival.number) == NOTHING


@pytest.mark.parametrize("end", ["stale", "confirmed", "finished"])
def test_release_fulfillments__lease_ended__releases_losers_and_not_the_winner(
    market, exchange, provider, rival, order, end
):
    market.match(order)
    if end == "stale":
        market.mine_to(market.lease(order)["deadline_block"] + 1)
        exchange.submit_stale_lease([order.key], {"from": market.stranger})
    else:
        market.close(order)
        if end == "confirmed":
            exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})
        else:
            market.mine_to(market.next_block + GRACE)
            exchange.finish_leases([order.key], {"from": market.stranger})

    assert _refusal(market, order, provider.number) == NOTHING
    _release(market, order, rival)

    assert market.committed(rival.account) == 0


def test_release_fulfillments__unknown_order__is_refused(market, exchange, rival):
    arguments = UNKNOWN_ID, [rival.number]

    assert refusal(exchange.release_fulfillments, *arguments, by=market.stranger) == NOTHING


def test_release_fulfillments__empty_list__is_refused(market, order):
    market.match(order)

    assert _refusal(market, order) == NOTHING


def test_release_fulfillments__list_of_32__is_accepted(market, rival, order):
    market.match(order)

    _release(market, order, *[rival] * 32)

    assert market.committed(rival.account) == 0


def test_release_fulfillments__list_above_32__is_refused(market, rival, order):
    market.match(order)

    assert _refusal(market, order, *[rival.number] * 33) == ""
