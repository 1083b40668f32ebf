"""New deployments: what is ordered, what it costs, and the bounds of every term."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    DEPLOYMENT_ACTIVE,
    DEPOSIT,
    MAX_BLOCKS,
    MAX_CHARGE,
    MAX_MONEY,
    MINIMUM_DEPOSIT,
    NO_ID,
    OPEN,
    PERIOD,
    PLAIN,
    TIP,
    VERSION,
    WAIT,
    Group,
    Order,
    Resource,
    deployment_id,
    group_of,
    logged,
    refusal,
    word_of,
)

SALT = word_of(0xCAFE)
BAD_RESOURCE = "terms: bad resource group"
LARGEST = Group(
    name=b"\xff" * 32,
    regions=2**32 - 1,
    persist=True,
    resources=[Resource(milli_cpu=2**256 - 1, memory_bytes=2**256 - 1, disk_bytes=2**256 - 1)] * 8,
)


def _submit(market, *groups, deposits=None, salt=SALT, version=VERSION, wait=WAIT):
    deposits = deposits or [DEPOSIT] * len(groups)
    arguments = salt, version, wait, groups, deposits
    return market.exchange.submit_deployment(*arguments, {"from": market.tenant})


def _refusal(market, *groups, deposits=None, salt=SALT, version=VERSION, wait=WAIT) -> str:
    deposits = [DEPOSIT] * len(groups) if deposits is None else deposits
    arguments = salt, version, wait, groups, deposits
    return refusal(market.exchange.submit_deployment, *arguments, by=market.tenant)


def _group_in_event(group: Group) -> tuple:
    name = "0x" + bytes(group.name).hex()
    return name, group.regions, group.persist, tuple(tuple(each) for each in group.resources)


# --------------------------------------------------------------------------------------------------------- accepted


def test_submit_deployment__one_group__opens_an_order(market, exchange):
    before = market.available(market.tenant)
    block = market.next_block
    deployment = deployment_id(exchange, market.tenant, SALT)
    order = Order(deployment, word_of(0), WAIT, PLAIN)

    told = exchange.submit_deployment.call(SALT, VERSION, WAIT, [PLAIN], [DEPOSIT], {"from": market.tenant})

    tx = _submit(market, PLAIN)

    assert told == deployment
    assert logged(tx) == [
        (
            "DeploymentSubmitted",
            {
                "deployment": deployment,
                "tenant": market.tenant.address,
                "salt": SALT,
                "version": VERSION,
                "wait_duration": WAIT,
            },
        ),
        (
            "OrderCreated",
            {
                "order": order.id,
                "deployment": deployment,
                "nonce": 0,
                "deposit": DEPOSIT,
                "wait_duration": WAIT,
                "group": _group_in_event(PLAIN),
            },
        ),
    ]
    assert before - market.available(market.tenant) == DEPOSIT + 2 * TIP
    assert market.deployment(deployment) == {
        "tenant": market.tenant.address,
        "state": DEPLOYMENT_ACTIVE,
        "live_groups": 1,
        "order_count": 1,
        "update_number": 1,
        "wait_duration": WAIT,
    }
    assert market.order(order) == {
        "state": OPEN,
        "deposit": DEPOSIT,
        "match_block": block + WAIT,
        "bid_count": 0,
        "excluded_provider": 0,
    }


def test_submit_deployment__eight_groups_of_eight_resources__opens_eight_orders(market, exchange):
    before = market.available(market.tenant)
    deployment = deployment_id(exchange, market.tenant, SALT)
    minimum = 2 * PERIOD * 8 * CHARGE + TIP

    tx = _submit(market, *[LARGEST] * 8, deposits=[minimum + number for number in range(8)])

    orders = [Order(deployment, word_of(number), WAIT, LARGEST) for number in range(8)]
    created = [(fields["order"], fields["nonce"], fields["deposit"]) for _, fields in logged(tx)[1:]]
    assert created == [(order.id, number, minimum + number) for number, order in enumerate(orders)]
    assert before - market.available(market.tenant) == 8 * minimum + sum(range(8)) + 9 * TIP
    assert market.deployment(deployment)["live_groups"] == 8
    assert market.deployment(deployment)["order_count"] == 8


def test_submit_deployment__same_salt_of_another_tenant__is_another_deployment(market, exchange):
    _submit(market, PLAIN)

    tx = exchange.submit_deployment(SALT, VERSION, WAIT, [PLAIN], [DEPOSIT], {"from": market.stranger})

    [(_, fields), _] = logged(tx)
    assert fields["deployment"] != deployment_id(exchange, market.tenant, SALT)
    assert fields["deployment"] == deployment_id(exchange, market.stranger, SALT)


@pytest.mark.parametrize("wait", [0, 1, MAX_BLOCKS])
def test_submit_deployment__any_wait_duration__sets_the_block_of_the_match(market, exchange, wait):
    block = market.next_block

    _submit(market, PLAIN, wait=wait)

    deployment = deployment_id(exchange, market.tenant, SALT)
    assert market.order(Order(deployment, word_of(0), wait, PLAIN))["match_block"] == block + wait
    assert market.deployment(deployment)["wait_duration"] == wait


def test_submit_deployment__whole_account__is_accepted(market):
    market.give(market.attacker, DEPOSIT + 2 * TIP)

    market.submit(by=market.attacker)

    assert market.available(market.attacker) == 0


@pytest.mark.parametrize(
    "group",
    [
        group_of(milli_cpu=1, memory_bytes=1, disk_bytes=0),
        group_of(price=0, collateral=10**6, count=1),  # the interest alone is the charge
        group_of(price=0, collateral=250_000),
        group_of(collateral=TIP, count=1),
        group_of(regions=2**31),
    ],
)
def test_submit_deployment__least_that_can_be_asked_for__is_accepted(market, group):
    [order] = market.submit(group)

    assert market.order(order)["state"] == OPEN


def test_submit_deployment__most_that_can_be_asked_for__is_accepted(market):
    market.give(market.tenant, 2**95)
    highest = group_of(price=1, count=2**32 - 1, collateral=1)
    dearest = group_of(price=MAX_CHARGE, count=1, collateral=TIP)
    safest = group_of(price=1, count=1, collateral=MAX_MONEY)
    minimum = [2 * PERIOD * charge + TIP for charge in (2**32 - 1 + 4_294, MAX_CHARGE, 1 + MAX_MONEY // 10**6)]

    orders = market.submit(highest, dearest, safest, deposits=minimum)

    assert [market.order(each)["state"] for each in orders] == [OPEN] * 3


# --------------------------------------------------------------------------------------------- refused: the whole


def test_submit_deployment__salt_used__is_refused(market):
    _submit(market, PLAIN)

    assert _refusal(market, PLAIN) == "deployments: salt was used"


def test_submit_deployment__salt_of_a_closed_deployment__is_refused(market, exchange):
    _submit(market, PLAIN)
    deployment = deployment_id(exchange, market.tenant, SALT)
    market.close(Order(deployment, word_of(0), WAIT, PLAIN))
    exchange.deployment_closed([deployment], {"from": market.stranger})

    assert _refusal(market, PLAIN) == "deployments: salt was used"


def test_submit_deployment__no_version__is_refused(market):
    assert _refusal(market, PLAIN, version=NO_ID) == "deployments: no version"


def test_submit_deployment__no_groups__is_refused(market):
    assert _refusal(market) == "deployments: no groups"


@pytest.mark.parametrize("wait", [MAX_BLOCKS + 1, 2**256 - 1])
def test_submit_deployment__wait_too_long__is_refused(market, wait):
    assert _refusal(market, PLAIN, wait=wait) == "terms: wait too long"


@pytest.mark.parametrize("deposits", [[], [DEPOSIT], [DEPOSIT] * 3])
def test_submit_deployment__other_number_of_deposits__is_refused(market, deposits):
    assert _refusal(market, PLAIN, PLAIN, deposits=deposits) == "deployments: one deposit each"


def test_submit_deployment__nine_groups__is_refused(market):
    assert _refusal(market, *[PLAIN] * 9) == ""


def test_submit_deployment__account_one_unit_too_small__is_refused(market, exchange):
    market.give(market.attacker, DEPOSIT + 2 * TIP - 1)
    arguments = SALT, VERSION, WAIT, [PLAIN], [DEPOSIT]

    assert refusal(exchange.submit_deployment, *arguments, by=market.attacker) == "ledger: insufficient funds"


@pytest.mark.parametrize("deposit", [0, 1, MINIMUM_DEPOSIT - 1])
def test_submit_deployment__deposit_below_two_periods_and_a_tip__is_refused(market, deposit):
    assert _refusal(market, PLAIN, deposits=[deposit]) == "order_book: deposit too small"


@pytest.mark.parametrize("deposit", [MAX_MONEY + 1, 2**256 - 1])
def test_submit_deployment__deposit_above_all_money__is_refused(market, deposit):
    assert _refusal(market, PLAIN, deposits=[deposit]) == "order_book: deposit too large"


def test_submit_deployment__second_of_two_groups_bad__is_refused_as_a_whole(market):
    assert _refusal(market, PLAIN, group_of(regions=0)) == "terms: bad regions"


# ---------------------------------------------------------------------------------------------- refused: the terms


def test_submit_deployment__no_resources__is_refused(market):
    assert _refusal(market, PLAIN._replace(resources=[])) == "terms: no resources"


def test_submit_deployment__nine_resources__is_refused(market):
    assert _refusal(market, PLAIN._replace(resources=[Resource()] * 9)) == ""


@pytest.mark.parametrize("regions", [0, 2**32, 2**256 - 1])
def test_submit_deployment__regions_outside_the_mask__are_refused(market, regions):
    assert _refusal(market, group_of(regions=regions)) == "terms: bad regions"


@pytest.mark.parametrize(
    "resource",
    [
        {"count": 0},
        {"count": 2**32},
        {"count": 2**256 - 1},
        {"milli_cpu": 0},
        {"memory_bytes": 0},
        {"price": MAX_CHARGE + 1},
        {"price": 2**256 - 1},
        {"collateral": MAX_MONEY + 1},
        {"collateral": 2**256 - 1},
    ],
    ids=str,
)
def test_submit_deployment__resource_out_of_bounds__is_refused(market, resource):
    assert _refusal(market, group_of(**resource)) == BAD_RESOURCE


def test_submit_deployment__last_of_eight_resources_bad__is_refused(market):
    resources = [*[Resource()] * 7, Resource(count=0)]

    assert _refusal(market, PLAIN._replace(resources=resources)) == BAD_RESOURCE


@pytest.mark.parametrize(
    "resources",
    [
        [Resource(collateral=MAX_MONEY, count=2)],
        [Resource(collateral=MAX_MONEY, count=1), Resource(collateral=1, count=1)],
        [Resource(collateral=MAX_MONEY, count=2**32 - 1)] * 8,
    ],
)
def test_submit_deployment__sum_of_collateral_too_high__is_refused(market, resources):
    assert _refusal(market, PLAIN._replace(resources=resources)) == "terms: collateral too high"


@pytest.mark.parametrize("collateral", [0, 1, TIP - 1])
def test_submit_deployment__collateral_below_the_tip__is_refused(market, collateral):
    assert _refusal(market, group_of(collateral=collateral, count=1)) == "terms: collateral below tip"


@pytest.mark.parametrize("collateral", [TIP, 10**6 - 1])
def test_submit_deployment__no_price_and_no_interest__is_refused(market, collateral):
    assert _refusal(market, group_of(price=0, collateral=collateral, count=1)) == "terms: charge is zero"


@pytest.mark.parametrize(
    "resources",
    [
        [Resource(price=MAX_CHARGE, count=2, collateral=TIP)],
        [Resource(price=MAX_CHARGE, count=1, collateral=TIP), Resource(price=1, count=1)],
        [Resource(price=MAX_CHARGE, count=1, collateral=10**6)],  # the interest is too much
        [Resource(price=MAX_CHARGE, count=2**32 - 1, collateral=TIP)] * 8,
    ],
)
def test_submit_deployment__charge_too_high__is_refused(market, resources):
    assert _refusal(market, PLAIN._replace(resources=resources)) == "terms: price too high"
