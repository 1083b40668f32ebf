"""What the watchlist finds due leads to the same decisions as a look at everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from facilitator_bot.core.decisions import decide
from facilitator_bot.core.watchlist import Watchlist
from moorage.snapshot import Snapshot, Touched
from moorage.types import DeploymentState, OrderState
from tests.markets import DEPLOYMENT, make_deployment, make_lease, make_order, make_snapshot

BLOCKS = st.integers(900, 1_400)
MADE = [make_order(number) for number in range(10)]
ORDERS = st.builds(
    lambda number, match_block, bids: replace(MADE[number], match_block=match_block, bid_count=bids),
    st.integers(0, 5),
    BLOCKS,
    st.integers(0, 1),
)
LEASES = st.builds(
    lambda number, state, awaiting, confirmed, funded: (
        MADE[number],
        replace(
            make_lease(MADE[number], state=state),
            is_awaiting=awaiting,
            claimed_block=confirmed,
            confirmed_block=confirmed,
            funded_block=confirmed + funded,
        ),
    ),
    st.integers(6, 9),
    st.sampled_from([OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING]),
    st.booleans(),
    BLOCKS,
    st.integers(0, 200),
)
DEPLOYMENTS = st.builds(
    lambda state, live: make_deployment(state=state, live_groups=live),
    st.sampled_from([DeploymentState.ACTIVE, DeploymentState.CLOSING]),
    st.integers(0, 1),
)


def snapshots(block: int) -> st.SearchStrategy[Snapshot]:
    return st.builds(
        lambda orders, leases, deployments: make_snapshot(block, orders=orders, leases=leases, deployments=deployments),
        st.lists(ORDERS, max_size=5, unique_by=lambda order: order.id),
        st.lists(LEASES, max_size=4, unique_by=lambda pair: pair[0].id),
        st.lists(DEPLOYMENTS, max_size=1),
    )


@given(st.data(), st.lists(BLOCKS, min_size=1, max_size=5))
def test_watchlist__any_changes__decisions_are_those_of_a_look_at_everything(
    data: st.DataObject, blocks: list[int]
) -> None:
    watchlist = Watchlist()
    before = make_snapshot(0)

    for index, block in enumerate(sorted(blocks)):
        snapshot = data.draw(snapshots(block))
        every = {*before.orders, *before.leases, *snapshot.orders, *snapshot.leases}
        changed = frozenset(order for order in every if _of(before, order) != _of(snapshot, order))
        touched = Touched(changed, frozenset([DEPLOYMENT])) if index else None
        watchlist.update(replace(snapshot, touched=touched))

        assert decide(snapshot, watchlist.due(block + 1)) == decide(snapshot)
        before = snapshot


def test_watchlist__thousands_that_wait__one_is_looked_at() -> None:
    orders = [make_order(number, match_block=2_000, bid_count=1) for number in range(5_000)]
    ready = make_order(5_000, match_block=950, bid_count=1)
    watchlist = Watchlist()

    watchlist.update(make_snapshot(950, orders=[*orders, ready]))

    assert watchlist.due(951).orders == (ready.id,)


def _of(snapshot: Snapshot, order: bytes) -> object:
    return snapshot.orders.get(order), snapshot.leases.get(order)  # type: ignore[call-overload]
