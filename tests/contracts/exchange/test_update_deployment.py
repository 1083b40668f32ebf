"""Updates of a running deployment: new versions, groups added and removed, by the tenant or a manager."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    CLOSING,
    COLLATERAL,
    DEPOSIT,
    FUND,
    MINIMUM_DEPOSIT,
    NEXT_VERSION,
    NO_ID,
    OPEN,
    ORDER_CLOSED,
    PLAIN,
    REMAINDER,
    SCALE,
    STALE,
    TIP,
    UNKNOWN_ID,
    UPDATE,
    WAIT,
    Order,
    group_of,
    logged,
    refusal,
    word_of,
)

EVERYTHING = UPDATE | FUND | SCALE
NOT_PERMITTED = "deployments: not permitted"


@pytest.fixture(scope="module")
def order(market):
    """The open order of a deployment with one group."""
    [order] = market.submit()
    return order


def _arguments(order, *added, version=NO_ID, deposits=None, removed=()):
    deposits = [DEPOSIT] * len(added) if deposits is None else deposits
    return order.deployment, version, added, deposits, [each.key for each in removed]


def _update(market, order, *added, by=None, **changes):
    return market.exchange.update_deployment(*_arguments(order, *added, **changes), {"from": by or market.tenant})


def _refusal(market, order, *added, by=None, **changes) -> str:
    method = market.exchange.update_deployment
    return refusal(method, *_arguments(order, *added, **changes), by=by or market.tenant)


def _appoint(market, order, permissions, expires_block=10**6, cap=10**6) -> None:
    arguments = order.deployment, market.manager, permissions, expires_block, cap
    market.exchange.set_manager(*arguments, {"from": market.tenant})


def _nth(order, number, group=PLAIN) -> Order:
    return Order(order.deployment, word_of(number), WAIT, group)


# ---------------------------------------------------------------------------------------------------- the version


def test_update_deployment__new_version__is_counted(market, order):
    before = market.available(market.tenant), market.deployment(order.deployment)

    tx = _update(market, order, version=NEXT_VERSION)

    fields = {"deployment": order.deployment, "version": NEXT_VERSION, "update_number": 2}
    assert logged(tx) == [("DeploymentUpdated", fields)]
    assert market.deployment(order.deployment) == before[1] | {"update_number": 2}
    assert market.available(market.tenant) == before[0]


def test_update_deployment__several_versions__are_numbered(market, order):
    _update(market, order, version=NEXT_VERSION)

    [(_, fields)] = logged(_update(market, order, version=NEXT_VERSION))

    assert fields["update_number"] == 3


# ------------------------------------------------------------------------------------------------------ adding


def test_update_deployment__group_added__opens_an_order_with_the_next_nonce(market, order):
    before = market.available(market.tenant)
    block = market.next_block
    added = _nth(order, 1, group_of(price=7))

    tx = _update(market, order, added.group, deposits=[9_000])

    [(name, fields)] = logged(tx)
    seen = fields["order"], fields["nonce"], fields["deposit"], fields["wait_duration"]
    assert (name, *seen) == ("OrderCreated", added.id, 1, 9_000, WAIT)
    assert before - market.available(market.tenant) == 9_000 + TIP
    assert market.order(added)["match_block"] == block + WAIT
    deployment = market.deployment(order.deployment)
    assert (deployment["live_groups"], deployment["order_count"], deployment["update_number"]) == (2, 2, 1)


def test_update_deployment__twice__never_uses_a_nonce_again(market, order):
    _update(market, order, PLAIN, removed=[order])
    _update(market, order, PLAIN, removed=[_nth(order, 1)])

    assert market.order(_nth(order, 2))["state"] == OPEN
    assert market.deployment(order.deployment)["order_count"] == 3
    assert market.deployment(order.deployment)["live_groups"] == 1


def test_update_deployment__seven_added_to_one__are_eight(market, order):
    _update(market, order, *[PLAIN] * 7)

    assert market.deployment(order.deployment)["live_groups"] == 8


@pytest.mark.parametrize("count", [1, 8])
def test_update_deployment__above_eight_live_groups__is_refused(market, order, count):
    _update(market, order, *[PLAIN] * 7)

    assert _refusal(market, order, *[PLAIN] * count) == "deployments: too many groups"


def test_update_deployment__as_many_removed_as_added__stays_at_eight(market, order):
    _update(market, order, *[PLAIN] * 7)
    removed = [order, *(_nth(order, number) for number in range(1, 8))]

    _update(market, order, *[PLAIN] * 8, removed=removed)

    deployment = market.deployment(order.deployment)
    assert (deployment["live_groups"], deployment["order_count"]) == (8, 16)


def test_update_deployment__lease_removed_that_is_still_closing__frees_no_place(market, provider):
    orders = market.submit(*[PLAIN] * 8)
    market.bid(provider, orders[0])
    market.match(orders[0])

    assert _refusal(market, orders[0], PLAIN, removed=[orders[0]]) == "deployments: too many groups"


def test_update_deployment__order_added_and_removed_at_once__comes_back(market, order):
    before = market.available(market.tenant)

    tx = _update(market, order, PLAIN, removed=[_nth(order, 1)])

    assert [name for name, _ in logged(tx)] == ["OrderCreated", "OrderClosed"]
    assert market.available(market.tenant) == before


# ---------------------------------------------------------------------------------------------------- removing


def test_update_deployment__open_order_removed__is_refunded(market, order):
    before = market.available(market.tenant)

    tx = _update(market, order, removed=[order])

    assert logged(tx) == [("OrderClosed", {"order": order.id, "refund": DEPOSIT + TIP})]
    assert market.available(market.tenant) - before == DEPOSIT + TIP
    assert market.order(order)["state"] == ORDER_CLOSED
    deployment = market.deployment(order.deployment)
    assert (deployment["state"], deployment["live_groups"]) == (1, 0)


def test_update_deployment__lease_removed__goes_to_closing(market, provider):
    kept, removed = market.active(provider, PLAIN, PLAIN)
    block = market.next_block

    tx = _update(market, kept, removed=[removed])

    assert logged(tx) == [("LeaseClosing", {"lease": removed.id})]
    lease = market.lease(removed)
    assert (lease["state"], lease["confirmed_block"], lease["earned"]) == (CLOSING, block, CHARGE)
    assert market.lease(kept)["state"] == ACTIVE
    assert market.deployment(kept.deployment)["live_groups"] == 2


def test_update_deployment__stale_lease_removed__ends_as_stale_without_a_new_order(market, provider):
    [order] = market.matched(provider, group_of(persist=True))
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    before = market.available(market.tenant)

    tx = _update(market, order, removed=[order])

    assert [name for name, _ in logged(tx)] == ["LeaseStale"]
    assert market.lease(order)["state"] == STALE
    assert market.available(market.tenant) - before == 247 * CHARGE + REMAINDER + COLLATERAL + TIP
    assert market.deployment(order.deployment)["live_groups"] == 0


def test_update_deployment__ended_and_unknown_orders_removed__are_skipped(market, order):
    _update(market, order, removed=[order])

    tx = _update(market, order, removed=[order, _nth(order, 99), order])

    assert logged(tx) == []
    assert market.deployment(order.deployment)["live_groups"] == 0


def test_update_deployment__order_of_another_deployment_removed__is_refused(market, order):
    [other] = market.submit()

    assert _refusal(market, order, removed=[other]) == "deployments: order of another"


def test_update_deployment__everything_at_once__does_all(market, order):
    tx = _update(market, order, PLAIN, PLAIN, version=NEXT_VERSION, removed=[order])

    names = [name for name, _ in logged(tx)]
    assert names == ["OrderCreated", "OrderCreated", "OrderClosed", "DeploymentUpdated"]
    deployment = market.deployment(order.deployment)
    assert (deployment["live_groups"], deployment["order_count"], deployment["update_number"]) == (2, 3, 2)


# ------------------------------------------------------------------------------------------------------- refused


def test_update_deployment__nothing_given__is_refused(market, order):
    assert _refusal(market, order) == "deployments: nothing to update"


def test_update_deployment__unknown_deployment__is_refused(market):
    assert _refusal(market, Order(UNKNOWN_ID, NO_ID, WAIT, PLAIN), version=NEXT_VERSION) == "deployments: not active"


def test_update_deployment__closing_deployment__is_refused(market, order):
    market.close(order)

    assert _refusal(market, order, version=NEXT_VERSION) == "deployments: not active"


def test_update_deployment__closed_deployment__is_refused(market, exchange, order):
    market.close(order)
    exchange.deployment_closed([order.deployment], {"from": market.stranger})

    assert _refusal(market, order, version=NEXT_VERSION) == "deployments: not active"


@pytest.mark.parametrize("deposits", [[], [DEPOSIT] * 2])
def test_update_deployment__other_number_of_deposits__is_refused(market, order, deposits):
    assert _refusal(market, order, PLAIN, deposits=deposits) == "deployments: one deposit each"


def test_update_deployment__deposit_too_small__is_refused(market, order):
    assert _refusal(market, order, PLAIN, deposits=[MINIMUM_DEPOSIT - 1]) == "order_book: deposit too small"


def test_update_deployment__bad_terms__are_refused(market, order):
    assert _refusal(market, order, group_of(count=0)) == "terms: bad resource group"


def test_update_deployment__account_too_small__is_refused(market):
    market.give(market.attacker, DEPOSIT + 2 * TIP + MINIMUM_DEPOSIT + TIP - 1)
    [order] = market.submit(by=market.attacker)

    text = _refusal(market, order, PLAIN, deposits=[MINIMUM_DEPOSIT], by=market.attacker)

    assert text == "ledger: insufficient funds"


def test_update_deployment__nine_groups_or_removals__are_refused(market, order):
    assert _refusal(market, order, *[PLAIN] * 9) == ""
    assert _refusal(market, order, removed=[order] * 9) == ""


@pytest.mark.parametrize("role", ["stranger", "attacker", "operator", "owner", "facilitator", "manager"])
def test_update_deployment__by_a_stranger__is_refused(market, order, role):
    caller = getattr(market, role)

    assert _refusal(market, order, version=NEXT_VERSION, by=caller) == NOT_PERMITTED
    assert _refusal(market, order, PLAIN, by=caller) == NOT_PERMITTED
    assert _refusal(market, order, removed=[order], by=caller) == NOT_PERMITTED


# ------------------------------------------------------------------------------------------------------ managers


@pytest.mark.parametrize("permissions", range(1, 8))
def test_update_deployment__by_a_manager__needs_the_permission_for_each_part(market, order, permissions):
    _appoint(market, order, permissions)
    may_update, may_scale = bool(permissions & UPDATE), bool(permissions & SCALE)
    attempts = [
        (may_update, {"version": NEXT_VERSION}),
        (may_scale, {"removed": [order]}),
        (may_update and may_scale, {"version": NEXT_VERSION, "removed": [order]}),
    ]

    for may, changes in attempts:
        arguments = _arguments(order, **changes)
        if may:
            market.exchange.update_deployment.call(*arguments, {"from": market.manager})
        else:
            assert _refusal(market, order, by=market.manager, **changes) == NOT_PERMITTED


def test_update_deployment__group_added_by_a_manager__is_paid_by_the_tenant(market, order):
    _appoint(market, order, SCALE, cap=DEPOSIT + TIP)
    before = market.available(market.tenant)

    events = logged(_update(market, order, PLAIN, by=market.manager))

    fields = {"deployment": order.deployment, "manager": market.manager.address, "amount": DEPOSIT + TIP}
    assert ("ManagerSpent", fields) in events
    assert before - market.available(market.tenant) == DEPOSIT + TIP
    assert market.available(market.manager) == 0
    assert market.view("manager", order.deployment, market.manager)[2] == 0


def test_update_deployment__by_a_manager_above_its_cap__is_refused(market, order):
    _appoint(market, order, SCALE, cap=DEPOSIT + TIP - 1)

    assert _refusal(market, order, PLAIN, by=market.manager) == "deployments: above spend cap"


def test_update_deployment__refund_of_what_a_manager_removes__does_not_restore_its_cap(market, order):
    _appoint(market, order, SCALE, cap=DEPOSIT + TIP)
    _update(market, order, PLAIN, by=market.manager)
    before = market.available(market.tenant)

    _update(market, order, removed=[_nth(order, 1)], by=market.manager)

    assert market.available(market.tenant) - before == DEPOSIT + TIP
    assert market.available(market.manager) == 0
    assert _refusal(market, order, PLAIN, by=market.manager) == "deployments: above spend cap"


def test_update_deployment__by_a_manager_at_and_after_its_expiry__is_refused_after(market, order):
    expiry = market.next_block + 5
    _appoint(market, order, UPDATE, expires_block=expiry)
    market.mine_to(expiry)
    _update(market, order, version=NEXT_VERSION, by=market.manager)

    assert _refusal(market, order, version=NEXT_VERSION, by=market.manager) == "deployments: manager expired"


def test_update_deployment__by_a_manager_of_another_deployment__is_refused(market, order):
    [other] = market.submit()
    _appoint(market, other, EVERYTHING)

    assert _refusal(market, order, version=NEXT_VERSION, by=market.manager) == NOT_PERMITTED


def test_update_deployment__stale_lease_removed_by_a_manager__pays_it_the_tip_of_the_stale_call(market, provider):
    [order] = market.matched(provider)
    _appoint(market, order, SCALE, cap=0)
    market.mine_to(market.lease(order)["deadline_block"] + 1)

    _update(market, order, removed=[order], by=market.manager)

    assert market.available(market.manager) == TIP
