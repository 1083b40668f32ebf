"""The variables of the environment that people set for a run of the tests; an empty one is as good as none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.bytecode import LEVELS


def faults(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable that has no value it can have."""
    level = variables.get("VYPER_OPTIMIZE")
    if level and level not in LEVELS:
        yield f"VYPER_OPTIMIZE={level}: no level of the optimiser; there are {', '.join(LEVELS)}"
    try:
        stateful_seed(variables)
    except ValueError:
        yield f"STATEFUL_SEED={variables['STATEFUL_SEED']}: no whole number; give the one that the failure printed"


def stateful_seed(variables: Mapping[str, str]) -> int | None:
    """Return the seed that is asked for."""
    text = variables.get("STATEFUL_SEED")
    return int(text) if text else None
