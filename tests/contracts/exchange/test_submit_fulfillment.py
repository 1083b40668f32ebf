"""Bids: who may, on what, at which prices, with what collateral. Their order in the book is in test_order_book.py."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    COLLATERAL,
    EAST,
    INTEREST_RATE,
    MAX_CHARGE,
    PERIOD,
    PLAIN,
    TIP,
    UNKNOWN_ID,
    WEST,
    Group,
    Order,
    Resource,
    bid_arguments,
    deploy_market,
    deployment_id,
    group_of,
    logged,
    refusal,
    word_of,
)

NOT_OPEN = "order_book: order not open"
NOT_OPERATOR = "order_book: not the operator"
NOT_IN_REGION = "order_book: not in the region"
TOO_DEAR = "order_book: price above maximum"

MIXED = Group(resources=(Resource(price=10, count=4), Resource(price=7, count=3, collateral=10**6), Resource(price=0)))


@pytest.fixture(scope="module")
def order(market):
    [order] = market.submit()
    return order


def _refusal(market, provider, order, *prices, by=None, **changes) -> str:
    arguments = bid_arguments(provider, order, *prices, **changes)
    return refusal(market.exchange.submit_fulfillment, *arguments, by=by or provider.operator)


# -------------------------------------------------------------------------------------------------------- accepted


def test_submit_fulfillment__first_bid__locks_the_collateral(market, provider, order):
    available, locked = market.available(provider.account), market.committed(provider.account)
    before = market.order(order)

    tx = market.bid(provider, order, 7)

    fields = {"order": order.id, "provider": provider.number, "charge": 28, "prices": (7,)}
    assert logged(tx) == [("FulfillmentSubmitted", fields)]
    assert available - market.available(provider.account) == COLLATERAL
    assert market.committed(provider.account) - locked == COLLATERAL
    assert market.view("fulfillment", order.id, provider.number) == (provider.number, 28, COLLATERAL)
    assert market.order(order) == before | {"bid_count": 1}


@pytest.mark.parametrize(("prices", "price"), [((10, 7, 0), 40 + 21), ((0, 0, 0), 0), ((3, 2, 0), 12 + 6)], ids=str)
def test_submit_fulfillment__several_resources__charges_prices_and_interest(market, provider, prices, price):
    [order] = market.submit(MIXED, deposits=[10**6])
    interest = (3 * 10**6 + 10_000) * INTEREST_RATE // 10**18
    assert interest == 3

    [(_, fields)] = logged(market.bid(provider, order, *prices))

    assert fields["charge"] == price + interest
    assert fields["prices"] == prices


@pytest.mark.parametrize("price", [0, 1, MAX_CHARGE - 1])
def test_submit_fulfillment__any_price_up_to_the_maximum__is_the_charge(market, provider, price):
    market.give(market.tenant, 2**95)
    highest = MAX_CHARGE - 1  # with the interest on a million
    group = group_of(price=highest, count=1, collateral=10**6)
    [order] = market.submit(group, deposits=[2 * PERIOD * MAX_CHARGE + TIP])

    [(_, fields)] = logged(market.bid(provider, order, price))

    assert fields["charge"] == price + 1


def test_submit_fulfillment__after_the_wait_duration__is_accepted_while_open(market, provider, order):
    market.mine_to(market.order(order)["match_block"] + PERIOD)

    market.bid(provider, order)

    assert market.order(order)["bid_count"] == 1


def test_submit_fulfillment__on_several_orders__locks_each_collateral(market, provider, order):
    [other] = market.submit()

    market.bid(provider, order)
    market.bid(provider, other)

    assert market.committed(provider.account) == 2 * COLLATERAL


def test_submit_fulfillment__region_among_several__is_accepted(market):
    eastern = market.register(market.owner, market.operator, region=EAST)
    market.give(eastern.account, COLLATERAL)
    [order] = market.submit(group_of(regions=WEST | EAST))

    market.bid(eastern, order)

    assert market.order(order)["bid_count"] == 1


def test_submit_fulfillment__whole_account__can_be_locked(market):
    poor = market.register(market.owner, market.operator)
    market.give(poor.account, COLLATERAL)
    [order] = market.submit()

    market.bid(poor, order)

    assert tuple(market.view("account", poor.account)) == (0, COLLATERAL)


def test_submit_fulfillment__cancelled_before__may_bid_again(market, exchange, provider, order):
    market.bid(provider, order, 9)
    exchange.cancel_fulfillment(provider.number, order.key, {"from": provider.operator})

    market.bid(provider, order, 8)

    assert market.view("fulfillment", order.id, provider.number)[1] == 32


# --------------------------------------------------------------------------------------------- refused: the order


def test_submit_fulfillment__unknown_order__is_refused(market, provider):
    assert _refusal(market, provider, Order(UNKNOWN_ID, word_of(0), 20, PLAIN)) == NOT_OPEN


@pytest.mark.parametrize(
    "change",
    [
        {"price": 11},
        {"price": 9},
        {"collateral": 1_249},
        {"count": 3},
        {"milli_cpu": 499},
        {"memory_bytes": 2**30 - 1},
        {"disk_bytes": 10**9 - 1},
        {"persist": True},
        {"regions": WEST | EAST},
    ],
    ids=str,
)
def test_submit_fulfillment__other_terms_than_the_orders__is_refused(market, provider, order, change):
    other = Order(order.deployment, order.nonce, order.wait_blocks, group_of(**change))

    assert _refusal(market, provider, other) == NOT_OPEN


def test_submit_fulfillment__other_name_nonce_or_wait__is_refused(market, provider, order):
    renamed = Order(order.deployment, order.nonce, order.wait_blocks, PLAIN._replace(name=b"x".ljust(32, b"\0")))
    renumbered = Order(order.deployment, word_of(1), order.wait_blocks, PLAIN)
    sooner = Order(order.deployment, order.nonce, order.wait_blocks - 1, PLAIN)

    assert [_refusal(market, provider, each) for each in (renamed, renumbered, sooner)] == [NOT_OPEN] * 3


@pytest.mark.parametrize(("smuggled", "group"), [(EAST << 32, PLAIN), (1 << 64, group_of(regions=WEST | EAST))])
def test_submit_fulfillment__wait_that_reaches_into_other_terms__is_refused(
    market, exchange, provider, smuggled, group
):
    # regions and persist are packed above the wait: one that is too long could stand for bits of theirs
    [order] = market.submit(group_of(regions=WEST | EAST, persist=smuggled == 1 << 64))
    number, deployment, nonce, wait, _, prices, hint = bid_arguments(provider, order)
    arguments = number, deployment, nonce, wait | smuggled, group, prices, hint

    assert refusal(exchange.submit_fulfillment, *arguments, by=provider.operator) == "terms: wait too long"


def test_submit_fulfillment__matched_order__is_refused(market, provider, rival, order):
    market.bid(provider, order)
    market.match(order)

    assert _refusal(market, rival, order) == NOT_OPEN


def test_submit_fulfillment__closed_order__is_refused(market, provider, order):
    market.close(order)

    assert _refusal(market, provider, order) == NOT_OPEN


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (PLAIN._replace(resources=()), "terms: no resources"),
        (group_of(regions=0), "terms: bad regions"),
        (group_of(count=0), "terms: bad resource group"),
        (group_of(collateral=2**95), "terms: collateral too high"),
        (group_of(collateral=1), "terms: collateral below tip"),
        (group_of(price=0), "terms: charge is zero"),
        (group_of(price=2**79), "terms: price too high"),
    ],
)
def test_submit_fulfillment__terms_that_no_order_has__are_refused(market, provider, order, group, text):
    impossible = Order(order.deployment, order.nonce, order.wait_blocks, group)

    assert _refusal(market, provider, impossible, 1) == text


# -------------------------------------------------------------------------------------------- refused: the bidder


@pytest.mark.parametrize("role", ["owner", "tenant", "stranger", "attacker", "rival_operator"])
def test_submit_fulfillment__by_another_than_the_operator__is_refused(market, provider, order, role):
    assert _refusal(market, provider, order, by=getattr(market, role)) == NOT_OPERATOR


@pytest.mark.parametrize("number", [0, 99, 2**32, 2**32 + 1, 2**256 - 1])
def test_submit_fulfillment__unknown_provider__is_refused(market, exchange, provider, order, number):
    arguments = number, *bid_arguments(provider, order)[1:]

    assert refusal(exchange.submit_fulfillment, *arguments, by=provider.operator) == NOT_OPERATOR


def test_submit_fulfillment__operator_replaced__only_the_new_one_may(market, exchange, provider, order):
    market.registry.set_operator(provider.number, market.stranger, {"from": provider.owner})

    assert _refusal(market, provider, order) == NOT_OPERATOR
    exchange.submit_fulfillment(*bid_arguments(provider, order), {"from": market.stranger})


def test_submit_fulfillment__provider_in_another_region__is_refused(market, provider):
    [order] = market.submit(group_of(regions=EAST | 4))

    assert _refusal(market, provider, order) == NOT_IN_REGION


def test_submit_fulfillment__provider_deregistered__is_refused(market, provider, order):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    assert _refusal(market, provider, order) == NOT_IN_REGION


def test_submit_fulfillment__second_bid__is_refused(market, provider, order):
    market.bid(provider, order, 9)

    assert _refusal(market, provider, order, 8) == "order_book: already bid"


def test_submit_fulfillment__account_one_unit_too_small__is_refused(market, order):
    poor = market.register(market.owner, market.operator)
    market.give(poor.account, COLLATERAL - 1)

    assert _refusal(market, poor, order) == "ledger: insufficient funds"


def test_submit_fulfillment__cap_around_the_collateral__decides(market, order):
    capped = market.register(market.owner, market.operator, cap=2 * COLLATERAL - 1)
    market.give(capped.account, 10 * COLLATERAL)
    [other] = market.submit()
    market.bid(capped, order)
    above = _refusal(market, capped, other)
    market.registry.set_collateral_cap(capped.number, 2 * COLLATERAL, {"from": capped.owner})

    market.bid(capped, other)

    assert above == "ledger: above collateral cap"
    assert market.committed(capped.account) == 2 * COLLATERAL


def test_submit_fulfillment__no_cap_granted__is_refused(market, order):
    capped = market.register(market.owner, market.operator, cap=0)
    market.give(capped.account, COLLATERAL)

    assert _refusal(market, capped, order) == "ledger: above collateral cap"


# -------------------------------------------------------------------------------------------- refused: the prices


@pytest.mark.parametrize("price", [11, MAX_CHARGE, 2**256 - 1])
def test_submit_fulfillment__price_above_the_maximum__is_refused(market, provider, order, price):
    assert _refusal(market, provider, order, price) == TOO_DEAR


@pytest.mark.parametrize("prices", [(11, 7, 0), (10, 8, 0), (10, 7, 1)], ids=str)
def test_submit_fulfillment__one_of_several_prices_above_its_maximum__is_refused(market, provider, prices):
    [order] = market.submit(MIXED, deposits=[10**6])

    assert _refusal(market, provider, order, *prices) == TOO_DEAR


@pytest.mark.parametrize("prices", [(), (10, 10)], ids=str)
def test_submit_fulfillment__other_number_of_prices__is_refused(market, exchange, provider, order, prices):
    number, deployment, nonce, wait, group, _, hint = bid_arguments(provider, order)
    arguments = number, deployment, nonce, wait, group, list(prices), hint

    assert refusal(exchange.submit_fulfillment, *arguments, by=provider.operator) == "order_book: one price each"


def test_submit_fulfillment__nine_prices__is_refused(market, exchange, provider, order):
    arguments = *bid_arguments(provider, order)[:5], [1] * 9, 0

    assert refusal(exchange.submit_fulfillment, *arguments, by=provider.operator) == ""


def test_submit_fulfillment__free_and_without_interest__is_refused(market, provider, order):
    assert _refusal(market, provider, order, 0) == "order_book: charge is zero"


def test_submit_fulfillment__without_interest_on_the_market__charges_the_price_alone(market, accounts):
    other = deploy_market(accounts, interest_rate=0)
    other.give(other.tenant, 10**6)
    provider = other.register(other.owner, other.operator)
    other.give(provider.account, 10**7)
    order = Order(UNKNOWN_ID, word_of(0), 0, group_of(collateral=10**6))
    group = order.group
    other.exchange.submit_deployment(word_of(1), word_of(1), 0, [group], [10**5], {"from": other.tenant})
    deployment = deployment_id(other.exchange, other.tenant, word_of(1))

    tx = other.bid(provider, Order(deployment, word_of(0), 0, group))

    assert logged(tx)[0][1]["charge"] == CHARGE
