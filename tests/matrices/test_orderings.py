"""What can meet in one block, in every order, in the blocks around those that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import pytest

from tests.matrices.cast import PARAMETERS
from tests.matrices.orderings import Exploration, explored
from tests.matrices.states import (
    BIDS,
    CONFIRMED,
    EARNING,
    ENDING,
    LATE,
    MATCHED,
    PERSIST_LATE,
    SETTLED,
    Step,
    at,
    confirm,
    remove,
)

SIX = ("confirm", "stale", "close", "fund", "finish", "claim")
STALE_CALLS = ("stale", "stale again", "resign")


@dataclass(frozen=True)
class Scene:
    """A state, from which some transactions meet in each of some blocks, counted from the creation of the order."""

    name: str
    story: Sequence[Step]
    blocks: tuple[int, ...]
    actions: tuple[str, ...] = SIX
    deadline: int = 0

    def __str__(self) -> str:
        return self.name


# the funds of all end at 35, but for the one that awaits its first confirmation
DEADLINES = [
    Scene("awaiting", MATCHED, (17, 18, 19), deadline=18),
    Scene("confirmed", EARNING, (27, 28, 29), deadline=28),
    Scene("before the end of the funds", [*CONFIRMED, at(16), confirm, at(24), confirm], (33, 34, 35), deadline=34),
    Scene("at the end of the funds", [*CONFIRMED, at(16), confirm, at(25), confirm], (34, 35, 36), deadline=35),
    Scene("after the end of the funds", ENDING, (36, 37, 38), deadline=37),
]
FUNDED = [
    Scene("ending", ENDING, (34, 35, 36)),
    Scene("confirmed to the end", SETTLED, (35, 36, 42, 43, 45, 46)),
    Scene("late", LATE, (34, 35, 36)),
]
SETTLING = Scene("settling", ENDING, (34, 35, 37, 38), ("fund", "claim", "close"))
SLASHES = [
    Scene("in time", EARNING, (28,), (*STALE_CALLS, "close", "confirm")),
    Scene("late", EARNING, (29,), (*STALE_CALLS, "close", "confirm", "claim")),
    Scene("late, persist", PERSIST_LATE, (29,), (*STALE_CALLS, "close", "confirm", "fund")),
    Scene("removed", EARNING, (28, 29), ("remove", "stale", "confirm closed", "claim")),
]
CONFIRMATIONS = Scene("twice", EARNING, (18, 24, 28), ("confirm", "confirm again", "claim", "claim again"))
CONFIRMATIONS_AT_THE_END = Scene("at the end", ENDING, (34, 35, 36), CONFIRMATIONS.actions)
ENDS = [
    Scene("exhausted", ENDING, (42, 43), ("finish", "fund", "close", "claim", "confirm")),
    Scene("exhausted late", LATE, (43, 44), ("finish", "fund", "close", "claim", "confirm")),
    Scene("closing", [*EARNING, at(22), remove], (29, 30), ("finish", "confirm closed", "claim", "close", "end")),
]
MATCHES = [
    Scene("to cancel", BIDS, (4, 5), ("cancel", "match", "close", "bid", "fund")),
    Scene("to match", BIDS, (7, 8), ("match", "confirm", "bid", "resign", "remove")),
]
ALL = [*DEADLINES, *FUNDED, SETTLING, *SLASHES, *ENDS, *MATCHES]
ALL += [CONFIRMATIONS, CONFIRMATIONS_AT_THE_END]


def explored_in(scene: Scene) -> list[Exploration]:
    return [explored(scene.story, block, scene.actions) for block in scene.blocks]


@pytest.mark.parametrize("scene", DEADLINES, ids=str)
def test_b05_deadline__six_transactions_in_one_block_in_every_order__one_inequality_decides(scene: Scene) -> None:
    for block, exploration in zip(scene.blocks, explored_in(scene), strict=True):
        accepted_first = {done[0] for done in exploration.outcomes if done}

        assert ("confirm" in accepted_first) == (block <= scene.deadline)
        assert ("stale" in accepted_first) == (block > scene.deadline and scene.deadline < 35)


@pytest.mark.parametrize("scene", FUNDED, ids=str)
def test_b05_end_of_the_funds__six_transactions_in_one_block_in_every_order__nobody_is_slashed(scene: Scene) -> None:
    last_of_the_grace = 35 + PARAMETERS.grace
    for block, exploration in zip(scene.blocks, explored_in(scene), strict=True):
        finishes = [done for done in exploration.outcomes if "finish" in done]

        assert not any("stale" in done for done in exploration.outcomes)
        assert ("fund", "close") in exploration.outcomes
        assert bool(finishes) == (block > last_of_the_grace)
        assert all({*done[done.index("finish") + 1 :]} <= {"close"} for done in finishes)


def test_b14_funding__and_claim_and_close_in_every_order__counts_before_the_close_alone() -> None:
    for exploration in explored_in(SETTLING):
        assert all(
            done.index("fund") < done.index("close") for done in exploration.outcomes if {*done} >= {"fund", "close"}
        )
        assert {("fund", "close"), ("close",)} <= exploration.outcomes


@pytest.mark.parametrize("scene", SLASHES, ids=str)
def test_b06_slash__with_all_that_ends_a_lease_in_every_order__comes_once_and_last(scene: Scene) -> None:
    for exploration in explored_in(scene):
        for done in exploration.outcomes:
            slashes = [name for name in done if name in STALE_CALLS]
            after = done[done.index(slashes[0]) + 1 :] if slashes else ()
            assert len(slashes) <= 1
            assert not {"confirm", "fund", "confirm closed", "finish"} & {*after}
        assert any({*STALE_CALLS} & {*done} for done in exploration.outcomes) or exploration.calls.keys() & {"remove"}


@pytest.mark.parametrize("scene", [CONFIRMATIONS, CONFIRMATIONS_AT_THE_END], ids=str)
def test_b04_confirmation__twice_in_a_block_and_claimed_in_every_order__is_paid_once(scene: Scene) -> None:
    for exploration in explored_in(scene):
        assert {("confirm", "confirm again"), ("confirm again", "confirm")} <= exploration.outcomes
        assert not any(done[-2:] == ("claim", "claim again") for done in exploration.outcomes)


@pytest.mark.parametrize("scene", ENDS, ids=str)
def test_end__of_a_lease_with_all_that_may_come_first__pays_what_was_confirmed(scene: Scene) -> None:
    for exploration in explored_in(scene):
        ends = [[name for name in done if name in ("finish", "confirm closed")] for done in exploration.outcomes]
        assert max(map(len, ends)) <= 1
    assert any("finish" in done for done in exploration.outcomes)


@pytest.mark.parametrize("scene", MATCHES, ids=str)
def test_c08_match__with_all_that_may_come_first__never_comes_early(scene: Scene) -> None:
    for block, exploration in zip(scene.blocks, explored_in(scene), strict=True):
        assert any("match" in done for done in exploration.outcomes) == (block >= 8)
        assert any("cancel" in done for done in exploration.outcomes) == (block <= 4)
        assert ("match" in exploration.calls) and ("confirm",) not in exploration.outcomes


def test_b05_orderings__of_all_scenes__are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        (scene, explored(scene.story, block, scene.actions, is_model_alone=True))
        for scene in ALL
        for block in scene.blocks
    ]
    orders = sum(factorial(len(scene.actions)) for scene, _ in runs)
    tries = sum(exploration.tries for _, exploration in runs)
    with capsys.disabled():
        print(f"\n{orders} orders in {len(runs)} blocks, {tries} different transactions")

    assert tries > 1_000
