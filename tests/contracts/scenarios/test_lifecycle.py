"""Whole lives of deployments, to the point where everybody withdraws and the exchange holds nothing."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import (
    ACTIVE,
    CLOSED,
    COLLATERAL,
    FUND,
    GRACE,
    NEXT_VERSION,
    PERIOD,
    PLAIN,
    SCALE,
    STALE,
    UPDATE,
    Market,
    Order,
    Provider,
    deploy_market,
    deployment_id,
    group_of,
    word_of,
)
from tests.contracts.observer import Observer

WEALTH = 10**6  # base units with which each starts


class Crowd:
    """A market whose tenant and two providers bring all tokens there are on it."""

    def __init__(self, accounts, *, decimals: int = 18, unit: int = 1, **parameters) -> None:
        token = brownie.StandardToken.deploy(10**30, decimals, {"from": accounts[0]})
        self.unit = unit
        self.market: Market = deploy_market(accounts, token=token, **parameters)
        market = self.market
        self.provider = market.register(market.owner, market.operator)
        self.rival = market.register(market.rival_owner, market.rival_operator)
        for account in (market.tenant, self.provider.account, self.rival.account):
            market.give(account, WEALTH * unit)

    def everybody(self) -> list[tuple[object, object]]:
        """Return all accounts and who may withdraw from them."""
        market = self.market
        roles = market.tenant, market.facilitator, market.stranger, market.manager, market.owner, market.rival_owner
        providers = [(each.account, each.owner) for each in (self.provider, self.rival)]
        return [(role, role) for role in roles] + providers

    def withdraw_all(self, *, slashed_from_provider: int = 0, slashed_from_rival: int = 0) -> None:
        """Let everybody withdraw what they have; nothing may stay in the exchange, or committed unless lost."""
        market = self.market
        slashed = {self.provider.account: slashed_from_provider, self.rival.account: slashed_from_rival}
        scale = market.exchange.market_parameters()["ledger_scale"]
        for account, caller in self.everybody():
            available, committed = market.view("account", account)
            assert committed == slashed.get(account, 0)
            if available >= scale:
                market.exchange.withdraw(account, available // scale, {"from": caller})
        dust = sum(market.available(account) for account, _ in self.everybody())
        assert market.token.balanceOf(market.exchange) * scale == dust
        assert dust % scale == 0
        assert dust // scale < len(self.everybody())

    def close_everything(self, *orders: Order) -> None:
        market = self.market
        market.close(*orders)
        for provider in (self.provider, self.rival):
            keys = [each.key for each in orders if _is_closing_for(market, each, provider)]
            if keys:
                market.exchange.confirm_closed(provider.number, keys, {"from": provider.operator})
        market.exchange.deployment_closed([orders[0].deployment], {"from": market.facilitator})

    def release(self, *orders: Order) -> None:
        market = self.market
        numbers = [self.provider.number, self.rival.number]
        for each in orders:
            if any(market.view("fulfillment", each.id, number)[0] for number in numbers):
                market.exchange.release_fulfillments(each.id, numbers, {"from": market.stranger})


def _is_closing_for(market: Market, order: Order, provider: Provider) -> bool:
    lease = market.lease(order)
    return lease["state"] == 5 and lease["provider"] == provider.number


@pytest.fixture
def crowd(accounts):
    return Crowd(accounts)


def test_lifecycle__one_lease_from_order_to_end__leaves_nothing(crowd):
    market, provider, rival = crowd.market, crowd.provider, crowd.rival
    [order] = market.submit()
    market.bid(provider, order, 8)
    market.bid(rival, order)
    market.match(order)
    market.confirm(provider, order)
    market.mine_to(market.next_block + PERIOD - 10)
    market.confirm(provider, order)
    market.exchange.claim([order.id], {"from": market.stranger})

    crowd.close_everything(order)
    crowd.release(order)

    Observer(market).check()
    crowd.withdraw_all()
    assert market.token.balanceOf(market.exchange) == 0
    assert market.token.balanceOf(market.facilitator) == 200


def test_lifecycle__all_ways_to_end_at_once__leave_nothing(crowd):
    market, provider, rival = crowd.market, crowd.provider, crowd.rival
    exchange = market.exchange
    groups = [group_of(persist=number % 2 == 0, collateral=1_250 + number) for number in range(8)]
    orders = market.submit(*groups)
    healed, stale, finished, removed, exhausted, closed, unbid, resigned = orders
    bidden = [each for each in orders if each is not unbid]
    for each in bidden:
        market.bid(provider, each, 9)
        market.bid(rival, each)
    market.match(*bidden)
    market.confirm(provider, finished, removed, exhausted, closed)
    exchange.set_manager(
        healed.deployment, market.manager, FUND | SCALE | UPDATE, 10**6, 10**5, {"from": market.tenant}
    )
    exchange.update_deployment(healed.deployment, NEXT_VERSION, [], [], [removed.key], {"from": market.manager})
    exchange.submit_stale_lease([resigned.key], {"from": provider.owner})
    for _ in range(3):
        market.mine_to(market.lease(exhausted)["deadline_block"])
        market.confirm(provider, finished, exhausted, closed)
    exchange.submit_stale_lease([healed.key, stale.key], {"from": market.facilitator})
    assert market.lease(stale)["state"] == STALE
    exchange.claim([finished.id], {"from": market.stranger})
    market.mine_to(market.next_block + PERIOD + GRACE)
    exchange.fund(closed.key, 2 * PERIOD, {"from": market.manager})
    exchange.finish_leases([finished.key, exhausted.key, removed.key], {"from": market.facilitator})
    assert [market.lease(each)["state"] for each in (finished, exhausted, removed)] == [CLOSED] * 3
    market.bid(rival, healed.renewed())
    market.match(healed.renewed())
    market.confirm(rival, healed.renewed())
    assert market.lease(healed.renewed())["state"] == ACTIVE
    Observer(market).check()

    crowd.close_everything(closed, unbid, healed.renewed())
    crowd.release(*orders, healed.renewed())

    Observer(market).check()
    crowd.withdraw_all(slashed_from_provider=sum(each.collateral for each in (healed, stale, resigned)))
    assert market.token.balanceOf(market.exchange) == 0


def test_lifecycle__lease_that_heals_twice__pays_each_provider_for_its_blocks(crowd):
    market, exchange = crowd.market, crowd.market.exchange
    [order] = market.submit(group_of(persist=True), deposits=[100_000])
    earnings = []
    for provider in (crowd.provider, crowd.rival, crowd.provider):
        before = market.available(provider.account)
        market.bid(provider, order)
        market.match(order)
        market.confirm(provider, order)
        market.mine_to(market.next_block + 49)
        market.confirm(provider, order)
        market.mine_to(market.lease(order)["deadline_block"] + 1)
        exchange.submit_stale_lease([order.key], {"from": market.facilitator})
        assert before - market.available(provider.account) == COLLATERAL
        exchange.claim([order.id], {"from": market.stranger})
        earnings.append(market.available(provider.account) - before)
        order = order.renewed()

    crowd.close_everything(order)

    assert earnings == [50 * 40 - 5_000] * 3
    Observer(market).check()
    crowd.withdraw_all(slashed_from_provider=2 * 5_000, slashed_from_rival=5_000)
    assert market.token.balanceOf(market.exchange) == 0
    assert market.token.balanceOf(market.facilitator) == 700  # 3 matches, 3 stale calls, 1 deployment


@pytest.mark.parametrize("parameters", [{"tip": 0}, {"interest_rate": 0}, {"period": 4, "grace": 1}], ids=str)
def test_lifecycle__market_with_parameters_at_their_limits__leaves_nothing(accounts, parameters):
    crowd = Crowd(accounts, **parameters)
    market, provider = crowd.market, crowd.provider
    [first] = market.submit()
    [second] = market.submit()
    for each in (first, second):
        market.bid(provider, each)
    market.match(first, second)
    market.confirm(provider, first)
    market.mine_to(market.lease(second)["deadline_block"])
    market.confirm(provider, first)
    market.exchange.submit_stale_lease([second.key], {"from": market.facilitator})

    crowd.close_everything(first)
    crowd.close_everything(second)
    assert (market.lease(first)["state"], market.lease(second)["state"]) == (CLOSED, STALE)

    Observer(market).check()
    crowd.withdraw_all(slashed_from_provider=COLLATERAL)
    assert market.token.balanceOf(market.exchange) == 0


@pytest.mark.parametrize(("decimals", "unit"), [(6, 1), (0, 1), (24, 1)])
def test_a15_lifecycle__token_with_other_decimals__keeps_only_dust(accounts, decimals, unit):
    crowd = Crowd(accounts, decimals=decimals, unit=unit)
    market, provider = crowd.market, crowd.provider
    [order] = market.active(provider)
    market.mine_to(market.next_block + 60)
    market.confirm(provider, order)

    crowd.close_everything(order)

    Observer(market).check()
    crowd.withdraw_all()


def test_lifecycle__deployment_of_nothing_but_open_orders__costs_one_tip(crowd):
    market = crowd.market
    orders = market.submit(*[PLAIN] * 8)

    crowd.close_everything(*orders)

    assert market.available(market.tenant) == WEALTH - 100
    assert deployment_id(market.exchange, market.tenant, word_of(1)) == orders[0].deployment
    crowd.withdraw_all()
