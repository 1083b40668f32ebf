"""submit_stale_lease with `persist`: a new order with the same terms takes the place of the stale lease."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    COLLATERAL,
    DEPOSIT,
    MINIMUM_DEPOSIT,
    OPEN,
    PERSISTENT,
    PREPAID_BLOCKS,
    REMAINDER,
    STALE,
    TIP,
    WAIT,
    bid_arguments,
    group_of,
    logged,
    refusal,
)


def _let_go_stale(market, order):
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    return market.exchange.submit_stale_lease([order.key], {"from": market.facilitator})


def _confirm_for(market, provider, order, blocks: int) -> None:
    """Confirm up to this many blocks after the first confirmation."""
    until = market.lease(order)["confirmed_block"] + blocks
    while market.lease(order)["confirmed_block"] < until:
        market.mine_to(min(until, market.lease(order)["deadline_block"]))
        market.confirm(provider, order)


def test_persist__enough_money_left__puts_a_new_order_into_the_book(market, provider):
    [order] = market.matched(provider, PERSISTENT)
    tenant_before = market.available(market.tenant)
    block = market.lease(order)["deadline_block"] + 1

    tx = _let_go_stale(market, order)

    left = PREPAID_BLOCKS * CHARGE + REMAINDER  # 9,900, above the minimum of 8,100
    slashed = COLLATERAL - TIP
    renewed = order.renewed()
    assert logged(tx) == [
        (
            "LeaseStale",
            {
                "lease": order.id,
                "provider": provider.number,
                "facilitator": market.facilitator.address,
                "earned": 0,
                "slashed": slashed,
                "refund": slashed,
            },
        ),
        (
            "OrderRecreated",
            {
                "order": renewed.id,
                "deployment": order.deployment,
                "replaced": order.id,
                "deposit": left,
                "excluded_provider": provider.number,
            },
        ),
    ]
    assert market.order(renewed) == {
        "state": OPEN,
        "deposit": left,
        "match_block": block + WAIT,
        "bid_count": 0,
        "excluded_provider": provider.number,
    }
    assert market.available(market.tenant) - tenant_before == slashed
    assert market.lease(order)["state"] == STALE
    assert market.deployment(order.deployment)["live_groups"] == 1
    assert market.deployment(order.deployment)["order_count"] == 1


@pytest.mark.parametrize(
    ("confirmed_blocks", "from_collateral"),
    [
        (44, 0),  # 203 blocks and 20 left = 8,140
        (45, 0),  # 202 blocks and 20 left = 8,100: the remainder makes up for the tip of the match
        (46, MINIMUM_DEPOSIT - 201 * CHARGE - REMAINDER),  # 8,060: 40 are missing
        (140, MINIMUM_DEPOSIT - 107 * CHARGE - REMAINDER),
    ],
)
def test_persist__too_little_left__collateral_fills_the_gap(market, provider, confirmed_blocks, from_collateral):
    [order] = market.active(provider, PERSISTENT)
    _confirm_for(market, provider, order, confirmed_blocks)
    left = (PREPAID_BLOCKS - confirmed_blocks) * CHARGE + REMAINDER

    stale, recreated = logged(_let_go_stale(market, order))

    assert recreated[1]["deposit"] == left + from_collateral
    assert recreated[1]["deposit"] >= MINIMUM_DEPOSIT
    assert stale[1]["refund"] == COLLATERAL - TIP - from_collateral


@pytest.mark.parametrize("missing", [0, 1])
def test_persist__money_around_the_minimum__decides_over_a_new_order(market, provider, missing):
    left = 101 * CHARGE + REMAINDER
    slashed = MINIMUM_DEPOSIT - left - missing
    [order] = market.active(provider, group_of(persist=True, collateral=slashed + TIP, price=CHARGE, count=1))
    _confirm_for(market, provider, order, PREPAID_BLOCKS - 101)

    [(_, stale), *recreated] = logged(_let_go_stale(market, order))

    if missing:
        assert (recreated, stale["refund"]) == ([], left + slashed + TIP)
    else:
        assert (len(recreated), stale["refund"]) == (1, 0)


def test_persist__too_little_even_with_collateral__returns_everything(market, provider):
    [order] = market.active(provider, group_of(persist=True, collateral=500))
    _confirm_for(market, provider, order, 146)
    tenant_before = market.available(market.tenant)

    events = logged(_let_go_stale(market, order))

    assert [name for name, _ in events] == ["LeaseStale"]
    left = 101 * CHARGE + REMAINDER
    assert events[0][1]["refund"] == left + 2_000 - TIP + TIP
    assert market.available(market.tenant) - tenant_before == left + 2_000
    assert market.view("order", order.renewed().id) == (0, 0, 0, 0, 0)
    assert market.deployment(order.deployment)["live_groups"] == 0


def test_persist__not_asked_for__makes_no_new_order(market, provider):
    [order] = market.matched(provider)

    events = logged(_let_go_stale(market, order))

    assert [name for name, _ in events] == ["LeaseStale"]


def test_persist__deployment_closing__makes_no_new_order(market, exchange, provider):
    kept, closed = market.matched(provider, PERSISTENT, PERSISTENT)
    exchange.close_deployment(kept.deployment, [closed.key], {"from": market.tenant})

    events = logged(_let_go_stale(market, kept))

    assert [name for name, _ in events] == ["LeaseStale"]
    assert events[0][1]["refund"] == PREPAID_BLOCKS * CHARGE + REMAINDER + COLLATERAL


def test_persist__resignation_of_the_owner__makes_a_new_order(market, exchange, provider):
    [order] = market.active(provider, PERSISTENT)

    tx = exchange.submit_stale_lease([order.key], {"from": provider.owner})

    assert [name for name, _ in logged(tx)] == ["LeaseStale", "OrderRecreated"]


# -------------------------------------------------------------------------------------------- the life of the new


@pytest.fixture(scope="module")
def renewed(market, provider):
    """The order that took the place of the provider's stale lease."""
    [order] = market.matched(provider, PERSISTENT)
    _let_go_stale(market, order)
    return order.renewed()


def test_persist__provider_that_failed__is_excluded(market, exchange, provider, renewed):
    arguments = bid_arguments(provider, renewed)

    assert refusal(exchange.submit_fulfillment, *arguments, by=provider.operator) == "order_book: provider excluded"


def test_persist__new_order__waits_for_bids_again(market, exchange, rival, renewed):
    market.bid(rival, renewed)
    market.mine_to(market.order(renewed)["match_block"] - 1)
    assert refusal(exchange.submit_lease, [renewed.key], by=market.facilitator) == "exchange: nothing is ready"
    market.mine_to(market.order(renewed)["match_block"])

    exchange.submit_lease([renewed.key], {"from": market.facilitator})

    lease = market.lease(renewed)
    assert (lease["state"], lease["provider"], lease["runway_blocks"]) == (ACTIVE, rival.number, 9_800 // CHARGE)


def test_persist__new_lease_goes_stale_too__only_the_last_provider_is_excluded(
    market, exchange, provider, rival, renewed
):
    market.bid(rival, renewed)
    market.match(renewed)
    _let_go_stale(market, renewed)
    again = renewed.renewed()
    arguments = bid_arguments(rival, again)

    market.bid(provider, again)

    assert refusal(exchange.submit_fulfillment, *arguments, by=rival.operator) == "order_book: provider excluded"
    assert market.order(again)["excluded_provider"] == rival.number


def test_persist__new_order_closed__returns_its_deposit_and_the_tip_of_the_finish(market, exchange, renewed):
    deposit = market.order(renewed)["deposit"]

    tx = market.close(renewed)

    assert ("OrderClosed", {"order": renewed.id, "refund": deposit + TIP}) in logged(tx)
    exchange.deployment_closed([renewed.deployment], {"from": market.stranger})


def test_persist__new_order_funded__grows(market, exchange, renewed):
    deposit = market.order(renewed)["deposit"]

    exchange.fund(renewed.key, 5, {"from": market.tenant})

    assert market.order(renewed)["deposit"] == deposit + 5 * CHARGE


def test_persist__closing_by_the_old_key__leaves_the_new_order_to_the_next_call(market, exchange, provider):
    [order] = market.matched(provider, PERSISTENT)
    _let_go_stale(market, order)

    market.close(order)
    assert market.order(order.renewed())["state"] == OPEN
    market.close(order.renewed())

    assert market.deployment(order.deployment)["live_groups"] == 0


def test_persist__charge_below_the_maximum__keeps_the_maximum_for_the_new_order(market, provider, rival):
    [order] = market.submit(PERSISTENT)
    market.bid(provider, order, 5)
    market.match(order)
    _let_go_stale(market, order)

    market.bid(rival, order.renewed())

    assert market.view("fulfillment", order.renewed().id, rival.number)[1] == CHARGE
    assert market.order(order.renewed())["deposit"] == DEPOSIT - TIP  # of the match


def test_persist__two_in_one_batch__both_get_a_new_order(market, exchange, provider):
    first, second = market.matched(provider, PERSISTENT, PERSISTENT)
    market.mine_to(market.lease(second)["deadline_block"] + 1)

    tx = exchange.submit_stale_lease([first.key, second.key], {"from": market.facilitator})

    recreated = [fields["order"] for name, fields in logged(tx) if name == "OrderRecreated"]
    assert recreated == [first.renewed().id, second.renewed().id]
    assert market.deployment(first.deployment)["live_groups"] == 2
