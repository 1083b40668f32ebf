"""Payments cut into many pieces, dust, and gifts: what is paid does not depend on them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.adversaries.cast import (
    ATTACKER,
    COLLATERAL,
    FACILITATOR,
    GROUP,
    INTEREST,
    OPERATOR,
    OWNER,
    PERIOD,
    PRICE,
    PROVIDER,
    SECOND_PROVIDER,
    STRANGER,
    TENANT,
    TIP,
    UNIT,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import cranks, leased, play, service
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import State, Terms

PARTITIONS = 32  # of each of 32 leases


def thirty_two_leases(stage: Stage) -> list[Terms]:
    """Lease from one provider at as many prices."""
    orders: list[Terms] = []
    for _ in range(4):
        orders += stage.submit_deployment(TENANT, 8 * [GROUP], 8 * [deposit_for(2 * PARTITIONS)])
    for less, terms in enumerate(orders):
        stage.submit_fulfillment(PROVIDER, terms, PRICE - less)
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, orders)
    stage.submit_lease_confirmation(PROVIDER, orders)
    return orders


def cut(stage: Stage, leases: list[Terms], random: Random, end: int) -> None:
    """Confirm, claim and fund any of the leases at any times until the end of a span."""
    for block in sorted(random.sample(range(stage.block + 1, end), 3)):
        stage.go_to(block)
        stage.submit_lease_confirmation(PROVIDER, random.choices(leases, k=12))
        claimable = [terms for terms in leases if stage.lease(terms).earned]
        stage.claim(STRANGER, random.choices(claimable, k=12))
    stage.fund(random.choice([TENANT, STRANGER]), random.choice(leases), random.randint(1, 9))
    stage.go_to(end)


def test_b02_pay__a_thousand_random_partitions_of_a_span__pay_what_one_confirmation_pays(stage: Stage) -> None:
    leases = thirty_two_leases(stage)
    random = Random(2)

    for _ in range(PARTITIONS):
        blocks = random.randint(10, PERIOD)
        before = stage.available(PROVIDER)
        cut(stage, leases, random, stage.block + blocks)
        stage.submit_lease_confirmation(PROVIDER, leases)
        stage.claim(STRANGER, leases)
        assert stage.available(PROVIDER) - before == sum(PRICE - less + INTEREST for less in range(32)) * blocks

    stage.leave()


def test_b03_pay__smallest_charge_confirmed_and_claimed_in_each_block_of_an_hour__is_what_few_calls_pay(
    stage: Stage,
) -> None:
    tiny = replace(GROUP, resources=(replace(UNIT, price=1, collateral=TIP),))
    orders = stage.submit_deployment(TENANT, [tiny, tiny], 2 * [deposit_for(4, charge=1)])
    for number, terms in zip((PROVIDER, SECOND_PROVIDER), orders, strict=True):
        stage.submit_fulfillment(number, terms, 1)
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, orders)
    often, rarely = orders
    stage.submit_lease_confirmation(PROVIDER, [often])
    stage.submit_lease_confirmation(SECOND_PROVIDER, [rarely])
    before = stage.available(PROVIDER), stage.available(SECOND_PROVIDER)

    for block in range(1, 301):
        stage.pass_blocks(1)
        stage.submit_lease_confirmation(PROVIDER, [often])
        stage.claim(STRANGER, [often])
        if block % PERIOD == 0:
            stage.submit_lease_confirmation(SECOND_PROVIDER, [rarely])
    stage.claim(STRANGER, [rarely])

    paid = stage.available(PROVIDER) - before[0], stage.available(SECOND_PROVIDER) - before[1]
    assert paid == (300, 300)
    stage.leave()


# ------------------------------------------------------------------ dust and gifts


def test_b12_dust_account__a_unit_in_every_account__all_leave_with_the_gift(stage: Stage) -> None:
    accounts = [*stage.market.setting.wallets, *stage.model.providers]

    for account in accounts:
        stage.deposit(ATTACKER, account, 1)
    with refused("ledger: amount is zero"):
        stage.deposit(ATTACKER, TENANT, 0)
    profits = stage.leave()

    owned = [number for number, it in stage.model.providers.items() if it.owner == ATTACKER]
    assert profits.pop(ATTACKER) == 1 + len(owned) - len(accounts)
    assert profits.pop(OWNER) == 2  # its own account and its provider's
    assert profits[TENANT] == profits[OPERATOR] == 1


@pytest.mark.parametrize("missing", [1, deposit_for(2) - 1, deposit_for(2)])
def test_b12_dust_order__less_than_two_periods_and_a_tip__is_refused(stage: Stage, missing: int) -> None:
    with refused("order_book: deposit too small"):
        stage.submit_deployment(ATTACKER, [GROUP], [deposit_for(2) - missing])

    assert stage.leave()[ATTACKER] == 0


def test_b13_gift_giver__prolongs_a_lease__what_is_not_used_is_the_tenants(stage: Stage) -> None:
    terms = leased(stage, PROVIDER, PRICE, periods=2)
    charge = stage.lease(terms).charge

    stage.fund(ATTACKER, terms, 5 * PERIOD)
    stage.pass_blocks(PERIOD)
    stage.close_deployment(TENANT, terms.deployment)
    profits = stage.leave()

    assert profits[ATTACKER] == -5 * PERIOD * charge
    assert profits[OWNER] == PERIOD * charge
    assert profits[TENANT] == 4 * PERIOD * charge - 3 * TIP


def test_b13_gift_giver__prolongs_an_order__what_is_not_used_is_the_tenants(stage: Stage) -> None:
    (terms,) = stage.submit_deployment(TENANT, [GROUP], [deposit_for(2)])
    stage.fund(ATTACKER, terms, 3)
    stage.close_deployment(TENANT, terms.deployment)
    profits = stage.leave()

    gift = 3 * stage.model.max_charge(GROUP)
    assert (profits[ATTACKER], profits[TENANT]) == (-gift, gift - TIP)


@pytest.mark.parametrize(("answers", "state"), [(True, State.CLOSED), (False, State.STALE)])
def test_b13_gift_giver__pays_for_blocks_beyond_the_deadline__provider_loses_only_if_it_stops_confirming(
    stage: Stage, *, answers: bool, state: State
) -> None:
    terms = leased(stage, PROVIDER, PRICE, periods=2)
    play(stage, service(stage, PROVIDER), until=stage.lease(terms).funded)
    given = stage.lease(terms).confirmed + PERIOD - stage.lease(terms).funded + 1
    charge = stage.lease(terms).charge

    stage.go_to(stage.lease(terms).funded - 1)
    stage.fund(ATTACKER, terms, given)
    last = [service(stage, PROVIDER)] if answers else []
    play(stage, *last, cranks(stage), until=stage.block + 4 * PERIOD)
    profits = stage.leave()

    assert stage.state(terms) == state
    assert profits[ATTACKER] == -given * charge
    assert profits[OWNER] == ((2 * PERIOD + given) * charge if answers else 2 * PERIOD * charge - COLLATERAL)
