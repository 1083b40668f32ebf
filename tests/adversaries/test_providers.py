"""Providers who want to be paid more than they serve, and a thief of the key with which one serves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.adversaries.cast import (
    ATTACKER,
    ATTACKERS,
    CAP,
    CHARGE,
    COLLATERAL,
    FACILITATOR,
    GRACE,
    GROUP,
    MOST_CONFIRMED,
    OWNER,
    PERIOD,
    PERSISTENT,
    PRICE,
    PROVIDER,
    TENANT,
    TIP,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import Program, cranks, leased, play, service, tenancy
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import NOTHING, Group, Refused, State, Terms

OWN, OTHER = ATTACKERS[:2]

# ------------------------------------------------------------------ pay without service


def confirm_doubly(stage: Stage, terms: Terms) -> Program:
    """Confirm in each block, several times, each time in as many copies as a call takes."""
    while stage.state(terms) == State.ACTIVE:
        stage.submit_lease_confirmation(PROVIDER, MOST_CONFIRMED * [terms])
        stage.submit_lease_confirmation(PROVIDER, [terms])
        yield stage.block + 1


def test_b04_double_confirmer__many_times_in_each_block__is_paid_for_each_block_once(stage: Stage) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    closed = stage.block + 5

    play(stage, confirm_doubly(stage, terms), tenancy(stage, [terms], closed), until=closed)

    assert stage.leave()[OWNER] == 5 * CHARGE


def test_b04_double_confirmer__claims_after_each_of_two_confirmations_in_a_block__is_paid_once(stage: Stage) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    stage.pass_blocks(PERIOD)

    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.claim(OWNER, 32 * [terms])
    stage.submit_lease_confirmation(PROVIDER, [terms])
    with refused(NOTHING):
        stage.claim(OWNER, [terms])
    stage.close_deployment(TENANT, terms.deployment)

    assert stage.leave()[OWNER] == PERIOD * CHARGE


@pytest.mark.parametrize("noticed_blocks", [1, PERIOD, 2 * PERIOD])
def test_b07_pretender__only_confirms__tenant_loses_the_blocks_until_it_closes_and_tips(
    stage: Stage, noticed_blocks: int
) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    noticed = stage.block + noticed_blocks

    play(stage, service(stage, PROVIDER, every=1), tenancy(stage, [terms], noticed), until=noticed + 1)
    profits = stage.leave()

    assert profits[OWNER] == noticed_blocks * CHARGE <= 2 * PERIOD * CHARGE
    assert profits[TENANT] == -noticed_blocks * CHARGE - 2 * TIP  # of match and closed deployment


def resign(stage: Stage, terms: Terms) -> None:
    stage.submit_stale_lease(OWNER, [terms])


def go_dark(stage: Stage, terms: Terms) -> None:
    stage.pass_blocks(PERIOD + 1)
    stage.submit_stale_lease(FACILITATOR, [terms])


@pytest.mark.parametrize(("leave_early", "loss"), [(resign, COLLATERAL - TIP), (go_dark, COLLATERAL)])
@pytest.mark.parametrize("served_blocks", [0, 1, PERIOD, 3 * PERIOD])
def test_b26_early_leaver__goes_after_some_blocks__keeps_their_pay_and_loses_its_collateral(
    stage: Stage, leave_early: Callable[[Stage, Terms], None], loss: int, served_blocks: int
) -> None:
    terms = leased(stage, PROVIDER, PRICE)
    for _ in range(served_blocks // PERIOD):
        stage.pass_blocks(PERIOD)
        stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.pass_blocks(served_blocks % PERIOD)
    stage.submit_lease_confirmation(PROVIDER, [terms])

    leave_early(stage, terms)
    profits = stage.leave()

    assert profits[OWNER] == served_blocks * CHARGE - loss
    assert profits[TENANT] == COLLATERAL - served_blocks * CHARGE - 3 * TIP  # of match, stale call, closed deployment


# ------------------------------------------------------------------ everything in one hand


def lease_to_oneself(stage: Stage, end: Callable[[Stage, Terms], Program]) -> Program:
    """Order from oneself, bid and match oneself, serve for a period, and end it in one way or another."""
    (terms,) = stage.submit_deployment(ATTACKER, [PERSISTENT], [deposit_for(4)])
    for number in (OWN, OTHER):
        stage.submit_fulfillment(number, terms, PRICE)
    yield stage.block + WAIT
    stage.submit_lease(ATTACKER, [terms])
    stage.submit_lease_confirmation(OWN, [terms])
    yield stage.block + PERIOD
    stage.submit_lease_confirmation(OWN, [terms])
    yield from end(stage, terms)
    stage.close_deployment(ATTACKER, terms.deployment)


def end_closed(stage: Stage, terms: Terms) -> Program:
    stage.close_deployment(ATTACKER, terms.deployment)
    stage.confirm_closed(OWN, [terms])
    yield from ()


def end_closed_by_the_grace(stage: Stage, terms: Terms) -> Program:
    stage.close_deployment(ATTACKER, terms.deployment)
    yield stage.block + GRACE + 1


def end_resigned(stage: Stage, terms: Terms) -> Program:
    stage.submit_stale_lease(ATTACKER, [terms])
    yield from ()


def end_stale(stage: Stage, terms: Terms) -> Program:
    yield stage.block + PERIOD + 2  # somebody calls it before


def end_stale_by_closing(stage: Stage, terms: Terms) -> Program:
    yield stage.block + PERIOD + 1


def end_exhausted(stage: Stage, terms: Terms) -> Program:
    while stage.state(terms) == State.ACTIVE:
        stage.submit_lease_confirmation(OWN, [terms])
        yield stage.block + PERIOD // 2


def end_revived(stage: Stage, terms: Terms) -> Program:
    while stage.block < stage.lease(terms).funded:
        stage.submit_lease_confirmation(OWN, [terms])
        yield stage.block + PERIOD // 2
    stage.fund(ATTACKER, terms, 2 * PERIOD)
    yield from end_exhausted(stage, terms)


ENDS = [end_closed, end_closed_by_the_grace, end_resigned]
ENDS += [end_stale, end_stale_by_closing, end_exhausted, end_revived]


@pytest.mark.parametrize("end", ENDS)
def test_b10_self_leaser__owns_tenant_provider_and_facilitator__ends_with_what_it_had(
    stage: Stage, end: Callable[[Stage, Terms], Program]
) -> None:
    honest = leased(stage, PROVIDER, PRICE, periods=20)

    attack = lease_to_oneself(stage, end), cranks(stage, ATTACKER)
    play(stage, *attack, service(stage, PROVIDER), until=stage.block + 10 * PERIOD)
    assert stage.lease(honest).confirmed == stage.block
    profits = stage.leave()

    assert profits[ATTACKER] == 0
    assert profits[OWNER] == 10 * PERIOD * CHARGE
    assert profits[TENANT] == -profits[OWNER] - 3 * TIP


def test_c10_self_leaser__others_crank_too__each_round_costs_it_what_they_get(stage: Stage) -> None:
    for _ in range(5):
        (terms,) = stage.submit_deployment(ATTACKER, [GROUP], [deposit_for(2)])
        stage.submit_fulfillment(OWN, terms, PRICE - 1)
        stage.submit_fulfillment(PROVIDER, terms, PRICE)
        end = stage.block + WAIT + 2 * PERIOD
        parties = service(stage, OWN), tenancy(stage, [terms], end - PERIOD), cranks(stage)
        play(stage, *parties, until=end)
    profits = stage.leave()

    assert profits[ATTACKER] == -stage.tips[FACILITATOR] == -5 * 2 * TIP
    assert profits[OWNER] == 0


# ------------------------------------------------------------------ a stolen operator key


def steal(stage: Stage, group: Group, rounds: int = 12) -> int:
    """Let the thief, a tenant, bid with the stolen key on its own orders and never confirm; count what was slashed."""
    lost = 0
    for _ in range(rounds):
        (terms,) = stage.submit_deployment(ATTACKER, [group], [deposit_for(2)])
        try:
            stage.submit_fulfillment(PROVIDER, terms, PRICE)
        except Refused as refusal:
            assert refusal.text == "ledger: above collateral cap"
            break
        stage.pass_blocks(WAIT)
        stage.submit_lease(ATTACKER, [terms])
        stage.pass_blocks(PERIOD + 1)
        stage.submit_stale_lease(ATTACKER, [terms])
        lost += COLLATERAL
    return lost


@pytest.mark.parametrize("allowed", [COLLATERAL - 1, COLLATERAL, 3 * COLLATERAL + 1])
@pytest.mark.parametrize("group", [GROUP, PERSISTENT])
def test_e09_thief_of_an_operator_key__lets_its_own_orders_go_stale_again_and_again__takes_the_cap_at_most(
    stage: Stage, allowed: int, group: Group
) -> None:
    stage.set_collateral_cap(PROVIDER, allowed)

    lost = steal(stage, group)
    profits = stage.leave()

    assert profits[OWNER] == -lost >= -allowed
    assert profits[ATTACKER] <= lost


def test_e09_thief_of_an_operator_key__wants_to_withdraw_or_resign__is_refused(stage: Stage) -> None:
    leased(stage, PROVIDER, PRICE)
    thief = stage.model.providers[PROVIDER].operator
    (lease,) = stage.orders_in(State.ACTIVE)

    with refused("ledger: not the owner"):
        stage.withdraw(thief, PROVIDER, 1)
    with refused(NOTHING):
        stage.submit_stale_lease(thief, [lease])


def test_e09_owner_of_a_robbed_provider__raises_the_cap__goes_on_with_the_rest(stage: Stage) -> None:
    stage.set_collateral_cap(PROVIDER, COLLATERAL)
    assert steal(stage, GROUP) == COLLATERAL

    stage.set_collateral_cap(PROVIDER, CAP)
    terms = leased(stage, PROVIDER, PRICE)
    stage.pass_blocks(PERIOD)
    stage.close_deployment(TENANT, terms.deployment)

    assert stage.leave()[OWNER] == PERIOD * CHARGE - COLLATERAL
