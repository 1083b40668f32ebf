"""The contract does what the model of docs/protocol.md does, whatever is sent in whatever order.

The seeds are the same at each change, and drawn anew in the long run. A failure prints its own: with
STATEFUL_SEED=<seed> the first part takes the same steps again.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.evm import market
from tests.stateful.exchange_machine import ExchangeMachine, FullBooks
from tests.variables import stateful_seed

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
PARTS = 4
"""In which the runs are cut, for as many processes."""
RUNS = 10_000 if IS_LONG else 200
RUNS_OF_A_SEED = 5
LIMIT_SECONDS = 8 * 3600 if IS_LONG else 600


@pytest.fixture(scope="session", autouse=True)
def markets() -> None:
    """Deploy before the first test: what is deployed within a test or a run ends with it."""
    for setting in (*ExchangeMachine.markets, *FullBooks.markets):
        market(setting)


@pytest.mark.timeout(LIMIT_SECONDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_exchange__any_transactions_in_any_order__does_what_the_model_does(part: int) -> None:
    run(ExchangeMachine, runs=RUNS // PARTS, steps=50, skip=part * RUNS // PARTS)


@pytest.mark.timeout(LIMIT_SECONDS)
def test_exchange__books_filled_with_any_hints__does_what_the_model_does() -> None:
    run(FullBooks, runs=100 if IS_LONG else 2, steps=100)


def run(machine: type[ExchangeMachine], *, runs: int, steps: int, skip: int = 0) -> None:
    """Run the machine, a few times with each of a row of seeds, those of the first `skip` runs left out."""
    options = settings(
        max_examples=min(runs, RUNS_OF_A_SEED),
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    drawn = random.SystemRandom().getrandbits(32) if IS_LONG else 0
    given = stateful_seed(os.environ)
    first = (drawn if given is None else given) + skip // RUNS_OF_A_SEED
    for chosen in range(first, first + max(1, runs // RUNS_OF_A_SEED)):
        machine.seed = chosen
        try:
            run_state_machine_as_test(seed(chosen)(machine), settings=options)
        except BaseException as failure:
            failure.add_note(f"STATEFUL_SEED={chosen} takes these steps again")
            raise
