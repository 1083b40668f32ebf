"""Each fault between each daemon and its node: the end is the usual one, nothing is done twice or removed wrongly."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest

from tests.chaos.convergence import PERIOD, Stage
from tests.chaos.matrix import (
    BOTH,
    CYCLE_BLOCKS,
    DAEMONS,
    LATE_BLOCKS,
    WINDOW_BLOCKS,
    WINDOWS,
    assert_converges,
    cells,
    chances,
    spoils,
)
from tests.chaos.outcome import Outcome
from tests.chaos.schedule import Schedule
from tests.chaos.view_faults import RangeLimit

HANG_BLOCKS = LATE_BLOCKS + 4
"""A call that begins at the end of a window is given up 8 s later."""
WITHHELD_BLOCKS = LATE_BLOCKS + 4
"""What is withheld in a window is found 2 or 8 blocks after it happened."""
CHANCE_BLOCKS = 12
"""How much longer each thing may take when any call may fail at any time: a cycle is given up for each."""
ODD_LOGS = ("duplicate", "reorder", "removed_logs")
IN_TURN = ("reset", "error_page", "truncated", "wrong_id", "slow")
READS = ("eth_call", *(pytest.param(name, marks=pytest.mark.long) for name in ("eth_getLogs", "eth_getBlockByNumber")))


@cells
@pytest.mark.parametrize(
    "fault", ["internal_error", "partial_batch", *(pytest.param(name, marks=pytest.mark.long) for name in IN_TURN)]
)
def test_g12_daemons__no_usable_answer__converge_and_remove_nothing(
    stage: Stage, usual: Outcome, fault: str, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, fault, phase=phase))


def test_g12_daemons__one_fault_in_each_window__converge_and_remove_nothing(stage: Stage, usual: Outcome) -> None:
    windows = [
        Schedule(first_block=first, last_block=first + WINDOW_BLOCKS - 1)
        for first in range(0, len(IN_TURN) * CYCLE_BLOCKS, CYCLE_BLOCKS)
    ]
    faults = [spoils(BOTH, fault, window) for fault, window in zip(IN_TURN, windows, strict=True)]

    assert_converges(stage, usual, chain.from_iterable(faults))


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize(
    "fault",
    [
        "internal_error",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("reset", "truncated", "wrong_id", "partial_batch")),
    ],
)
def test_g12_agent__error_instead_of_lease__removes_nothing(
    stage: Stage, usual: Outcome, method: str, fault: str
) -> None:
    only = replace(WINDOWS, methods=frozenset({method}))

    outcome = assert_converges(stage, usual, spoils("agent", fault, only))

    assert outcome.wrongly_removed == ()


@chances
@pytest.mark.parametrize("fault", ["internal_error", pytest.param("reset", marks=pytest.mark.long)])
def test_g12_daemons__each_twentieth_call_has_no_answer__converge(
    stage: Stage, usual: Outcome, fault: str, who: str, seed: int
) -> None:
    chance = spoils(who, fault, Schedule(probability=0.05))

    assert_converges(stage, usual, chance, late_blocks=CHANCE_BLOCKS, seed=seed)


@cells
def test_g24_daemons__calls_are_never_answered__go_on(stage: Stage, usual: Outcome, who: str, phase: int) -> None:
    assert_converges(stage, usual, spoils(who, "hang", phase=phase), late_blocks=HANG_BLOCKS)


@cells
def test_g13_daemons__node_that_lags__converge(stage: Stage, usual: Outcome, who: str, phase: int) -> None:
    assert_converges(stage, usual, spoils(who, "lag", phase=phase))


@cells
def test_g16_daemons__head_goes_backwards__take_nothing_back(
    stage: Stage, usual: Outcome, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, "rollback", phase=phase))


@chances
@pytest.mark.parametrize("fault", ["lag", pytest.param("rollback", marks=pytest.mark.long)])
def test_g13_g16_daemons__a_third_of_the_nodes_behind_an_address_is_behind__converge(
    stage: Stage, usual: Outcome, fault: str, who: str, seed: int
) -> None:
    chance = spoils(who, fault, Schedule(probability=0.3))

    assert_converges(stage, usual, chance, late_blocks=CHANCE_BLOCKS, seed=seed)


@cells
def test_g17_daemons__too_many_requests__converge(stage: Stage, usual: Outcome, who: str, phase: int) -> None:
    assert_converges(stage, usual, spoils(who, "too_many_requests", phase=phase))


@pytest.mark.parametrize("who", [BOTH, *(pytest.param(who, marks=pytest.mark.long) for who in DAEMONS)])
@pytest.mark.parametrize("code", [-32005, pytest.param(-32602, marks=pytest.mark.long)])
def test_g17_daemons__ranges_of_logs_are_limited__lose_no_block(
    stage: Stage, usual: Outcome, who: str, code: int
) -> None:
    limit = spoils(who, RangeLimit(results=3, blocks=4, code=code), Schedule())

    assert_converges(stage, usual, limit, late_blocks=1)


def test_g09_daemons__logs_twice_out_of_order_and_revoked__count_once(stage: Stage, usual: Outcome) -> None:
    assert_converges(stage, usual, chain.from_iterable(spoils(BOTH, fault) for fault in ODD_LOGS))


@pytest.mark.long
@cells
@pytest.mark.parametrize("fault", ODD_LOGS)
def test_g09_daemons__logs_twice_out_of_order_or_revoked__count_once(
    stage: Stage, usual: Outcome, fault: str, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, fault, phase=phase))


@cells
def test_g10_daemons__all_logs_of_some_blocks_are_withheld__are_found_later(
    stage: Stage, usual: Outcome, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, "drop", phase=phase), late_blocks=WITHHELD_BLOCKS)


@pytest.mark.parametrize(
    "fault", ["internal_error", *(pytest.param(name, marks=pytest.mark.long) for name in ("drop", "truncated"))]
)
def test_g13_agent__no_logs_for_longer_than_a_period__loses_no_lease(stage: Stage, usual: Outcome, fault: str) -> None:
    gone = Schedule(frozenset({"eth_getLogs"}), first_block=9, last_block=9 + PERIOD + 2)

    assert_converges(stage, usual, spoils("agent", fault, gone))


@cells
def test_g15_daemons__forged_logs__send_nothing(stage: Stage, usual: Outcome, who: str, phase: int) -> None:
    assert_converges(stage, usual, spoils(who, "forge", phase=phase))


@cells
def test_g01_daemons__transactions_of_some_blocks_are_swallowed__take_place_once(
    stage: Stage, usual: Outcome, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, "swallow_tx", phase=phase))


@pytest.mark.parametrize("who", [BOTH, *(pytest.param(who, marks=pytest.mark.long) for who in DAEMONS)])
def test_g05_daemons__each_transaction_taken_and_not_acknowledged__takes_place_once(
    stage: Stage, usual: Outcome, who: str
) -> None:
    assert_converges(stage, usual, spoils(who, "ack_late", Schedule()), late_blocks=2)


@cells
def test_g28_daemons__node_that_lacks_methods__converge(stage: Stage, usual: Outcome, who: str, phase: int) -> None:
    assert_converges(stage, usual, spoils(who, "hidden", phase=phase))


@pytest.mark.parametrize("who", [BOTH, *(pytest.param(who, marks=pytest.mark.long) for who in DAEMONS)])
def test_g30_daemons__node_of_another_chain_at_the_start__begin_when_it_is_the_right_one(
    stage: Stage, usual: Outcome, who: str
) -> None:
    assert_converges(stage, usual, spoils(who, "wrong_chain_id"))


@cells
def test_g09_daemons__socket_breaks_at_each_third_push__miss_nothing(
    stage: Stage, usual: Outcome, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, "ws_cut", phase=phase), late_blocks=2)


@cells
def test_g11_daemons__socket_is_open_and_silent__go_on_by_asking(
    stage: Stage, usual: Outcome, who: str, phase: int
) -> None:
    assert_converges(stage, usual, spoils(who, "ws_silent", phase=phase), late_blocks=2)


@pytest.mark.parametrize("who", [BOTH, *(pytest.param(who, marks=pytest.mark.long) for who in DAEMONS)])
@pytest.mark.parametrize("first", [3, *(pytest.param(first, marks=pytest.mark.long) for first in (0, 12, 25))])
def test_d05_daemons__first_node_of_three_dies_for_good__the_others_are_used(
    stage: Stage, usual: Outcome, who: str, first: int
) -> None:
    """Of two nodes the one that is left would have to say for long alone that a lease is over."""
    assert_converges(stage, usual, spoils(who, "reset", Schedule(first_block=first)), nodes=3, late_blocks=2)
