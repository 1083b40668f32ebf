"""Faults that daemons can only wait out, or answer with a replacement: blocks are as long as on a real chain here."""

from __future__ import annotations

import pytest

from moorage.chain import abi
from tests.chaos.convergence import Stage
from tests.chaos.log_faults import Drop
from tests.chaos.matrix import DAEMONS, HIGH_BASE_FEE, PATIENCE_BLOCKS, assert_converges
from tests.chaos.outcome import Outcome
from tests.chaos.runs import Run, Spoil
from tests.chaos.schedule import Schedule

BLOCK_SECONDS = 4.0
ENDINGS = ("LeaseClosing", "DeploymentClosing", "LeaseClosed", "LeaseStale", "DeploymentClosed", "LeaseCreated")

daemons = pytest.mark.parametrize("daemon", DAEMONS)
one = pytest.mark.parametrize("daemon", ["agent", pytest.param("facilitator", marks=pytest.mark.long)])


@pytest.mark.long
@daemons
def test_g24_daemon__calls_that_are_never_answered__are_given_up(stage: Stage, usual: Outcome, daemon: str) -> None:
    hang = [Spoil(daemon, "hang", Schedule(on_blocks=1, of_blocks=10))]

    assert_converges(stage, usual, hang, late_blocks=PATIENCE_BLOCKS, block_seconds=BLOCK_SECONDS)


@pytest.mark.long
@daemons
def test_g01_daemon__third_transaction_is_swallowed__all_take_place_once(
    stage: Stage, usual: Outcome, daemon: str
) -> None:
    swallow = [Spoil(daemon, "swallow_tx", Schedule(skip=2, times=1))]

    assert_converges(stage, usual, swallow, late_blocks=PATIENCE_BLOCKS, block_seconds=BLOCK_SECONDS)


@pytest.mark.parametrize("first", [6, pytest.param(13, marks=pytest.mark.long)])
def test_g03_daemons__base_fee_jumps__are_replaced_as_geth_wants_it(stage: Stage, usual: Outcome, first: int) -> None:
    """What is in the pool at that moment is stuck there, or evicted; each is offered again for more."""

    async def raise_base_fee(run: Run) -> None:
        if (run.age - first) % 13 == 0:
            await run.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(HIGH_BASE_FEE))

    strict = [Spoil(daemon, "geth_price_bump") for daemon in DAEMONS]

    assert_converges(
        stage,
        usual,
        strict,
        late_blocks=PATIENCE_BLOCKS,
        block_seconds=BLOCK_SECONDS,
        before_block=raise_base_fee,
    )


@one
def test_g10_daemon__every_event_of_a_match_or_an_end_is_dropped__state_tells(
    stage: Stage, usual: Outcome, daemon: str
) -> None:
    topics = [entry.topic for entry in abi.load("Exchange").events.values() if entry.name in ENDINGS]

    assert_converges(stage, usual, [Spoil(daemon, Drop(*topics))], late_blocks=1)
