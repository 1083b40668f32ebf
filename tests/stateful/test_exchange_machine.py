"""The contract does what the model of docs/protocol.md does, whatever is sent in whatever order.

A failure prints its seed: STATEFUL_SEED=<seed> runs the same steps again.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.exchange_machine import ExchangeMachine, market
from tests.stateful.settings import SETTINGS

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
RUNS = 10_000 if IS_LONG else 200
STEPS = 50


@pytest.mark.timeout(6 * 3600 if IS_LONG else 600)
def test_exchange__any_transactions_in_any_order__does_what_the_model_does() -> None:
    for setting in SETTINGS:
        market(setting)  # before the first run: what is deployed within one ends with it
    chosen = int(os.environ.get("STATEFUL_SEED") or random.SystemRandom().getrandbits(32))
    machine = seed(chosen)(ExchangeMachine)
    options = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    try:
        run_state_machine_as_test(machine, settings=options)
    except BaseException as failure:
        failure.add_note(f"run it again with STATEFUL_SEED={chosen}")
        raise
