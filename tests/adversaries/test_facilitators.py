"""Facilitators who choose, withhold, hurry, and multiply their tips: the contract chooses, and anybody may crank."""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.adversaries.cast import (
    ATTACKER,
    ATTACKERS,
    FACILITATOR,
    GRACE,
    GROUP,
    OPERATOR,
    OWNER,
    PERIOD,
    PRICE,
    PROVIDER,
    SECOND_PROVIDER,
    STRANGER,
    TENANT,
    TIP,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import Program, leased, order, play, service
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import NOTHING, DeploymentName, State, Terms

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def orders_in_parts(stage: Stage, parts: int, of_each: int) -> list[Terms]:
    """Order the same group several times, in deployments of as many each."""
    orders = []
    for _ in range(parts):
        orders += stage.submit_deployment(TENANT, of_each * [GROUP], of_each * [deposit_for(10)])
    return orders


# ------------------------------------------------------------------ which bid wins, and when


def test_c06_hostile_facilitator__random_books_in_any_batches__lowest_and_earliest_wins(stage: Stage) -> None:
    random = Random(6)
    orders = orders_in_parts(stage, parts=63 if IS_LONG else 8, of_each=8)
    winners = {}
    for terms in orders:
        numbers = random.sample([PROVIDER, SECOND_PROVIDER, *ATTACKERS], random.choice((2, 2, 3, 4)))
        prices = [random.randint(0, 3) for _ in numbers]
        winners[terms] = numbers[prices.index(min(prices))]
        for number, price in zip(numbers, prices, strict=True):
            stage.submit_fulfillment(number, terms, price, hint=random.choice([0, *numbers]))
    stage.pass_blocks(WAIT)

    left = orders
    while left:
        stage.pass_blocks(random.randint(0, 3))
        stage.submit_lease(ATTACKER, random.choices(orders, k=12) + random.sample(left, min(20, len(left))))
        left = [terms for terms in left if stage.state(terms) == State.OPEN]

    stage.agree()
    assert {terms: stage.lease(terms).provider for terms in orders} == winners


def withhold(stage: Stage, terms: Terms, late: int) -> Program:
    """Match much later than one could, with a bid of one's own that comes later still and is no lower."""
    yield terms.wait_duration + stage.block + late
    stage.submit_fulfillment(ATTACKERS[0], terms, PRICE)
    stage.submit_lease(ATTACKER, [terms])


def test_c06_hostile_facilitator__matches_late_with_a_bid_of_its_own__honest_bid_wins_and_nothing_is_charged(
    stage: Stage,
) -> None:
    terms = order(stage)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)

    play(stage, withhold(stage, terms, 1_000), until=stage.block + WAIT + 1_000)
    lease = stage.lease(terms)
    profits = stage.leave()

    assert lease.provider == PROVIDER
    assert profits[ATTACKER] == stage.tips[ATTACKER] == TIP
    assert profits[OWNER] == 0


@pytest.mark.parametrize("party", [TENANT, OPERATOR, STRANGER])
def test_c07_hostile_facilitator__withholds_everything__any_other_goes_the_whole_way_for_the_tips(
    stage: Stage, party: str
) -> None:
    terms = order(stage, periods=2)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)

    stage.pass_blocks(WAIT)
    stage.submit_lease(party, [terms])
    play(stage, service(stage, PROVIDER), until=stage.block + 2 * PERIOD + GRACE + 1)
    stage.finish_leases(party, [terms])
    stage.close_deployment(TENANT, terms.deployment)
    stage.deployment_closed(party, [terms.deployment])

    assert stage.state(terms) == State.CLOSED
    assert stage.tips[party] == 3 * TIP
    profits = stage.leave()
    assert profits[OWNER] == 2 * PERIOD * stage.model.max_charge(GROUP)
    if party == STRANGER:
        assert profits[STRANGER] == 3 * TIP


@pytest.mark.parametrize("wait", [1, WAIT, 1_000])
def test_c08_hostile_facilitator__matches_with_a_friend_before_the_wait_is_over__is_refused(
    stage: Stage, wait: int
) -> None:
    (terms,) = stage.submit_deployment(TENANT, [GROUP], [deposit_for(10)], wait=wait)
    stage.submit_fulfillment(ATTACKERS[0], terms, PRICE)

    for early in (wait, 1):
        stage.go_to(stage.order(terms).match_block - early)
        with refused(NOTHING):
            stage.submit_lease(ATTACKER, [terms])
    stage.submit_fulfillment(PROVIDER, terms, PRICE - 1)
    stage.pass_blocks(1)
    stage.submit_lease(ATTACKER, [terms])

    assert stage.lease(terms).provider == PROVIDER
    assert stage.leave()[ATTACKER] == TIP


# ------------------------------------------------------------------ tips


@pytest.mark.parametrize(("parts", "of_each", "batch"), [(8, 1, 1), (8, 1, 8), (4, 2, 3), (1, 8, 1), (1, 8, 8)])
def test_c20_tip_farmer__splits_the_same_work_in_any_way__gets_the_tips_reserved_and_no_more(
    stage: Stage, parts: int, of_each: int, batch: int
) -> None:
    orders = orders_in_parts(stage, parts, of_each)
    for terms in orders:
        stage.submit_fulfillment(PROVIDER, terms, PRICE)
    names = list(dict.fromkeys(terms.deployment for terms in orders))
    calls = [2 * orders[at : at + batch] for at in range(0, len(orders), batch)]

    stage.pass_blocks(WAIT)
    for call in calls:
        stage.submit_lease(ATTACKER, call)
    stage.submit_lease_confirmation(PROVIDER, orders)
    for name in names:
        stage.close_deployment(TENANT, name)
    stage.pass_blocks(GRACE + 1)
    for call in calls:
        stage.finish_leases(ATTACKER, call)
    stage.deployment_closed(ATTACKER, 2 * names)
    profits = stage.leave()

    reserved = (2 * len(orders) + len(names)) * TIP
    assert profits[ATTACKER] == stage.tips[ATTACKER] == reserved == -profits[TENANT]


def test_c20_tip_farmer__calls_its_own_leases_stale__tip_comes_out_of_its_collateral(stage: Stage) -> None:
    for _ in range(10):
        (terms,) = stage.submit_deployment(ATTACKER, [GROUP], [deposit_for(2)])
        stage.submit_fulfillment(ATTACKERS[0], terms, PRICE)
        stage.pass_blocks(WAIT)
        stage.submit_lease(ATTACKER, [terms])
        stage.pass_blocks(PERIOD + 1)
        stage.submit_stale_lease(ATTACKER, [terms])
        stage.close_deployment(ATTACKER, terms.deployment)
        stage.deployment_closed(ATTACKER, [terms.deployment])

    assert stage.tips[ATTACKER] == 30 * TIP
    assert stage.leave()[ATTACKER] == 0


# ------------------------------------------------------------------ poisoned batches

UNKNOWN = Terms(DeploymentName(STRANGER, 99), 0, WAIT, GROUP)


def poison(stage: Stage, how: str) -> Terms:
    """Return what an attacker gets into somebody's batch."""
    if how == "unknown":
        return UNKNOWN
    poisoned = leased(stage, SECOND_PROVIDER, PRICE)  # of another provider
    if how == "ended":
        stage.close_deployment(TENANT, poisoned.deployment)
        stage.confirm_closed(SECOND_PROVIDER, [poisoned])
    return poisoned


@pytest.mark.parametrize(("place", "how"), [(0, "unknown"), (15, "ended"), (31, "another's")])
def test_b20_batch_poisoner__one_bad_of_thirty_two__the_other_thirty_one_take_effect(
    stage: Stage, place: int, how: str
) -> None:
    bad = poison(stage, how)
    orders = orders_in_parts(stage, parts=5, of_each=8)[:31]
    for terms in orders:
        stage.submit_fulfillment(PROVIDER, terms, PRICE)
    call = [*orders[:place], bad, *orders[place:]]

    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, call)
    stage.submit_lease_confirmation(PROVIDER, call)
    stage.pass_blocks(PERIOD)
    stage.submit_lease_confirmation(PROVIDER, call)
    stage.claim(STRANGER, call)
    assert all(stage.lease(terms).claimed == stage.block for terms in orders)

    stage.pass_blocks(PERIOD)
    for name in dict.fromkeys(terms.deployment for terms in orders[:16]):
        stage.close_deployment(TENANT, name)
    stage.confirm_closed(PROVIDER, [bad, *orders[:8]])
    stage.pass_blocks(GRACE + 1)
    stage.finish_leases(FACILITATOR, call)
    stage.submit_stale_lease(FACILITATOR, call)

    stage.agree()
    assert [stage.state(terms) for terms in orders] == 16 * [State.CLOSED] + 15 * [State.STALE]


def test_b20_batch_poisoner__losers_named_with_strangers_and_the_winner__only_losers_are_released(
    stage: Stage,
) -> None:
    terms = order(stage)
    for number in (PROVIDER, SECOND_PROVIDER, *ATTACKERS[:2]):
        stage.submit_fulfillment(number, terms, PRICE)
    stage.pass_blocks(WAIT)
    stage.submit_lease(FACILITATOR, [terms])

    stage.release_fulfillments(STRANGER, terms, [0, 99, PROVIDER, SECOND_PROVIDER, SECOND_PROVIDER, *ATTACKERS[:27]])

    stage.agree()
    assert list(stage.order(terms).fulfillments) == [PROVIDER]
