"""Bids on orders that have others already: 1, 10, 31 or all 32 that a book holds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.gas_floor import Measured
from tests.benchmarks.gas_market import BID, Market, Order

PLACES = 32
STEP = 10**9


def books(market: Market) -> Iterator[Measured]:
    """Bid below, behind and between others; match, cancel and release. The bid of provider n is n steps above BID."""
    for count in (1, 10, 31):
        yield from _bids(market, count)
    for count in (10, 31, PLACES):
        (order,) = _ordered(market, count)
        with market.chain.measuring():
            receipt = market.submit_lease(order)
        yield Measured(f"submit_lease_{count}_bids", "submit_lease", receipt)
        if count < PLACES:
            yield _release(market, order, count - 1)
    yield from _evict(market)
    yield from _cancel(market)


def _ordered(market: Market, bids: int, copies: int = 1) -> list[Order]:
    orders = market.orders(copies)
    for order in orders:
        for provider in range(1, bids + 1):
            market.submit_fulfillment(order, provider, BID + provider * STEP, hint=provider - 1)
    return orders


def _bids(market: Market, count: int) -> Iterator[Measured]:
    below, behind, between, astray = _ordered(market, count, copies=4)
    yield _bid(market, below, f"submit_fulfillment_below_{count}", BID)
    yield _bid(market, behind, f"submit_fulfillment_behind_{count}", BID + PLACES * STEP, hint=count)
    if count > 1:
        middle = count // 2
        yield _bid(market, between, f"submit_fulfillment_between_{count}", BID + middle * STEP, hint=middle)
        yield _bid(market, astray, f"submit_fulfillment_wrong_hint_{count}", BID + PLACES * STEP)


def _bid(market: Market, order: Order, operation: str, price: int, hint: int = 0) -> Measured:
    with market.chain.measuring():
        receipt = market.submit_fulfillment(order, 33, price, hint)
    return Measured(operation, "submit_fulfillment", receipt)


def _release(market: Market, order: Order, count: int) -> Measured:
    losers = list(range(2, count + 2))
    with market.chain.measuring():
        receipt = market.exchange.send(market.stranger, "release_fulfillments", order.id, losers)
    return Measured(f"release_fulfillments_x{count}", "release_fulfillments", receipt, count)


def _evict(market: Market) -> Iterator[Measured]:
    below, between = _ordered(market, PLACES, copies=2)
    yield _bid(market, below, "submit_fulfillment_evicting", BID)
    yield _bid(market, between, "submit_fulfillment_evicting_between", BID + 16 * STEP, hint=16)


def _cancel(market: Market) -> Iterator[Measured]:
    for bids, provider, operation in ((1, 1, "cancel_fulfillment"), (3, 2, "cancel_fulfillment_between")):
        (order,) = _ordered(market, bids)
        with market.chain.measuring():
            receipt = market.exchange.send(market.operator, "cancel_fulfillment", provider, order.key)
        yield Measured(operation, "cancel_fulfillment", receipt)
    (order,) = _ordered(market, 2)
    market.submit_lease(order)
    yield Measured("release_fulfillments", "release_fulfillments", _release(market, order, 1).receipt)
