"""callable_now: which transactions the next block would accept, through all states. Each claim of it is tried."""

from __future__ import annotations

import pytest

from tests.contracts.market import GRACE, PERIOD, UNKNOWN_ID, group_of, refusal

(
    SUBMIT_LEASE,
    SUBMIT_LEASE_CONFIRMATION,
    SUBMIT_STALE_LEASE,
    CONFIRM_CLOSED,
    FINISH_LEASES,
    CLAIM,
    RELEASE_FULFILLMENTS,
    FUND,
) = (1 << bit for bit in range(8))


def _accepts(method, *arguments, by) -> bool:
    try:
        refusal(method, *arguments, by=by)
    except AssertionError:
        return True
    return False


def _tried(market, provider, rival, order) -> int:
    """Return which transactions are accepted, found out by trying each from somebody with the right to."""
    exchange, anyone = market.exchange, market.stranger
    attempts = {
        SUBMIT_LEASE: (exchange.submit_lease, [order.key], anyone),
        SUBMIT_LEASE_CONFIRMATION: (
            exchange.submit_lease_confirmation,
            provider.number,
            [order.id],
            provider.operator,
        ),
        SUBMIT_STALE_LEASE: (exchange.submit_stale_lease, [order.key], anyone),
        CONFIRM_CLOSED: (exchange.confirm_closed, provider.number, [order.key], provider.operator),
        FINISH_LEASES: (exchange.finish_leases, [order.key], anyone),
        CLAIM: (exchange.claim, [order.id], anyone),
        RELEASE_FULFILLMENTS: (exchange.release_fulfillments, order.id, [rival.number], anyone),
        FUND: (exchange.fund, order.key, 2 * PERIOD, anyone),
    }
    accepted = 0
    for flag, (method, *arguments, caller) in attempts.items():
        if _accepts(method, *arguments, by=caller):
            accepted |= flag
    return accepted


def _now(market, order) -> int:
    return int(market.view("callable_now", order.id))


@pytest.fixture
def order(market, provider, rival):
    """An open order with two bids; the provider's is the lowest."""
    [order] = market.submit(group_of(persist=True))
    market.bid(provider, order, 9)
    market.bid(rival, order)
    return order


def test_callable_now__unknown__is_nothing(market):
    assert market.view("callable_now", UNKNOWN_ID) == 0


def test_callable_now__open_without_bids__may_be_funded(market):
    [order] = market.submit()
    market.mine_to(market.order(order)["match_block"] + 1)

    assert _now(market, order) == FUND


@pytest.mark.parametrize(("offset", "expected"), [(-1, FUND), (0, FUND | SUBMIT_LEASE), (1, FUND | SUBMIT_LEASE)])
def test_callable_now__open_with_bids__may_be_matched_after_the_wait(market, provider, rival, order, offset, expected):
    market.mine_to(market.order(order)["match_block"] + offset)

    assert _now(market, order) == _tried(market, provider, rival, order) == expected


def test_callable_now__closed_order__may_be_released(market, provider, rival, order):
    market.close(order)

    assert _now(market, order) == _tried(market, provider, rival, order) == RELEASE_FULFILLMENTS


@pytest.mark.parametrize("is_awaiting", [True, False])
@pytest.mark.parametrize("is_late", [False, True])
def test_callable_now__active__may_be_confirmed_until_it_is_stale(market, provider, rival, order, is_awaiting, is_late):
    market.match(order)
    if not is_awaiting:
        market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"] + is_late)

    in_time = SUBMIT_LEASE_CONFIRMATION | FUND
    expected = RELEASE_FULFILLMENTS | (SUBMIT_STALE_LEASE if is_late else in_time)
    assert _now(market, order) == _tried(market, provider, rival, order) == expected


def test_callable_now__confirmed_blocks__may_be_claimed(market, provider, rival, order):
    market.match(order)
    market.confirm(provider, order)
    market.confirm(provider, order)

    expected = RELEASE_FULFILLMENTS | SUBMIT_LEASE_CONFIRMATION | FUND | CLAIM
    assert _now(market, order) == _tried(market, provider, rival, order) == expected


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (GRACE, RELEASE_FULFILLMENTS | FUND | CLAIM | SUBMIT_LEASE_CONFIRMATION),
        (GRACE + 1, RELEASE_FULFILLMENTS | FUND | CLAIM | SUBMIT_LEASE_CONFIRMATION | FINISH_LEASES),
        (PERIOD, RELEASE_FULFILLMENTS | FUND | CLAIM | SUBMIT_LEASE_CONFIRMATION | FINISH_LEASES),
        (PERIOD + 1, RELEASE_FULFILLMENTS | FUND | CLAIM | FINISH_LEASES),
    ],
)
def test_callable_now__exhausted__may_be_finished_after_the_grace(market, provider, rival, order, delay, expected):
    market.match(order)
    market.confirm(provider, order)
    while not market.lease(order)["is_exhausted"]:
        market.mine_to(min(market.lease(order)["deadline_block"], market.lease(order)["funded_block"]))
        market.confirm(provider, order)
    market.mine_to(market.lease(order)["funded_block"] + delay)

    assert _now(market, order) == _tried(market, provider, rival, order) == expected


@pytest.mark.parametrize(("delay", "is_finishable"), [(1, False), (GRACE, False), (GRACE + 1, True)])
def test_callable_now__closing__may_be_confirmed_and_later_finished(
    market, provider, rival, order, delay, is_finishable
):
    market.match(order)
    market.confirm(provider, order)
    market.close(order)
    market.mine_to(market.lease(order)["confirmed_block"] + delay)

    expected = RELEASE_FULFILLMENTS | CLAIM | CONFIRM_CLOSED | (FINISH_LEASES if is_finishable else 0)
    assert _now(market, order) == _tried(market, provider, rival, order) == expected


@pytest.mark.parametrize("end", ["stale", "closed"])
def test_callable_now__ended__may_be_released(market, exchange, provider, rival, order, end):
    market.match(order)
    if end == "stale":
        exchange.submit_stale_lease([order.key], {"from": provider.owner})
    else:
        market.close(order)
        exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})

    assert _now(market, order) == _tried(market, provider, rival, order) == RELEASE_FULFILLMENTS
