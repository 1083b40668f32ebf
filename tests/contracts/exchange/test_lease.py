"""Leases as the view tells them, with what follows from the height: stale, exhausted."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    CLOSED,
    CLOSING,
    OPEN,
    ORDER_CLOSED,
    PERIOD,
    PREPAID_BLOCKS,
    REMAINDER,
    STALE,
    UNKNOWN_ID,
)


def _only_state(state: int, provider: int = 0) -> tuple:
    return state, provider, 0, 0, False, 0, 0, 0, 0, False, False


def _view(market, order) -> tuple:
    return tuple(market.view("lease", order.id))


def test_lease__unknown__is_zeros(market):
    assert tuple(market.view("lease", UNKNOWN_ID)) == _only_state(0)


def test_lease__order_open_or_closed__tells_the_state_alone(market, provider):
    [order] = market.submit()
    market.bid(provider, order)
    assert _view(market, order) == _only_state(OPEN)

    market.close(order)

    assert _view(market, order) == _only_state(ORDER_CLOSED)


@pytest.mark.parametrize("end", [STALE, CLOSED])
def test_lease__ended__tells_state_and_winner(market, exchange, provider, end):
    [order] = market.active(provider)
    if end == STALE:
        exchange.submit_stale_lease([order.key], {"from": provider.owner})
    else:
        market.close(order)
        exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})

    assert _view(market, order) == _only_state(end, provider.number)


def test_lease__closing__is_neither_stale_nor_exhausted(market, provider):
    [order] = market.active(provider)
    market.mine_to(market.next_block + 9)
    block = market.next_block

    market.close(order)
    market.mine_to(block + 5 * PERIOD)

    heights = block - 10, block, block + PREPAID_BLOCKS - 10
    assert _view(market, order) == (
        *(CLOSING, provider.number, CHARGE, REMAINDER, False),
        *heights,
        *(10 * CHARGE, False, False),
    )


@pytest.mark.parametrize(("delay", "is_stale"), [(1, False), (PERIOD, False), (PERIOD + 1, True), (3 * PERIOD, True)])
def test_lease__awaiting_its_first_confirmation__keeps_its_runway(market, provider, delay, is_stale):
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["confirmed_block"] + delay)

    lease = market.lease(order)

    assert (lease["runway_blocks"], lease["is_stale"], lease["is_exhausted"]) == (PREPAID_BLOCKS, is_stale, False)


@pytest.mark.parametrize(
    ("blocks_to_go", "runway", "is_exhausted"),
    [(2, 2, False), (1, 1, False), (0, 0, True), (-1, 0, True), (-150, 0, True)],
)
def test_lease__near_its_end__counts_down_to_exhaustion(market, provider, blocks_to_go, runway, is_exhausted):
    [order] = market.active(provider)
    for _ in range(2):
        market.mine_to(market.lease(order)["deadline_block"])
        market.confirm(provider, order)
    market.mine_to(market.lease(order)["funded_block"] - blocks_to_go)

    lease = market.lease(order)

    assert (lease["runway_blocks"], lease["is_exhausted"], lease["is_stale"]) == (runway, is_exhausted, False)


def test_lease__stale_and_past_its_funding__is_not_exhausted(market, provider):
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["funded_block"] + PERIOD)

    lease = market.lease(order)

    assert (lease["is_stale"], lease["is_exhausted"], lease["runway_blocks"]) == (True, False, 0)
