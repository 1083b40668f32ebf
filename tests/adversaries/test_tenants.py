"""Tenants who would like to be served for nothing, or to keep what providers have put up."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.adversaries.cast import (
    ATTACKERS,
    CHARGE,
    COLLATERAL,
    FACILITATOR,
    GRACE,
    GROUP,
    OWNER,
    PERIOD,
    PERSISTENT,
    PRICE,
    PROVIDER,
    SECOND_OWNER,
    SECOND_PROVIDER,
    STRANGER,
    TENANT,
    TIP,
    UNIT,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import Program, cranks, leased, order, play, service
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import NOTHING, State

# ------------------------------------------------------------------ who does not want to pay


def drain(stage: Stage, random: Random) -> Program:
    """Take out all that can be taken, at any time and always before the others act."""
    while True:
        if stage.available(TENANT):
            stage.withdraw(TENANT, TENANT, stage.available(TENANT))
        yield stage.block + random.randint(1, 30)


@pytest.mark.parametrize("seed", range(4))
def test_b01_drainer__takes_out_the_last_unit_at_any_time__provider_is_paid_for_all_that_was_prepaid(
    stage: Stage, seed: int
) -> None:
    terms = leased(stage, PROVIDER, PRICE, periods=4)

    play(stage, drain(stage, Random(seed)), service(stage, PROVIDER), cranks(stage), until=stage.block + 5 * PERIOD)

    assert stage.available(TENANT) == 0
    assert stage.state(terms) == State.CLOSED
    assert stage.leave()[OWNER] == 4 * PERIOD * CHARGE


def test_b01_drainer__empties_its_account_in_the_block_of_a_confirmation__it_is_paid(stage: Stage) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    stage.pass_blocks(PERIOD)

    stage.withdraw(TENANT, TENANT, stage.available(TENANT))
    with refused("ledger: insufficient funds"):
        stage.withdraw(TENANT, TENANT, 1)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    before = stage.available(PROVIDER)
    stage.claim(STRANGER, [terms])

    assert stage.available(PROVIDER) - before == PERIOD * CHARGE


@pytest.mark.parametrize("blocks", [0, 1, PERIOD // 2, PERIOD - 1, PERIOD])
def test_b09_closer__never_lets_a_second_confirmation_through__pays_for_every_block_up_to_its_closing(
    stage: Stage, blocks: int
) -> None:
    terms = leased(stage, PROVIDER, PRICE)

    stage.pass_blocks(blocks)
    stage.close_deployment(TENANT, terms.deployment)
    with refused(NOTHING):
        stage.submit_lease_confirmation(PROVIDER, [terms])
    profits = stage.leave()

    assert profits[OWNER] == blocks * CHARGE
    assert profits[TENANT] == -blocks * CHARGE - 3 * TIP


def test_b09_closer__rents_anew_for_each_period_and_always_closes_in_time__saves_nothing(stage: Stage) -> None:
    used = (1, PERIOD // 2, PERIOD - 1, PERIOD, PERIOD)

    for blocks in used:
        terms = leased(stage, PROVIDER, PRICE, periods=2)
        stage.pass_blocks(blocks)
        stage.close_deployment(TENANT, terms.deployment)
        stage.confirm_closed(PROVIDER, [terms])
        stage.deployment_closed(FACILITATOR, [terms.deployment])
    profits = stage.leave()

    assert profits[OWNER] == sum(used) * CHARGE
    assert profits[TENANT] == -sum(used) * CHARGE - len(used) * 2 * TIP


def test_b09_closer__closes_before_the_first_confirmation__costs_it_tips_and_the_provider_nothing(
    stage: Stage,
) -> None:
    terms = order(stage)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, [terms])

    stage.pass_blocks(PERIOD)
    stage.close_deployment(TENANT, terms.deployment)
    stage.confirm_closed(PROVIDER, [terms])
    profits = stage.leave()

    assert (profits[OWNER], profits[TENANT]) == (0, -2 * TIP)  # of match and closed deployment


def test_b25_closing__left_for_a_thousand_blocks__what_is_paid_is_frozen(stage: Stage) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    stage.pass_blocks(30)
    stage.close_deployment(TENANT, terms.deployment)

    stage.pass_blocks(1_000)
    with refused(NOTHING):
        stage.submit_lease_confirmation(PROVIDER, [terms])
    with refused(NOTHING):
        stage.submit_stale_lease(STRANGER, [terms])
    with refused("leases: neither open nor active"):
        stage.fund(STRANGER, terms, PERIOD)
    stage.claim(STRANGER, [terms])
    stage.confirm_closed(PROVIDER, [terms])

    assert stage.leave()[OWNER] == 30 * CHARGE


# ------------------------------------------------------------------ who keeps collateral locked


def test_c03_closer_of_orders__a_hundred_placed_and_closed_at_their_match__no_collateral_is_stuck(stage: Stage) -> None:
    for _ in range(25):
        orders = stage.submit_deployment(TENANT, 4 * [GROUP], 4 * [deposit_for(2)])
        for terms in orders:
            stage.submit_fulfillment(PROVIDER, terms, PRICE)
            stage.submit_fulfillment(SECOND_PROVIDER, terms, PRICE)
        stage.pass_blocks(WAIT)
        stage.close_deployment(TENANT, terms.deployment)
        for terms in orders:
            stage.release_fulfillments(STRANGER, terms, [PROVIDER, SECOND_PROVIDER])
        stage.deployment_closed(FACILITATOR, [terms.deployment])

    for owner, number in ((OWNER, PROVIDER), (SECOND_OWNER, SECOND_PROVIDER)):
        stage.withdraw(owner, number, stage.available(number))
    profits = stage.leave()
    assert (profits[OWNER], profits[SECOND_OWNER]) == (0, 0)
    assert profits[TENANT] == -25 * TIP


def test_b15_reviver__keeps_a_lease_going_fifty_times__provider_is_paid_and_leaves_within_one_grace(
    stage: Stage,
) -> None:
    terms = leased(stage, PROVIDER, PRICE, periods=2)
    served = 2 * PERIOD

    for _ in range(50):
        stage.pass_blocks(PERIOD)
        stage.submit_lease_confirmation(PROVIDER, [terms])
        stage.go_to(stage.lease(terms).funded)
        stage.submit_lease_confirmation(PROVIDER, [terms])
        with refused("leases: revival too short"):
            stage.fund(TENANT, terms, 2 * PERIOD - 1)
        stage.pass_blocks(GRACE)  # the last block in which nobody can finish it
        stage.fund(TENANT, terms, 2 * PERIOD)
        stage.submit_lease_confirmation(PROVIDER, [terms])
        served += 2 * PERIOD
    stage.go_to(stage.block + PERIOD)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.go_to(stage.lease(terms).funded)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.pass_blocks(GRACE + 1)
    stage.finish_leases(OWNER, [terms])
    with refused("leases: neither open nor active"):
        stage.fund(TENANT, terms, 2 * PERIOD)
    stage.withdraw(OWNER, PROVIDER, stage.available(PROVIDER))

    assert stage.tips[OWNER] == TIP
    assert stage.leave()[OWNER] == served * CHARGE + TIP


def test_b15_reviver__funds_block_by_block_at_the_end__never_makes_a_provider_stale_that_confirms_in_each_period(
    stage: Stage,
) -> None:
    terms = leased(stage, PROVIDER, PRICE, periods=2)
    end = stage.lease(terms).funded

    def dribble() -> Program:
        for block in range(end - 1, end + 2 * PERIOD):
            yield block
            stage.fund(TENANT, terms, 1)

    play(stage, dribble(), service(stage, PROVIDER, every=PERIOD), cranks(stage), until=end + 4 * PERIOD)

    assert stage.state(terms) == State.CLOSED
    assert stage.leave()[OWNER] == (4 * PERIOD + 1) * CHARGE


# ------------------------------------------------------------------ who lives on slashed collateral


def test_b17_relister__fifty_slashes_in_a_row__each_time_another_provider_and_a_deposit_that_is_whole(
    stage: Stage,
) -> None:
    terms = order(stage, PERSISTENT, periods=2)
    numbers = list(ATTACKERS[:2])

    for turn in range(50):
        number = numbers[turn % 2]
        assert stage.order(terms).deposit >= stage.model.minimum_deposit(PERSISTENT)
        stage.submit_fulfillment(number, terms, PRICE)
        stage.pass_blocks(WAIT)
        stage.submit_lease(FACILITATOR, [terms])
        stage.submit_lease_confirmation(number, [terms])
        stage.pass_blocks(PERIOD + 1)
        stage.submit_stale_lease(FACILITATOR, [terms])
        terms = stage.renewed(terms)
        with refused("order_book: provider excluded"):
            stage.submit_fulfillment(number, terms, PRICE)
    profits = stage.leave()

    # nobody has served: every match tip came out of collateral, and the rest of it is the tenant's
    assert profits[TENANT] == 50 * (COLLATERAL - 2 * TIP) - TIP
    assert profits[FACILITATOR] == stage.tips[FACILITATOR] == 100 * TIP


def test_b17_relister__collateral_too_small_for_a_new_deposit__order_ends_and_tenant_gets_what_is_left(
    stage: Stage,
) -> None:
    cheap = replace(PERSISTENT, resources=(replace(UNIT, collateral=2 * TIP),))
    terms = leased(stage, PROVIDER, PRICE, cheap, periods=3)
    for _ in range(3):
        stage.pass_blocks(PERIOD // 2)
        stage.submit_lease_confirmation(PROVIDER, [terms])

    stage.pass_blocks(PERIOD + 1)
    stage.submit_stale_lease(FACILITATOR, [terms])

    assert stage.orders_in(State.OPEN) == []
    profits = stage.leave()
    assert profits[OWNER] == 3 * PERIOD // 2 * PRICE - 2 * TIP
    assert profits[TENANT] == -profits[OWNER] - stage.tips[FACILITATOR] - TIP  # of the closed deployment
