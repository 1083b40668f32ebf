"""submit_fulfillment and the sorted book: ties, hints of all kinds, eviction, and a book that is full."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.contracts.market import (
    COLLATERAL,
    Provider,
    account_of,
    bid_arguments,
    deploy_market,
    group_of,
    logged,
    refusal,
)

FULL = "order_book: book is full"
DEAR = group_of(price=100)  # leaves room for many different prices
SEED = 20_261_120


@pytest.fixture(scope="module")
def crowd(market) -> list[Provider]:
    """34 providers with one owner and one operator."""
    for _ in range(34):
        market.register(market.owner, market.operator)
    providers = [Provider(number, market.owner, market.operator) for number in range(1, 35)]
    for each in providers:
        market.give(each.account, 20 * COLLATERAL)
    return providers


@pytest.fixture(scope="module")
def order(market):
    [order] = market.submit(DEAR, deposits=[10**5])
    return order


@pytest.fixture(scope="module")
def small(accounts, module_isolation):
    """A market with two places in each book, with three providers and an order."""
    market = deploy_market(accounts, max_fulfillments=2)
    market.give(market.tenant, 10**6)
    providers = [market.register(market.owner, market.operator) for _ in range(3)]
    for each in providers:
        market.give(each.account, 10 * COLLATERAL)
    [order] = market.submit(DEAR, deposits=[10**5])
    return market, order, providers


def _book(market, order) -> list[tuple[int, int]]:
    """Return the providers and prices in the book, best first."""
    return [(provider, charge // 4) for provider, charge, _ in market.view("bids", order.id)]


# ------------------------------------------------------------------------------------------------------ the order


@pytest.mark.parametrize("prices", list(itertools.permutations((5, 6, 7))), ids=str)
def test_order_book__three_prices_in_any_order__are_sorted(market, crowd, order, prices):
    for bidder, price in zip(crowd, prices, strict=False):
        market.bid(bidder, order, price)

    assert [price for _, price in _book(market, order)] == [5, 6, 7]


def test_order_book__equal_prices__stand_in_the_order_of_their_arrival(market, crowd, order):
    for bidder, price in zip((2, 5, 1, 4, 3), (6, 6, 5, 6, 5), strict=True):
        market.bid(crowd[bidder - 1], order, price)

    assert _book(market, order) == [(1, 5), (3, 5), (2, 6), (5, 6), (4, 6)]


# ------------------------------------------------------------------------------------------------------ the hints


@pytest.fixture(scope="module")
def sorted_book(market, crowd):
    """A book of the bidders 1 to 5 at the prices 10, 20, 20, 30 and 40."""
    [order] = market.submit(DEAR, deposits=[10**5])
    for bidder, price in zip(crowd, (10, 20, 20, 30, 40), strict=False):
        market.bid(bidder, order, price)
    return order


EXPECTED_PLACES = {5: 0, 10: 1, 15: 1, 20: 3, 25: 3, 40: 5, 50: 5}


@pytest.mark.parametrize("price", EXPECTED_PLACES)
@pytest.mark.parametrize("hint", [0, 1, 2, 3, 5, 6, 34, 2**32, 2**256 - 1])
def test_order_book__any_hint__leads_to_the_same_place(market, exchange, crowd, sorted_book, price, hint):
    market.bid(crowd[5], sorted_book, price, hint=hint)

    book = _book(market, sorted_book)
    assert book.index((6, price)) == EXPECTED_PLACES[price]
    assert [bidder for bidder, _ in book if bidder != 6] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("hint", [1, 2, 7])
def test_order_book__hint_at_a_bid_that_was_cancelled__is_walked_around(market, exchange, crowd, sorted_book, hint):
    market.bid(crowd[6], sorted_book, 15)
    gone = crowd[hint - 1]
    exchange.cancel_fulfillment(gone.number, sorted_book.key, {"from": gone.operator})

    market.bid(crowd[5], sorted_book, 15, hint=hint)

    prices = [price for _, price in _book(market, sorted_book)]
    assert prices == sorted(prices)
    assert len(prices) == 6


def test_order_book__hint_at_a_bid_on_another_order__is_walked_around(market, crowd, sorted_book):
    [other] = market.submit(DEAR, deposits=[10**5])
    market.bid(crowd[6], other, 15)

    market.bid(crowd[5], sorted_book, 15, hint=7)

    assert _book(market, sorted_book)[1] == (6, 15)
    assert _book(market, other) == [(7, 15)]


def test_order_book__many_bids_with_random_hints__stay_sorted(market, crowd, order):
    chance = random.Random(SEED)
    arrivals = []
    for bidder in chance.sample(crowd, 12):
        price = chance.randint(1, 6)
        market.bid(bidder, order, price, hint=chance.choice([0, *range(1, 35)]))
        arrivals.append((bidder.number, price))

    assert _book(market, order) == sorted(arrivals, key=lambda bid: bid[1]), f"seed {SEED}"


# -------------------------------------------------------------------------------------------------------- eviction


def test_order_book__full_and_a_better_bid__evicts_the_worst(small):
    market, order, (first, second, third) = small
    market.bid(first, order, 9)
    market.bid(second, order, 8)

    tx = market.bid(third, order, 7)

    assert logged(tx) == [
        ("FulfillmentEvicted", {"order": order.id, "provider": first.number}),
        ("FulfillmentSubmitted", {"order": order.id, "provider": third.number, "charge": 28, "prices": (7,)}),
    ]
    assert _book(market, order) == [(third.number, 7), (second.number, 8)]
    assert tuple(market.view("account", first.account)) == (10 * COLLATERAL, 0)
    assert market.view("fulfillment", order.id, first.number) == (0, 0, 0)
    assert market.order(order)["bid_count"] == 2


@pytest.mark.parametrize("price", [8, 9, 100])
def test_order_book__full_and_no_better_bid__is_refused(small, price):
    market, order, (first, second, third) = small
    market.bid(first, order, 7)
    market.bid(second, order, 8)

    arguments = bid_arguments(third, order, price)

    assert refusal(market.exchange.submit_fulfillment, *arguments, by=third.operator) == FULL


def test_order_book__full_of_equal_bids__evicts_the_latest(small):
    market, order, (first, second, third) = small
    market.bid(first, order, 8)
    market.bid(second, order, 8)

    market.bid(third, order, 7)

    assert _book(market, order) == [(third.number, 7), (first.number, 8)]


def test_order_book__evicted__may_bid_again_and_evict(small):
    market, order, (first, second, third) = small
    market.bid(first, order, 9)
    market.bid(second, order, 8)
    market.bid(third, order, 7)

    market.bid(first, order, 6)

    assert _book(market, order) == [(first.number, 6), (third.number, 7)]


@pytest.mark.parametrize("hint", [0, 1, 2, 3])
def test_order_book__better_bid_with_a_hint_at_the_evicted__finds_its_place(small, hint):
    market, order, (first, second, third) = small
    market.bid(first, order, 5)
    market.bid(second, order, 9)

    market.bid(third, order, 7, hint=hint)

    assert _book(market, order) == [(first.number, 5), (third.number, 7)]


def test_order_book__binding_bid__is_evicted_by_a_better_one_all_the_same(small):
    market, order, (first, second, third) = small
    market.bid(first, order, 8)
    market.bid(second, order, 9)
    market.mine_to(market.order(order)["match_block"])

    market.bid(third, order, 7)

    assert _book(market, order) == [(third.number, 7), (first.number, 8)]


def test_order_book__eviction_by_a_bidder_without_money__evicts_nobody(small):
    market, order, (first, second, _) = small
    market.bid(first, order, 8)
    market.bid(second, order, 9)
    poor = market.register(market.owner, market.operator)

    arguments = bid_arguments(poor, order, 7)

    text = refusal(market.exchange.submit_fulfillment, *arguments, by=poor.operator)
    assert text == "ledger: insufficient funds"
    assert market.order(order)["bid_count"] == 2


def test_order_book__one_place_only__holds_the_best_bid(accounts):
    market = deploy_market(accounts, max_fulfillments=1)
    market.give(market.tenant, 10**6)
    first, second = (market.register(market.owner, market.operator) for _ in range(2))
    for each in (first, second):
        market.give(each.account, COLLATERAL)
    [order] = market.submit()
    market.bid(first, order, 8)
    equal = refusal(market.exchange.submit_fulfillment, *bid_arguments(second, order, 8), by=second.operator)

    market.bid(second, order, 7)

    assert equal == FULL
    assert _book(market, order) == [(second.number, 7)]
    market.match(order)
    assert market.lease(order)["provider"] == second.number


# ----------------------------------------------------------------------------------------------------- a full book


@pytest.fixture(scope="module")
def full(market, crowd):
    """An order with 32 bids at the prices 32 down to 1 by the bidders 1 to 32."""
    [order] = market.submit(DEAR, deposits=[10**5])
    for bidder, price in zip(crowd[:32], range(32, 0, -1), strict=True):
        market.bid(bidder, order, price)
    return order


def test_order_book__32_bids__are_all_held(market, full):
    assert market.order(full)["bid_count"] == 32
    assert _book(market, full) == [(33 - price, price) for price in range(1, 33)]


def test_order_book__33rd_bid_no_better_than_the_worst__is_refused(market, exchange, crowd, full):
    arguments = bid_arguments(crowd[32], full, 32)

    assert refusal(exchange.submit_fulfillment, *arguments, by=market.operator) == FULL


@pytest.mark.parametrize("hint", [0, 1, 2, 32, 33])
def test_order_book__33rd_bid_after_the_longest_walk__evicts_the_worst(market, crowd, full, hint):
    tx = market.bid(crowd[32], full, 31, hint=hint)

    assert logged(tx)[0] == ("FulfillmentEvicted", {"order": full.id, "provider": 1})
    book = _book(market, full)
    assert book[-2:] == [(2, 31), (33, 31)]
    assert len(book) == 32


def test_order_book__full__matches_its_best_bid_and_releases_all_others(market, exchange, full):
    bidders = 1, 16, 31, 32
    before = [market.committed(account_of(number)) for number in bidders]
    market.match(full)

    exchange.release_fulfillments(full.id, list(range(1, 32)), {"from": market.stranger})

    after = [market.committed(account_of(number)) for number in bidders]
    assert market.lease(full)["provider"] == 32
    assert [old - new for old, new in zip(before, after, strict=True)] == [COLLATERAL, COLLATERAL, COLLATERAL, 0]


def test_order_book__full__match_costs_no_more_gas_than_with_one_bid(market, crowd, full):
    [single] = market.submit(DEAR, deposits=[10**5])
    market.bid(crowd[0], single, 1)
    market.mine_to(market.order(single)["match_block"])

    costs = [
        market.exchange.submit_lease([each.key], {"from": caller}).gas_used
        for each, caller in ((full, market.stranger), (single, market.stranger))
    ]

    assert abs(costs[0] - costs[1]) < 25_000  # the first may write to accounts that were empty
