"""What a facilitator decides, block by block."""

from __future__ import annotations

import pytest

from facilitator_bot.core.decisions import (
    CloseDeployments,
    FinishLeases,
    SubmitLeases,
    SubmitStaleLeases,
    decide,
)
from moorage.due import BATCH_SIZE
from moorage.types import DeploymentState, OrderState
from tests.markets import DEPLOYMENT, make_deployment, make_lease, make_order, make_snapshot


def test_decide__nothing_there__does_nothing() -> None:
    assert decide(make_snapshot()) == ()


@pytest.mark.parametrize(("block", "is_due"), [(948, False), (949, True), (950, True), (2_000, True)])
def test_decide__order_with_a_bid__is_matched_in_the_first_block_that_may(block: int, is_due: bool) -> None:
    order = make_order(match_block=950, bid_count=1)

    intents = decide(make_snapshot(block, orders=[order]))

    assert intents == ((SubmitLeases((order.key,)),) if is_due else ())


def test_decide__order_without_a_bid__waits() -> None:
    assert decide(make_snapshot(orders=[make_order(bid_count=0)])) == ()


def test_decide__many_orders__are_matched_oldest_first_in_batches() -> None:
    orders = [make_order(number, match_block=990 - number, bid_count=1) for number in range(BATCH_SIZE + 1)]

    intents = decide(make_snapshot(orders=orders))

    keys = [order.key for order in reversed(orders)]
    assert intents == (SubmitLeases(tuple(keys[:BATCH_SIZE])), SubmitLeases((keys[BATCH_SIZE],)))


def test_c19_decide__thousands_of_orders_without_a_bid__the_one_with_a_bid_is_matched_at_once() -> None:
    spam = [make_order(number, match_block=900, bid_count=0) for number in range(5_000)]
    honest = make_order(5_000, match_block=950, bid_count=1)

    intents = decide(make_snapshot(950, orders=[*spam, honest]))

    assert intents == (SubmitLeases((honest.key,)),)


def test_c19_decide__thousands_of_orders_with_bids__all_are_matched_in_the_same_block() -> None:
    spam = [make_order(number, match_block=900, bid_count=1) for number in range(5_000)]
    honest = make_order(5_000, match_block=950, bid_count=1)

    intents = decide(make_snapshot(950, orders=[*spam, honest]))

    batches = [intent.orders for intent in intents if isinstance(intent, SubmitLeases)]
    assert len(batches) == len(intents) == 5_000 // BATCH_SIZE + 1
    assert batches[-1][-1] == honest.key


@pytest.mark.parametrize(("block", "is_due"), [(1_048, False), (1_049, False), (1_050, True)])
def test_decide__unconfirmed_lease__is_stale_in_the_block_after_its_deadline(block: int, is_due: bool) -> None:
    order = make_order()
    lease = make_lease(order, confirmed_block=950, funded_block=5_000)

    intents = decide(make_snapshot(block, leases=[(order, lease)]))

    assert intents == ((SubmitStaleLeases((order.key,)),) if is_due else ())


def test_d06_decide__thousand_stale_leases_among_orders__are_ended_oldest_first_in_batches() -> None:
    orders = [make_order(number) for number in range(1_000)]
    late = [(order, make_lease(order, confirmed_block=850 - number % 400)) for number, order in enumerate(orders)]
    matchable = make_order(2_000, bid_count=1, match_block=950)

    intents = decide(make_snapshot(orders=[matchable], leases=late))

    stale = [intent for intent in intents if isinstance(intent, SubmitStaleLeases)]
    ended = [lease for intent in stale for lease in intent.leases]
    confirmed = {order.key: lease.confirmed_block for order, lease in late}
    assert [confirmed[key] for key in ended] == sorted(confirmed.values())
    assert (len(ended), max(len(intent.leases) for intent in stale)) == (len(orders), BATCH_SIZE)
    assert SubmitLeases((matchable.key,)) in intents  # others need not wait for that


def test_decide__lease_that_was_funded_to_its_deadline__is_never_stale() -> None:
    order = make_order()
    lease = make_lease(order, confirmed_block=950, funded_block=1_050)

    assert decide(make_snapshot(1_099, leases=[(order, lease)])) == ()


@pytest.mark.parametrize(("block", "is_due"), [(1_099, False), (1_100, True)])
def test_decide__exhausted_lease__is_finished_after_the_grace(block: int, is_due: bool) -> None:
    order = make_order()
    lease = make_lease(order, confirmed_block=1_050, funded_block=1_050)

    intents = decide(make_snapshot(block, leases=[(order, lease)]))

    assert intents == ((FinishLeases((order.key,)),) if is_due else ())


@pytest.mark.parametrize(("block", "is_due"), [(1_139, False), (1_140, True)])
def test_decide__exhausted_lease_with_an_open_deadline__is_finished_after_it(block: int, is_due: bool) -> None:
    order = make_order()
    lease = make_lease(order, confirmed_block=1_040, funded_block=1_050)

    intents = decide(make_snapshot(block, leases=[(order, lease)]))

    assert intents == ((FinishLeases((order.key,)),) if is_due else ())


@pytest.mark.parametrize(("block", "is_due"), [(999, False), (1_000, True)])
def test_decide__closing_lease__is_finished_after_the_grace(block: int, is_due: bool) -> None:
    order = make_order()
    lease = make_lease(order, state=OrderState.LEASE_CLOSING, confirmed_block=950)

    intents = decide(make_snapshot(block, leases=[(order, lease)]))

    assert intents == ((FinishLeases((order.key,)),) if is_due else ())


@pytest.mark.parametrize(
    ("state", "live_groups", "is_due"),
    [
        (DeploymentState.ACTIVE, 0, False),
        (DeploymentState.CLOSING, 1, False),
        (DeploymentState.CLOSING, 0, True),
    ],
)
def test_decide__deployment__is_closed_when_closing_and_empty(
    state: DeploymentState, live_groups: int, is_due: bool
) -> None:
    deployment = make_deployment(state=state, live_groups=live_groups)

    intents = decide(make_snapshot(deployments=[deployment]))

    assert intents == ((CloseDeployments((DEPLOYMENT,)),) if is_due else ())
