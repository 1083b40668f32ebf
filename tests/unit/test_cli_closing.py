"""What is due until a deployment is closed, and what it has cost."""

from __future__ import annotations

import pytest

from cli.core.closing import (
    PATIENCE_BLOCKS,
    Done,
    EndDeployment,
    FinishLeases,
    GiveUp,
    Held,
    Settlement,
    Wait,
    held,
    next_step,
    settlement,
)
from moorage.types import DeploymentState, OrderState
from tests.factories.deployments import (
    DEPLOYMENT,
    FACILITATOR,
    GRACE,
    ORDER,
    RENEWED,
    TENANT,
    TIP,
    attempt,
    event,
    lease,
    view,
)

ACTIVE = attempt()
OPEN = attempt(OrderState.OPEN, 1)
CLOSING = attempt(OrderState.LEASE_CLOSING)
CLOSED = attempt(OrderState.LEASE_CLOSED)
LAST = (event(100, "LeaseClosed", lease=ORDER),)


def earning():
    """Return a lease of which 10 blocks are earned and 90 are not."""
    heights = {"claimed_block": 90, "confirmed_block": 100, "funded_block": 190}
    return attempt(lease=lease(ORDER, charge_per_block=40, remainder=7, **heights))


def closing(*attempts, block=100, story=LAST):
    return view(*attempts, block=block, story=story, state=DeploymentState.CLOSING)


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        (view(ACTIVE, OPEN), GiveUp((ACTIVE.key, OPEN.key))),
        (view(CLOSED), GiveUp(())),
        (closing(ACTIVE, CLOSING), GiveUp((ACTIVE.key,))),
        (closing(CLOSING), Wait("waiting for provider 1 to reset and confirm")),
        (closing(CLOSING, block=100 + GRACE + PATIENCE_BLOCKS), Wait("waiting for provider 1 to reset and confirm")),
        (closing(CLOSING, block=101 + GRACE + PATIENCE_BLOCKS), FinishLeases((CLOSING.key,))),
        (closing(CLOSED, block=100 + PATIENCE_BLOCKS - 1), Wait("waiting for a facilitator to close the deployment")),
        (closing(CLOSED, block=100 + PATIENCE_BLOCKS), EndDeployment()),
        (view(CLOSED, state=DeploymentState.CLOSED), Done()),
    ],
)
def test_next_step__each_state__does_what_is_due(seen, step):
    assert next_step(seen) == step


CREATED = event(10, "OrderCreated", order=ORDER, deployment=DEPLOYMENT, nonce=0, deposit=10_000, wait_duration=6)
MATCHED = event(20, "LeaseCreated", lease=ORDER, facilitator=FACILITATOR, charge=40, blocks=247, refund=0)


def test_settlement__closed_in_time__adds_up():
    story = (
        CREATED,
        MATCHED,
        event(40, "LeaseClaimed", lease=ORDER, amount=400),
        event(50, "LeaseClosed", lease=ORDER, finisher=FACILITATOR, earned=80, refund=9_420 + TIP),
        event(60, "DeploymentClosed", deployment=DEPLOYMENT, facilitator=FACILITATOR),
    )

    result = settlement(view(CLOSED, story=story, state=DeploymentState.CLOSED))

    assert result == Settlement(put_in=10_000 + 2 * TIP, collateral_received=0, paid=480, came_back=9_520, tips=2 * TIP)


def test_settlement__tenant_did_the_facilitators_work__tips_come_back():
    story = (
        CREATED,
        MATCHED,
        event(50, "LeaseClosed", lease=ORDER, finisher=TENANT, earned=80, refund=9_820),
        event(60, "DeploymentClosed", deployment=DEPLOYMENT, facilitator=TENANT.lower()),
    )

    result = settlement(view(CLOSED, story=story, state=DeploymentState.CLOSED))

    assert (result.came_back, result.tips) == (9_820 + 2 * TIP, TIP)


def test_settlement__stale_and_renewed__counts_collateral_and_what_is_still_held():
    stale = attempt(OrderState.LEASE_STALE)
    renewed = attempt(OrderState.OPEN, ORDER, replaced=ORDER, deposit=9_000)
    story = (
        CREATED,
        MATCHED,
        event(40, "LeaseStale", lease=ORDER, facilitator=FACILITATOR, earned=880, slashed=500, refund=520),
        event(40, "OrderRecreated", order=RENEWED, replaced=ORDER, deposit=9_000),
    )

    result = settlement(view(stale, renewed, story=story))

    assert result == Settlement(
        put_in=10_000 + 2 * TIP, collateral_received=500, paid=880, came_back=520, tips=10_700 - 880 - 520 - 9_000
    )


def test_settlement__active_lease__holds_what_is_not_used():
    running = attempt(lease=lease(charge_per_block=40, claimed_block=20, funded_block=267, remainder=20))

    result = settlement(view(running, story=(CREATED, MATCHED)))

    assert (result.paid, result.came_back, result.tips) == (0, 0, 3 * TIP)


def test_settlement__deposit_for_more_than_the_longest_lease__came_back_at_the_match():
    matched = event(20, "LeaseCreated", lease=ORDER, facilitator=FACILITATOR, charge=40, blocks=200, refund=1_900)
    running = attempt(lease=lease(charge_per_block=40, claimed_block=20, funded_block=220))

    result = settlement(view(running, story=(CREATED, matched)))

    assert (result.paid, result.came_back, result.tips) == (0, 1_900, 3 * TIP)


def test_settlement__provider_claims_before_and_after_its_lease_is_stale__is_paid_once():
    story = (
        CREATED,
        MATCHED,
        event(30, "LeaseClaimed", lease=ORDER, amount=120),
        event(40, "LeaseStale", lease=ORDER, facilitator=FACILITATOR, earned=880, slashed=500, refund=9_500),
        event(50, "LeaseClaimed", lease=ORDER, amount=880),
    )

    result = settlement(view(attempt(OrderState.LEASE_STALE), story=story))

    assert (result.paid, result.came_back, result.tips) == (1_000, 9_500, 2 * TIP)


def test_settlement__funded_later__counts_as_put_in():
    funded = event(30, "LeaseFunded", lease=ORDER, payer=TENANT, blocks=10)
    running = attempt(lease=lease(charge_per_block=40, claimed_block=20, funded_block=277))

    assert settlement(view(running, story=(CREATED, MATCHED, funded))).put_in == 10_000 + 2 * TIP + 400


@pytest.mark.parametrize(
    ("attempts", "state", "expected"),
    [
        # the deposit of an open order has the tip of its match in it
        ((OPEN,), DeploymentState.ACTIVE, Held(5_000 - TIP, 0, 3 * TIP)),
        ((earning(),), DeploymentState.ACTIVE, Held(90 * 40 + 7, 10 * 40, 2 * TIP)),
        ((OPEN, earning()), DeploymentState.CLOSING, Held(5_000 - TIP + 90 * 40 + 7, 10 * 40, 4 * TIP)),
        ((CLOSED,), DeploymentState.CLOSING, Held(0, 0, TIP)),
        ((CLOSED,), DeploymentState.CLOSED, Held(0, 0, 0)),
    ],
)
def test_held__each_state__is_all_that_the_exchange_keeps_for_it(attempts, state, expected):
    assert held(view(*attempts, state=state)) == expected
    assert expected.total == expected.unused + expected.earned + expected.tips
