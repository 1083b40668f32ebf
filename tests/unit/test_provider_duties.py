"""What the duties find due leads to the same chores as a look at everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from moorage.snapshot import Snapshot, Touched
from moorage.types import OrderId, OrderState
from provider_agent.core.chores import decide_chores
from provider_agent.core.duties import Duties
from tests.markets import OTHERS, US, make_bid, make_lease, make_order, make_snapshot

CLAIM_AFTER = 30
BLOCKS = st.integers(940, 1_200)
MADE = [make_order(number) for number in range(8)]
LEASES = st.builds(
    lambda number, state, awaiting, confirmed, claimed, funded, provider: (
        MADE[number],
        replace(
            make_lease(MADE[number], state=state, provider=provider),
            is_awaiting=awaiting,
            claimed_block=confirmed - claimed,
            confirmed_block=confirmed,
            funded_block=confirmed + funded,
        ),
    ),
    st.integers(0, 5),
    st.sampled_from([OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING]),
    st.booleans(),
    BLOCKS,
    st.integers(0, 60),
    st.sampled_from([0, 1, 20, 150]),
    st.sampled_from([US, US, OTHERS]),
)


def snapshots(block: int) -> st.SearchStrategy[Snapshot]:
    return st.builds(
        lambda orders, leases, bids: make_snapshot(
            block,
            orders=[MADE[number] for number in orders],
            leases=leases,
            fulfillments=[make_bid(MADE[number].id) for number in bids],
        ),
        st.sets(st.integers(6, 7)),
        st.lists(LEASES, max_size=5, unique_by=lambda pair: pair[0].id),
        st.sets(st.integers(0, 7)),
    )


@given(st.data(), st.lists(BLOCKS, min_size=1, max_size=5), st.sets(st.integers(0, 5)))
def test_duties__any_changes__chores_are_those_of_a_look_at_everything(
    data: st.DataObject, blocks: list[int], reset: set[int]
) -> None:
    duties, before = Duties(US, CLAIM_AFTER), make_snapshot(0)
    gone = frozenset(MADE[number].id for number in reset)

    for index, block in enumerate(sorted(blocks)):
        snapshot = data.draw(snapshots(block))
        changed = frozenset(order.id for order in MADE if _of(before, order.id) != _of(snapshot, order.id))
        duties.update(replace(snapshot, touched=Touched(changed) if index else None))

        due = duties.due(block + 1)

        assert decide_chores(snapshot, US, gone, CLAIM_AFTER, due) == decide_chores(snapshot, US, gone, CLAIM_AFTER)
        before = snapshot


def test_duties__thousands_of_leases__those_that_are_due_are_looked_at() -> None:
    orders = [make_order(number) for number in range(1_000)]
    leases = [(order, make_lease(order, confirmed_block=990)) for order in orders[1:]]
    duties = Duties(US, 10**9)

    duties.update(make_snapshot(1_000, leases=[(orders[0], make_lease(orders[0], confirmed_block=951)), *leases]))

    assert duties.due(1_000).leases == ()
    assert duties.due(1_001).leases == (orders[0].id,)


def _of(snapshot: Snapshot, order: OrderId) -> object:
    return snapshot.orders.get(order), snapshot.leases.get(order), snapshot.fulfillments.get(order)
