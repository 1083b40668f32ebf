"""Orders as the view tells them; of what is a lease already, only the state."""

from __future__ import annotations

from tests.contracts.market import (
    ACTIVE,
    CLOSED,
    CLOSING,
    DEPOSIT,
    MAX_BLOCKS,
    OPEN,
    ORDER_CLOSED,
    STALE,
    UNKNOWN_ID,
    group_of,
)


def _view(market, order) -> tuple:
    return tuple(market.view("order", order.id))


def test_order__unknown__is_zeros(market):
    assert tuple(market.view("order", UNKNOWN_ID)) == (0, 0, 0, 0, 0)


def test_order__open__tells_deposit_block_and_bids(market, provider, rival):
    block = market.next_block
    [order] = market.submit(wait=MAX_BLOCKS)

    market.bid(provider, order)
    market.bid(rival, order)

    assert _view(market, order) == (OPEN, DEPOSIT, block + MAX_BLOCKS, 2, 0)


def test_order__recreated__tells_who_is_excluded(market, exchange, rival):
    [order] = market.matched(rival, group_of(persist=True))

    exchange.submit_stale_lease([order.key], {"from": rival.owner})

    assert _view(market, order.renewed())[4] == rival.number


def test_order__closed_or_matched__tells_the_state_alone(market, exchange, provider):
    [closed] = market.submit()
    market.close(closed)
    [lease] = market.matched(provider)
    seen = [_view(market, closed), _view(market, lease)]
    market.close(lease)
    seen.append(_view(market, lease))
    exchange.confirm_closed(provider.number, [lease.key], {"from": provider.operator})
    seen.append(_view(market, lease))
    [stale] = market.matched(provider)
    exchange.submit_stale_lease([stale.key], {"from": provider.owner})
    seen.append(_view(market, stale))

    assert seen == [(state, 0, 0, 0, 0) for state in (ORDER_CLOSED, ACTIVE, CLOSING, CLOSED, STALE)]
