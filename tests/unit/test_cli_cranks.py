"""What anyone may do by hand at a block, and why the rest has to wait."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.core.cranks import (
    CONCERNED,
    Crank,
    DeploymentItem,
    Moment,
    OrderItem,
    counted_items,
    describe,
    obstacle,
    of_provider,
    sift,
)
from cli.cranking import make_calls
from moorage.chain.contracts import Exchange
from moorage.chain.rpc import Rpc
from moorage.due import BATCH_SIZE
from moorage.types import DeploymentState, OrderState, ProviderNumber
from tests.factories.deployments import DEPLOYMENT, GRACE, HOURLY, MONEY, PARAMETERS, PERIOD, TIP, key, lease
from tests.fakes.market_node import MARKET

ONE, TWO = ProviderNumber(1), ProviderNumber(2)
NOW = Moment(100, PARAMETERS, MONEY)
EXCHANGE = Exchange(Rpc("http://127.0.0.1:1"), MARKET)


def order(state: OrderState = OrderState.OPEN, **changes: object) -> OrderItem:
    fields = {"match_block": 96, "bid_count": 2} if state is OrderState.OPEN else {"match_block": 0, "bid_count": 0}
    return OrderItem(
        **{"id": b"\x0a" * 32, "key": key(), "group": "west", "state": state, "lease": None, **fields, **changes}
    )


def leased(state: OrderState = OrderState.LEASE_ACTIVE, **changes: object) -> OrderItem:
    return order(state, lease=lease(b"\x0a" * 32, state, **changes))


def at(block: int) -> Moment:
    return replace(NOW, block_number=block)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (order(), None),
        (order(match_block=101), None),
        (order(match_block=102), "from block 102 on, 2 blocks to go (2s)"),
        (order(bid_count=0), "no provider has bid on it"),
        (order(OrderState.CLOSED), "the order was closed before anybody matched it"),
        (leased(), "it is an active lease already"),
        (leased(OrderState.LEASE_STALE), "the lease was ended as stale already"),
        (leased(OrderState.LEASE_CLOSED), "the lease is closed already"),
    ],
)
def test_match__each_state__is_ready_or_says_why_not(item: OrderItem, reason: str | None) -> None:
    assert obstacle(Crank.MATCH, item, NOW) == reason


@pytest.mark.parametrize(
    ("item", "block", "reason"),
    [
        (leased(), 100 + PERIOD, None),
        (
            leased(),
            99 + PERIOD,
            "its provider is in time; unless it confirms it is stale from block 111 on, 2 blocks to go (2s)",
        ),
        (leased(is_awaiting=True, funded_block=105), 100 + PERIOD, None),
        (
            leased(funded_block=105),
            100 + PERIOD,
            "it is paid until block 105 and never stale after that; "
            "`moorage finish` ends it from block 126 on, 16 blocks to go (16s)",
        ),
        (
            leased(funded_block=105),
            200,
            "it is paid until block 105 and never stale after that; `moorage finish` ends it now",
        ),
        (order(), 200, "it is an open order, not matched yet"),
        (leased(OrderState.LEASE_CLOSING), 200, "the lease is closing already"),
        (leased(OrderState.LEASE_STALE), 200, "the lease was ended as stale already"),
    ],
)
def test_stale__each_state__is_ready_or_says_why_not(item: OrderItem, block: int, reason: str | None) -> None:
    assert obstacle(Crank.STALE, item, at(block)) == reason


@pytest.mark.parametrize(
    ("item", "block", "reason"),
    [
        (leased(OrderState.LEASE_CLOSING), 100 + GRACE, None),
        (
            leased(OrderState.LEASE_CLOSING),
            99 + GRACE,
            "its provider has time to confirm the closing; from block 121 on, 2 blocks to go (2s)",
        ),
        (leased(funded_block=105), 105 + GRACE, None),
        (leased(funded_block=105), 104 + GRACE, "it is used up; from block 126 on, 2 blocks to go (2s)"),
        (leased(), 100, "it is prepaid until block 3700, 3600 blocks to go"),
        (leased(), 200, "it is stale: `moorage stale` ends it"),
        (leased(is_awaiting=True), 100, "its provider has not confirmed it yet"),
        (order(), 100, "it is an open order, not matched yet"),
        (leased(OrderState.LEASE_CLOSED), 100, "the lease is closed already"),
        (DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 0), 100, None),
        (DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 2), 100, "2 groups of it alive"),
        (
            DeploymentItem(DEPLOYMENT, DeploymentState.ACTIVE, 0),
            100,
            "the deployment is active: only its tenant can give it up",
        ),
        (DeploymentItem(DEPLOYMENT, DeploymentState.CLOSED, 0), 100, "the deployment is closed already"),
    ],
)
def test_finish__each_state__is_ready_or_says_why_not(item, block: int, reason: str | None) -> None:
    assert obstacle(Crank.FINISH, item, at(block)) == reason


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (leased(claimed_block=99), None),
        (leased(OrderState.LEASE_CLOSING, claimed_block=99), None),
        (leased(OrderState.LEASE_STALE, unclaimed=1), None),
        (leased(), "nothing is earned that was not claimed"),
        (leased(OrderState.LEASE_STALE, claimed_block=99), "nothing is earned that was not claimed"),
        (leased(OrderState.LEASE_CLOSED), "the lease is closed: its provider was paid with that"),
        (order(), "it is an open order, not matched yet"),
        (order(OrderState.CLOSED), "the order was closed before anybody matched it"),
    ],
)
def test_claim__each_state__is_ready_or_says_why_not(item: OrderItem, reason: str | None) -> None:
    assert obstacle(Crank.CLAIM, item, NOW) == reason


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (order(OrderState.CLOSED, losers=(ONE,)), None),
        (replace(leased(), losers=(TWO,)), None),
        (leased(), "no bid that has lost locks collateral"),
        (order(losers=(ONE,)), "the order is open: nobody has lost yet"),
    ],
)
def test_release__each_state__is_ready_or_says_why_not(item: OrderItem, reason: str | None) -> None:
    assert obstacle(Crank.RELEASE, item, NOW) == reason


def test_sift__several__oldest_first_and_the_rest_with_reasons() -> None:
    late, early, open_order = order(match_block=98), order(match_block=97), order(match_block=200)

    ready, skipped = sift(Crank.MATCH, (late, open_order, early), NOW)

    assert ready == (early, late)
    assert [each.item for each in skipped] == [open_order]


def test_of_provider__leases_and_lost_bids__only_its_own_are_left() -> None:
    others = replace(leased(provider=TWO), losers=(ProviderNumber(3),))
    lost = replace(leased(provider=TWO), losers=(ONE, ProviderNumber(3)))
    closed = DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 0)

    assert of_provider((leased(), others, lost, closed), ONE) == (leased(), replace(lost, losers=(ONE,)))


@pytest.mark.parametrize(
    ("crank", "each"), [("match", TIP), ("stale", TIP), ("finish", TIP), ("claim", 0), ("release", 0)]
)
def test_tips__each_command__are_what_the_exchange_pays(crank: str, each: int) -> None:
    assert NOW.tips(Crank(crank), 3) == 3 * each


@pytest.mark.parametrize(
    ("crank", "item", "words"),
    [
        (Crank.MATCH, order(), "order 0x" + "0a" * 32 + " of group west: 2 bids"),
        (Crank.STALE, leased(), "lease 0x" + "0a" * 32 + " of group west: provider 1"),
        (Crank.CLAIM, leased(claimed_block=99), "of group west: 0.000277 MOOR to provider 1"),
        (Crank.CLAIM, leased(OrderState.LEASE_STALE, unclaimed=HOURLY), "of group west: 0.000277 MOOR to provider 1"),
        (Crank.RELEASE, replace(leased(), losers=(ONE, TWO)), "of group west: collateral of providers 1, 2"),
        (Crank.FINISH, DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 0), "nothing lives in it any more"),
    ],
)
def test_describe__what_is_ready__names_it_whole(crank: Crank, item, words: str) -> None:
    assert describe(crank, item, MONEY).endswith(words)


def test_counted_items__leases_and_deployments__are_told_apart() -> None:
    closed = DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 0)

    assert counted_items((leased(), leased(), closed)) == "2 leases and 1 deployment"
    assert counted_items((order(),)) == "1 order"


@pytest.mark.parametrize(
    ("crank", "transaction"), [("match", "submit_lease"), ("stale", "submit_stale_lease"), ("claim", "claim")]
)
def test_d10_calls__more_than_a_transaction_takes__are_several(crank: str, transaction: str) -> None:
    calls = make_calls(EXCHANGE, Crank(crank), [leased()] * (BATCH_SIZE + 1))

    assert [call.data[:4] for call in calls] == [EXCHANGE.call(transaction, []).data[:4]] * 2
    assert [call.description.count("0x") for call in calls] == [BATCH_SIZE, 1]


def test_calls__leases_and_deployments_to_finish__are_different_transactions() -> None:
    closed = DeploymentItem(DEPLOYMENT, DeploymentState.CLOSING, 0)

    calls = make_calls(EXCHANGE, Crank.FINISH, [closed, leased(), closed])

    assert calls == [EXCHANGE.finish_leases([key()]), EXCHANGE.deployment_closed([DEPLOYMENT, DEPLOYMENT])]


def test_calls__lost_bids_of_two_orders__are_released_one_order_at_a_time() -> None:
    lost = [order(OrderState.CLOSED, losers=(ONE,)), order(OrderState.CLOSED, losers=(ONE, TWO))]

    calls = make_calls(EXCHANGE, Crank.RELEASE, lost)

    assert calls == [EXCHANGE.release_fulfillments(each.id, each.losers) for each in lost]


@pytest.mark.parametrize("crank", Crank)
def test_concerned__states_that_are_looked_at__are_all_in_which_something_can_be_ready(crank: Crank) -> None:
    far = at(10_000)
    settings = ({"claimed_block": 99}, {"unclaimed": 1}, {"funded_block": 100})
    items = [order(losers=(ONE,)), order(OrderState.CLOSED, losers=(ONE,))]
    states = (OrderState.LEASE_ACTIVE, OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED)
    items += [replace(leased(state, **each), losers=(ONE,)) for state in states for each in settings]

    assert {item.state for item in items if obstacle(crank, item, far) is None} == CONCERNED[crank]
