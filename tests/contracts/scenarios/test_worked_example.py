"""The worked example of the design, block by block.

Deposit 10,000, tip 100 for the match, period 100, charge 40, matched at block 1000: 247 blocks prepaid, 20 back to the
tenant; first confirmation at 1090: funded until 1337; confirmed each period; exhausted at 1337, 9,880 paid; nobody can
call it stale at 1438.
"""

from __future__ import annotations

import pytest

from tests.contracts.market import CLOSED, COLLATERAL, GRACE, PERIOD, TIP, logged, refusal

NOT_STALE = "exchange: nothing is ready"


class Clock:
    """Heights as the example counts them: the match is at 1000."""

    def __init__(self, market, match_block: int) -> None:
        self.market = market
        self.offset = match_block - 1000

    def wait_for(self, block: int) -> None:
        self.market.mine_to(block + self.offset)

    def told(self, height: int) -> int:
        return height - self.offset


@pytest.fixture(scope="module")
def example(market, provider):
    """The lease of the example, its clock, and what the match has returned to the tenant."""
    [order] = market.submit(deposits=[10_000])
    market.bid(provider, order)
    clock = Clock(market, market.order(order)["match_block"])
    [(_, match)] = logged(market.match(order))
    return order, clock, match


def _confirm_at(market, provider, example, *blocks: int) -> None:
    order, clock, _ = example
    for block in blocks:
        clock.wait_for(block)
        market.confirm(provider, order)


def test_worked_example__match_at_1000__prepays_247_blocks_and_returns_20(market, example):
    order, clock, match = example

    lease = market.lease(order)

    assert (TIP, PERIOD, lease["charge"]) == (100, 100, 40)
    assert (match["blocks"], match["refund"]) == (247, 20)
    assert clock.told(lease["confirmed_block"]) == 1000
    assert clock.told(lease["deadline_block"]) == 1100


def test_worked_example__first_confirmation_at_1090__is_funded_until_1337(market, provider, example):
    order, clock, _ = example

    _confirm_at(market, provider, example, 1090)

    lease = market.lease(order)
    assert clock.told(lease["funded_block"]) == 1337
    assert clock.told(lease["deadline_block"]) == 1190
    assert lease["earned"] == 0


def test_worked_example__confirmed_each_period__is_exhausted_at_1337_with_9880_paid(
    market, exchange, provider, example
):
    order, clock, _ = example
    before = market.available(provider.account)
    _confirm_at(market, provider, example, 1090, 1190, 1290)
    clock.wait_for(1336)
    assert not market.lease(order)["is_exhausted"]
    clock.wait_for(1337)
    assert market.lease(order)["is_exhausted"]

    market.confirm(provider, order)
    exchange.claim([order.id], {"from": market.stranger})

    assert market.available(provider.account) - before == 9_880


@pytest.mark.parametrize("last", [(1337,), (1380,), (1390,), ()], ids=str)
def test_worked_example__at_1438_and_later__nobody_can_call_it_stale(market, exchange, provider, example, last):
    order, clock, _ = example
    _confirm_at(market, provider, example, 1090, 1190, 1290, *last)

    for block in (1391, 1438, 1600):
        clock.wait_for(block)
        for caller in (market.facilitator, market.tenant, market.attacker):
            assert refusal(exchange.submit_stale_lease, [order.key], by=caller) == NOT_STALE


@pytest.mark.parametrize("confirmations", [(), (1090,), (1090, 1190)], ids=str)
def test_worked_example__deadline_missed_before_1337__can_be_called_stale(
    market, exchange, provider, example, confirmations
):
    order, clock, _ = example
    _confirm_at(market, provider, example, *confirmations)
    deadline = (confirmations or (1000,))[-1] + 100
    clock.wait_for(deadline)
    assert refusal(exchange.submit_stale_lease, [order.key], by=market.facilitator) == NOT_STALE
    clock.wait_for(deadline + 1)

    [(name, _)] = logged(exchange.submit_stale_lease([order.key], {"from": market.facilitator}))

    assert name == "LeaseStale"


def test_worked_example__finished_after_the_grace__has_paid_every_unit(market, exchange, provider, example):
    order, clock, _ = example
    provider_before = market.available(provider.account)
    tips_before = market.available(market.facilitator)
    _confirm_at(market, provider, example, 1090, 1190, 1290, 1337)
    clock.wait_for(1337 + GRACE)
    assert refusal(exchange.finish_leases, [order.key], by=market.facilitator) == "exchange: nothing is ready"
    clock.wait_for(1337 + GRACE + 1)

    exchange.finish_leases([order.key], {"from": market.facilitator})

    assert market.lease(order)["state"] == CLOSED
    assert market.available(provider.account) - provider_before == 9_880 + COLLATERAL
    assert market.available(market.facilitator) - tips_before == TIP  # of the finish, beside the 10,000
    assert 9_880 + 20 + 100 == 10_000
