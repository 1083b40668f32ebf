"""What an agent sends without being asked: confirmations above all."""

from __future__ import annotations

import pytest

from moorage.types import Lease, Order, OrderState
from provider_agent.core.chores import (
    CLOSE_BATCH,
    CONFIRM_BATCH,
    ClaimLeases,
    ConfirmClosed,
    ConfirmLeases,
    ReleaseFulfillment,
    decide_chores,
)
from tests.markets import OTHERS, US, make_bid, make_lease, make_order, make_snapshot

NEVER = 10**9
ORDER = make_order()


def chores(block: int, *leases: tuple[Order, Lease], claim_after: int = NEVER) -> tuple[object, ...]:
    return decide_chores(make_snapshot(block, leases=leases), US, (), claim_after)


@pytest.mark.parametrize(("block", "is_due"), [(998, False), (999, True), (1_049, True), (1_050, False)])
def test_decide_chores__lease__is_confirmed_from_half_of_the_period_until_its_deadline(
    block: int, is_due: bool
) -> None:
    lease = make_lease(ORDER, confirmed_block=950)

    assert chores(block, (ORDER, lease)) == ((ConfirmLeases((ORDER.id,)),) if is_due else ())


def test_decide_chores__new_lease__is_confirmed_at_once() -> None:
    lease = make_lease(ORDER, is_awaiting=True, claimed_block=1_000, confirmed_block=1_000)

    assert chores(1_000, (ORDER, lease)) == (ConfirmLeases((ORDER.id,)),)


def test_decide_chores__funds_have_just_run_out__the_last_stretch_is_confirmed() -> None:
    lease = make_lease(ORDER, confirmed_block=990, funded_block=1_001)

    assert chores(1_000, (ORDER, lease)) == (ConfirmLeases((ORDER.id,)),)


def test_decide_chores__exhausted_and_confirmed_to_the_end__nothing_to_confirm() -> None:
    lease = make_lease(ORDER, confirmed_block=1_001, funded_block=1_001)

    assert chores(1_060, (ORDER, lease)) == ()


def test_decide_chores__one_is_due__those_that_are_nearly_due_go_along() -> None:
    due, nearly, fresh = (make_order(number) for number in range(3))
    leases = (
        (due, make_lease(due, confirmed_block=951)),
        (nearly, make_lease(nearly, confirmed_block=976)),
        (fresh, make_lease(fresh, confirmed_block=977)),
    )

    assert chores(999, *leases) == ()
    assert chores(1_000, *leases) == (ConfirmLeases((due.id, nearly.id)),)


def test_decide_chores__leases_of_others__are_left_alone() -> None:
    lease = make_lease(ORDER, provider=OTHERS, is_awaiting=True, confirmed_block=1_000)

    assert chores(1_000, (ORDER, lease)) == ()


def test_decide_chores__closing_lease__is_confirmed_closed_when_nothing_is_left() -> None:
    snapshot = make_snapshot(leases=[(ORDER, make_lease(ORDER, state=OrderState.LEASE_CLOSING))])

    assert decide_chores(snapshot, US, (), NEVER) == ()
    assert decide_chores(snapshot, US, (ORDER.id,), NEVER) == (ConfirmClosed((ORDER.key,)),)


@pytest.mark.parametrize(("claim_after", "is_due"), [(50, True), (51, False)])
def test_decide_chores__earnings__are_claimed_when_they_are_worth_it(claim_after: int, is_due: bool) -> None:
    lease = make_lease(ORDER, claimed_block=930, confirmed_block=980)

    assert chores(1_000, (ORDER, lease), claim_after=claim_after) == ((ClaimLeases((ORDER.id,)),) if is_due else ())


def test_decide_chores__stale_lease_that_holds_our_pay__is_claimed_at_once_with_what_else_is_due() -> None:
    stale, running = make_order(1), make_order(2)
    leases = [(running, make_lease(running, claimed_block=930, confirmed_block=980))]

    alone = decide_chores(make_snapshot(unclaimed=[stale.id]), US, (), NEVER)
    together = decide_chores(make_snapshot(leases=leases, unclaimed=[stale.id]), US, (), 50)

    assert alone == (ClaimLeases((stale.id,)),)
    assert together == (ClaimLeases((running.id, stale.id)),)


def test_decide_chores__more_leases_than_a_transaction_takes__go_in_several() -> None:
    orders = [make_order(number) for number in range(CONFIRM_BATCH + 1)]
    due = sorted(order.id for order in orders)

    confirmed = chores(1_000, *[(order, make_lease(order, confirmed_block=950)) for order in orders])
    claims = decide_chores(make_snapshot(unclaimed=due), US, (), NEVER)

    assert confirmed == (ConfirmLeases(tuple(due[:CONFIRM_BATCH])), ConfirmLeases((due[CONFIRM_BATCH],)))
    starts = range(0, len(due), CLOSE_BATCH)
    assert claims == tuple(ClaimLeases(tuple(due[start : start + CLOSE_BATCH])) for start in starts)


def test_decide_chores__lost_bids__get_their_collateral_back() -> None:
    open_order, won, lost, gone = (make_order(number) for number in range(4))
    snapshot = make_snapshot(
        orders=[open_order],
        leases=[(won, make_lease(won, confirmed_block=1_000)), (lost, make_lease(lost, provider=OTHERS))],
        fulfillments=[make_bid(order.id) for order in (open_order, won, lost, gone)],
    )

    expected = tuple(ReleaseFulfillment(order) for order in sorted((lost.id, gone.id)))
    assert decide_chores(snapshot, US, (), NEVER) == expected


def test_decide_chores__everything_at_once__confirmations_come_first() -> None:
    confirmed, closed, lost = (make_order(number) for number in range(3))
    snapshot = make_snapshot(
        leases=[
            (confirmed, make_lease(confirmed, claimed_block=900, confirmed_block=950)),
            (closed, make_lease(closed, state=OrderState.LEASE_CLOSING)),
        ],
        fulfillments=[make_bid(lost.id)],
    )

    assert decide_chores(snapshot, US, (closed.id,), 50) == (
        ConfirmLeases((confirmed.id,)),
        ConfirmClosed((closed.key,)),
        ClaimLeases((confirmed.id,)),
        ReleaseFulfillment(lost.id),
    )
