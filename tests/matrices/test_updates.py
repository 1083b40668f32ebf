"""Updates that add and remove at once, up to eight live groups: what is counted is what lives afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.matrices.authority import ACTIVE, EXHAUSTED, MUCH, READY, RUNNING, STALE
from tests.matrices.cast import EVERYTHING, GROUP, MANAGERS, TENANT
from tests.matrices.pair import Pair, call
from tests.stateful.model import MAX_GROUPS, Group, State, Terms

TOO_MANY = "deployments: too many groups"
ADDED = replace(GROUP, name=b"added".ljust(32, b"\0"))


def fill_up(pair: Pair) -> None:
    """Add groups until no more may live."""
    room = MAX_GROUPS - pair.model.deployments[RUNNING].live_groups
    assert send_update(pair, room * [ADDED], []) is None
    assert send_update(pair, [ADDED], []) == TOO_MANY


def send_update(pair: Pair, groups: list[Group], removed: list[Terms], caller: str = TENANT) -> str | None:
    deposits = len(groups) * [pair.model.minimum_deposit(GROUP)]
    return pair.send(call("update_deployment", caller, RUNNING, 0, groups, deposits, removed))


def next_order(pair: Pair) -> Terms:
    """Return what the next added group will be, if it is the one of this file."""
    return Terms(RUNNING, pair.model.deployments[RUNNING].order_count, 0, ADDED)


@pytest.mark.parametrize(
    ("removed", "added", "refusal"),
    [
        ([READY], 1, None),
        ([READY, STALE], 2, None),
        ([READY, READY], 2, TOO_MANY),
        ([READY, STALE], 3, TOO_MANY),
        ([ACTIVE], 1, TOO_MANY),  # it lives until its closing is confirmed
        ([EXHAUSTED], 1, TOO_MANY),
    ],
)
def test_update__of_eight_live_groups__takes_the_place_of_what_ends_at_once_alone(
    pair: Pair, removed: list[Terms], added: int, refusal: str | None
) -> None:
    with pair.branch():
        fill_up(pair)

        assert send_update(pair, added * [ADDED], removed) == refusal


@pytest.mark.parametrize("is_full", [False, True])
def test_update__removes_what_it_adds__leaves_all_money_and_no_group(pair: Pair, *, is_full: bool) -> None:
    with pair.branch():
        if is_full:
            fill_up(pair)
        had, live = pair.worth(TENANT), pair.model.deployments[RUNNING].live_groups
        added = next_order(pair)

        assert send_update(pair, [ADDED], [added, added]) is None

        assert pair.state_of(added) == State.ORDER_CLOSED
        assert (pair.worth(TENANT), pair.model.deployments[RUNNING].live_groups) == (had, live)


def test_e11_manager__removes_what_it_adds__has_spent_it_all_the_same(pair: Pair) -> None:
    (able,) = (manager for manager, permissions in MANAGERS.items() if permissions == EVERYTHING)
    with pair.branch():
        had = pair.worth(TENANT)

        assert send_update(pair, [ADDED], [next_order(pair)], caller=able) is None

        spent = pair.model.minimum_deposit(ADDED) + pair.model.parameters.tip
        assert pair.model.manager_view(RUNNING, able)[2] == MUCH - spent
        assert pair.worth(TENANT) == had
