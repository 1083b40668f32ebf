"""The worked example of docs/protocol.md, block by block, and the three other ends that it tells of.

Deposit 10,000, tip 100 for the match, period 100, charge 40, matched at block 1000: 247 blocks prepaid, 20 remain in
the lease until its end; first confirmation at 1090: funded until 1337; confirmed each period; exhausted at 1337, 9,880
paid; nobody can call it stale at 1438.
"""

from __future__ import annotations

import pytest

from tests.contracts.market import CLOSED, COLLATERAL, GRACE, PERIOD, PERSISTENT, TIP, logged, refusal

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
    """The lease of the example, its clock, and what the match has told."""
    return _match(market, provider)


@pytest.fixture(scope="module")
def persistent(market, provider):
    """The same of a group with persist."""
    return _match(market, provider, PERSISTENT)


def _match(market, provider, *groups):
    [order] = market.submit(*groups, deposits=[10_000])
    market.bid(provider, order)
    clock = Clock(market, market.order(order)["match_block"])
    [(_, match)] = logged(market.match(order))
    return order, clock, match


def _confirm_at(market, provider, example, *blocks: int) -> None:
    order, clock, _ = example
    for block in blocks:
        clock.wait_for(block)
        market.confirm(provider, order)


def test_worked_example__match_at_1000__prepays_247_blocks_and_keeps_20(market, example):
    order, clock, match = example

    lease = market.lease(order)

    assert (TIP, PERIOD, lease["charge"]) == (100, 100, 40)
    assert (match["blocks"], match["refund"], lease["remainder"]) == (247, 0, 20)
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
    tenant_before = market.available(market.tenant)
    tips_before = market.available(market.facilitator)
    _confirm_at(market, provider, example, 1090, 1190, 1290, 1337)
    clock.wait_for(1337 + GRACE)
    assert refusal(exchange.finish_leases, [order.key], by=market.facilitator) == "exchange: nothing is ready"
    clock.wait_for(1337 + GRACE + 1)

    exchange.finish_leases([order.key], {"from": market.facilitator})

    assert market.lease(order)["state"] == CLOSED
    assert market.available(provider.account) - provider_before == 9_880 + COLLATERAL
    assert market.available(market.tenant) - tenant_before == 20
    assert market.available(market.facilitator) - tips_before == TIP  # of the finish, beside the 10,000
    assert 9_880 + 20 + 100 == 10_000


# -------------------------------------------------------------------------- the same lease, last confirmed at 1190


def _gains(market, provider, before=(0, 0, 0)):
    """Return what provider, tenant and facilitator have available, less what they had before."""
    accounts = provider.account, market.tenant, market.facilitator
    return tuple(market.available(account) - had for account, had in zip(accounts, before, strict=True))


def test_worked_example__closed_at_1200_and_confirmed__pays_4400_and_returns_5600(market, exchange, provider, example):
    order, clock, _ = example
    _confirm_at(market, provider, example, 1090, 1190)
    before = _gains(market, provider)
    clock.wait_for(1200)
    market.close(order)

    exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})

    assert _gains(market, provider, before) == (4_400 + COLLATERAL, 5_600, 0)


@pytest.mark.parametrize(("which", "to_tenant"), [("example", 10_900), ("persistent", 2_700)])
def test_worked_example__stale_at_1291__leaves_4000_to_claim_and_takes_the_collateral(
    market, exchange, provider, which, to_tenant, request
):
    example = request.getfixturevalue(which)
    order, clock, _ = example
    _confirm_at(market, provider, example, 1090, 1190)
    before = _gains(market, provider)
    clock.wait_for(1291)

    exchange.submit_stale_lease([order.key], {"from": market.facilitator})

    assert _gains(market, provider, before) == (0, to_tenant, 100)
    assert market.order(order.renewed())["deposit"] == (8_100 if which == "persistent" else 0)
    exchange.claim([order.id], {"from": market.tenant})
    assert _gains(market, provider, before) == (4_000, to_tenant, 100)
