"""From every state that an order can be in, each party leaves alone: by its own transactions and the passing of blocks.

While one leaves, nobody else does anything. Then the others leave, and nothing stays.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.adversaries.cast import (
    ATTACKER,
    COLLATERAL,
    FACILITATOR,
    GRACE,
    OPERATOR,
    OWNER,
    PERIOD,
    PROVIDER,
    SECOND_OWNER,
    SECOND_PROVIDER,
    STRANGER,
    TENANT,
    WAIT,
    deposit_for,
)
from tests.adversaries.order_states import MISSED, OPEN, OTHERS, Reach
from tests.adversaries.stage import Stage, refused
from tests.stateful.evm import address
from tests.stateful.model import DeploymentState, Refused, State, Terms

# ------------------------------------------------------------------ how one leaves


def tenant_leaves(stage: Stage) -> None:
    """Close, wait for the grace, and finish what the providers have not."""
    names = [name for name in stage.model.deployments if name.tenant == TENANT]
    for name in names:
        stage.close_deployment(TENANT, name)
    left = stage.orders_in(State.CLOSING)
    if left:
        stage.pass_blocks(GRACE + 1)
        stage.finish_leases(TENANT, left)
    stage.deployment_closed(TENANT, names)
    stage.withdraw(TENANT, TENANT, stage.available(TENANT))


def provider_leaves(stage: Stage, number: int) -> None:
    """Cancel or let match, serve to the end of what is prepaid, and take the collateral back."""
    owner = stage.model.providers[number].owner
    for terms in list(stage.model.orders):
        if stage.state(terms) == State.OPEN and number in stage.order(terms).book:
            leave_book(stage, number, terms)
        if stage.state(terms) in (State.ACTIVE, State.CLOSING) and stage.lease(terms).provider == number:
            leave_lease(stage, number, terms)
        if number in stage.order(terms).fulfillments:
            stage.release_fulfillments(owner, terms, [number])
        with suppress(Refused):  # there may be nothing left to claim
            stage.claim(owner, [terms])
    for account in (number, owner):
        if stage.available(account):
            stage.withdraw(owner, account, stage.available(account))


def leave_book(stage: Stage, number: int, terms: Terms) -> None:
    found = stage.order(terms)
    if stage.block <= found.created_block + WAIT // 2:
        stage.cancel_fulfillment(number, terms)
    else:
        stage.go_to(max(stage.block, found.match_block))
        stage.submit_lease(stage.model.providers[number].owner, [terms])


def leave_lease(stage: Stage, number: int, terms: Terms) -> None:
    owner = stage.model.providers[number].owner
    if stage.model._is_stale(stage.order(terms)):
        stage.submit_stale_lease(owner, [terms])
        return
    while stage.state(terms) == State.ACTIVE and not stage.model._is_finishable(stage.order(terms)):
        if stage.block <= stage.lease(terms).confirmed + PERIOD:
            stage.submit_lease_confirmation(number, [terms])
        stage.pass_blocks(PERIOD // 2)
    if stage.state(terms) == State.CLOSING:
        stage.confirm_closed(number, [terms])
    else:
        stage.finish_leases(owner, [terms])


# ------------------------------------------------------------------ all of them, from everywhere


@pytest.mark.parametrize("reach", OPEN + MISSED + OTHERS)
def test_e07_tenant__from_every_state__leaves_alone_within_a_grace(stage: Stage, reach: Reach) -> None:
    terms = reach(stage)
    began = stage.block

    tenant_leaves(stage)

    assert stage.block <= began + GRACE + 1
    assert stage.model.deployments[terms.deployment].state == DeploymentState.CLOSED
    has = stage.market.tokens(TENANT)
    profits = stage.leave()
    assert profits[TENANT] == has - stage.market.setting.wallets[TENANT]


@pytest.mark.parametrize("reach", OPEN + OTHERS)
def test_e07_provider__from_every_state_but_a_missed_deadline__leaves_alone_with_all_that_it_brought(
    stage: Stage, reach: Reach
) -> None:
    terms = reach(stage)
    began = stage.block

    provider_leaves(stage, PROVIDER)

    assert stage.block <= began + WAIT + 3 * PERIOD + 2 * PERIOD + GRACE
    assert stage.state(terms) != State.STALE
    has = stage.market.tokens(OWNER)
    assert stage.leave()[OWNER] == has - stage.market.setting.wallets[OWNER] >= 0


@pytest.mark.parametrize("reach", MISSED)
def test_e07_provider__after_a_missed_deadline__leaves_alone_without_its_collateral(stage: Stage, reach: Reach) -> None:
    terms = reach(stage)
    served = stage.lease(terms).earned

    provider_leaves(stage, PROVIDER)
    tips = stage.tips[OWNER]

    assert stage.leave()[OWNER] == served - COLLATERAL + tips


@pytest.mark.parametrize("reach", OPEN + MISSED + OTHERS)
def test_c23_loser__from_every_state__gets_its_collateral_back_by_itself(stage: Stage, reach: Reach) -> None:
    reach(stage)
    began = stage.block

    provider_leaves(stage, SECOND_PROVIDER)

    assert stage.block <= began + WAIT + 5 * PERIOD + GRACE
    has = stage.market.tokens(SECOND_OWNER)
    assert stage.leave()[SECOND_OWNER] == has - stage.market.setting.wallets[SECOND_OWNER] >= 0


@pytest.mark.parametrize("reach", OPEN + MISSED + OTHERS)
def test_b24_provider__all_its_keys_are_lost__others_leave_and_nobody_gets_what_is_its_own(
    stage: Stage, reach: Reach
) -> None:
    reach(stage)
    tenant_leaves(stage)
    provider_leaves(stage, SECOND_PROVIDER)
    for terms, found in stage.model.orders.items():
        if PROVIDER in found.fulfillments:
            stage.release_fulfillments(STRANGER, terms, [PROVIDER])
    left = stage.available(PROVIDER)

    for thief in (STRANGER, ATTACKER, TENANT, FACILITATOR, OPERATOR, SECOND_OWNER):
        with refused("ledger: not the owner"):
            stage.withdraw(thief, PROVIDER, 1)
        answer = stage.market.send(stage.market.exchange, "withdraw_to", thief, address(PROVIDER), 1, thief)
        assert answer == "ledger: not the owner"
    assert stage.available(PROVIDER) == left


def test_e07_exit__deposit_only__leaves_with_it(stage: Stage) -> None:
    stage.deposit(STRANGER, STRANGER, deposit_for(2))
    stage.withdraw(STRANGER, STRANGER, stage.available(STRANGER))

    assert stage.market.tokens(STRANGER) == stage.market.setting.wallets[STRANGER]
