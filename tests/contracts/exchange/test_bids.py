"""The book of an order as the view tells it, the winner first."""

from __future__ import annotations

from tests.contracts.market import CHARGE, COLLATERAL, UNKNOWN_ID


def _view(market, order) -> list[tuple]:
    return [tuple(bid) for bid in market.view("bids", order.id)]


def test_bids__unknown_or_without_bids__is_empty(market):
    [order] = market.submit()

    assert _view(market, order) == []
    assert list(market.view("bids", UNKNOWN_ID)) == []


def test_bids__open_order__is_sorted(market, provider, rival, third):
    [order] = market.submit()
    market.bid(provider, order)
    market.bid(rival, order, 3)
    market.bid(third, order)

    assert _view(market, order) == [
        (rival.number, 12, COLLATERAL),
        (provider.number, CHARGE, COLLATERAL),
        (third.number, CHARGE, COLLATERAL),
    ]


def test_bids__matched_or_closed_order__is_empty(market, provider, rival):
    matched, closed = market.submit() + market.submit()
    for order in (matched, closed):
        market.bid(provider, order, 5)
        market.bid(rival, order)
    market.match(matched)
    market.close(closed)

    assert (_view(market, matched), _view(market, closed)) == ([], [])
