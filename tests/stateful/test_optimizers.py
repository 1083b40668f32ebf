"""Walks through a market, refusals included, have the same outcome at every level of the compiler's optimiser."""

from __future__ import annotations

from functools import cache

import pytest
from eth_abi.abi import decode

from moorage.chain import abi
from tests.bytecode import LEVEL, LEVELS
from tests.stateful import side_by_side
from tests.stateful.evm import ERROR, Market
from tests.stateful.exchange_machine import ExchangeMachine, FullBooks
from tests.stateful.replay import Call, Outcome, recorder, replay

SEEDS = range(3)
WALKS: list[tuple[type[ExchangeMachine], int, int]] = [(ExchangeMachine, seed, 60) for seed in SEEDS]
"""State machine, seed, steps."""
WALKS += [(FullBooks, 0, 20)]

each_walk = pytest.mark.parametrize("which", WALKS, ids=lambda which: f"{which[0].__name__} {which[1]}")

Walk = tuple[tuple[Call, Outcome], ...]


@cache
def walk(machine_class: type[ExchangeMachine], seed: int, steps: int) -> Walk:
    """Let a state machine take its steps; return what it has sent and what came of it."""
    with pytest.MonkeyPatch.context() as patch, recorder() as env:
        patch.setattr(side_by_side, "market", Market)
        patch.setattr(machine_class, "tell", staticmethod(env.describe))
        patch.setattr(machine_class, "seed", seed)
        machine = machine_class()
        machine.open_market(seed)
        for ticket in range(steps):
            machine.act(ticket)
        machine.teardown()
        return tuple(zip(env.calls, env.outcomes, strict=True))


def transactions(walk: Walk) -> list[tuple[str, Outcome]]:
    """Return name and outcome of what was sent to the exchange."""
    names = {function.selector: name for name, function in abi.load("Exchange").functions.items()}
    return [(names[call.data[:4]], outcome) for call, outcome in walk if call.is_modifying and call.data[:4] in names]


@each_walk
@pytest.mark.parametrize("level", [level for level in LEVELS if level != LEVEL])
def test_f11_optimizer__another_level__gives_the_same_answers_events_and_storage(
    which: tuple[type[ExchangeMachine], int, int], level: str
) -> None:
    walked = walk(*which)

    replayed = replay([call for call, _ in walked], level)

    assert len(replayed) == len(walked)
    for (call, outcome), other in zip(walked, replayed, strict=True):
        assert other == outcome, f"level {level}, block {call.block}, {call.words!r}: {call.data.hex()}"


def test_f11_walks__all_of_them__send_most_of_what_can_be_sent() -> None:
    sent = [transaction for which in WALKS for transaction in transactions(walk(*which))]
    accepted = {name for name, outcome in sent if not outcome.is_refused}
    refusals = [outcome.answer for _, outcome in sent if outcome.is_refused]

    assert len(sent) >= 300
    assert len(refusals) >= 60
    assert len({decode(["string"], answer[4:]) for answer in refusals if answer.startswith(ERROR)}) >= 20
    assert len(accepted) >= 14
