"""Prepaying more blocks: of open orders, of running leases, and of exhausted ones, which revives them."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    COLLATERAL,
    DEPOSIT,
    FUND,
    MAX_BLOCKS,
    MAX_MONEY,
    PERIOD,
    PREPAID_BLOCKS,
    REMAINDER,
    SCALE,
    TIP,
    UNKNOWN_ID,
    UPDATE,
    WAIT,
    Order,
    deploy_market,
    group_of,
    logged,
    refusal,
)
from tests.contracts.observer import Observer

NEITHER = "leases: neither open nor active"
TOO_MANY = "leases: bad number of blocks"
TOO_SHORT = "leases: revival too short"


@pytest.fixture(scope="module")
def open_order(market):
    [order] = market.submit()
    return order


@pytest.fixture(scope="module")
def lease(market, provider):
    """A lease that was just confirmed for the first time."""
    [order] = market.active(provider)
    return order


@pytest.fixture
def exhausted(market, provider):
    """A lease of which all prepaid blocks were confirmed and none claimed."""
    [order] = market.exhausted(provider)
    return order


def _confirm_twice_late(market, provider, order) -> None:
    for _ in range(2):
        market.mine_to(market.lease(order)["deadline_block"])
        market.confirm(provider, order)


# ------------------------------------------------------------------------------------------------------ open orders


@pytest.mark.parametrize("blocks", [1, 1_000])
def test_fund__open_order__adds_blocks_at_the_maximum_charge(market, exchange, open_order, blocks):
    before = market.available(market.tenant)

    tx = exchange.fund(open_order.key, blocks, {"from": market.tenant})

    amount = blocks * CHARGE
    fields = {"order": open_order.id, "payer": market.tenant.address, "amount": amount}
    assert logged(tx) == [("OrderFunded", fields)]
    assert before - market.available(market.tenant) == amount
    assert market.order(open_order)["deposit"] == DEPOSIT + amount


def test_fund__open_order_with_bids__keeps_them(market, exchange, provider, open_order):
    market.bid(provider, open_order, 7)
    before = market.order(open_order)

    exchange.fund(open_order.key, 10, {"from": market.stranger})

    assert market.order(open_order) == before | {"deposit": DEPOSIT + 10 * CHARGE}


def test_fund__most_blocks_of_a_tiny_order__is_accepted_and_matched(market, exchange, provider):
    market.give(market.tenant, 2**33)
    [order] = market.submit(group_of(price=1, count=1, collateral=TIP))
    exchange.fund(order.key, MAX_BLOCKS, {"from": market.tenant})
    market.bid(provider, order)

    [(_, fields)] = logged(market.match(order))

    assert (fields["blocks"], fields["refund"]) == (MAX_BLOCKS, DEPOSIT - TIP)


def test_fund__order_closed__is_refused(market, exchange, open_order):
    market.close(open_order)

    assert refusal(exchange.fund, open_order.key, 1, by=market.tenant) == NEITHER


def test_fund__unknown_order__is_refused(market, exchange, open_order):
    unknown = Order(UNKNOWN_ID, open_order.nonce, WAIT, open_order.group)

    assert refusal(exchange.fund, unknown.key, 1, by=market.tenant) == NEITHER


def test_fund__terms_forged_to_a_lower_charge__is_refused(market, exchange, open_order):
    deployment, nonce, terms, resources_hash = open_order.key

    assert refusal(exchange.fund, (deployment, nonce, terms - 1, resources_hash), 1, by=market.tenant) == NEITHER


def test_fund__all_money_that_there_is__fits_into_one_order(accounts):
    other = deploy_market(accounts)
    provider = other.register(other.owner, other.operator)
    other.give(provider.account, COLLATERAL)
    other.give(other.tenant, MAX_MONEY - COLLATERAL)
    most = MAX_MONEY - COLLATERAL - 2 * TIP  # of the finish and of the closing
    [order] = other.submit(deposits=[most - CHARGE])
    other.bid(provider, order)
    before = other.order(order)

    other.exchange.fund(order.key, 1, {"from": other.tenant})

    assert other.order(order) == before | {"deposit": most}
    assert other.available(other.tenant) == 0
    assert refusal(other.exchange.fund, order.key, 1, by=other.tenant) == "ledger: insufficient funds"
    [(_, match)] = logged(other.match(order))
    assert (match["blocks"], match["refund"]) == (MAX_BLOCKS, most - TIP - MAX_BLOCKS * CHARGE)
    Observer(other).check()


# --------------------------------------------------------------------------------------------------- running leases


@pytest.mark.parametrize("blocks", [1, 1_000])
def test_fund__running_lease__adds_blocks_at_its_charge(market, exchange, provider, blocks):
    [order] = market.submit()
    market.bid(provider, order, 7)
    market.match(order)
    market.confirm(provider, order)
    tenant_before = market.available(market.tenant)
    before = market.lease(order)

    tx = exchange.fund(order.key, blocks, {"from": market.tenant})

    fields = {"lease": order.id, "payer": market.tenant.address, "blocks": blocks}
    assert logged(tx) == [("LeaseFunded", fields)]
    assert tenant_before - market.available(market.tenant) == blocks * 28
    expected = {"funded_block": before["funded_block"] + blocks, "runway_blocks": before["runway_blocks"] + blocks - 1}
    assert market.lease(order) == before | expected


def test_fund__lease_that_awaits_its_first_confirmation__adds_blocks(market, exchange, provider):
    [order] = market.matched(provider)
    deadline = market.lease(order)["deadline_block"]

    exchange.fund(order.key, 3, {"from": market.tenant})

    lease = market.lease(order)
    assert (lease["is_awaiting"], lease["runway_blocks"]) == (True, PREPAID_BLOCKS + 3)
    assert lease["deadline_block"] == deadline


def test_fund__last_block_before_exhaustion__is_no_revival(market, exchange, provider, lease):
    _confirm_twice_late(market, provider, lease)
    market.mine_to(market.lease(lease)["funded_block"] - 1)

    tx = exchange.fund(lease.key, 1, {"from": market.tenant})

    assert [name for name, _ in logged(tx)] == ["LeaseFunded"]


def test_fund__most_blocks_ahead__is_accepted(market, exchange, lease):
    market.give(market.tenant, MAX_BLOCKS * CHARGE)

    exchange.fund(lease.key, MAX_BLOCKS - PREPAID_BLOCKS, {"from": market.tenant})

    after = market.lease(lease)
    assert after["funded_block"] - after["confirmed_block"] == MAX_BLOCKS


def test_fund__more_blocks_ahead_than_a_lease_holds__is_refused(market, exchange, lease):
    market.give(market.tenant, MAX_BLOCKS * CHARGE)

    assert refusal(exchange.fund, lease.key, MAX_BLOCKS - PREPAID_BLOCKS + 1, by=market.tenant) == TOO_MANY


def test_fund__stale_lease__is_refused(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)

    assert refusal(exchange.fund, lease.key, 1, by=market.tenant) == "leases: lease is stale"


def test_fund__lease_ended_as_stale__is_refused(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    exchange.submit_stale_lease([lease.key], {"from": market.stranger})

    assert refusal(exchange.fund, lease.key, 1, by=market.tenant) == NEITHER


def test_fund__closing_lease__is_refused(market, exchange, lease):
    market.close(lease)

    assert refusal(exchange.fund, lease.key, 1, by=market.tenant) == NEITHER


# ------------------------------------------------------------------------------------------------- exhausted leases


def test_fund__exhausted_in_time__pays_all_and_awaits_a_confirmation(market, exchange, provider, exhausted):
    market.mine_to(market.next_block + 10)
    block = market.next_block
    provider_before = market.available(provider.account)

    tx = exchange.fund(exhausted.key, 2 * PERIOD, {"from": market.tenant})

    earned = PREPAID_BLOCKS * CHARGE
    fields = {"lease": exhausted.id, "payer": market.tenant.address, "blocks": 2 * PERIOD, "earned": earned}
    assert logged(tx) == [("LeaseRevived", fields)]
    assert market.available(provider.account) - provider_before == earned
    assert market.lease(exhausted) == {
        "state": ACTIVE,
        "provider": provider.number,
        "charge": CHARGE,
        "remainder": REMAINDER,
        "is_awaiting": True,
        "claimed_block": block,
        "confirmed_block": block,
        "funded_block": block + 2 * PERIOD,
        "deadline_block": block + PERIOD,
        "earned": 0,
        "runway_blocks": 2 * PERIOD,
        "is_stale": False,
        "is_exhausted": False,
    }


@pytest.mark.parametrize("blocks", [1, 2 * PERIOD - 1])
def test_fund__exhausted_with_less_than_two_periods__is_refused(market, exchange, exhausted, blocks):
    assert refusal(exchange.fund, exhausted.key, blocks, by=market.tenant) == TOO_SHORT


@pytest.mark.parametrize(("delay", "paid_blocks"), [(0, PREPAID_BLOCKS), (1, 2 * PERIOD)])
def test_fund__exhausted_with_the_last_blocks_unconfirmed__pays_them_until_the_deadline(
    market, exchange, provider, lease, delay, paid_blocks
):
    _confirm_twice_late(market, provider, lease)
    market.mine_to(market.lease(lease)["deadline_block"] + delay)

    [(_, fields)] = logged(exchange.fund(lease.key, 2 * PERIOD, {"from": market.tenant}))

    assert fields["earned"] == paid_blocks * CHARGE
    assert market.lease(lease)["runway_blocks"] == 2 * PERIOD + PREPAID_BLOCKS - paid_blocks


@pytest.mark.parametrize(("delay", "is_exhausted"), [(-1, False), (0, True), (1, True)])
def test_fund__around_the_end__revives_from_that_block_on(market, exchange, provider, lease, delay, is_exhausted):
    _confirm_twice_late(market, provider, lease)
    market.mine_to(market.lease(lease)["funded_block"] + delay)

    [(name, _)] = logged(exchange.fund(lease.key, 2 * PERIOD, {"from": market.tenant}))

    assert name == ("LeaseRevived" if is_exhausted else "LeaseFunded")


def test_fund__revived_lease__starts_at_its_confirmation_and_can_go_stale(market, exchange, provider, exhausted):
    exchange.fund(exhausted.key, 2 * PERIOD, {"from": market.stranger})
    market.mine_to(market.lease(exhausted)["deadline_block"])
    market.confirm(provider, exhausted)
    lease = market.lease(exhausted)
    assert (lease["is_awaiting"], lease["earned"]) == (False, 0)
    assert lease["funded_block"] == lease["confirmed_block"] + 2 * PERIOD

    market.mine_to(lease["deadline_block"] + 1)

    assert market.lease(exhausted)["is_stale"]


def test_fund__revived_and_not_confirmed__goes_stale_after_a_fresh_period(market, exchange, exhausted):
    market.mine_to(market.next_block + 2 * PERIOD)
    exchange.fund(exhausted.key, 2 * PERIOD, {"from": market.tenant})
    deadline = market.lease(exhausted)["deadline_block"]
    market.mine_to(deadline)
    assert not market.lease(exhausted)["is_stale"]
    market.mine_to(deadline + 1)

    [(_, fields)] = logged(exchange.submit_stale_lease([exhausted.key], {"from": market.stranger}))

    assert fields["earned"] == 0


# ---------------------------------------------------------------------------------------------------------- payers


@pytest.mark.parametrize("role", ["stranger", "attacker"])
def test_fund__by_anyone_else__is_a_gift_from_their_account(market, exchange, lease, role):
    payer = getattr(market, role)
    market.give(payer, 10 * CHARGE)
    tenant_before, payer_before = market.available(market.tenant), market.available(payer)

    [(_, fields)] = logged(exchange.fund(lease.key, 10, {"from": payer}))

    assert fields["payer"] == payer.address
    assert payer_before - market.available(payer) == 10 * CHARGE
    assert market.available(market.tenant) == tenant_before


@pytest.mark.parametrize("state", ["open_order", "lease", "exhausted"])
def test_fund__account_too_small__is_refused(market, exchange, state, request):
    order = request.getfixturevalue(state)
    market.give(market.attacker, 2 * PERIOD * CHARGE - 1)

    assert refusal(exchange.fund, order.key, 2 * PERIOD, by=market.attacker) == "ledger: insufficient funds"


def _appoint(market, order, permissions: int, expires_block: int = 10**6, cap: int = 10**6) -> None:
    market.exchange.set_manager(
        order.deployment, market.manager, permissions, expires_block, cap, {"from": market.tenant}
    )


@pytest.mark.parametrize(("state", "amount"), [("open_order", 400), ("lease", 400)])
def test_fund__by_a_manager__takes_the_tenants_money(market, exchange, state, amount, request):
    order = request.getfixturevalue(state)
    _appoint(market, order, FUND, cap=amount)
    before = market.available(market.tenant)

    spent, funded = logged(exchange.fund(order.key, 10, {"from": market.manager}))

    fields = {"deployment": order.deployment, "manager": market.manager.address, "amount": amount}
    assert spent == ("ManagerSpent", fields)
    assert funded[1]["payer"] == market.tenant.address
    assert before - market.available(market.tenant) == amount
    assert market.view("manager", order.deployment, market.manager)[2] == 0


def test_fund__by_a_manager_above_its_cap__is_refused(market, exchange, lease):
    _appoint(market, lease, FUND, cap=399)

    assert refusal(exchange.fund, lease.key, 10, by=market.manager) == "deployments: above spend cap"


@pytest.mark.parametrize("permissions", [UPDATE, SCALE, UPDATE | SCALE])
def test_fund__by_a_manager_for_other_things__is_refused(market, exchange, lease, permissions):
    _appoint(market, lease, permissions)

    assert refusal(exchange.fund, lease.key, 10, by=market.manager) == "deployments: not permitted"


def test_fund__by_a_manager_at_and_after_its_expiry__is_refused_after(market, exchange, lease):
    expiry = market.next_block + 5
    _appoint(market, lease, FUND, expires_block=expiry)
    market.mine_to(expiry)
    exchange.fund(lease.key, 1, {"from": market.manager})

    assert refusal(exchange.fund, lease.key, 1, by=market.manager) == "deployments: manager expired"


def test_fund__manager_of_another_deployment__pays_itself(market, exchange, lease, open_order):
    _appoint(market, open_order, FUND)

    assert refusal(exchange.fund, lease.key, 1, by=market.manager) == "ledger: insufficient funds"


# --------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("state", ["open_order", "lease"])
def test_fund__no_blocks__is_refused(market, exchange, state, request):
    order = request.getfixturevalue(state)

    assert refusal(exchange.fund, order.key, 0, by=market.tenant) == "leases: bad number of blocks"


@pytest.mark.parametrize("blocks", [MAX_BLOCKS + 1, 2**256 - 1])
def test_fund__more_blocks_than_the_longest_span__is_refused(market, exchange, open_order, blocks):
    assert refusal(exchange.fund, open_order.key, blocks, by=market.tenant) == TOO_MANY
