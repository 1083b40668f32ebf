"""Daemons that die at every named point, and in every block, end where those do that never die."""

from __future__ import annotations

import pytest

from moorage.crash import CRASH_POINTS
from tests.chain import ONE_TOKEN
from tests.chaos.convergence import BLOCK_SECONDS, Stage
from tests.chaos.matrix import HIGH_BASE_FEE, PATIENCE_BLOCKS
from tests.chaos.outcome import Outcome
from tests.chaos.processes import Process
from tests.chaos.runs import Run

ELSEWHERE = {
    # the registration: tests/integration/test_provider_registration.py
    "before-register_provider",
    "after-register_provider",
    # another root: tests/integration/test_certificate_commands.py
    "before-add_root",
    "after-old_root",
    "after-new_root",
    "after-add_root",
    "after-remove_root",
    "after-deposit",
    # the gateways, which the engine in memory has not: tests/integration/test_gateway.py
    "gateway-closed",
    "gateway-written",
    "gateway-reloaded",
    "gateway-tuned",
    # manifests that come: tests/integration/test_peer_manifests.py
    "before-storing-manifest",
    "after-storing-manifest",
    # the tunnels: tests/unit/test_overlay.py
    "overlay-answered",
    "overlay-kept",
    # the tenant's program: tests/integration/test_cli_killed.py
    "before-recording",
    "after-recording",
    "after-paying-in",
    "after-submitting",
    "before-delivering",
    "after-delivering",
    "while-watching",
    # only where fees have to be raised: the last test here
    "outbox-replaced",
    # only where networks were changed by hand, or a lease is not on chain at all
    "before-StopContainer",
    "after-StopContainer",
    "before-ReconnectWorkload",
    "after-ReconnectWorkload",
}
POINTS = sorted(CRASH_POINTS.keys() - ELSEWHERE)
AROUND_MONEY = ("outbox-signed", "outbox-journaled", "outbox-sent", "outbox-included", "agent-confirmed")
ALL_THE_TIME = ("-workloads", "before-SubmitFulfillment")
"""Passed several times in a block, or in what is sent at once: who dies there again and again gets nowhere."""
LAST_BLOCK = 40
LATE_BLOCKS = 2
"""One for what died with the daemon, one for what it has to read again."""


def test_crash_points__scenario__passes_all_that_belong_to_running_daemons(
    usual: Outcome, passed_points: set[str]
) -> None:
    assert usual.crashes == {"facilitator": (), "agent": ()}
    assert passed_points == set(POINTS)


def test_scenario__without_faults__comes_to_what_it_tells_of(usual: Outcome) -> None:
    """All other runs are compared with this one: it must not be wrong itself."""
    assert usual.orders == {
        "closed": "lease-closed of 1, awaiting False",
        "kept": "lease-active of 1, awaiting False",
        "rescued": "lease-stale",
        "rescued-again": "lease-closed of 1, awaiting False",
    }
    assert usual.deployments == {
        "closed": "closed with 0 groups",
        "kept": "active with 1 groups",
        "rescued": "closed with 0 groups",
    }
    assert usual.manifests == {"kept"}
    assert [name[:2] for name in usual.things] == ["mn", "mv", "mw"]
    assert sorted(usual.started.values()) == [1, 1, 1]
    assert list(usual.differences(usual, 0)) == []
    assert usual.accounts["us"][1] == ONE_TOKEN


@pytest.mark.parametrize(
    "point",
    [point if point.endswith(AROUND_MONEY) else pytest.param(point, marks=pytest.mark.long) for point in POINTS],
)
def test_g21_daemons__crash_at_a_point__end_equal(stage: Stage, usual: Outcome, point: str) -> None:
    died: list[str] = []

    def die_once(process: Process, passed: str) -> None:
        if passed == point and process.name not in died:
            died.append(process.name)
            process.crash(point)

    outcome = stage.play(hook=die_once)

    assert died
    assert [outcome.crashes[name] for name in died] == [(point,)] * len(died)
    assert outcome.differences(usual, LATE_BLOCKS) == [], "\n".join(stage.said)


@pytest.mark.long
@pytest.mark.parametrize("point", [point for point in POINTS if not point.endswith(ALL_THE_TIME)])
def test_g21_daemons__crash_again_and_again_at_a_point__end_equal(stage: Stage, usual: Outcome, point: str) -> None:
    """They die at the second, fourth, ... time: what was done by halves before is not there any more by then.

    In the agent's cycle at each fourth time: it has to see two final blocks to take anything down, and to tell it then.
    """
    passes, every = 0, 4 if point.startswith("agent-") else 2

    def die(process: Process, passed: str) -> None:
        nonlocal passes
        passes += passed == point
        if passed == point and passes % every == 0:
            process.crash(point)

    outcome = stage.play(hook=die)

    assert outcome.differences(usual, 2 * LATE_BLOCKS) == [], "\n".join(stage.said)


def test_g21_daemons__restarted_in_every_block__end_equal(stage: Stage, usual: Outcome) -> None:
    """Between two blocks each time: what a daemon knows by itself is never older than one block."""

    async def restart(run: Run) -> None:
        for process in run.processes.values():
            run.loop.call_later(BLOCK_SECONDS / 2, process.kill)

    outcome = stage.play(before_block=restart)

    assert outcome.differences(usual, 2 * LATE_BLOCKS) == [], "\n".join(stage.said)


@pytest.mark.long
@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_g21_daemons__restarted_again_and_again__end_equal(stage: Stage, usual: Outcome, blocks: int) -> None:
    """They die after what they have sent is on its way, and before any of it is in a block.

    Not at each block: the two proofs that a lease is over come from two final blocks, and are not kept.
    """

    async def restart(run: Run) -> None:
        if run.age % blocks == 0:
            for process in run.processes.values():
                process.kill()

    outcome = stage.play(before_block=restart)

    assert outcome.differences(usual, 2 * LATE_BLOCKS) == [], "\n".join(stage.said)


@pytest.mark.long
@pytest.mark.parametrize("age", range(LAST_BLOCK))
def test_g21_daemons__restarted_after_one_step__end_equal(stage: Stage, usual: Outcome, age: int) -> None:
    async def restart(run: Run) -> None:
        if run.age == age:
            for process in run.processes.values():
                process.kill()

    outcome = stage.play(before_block=restart)

    assert usual.blocks <= LAST_BLOCK
    assert outcome.differences(usual, LATE_BLOCKS) == [], "\n".join(stage.said)


@pytest.mark.long
def test_g21_daemons__crash_with_a_replacement_in_the_journal_alone__end_equal(stage: Stage, usual: Outcome) -> None:
    died: list[str] = []

    def die_once(process: Process, passed: str) -> None:
        if passed == "outbox-replaced" and process.name not in died:
            died.append(process.name)
            process.crash(passed)

    async def raise_base_fee(run: Run) -> None:
        if run.age % 13 == 6:
            await run.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(HIGH_BASE_FEE))

    outcome = stage.play(hook=die_once, before_block=raise_base_fee, block_seconds=4.0)

    assert died
    assert outcome.differences(usual, PATIENCE_BLOCKS) == [], "\n".join(stage.said)
