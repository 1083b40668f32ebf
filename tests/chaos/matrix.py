"""Which fault strikes which daemon when, and how late things may be for it.

A cell is a run with one fault at one daemon or at both, in windows that begin in one of several phases, so that every
part of the scenario meets it. `make test` runs each fault at both daemons at once, `make test-long` all cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.chaos.convergence import BLOCK_SECONDS, Stage
from tests.chaos.fault import Fault
from tests.chaos.outcome import Outcome
from tests.chaos.runs import BeforeBlock, Spoil
from tests.chaos.schedule import Schedule
from tests.chaos.table import SOCKET_FAULTS

DAEMONS = ("facilitator", "agent")
BOTH = "both"
WINDOW_BLOCKS, CYCLE_BLOCKS = 4, 9
"""A fault is there for so many of so many blocks."""
LATE_BLOCKS = WINDOW_BLOCKS + 2
"""How much longer each thing may take after its cause: the window, a failed cycle, and the block that it lands in."""
WINDOWS = Schedule(on_blocks=WINDOW_BLOCKS, of_blocks=CYCLE_BLOCKS)
PATIENCE_BLOCKS = 8
"""What a transaction that is lost or offers too little may cost."""
HIGH_BASE_FEE = 50 * 10**9
PHASES = (0, 3, 6)
"""The first block of the first window."""

cells = pytest.mark.parametrize(
    ("who", "phase"),
    [(BOTH, 0), *(pytest.param(who, phase, marks=pytest.mark.long) for who in DAEMONS for phase in PHASES)],
)
chances = pytest.mark.parametrize(
    ("who", "seed"),
    [(BOTH, 0), *(pytest.param(who, seed, marks=pytest.mark.long) for who in DAEMONS for seed in range(6))],
)


def spoils(who: str, fault: str | Fault, schedule: Schedule = WINDOWS, phase: int = 0) -> list[Spoil]:
    """Return a fault at a daemon, or at both."""
    later = replace(schedule, first_block=schedule.first_block + phase)
    return [Spoil(daemon, fault, later) for daemon in (DAEMONS if who == BOTH else (who,))]


def assert_converges(
    stage: Stage,
    usual: Outcome,
    faults: Iterable[Spoil],
    *,
    late_blocks: int = LATE_BLOCKS,
    block_seconds: float = BLOCK_SECONDS,
    before_block: BeforeBlock | None = None,
    seed: int = 0,
    nodes: int = 1,
) -> Outcome:
    """Run the scenario with faults, and compare its end with the usual one.

    Args:
        faults: one that never strikes has shown nothing, and is a failure.
        late_blocks: how much longer each thing may take after its cause.
        block_seconds: of this run.
        before_block: is awaited before each block is mined.
        seed: of what is left to chance.
        nodes: how many each daemon has.
    """
    faults = list(faults)
    has_feed = any(each.fault in SOCKET_FAULTS for each in faults if isinstance(each.fault, str))
    outcome = stage.play(
        *faults, block_seconds=block_seconds, before_block=before_block, seed=seed, nodes=nodes, has_feed=has_feed
    )
    assert all(rule.struck for rule in stage.rules), "a fault has never struck"
    assert outcome.differences(usual, late_blocks) == [], "\n".join(stage.said)
    return outcome
