"""Time is counted in blocks: a halted chain and crooked timestamps change nothing."""

from __future__ import annotations

from itertools import cycle

import boa  # type: ignore[import-untyped]
import pytest

from tests.adversaries.cast import (
    CHARGE,
    COLLATERAL,
    FACILITATOR,
    GRACE,
    OWNER,
    PERIOD,
    PRICE,
    PROVIDER,
    TENANT,
    WAIT,
)
from tests.adversaries.programs import leased, order
from tests.adversaries.stage import Stage, refused
from tests.stateful.model import NOTHING, State

HALT_SECONDS = 14 * 3600


def pass_seconds(seconds: int) -> None:
    boa.env.evm.patch.timestamp += seconds


def test_b22_timestamps__any_of_them_in_each_block__lease_goes_as_it_goes_without(stage: Stage) -> None:
    start = boa.env.evm.patch.timestamp
    skews = cycle((15, -15, 2**40, -15, 0))

    def next_block(count: int) -> None:
        stage.pass_blocks(count)
        boa.env.evm.patch.timestamp = start + next(skews)

    terms = order(stage, periods=4)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    next_block(WAIT - 1)
    with refused(NOTHING):
        stage.submit_lease(FACILITATOR, [terms])
    next_block(1)
    stage.submit_lease(FACILITATOR, [terms])
    stage.submit_lease_confirmation(PROVIDER, [terms])
    next_block(PERIOD)
    stage.submit_lease_confirmation(PROVIDER, [terms])
    next_block(PERIOD)
    with refused(NOTHING):
        stage.submit_stale_lease(FACILITATOR, [terms])
    next_block(1)
    stage.submit_stale_lease(FACILITATOR, [terms])

    assert stage.leave()[OWNER] == PERIOD * CHARGE - COLLATERAL


@pytest.mark.parametrize("blocks", [1, PERIOD])
def test_b23_d08_chain_halt__fourteen_hours_in_one_block__nobody_is_stale_and_all_can_still_confirm(
    stage: Stage, blocks: int
) -> None:
    terms = leased(stage, PROVIDER, PRICE)

    stage.pass_blocks(blocks)
    pass_seconds(HALT_SECONDS)
    with refused(NOTHING):
        stage.submit_stale_lease(FACILITATOR, [terms])
    stage.submit_lease_confirmation(PROVIDER, [terms])
    stage.close_deployment(TENANT, terms.deployment)

    assert stage.leave()[OWNER] == blocks * CHARGE


def test_b23_chain_halt__within_the_wait_and_within_the_grace__neither_is_shorter(stage: Stage) -> None:
    terms = order(stage)
    stage.submit_fulfillment(PROVIDER, terms, PRICE)
    stage.pass_blocks(1)
    pass_seconds(HALT_SECONDS)
    with refused(NOTHING):
        stage.submit_lease(FACILITATOR, [terms])
    stage.pass_blocks(WAIT - 1)
    stage.submit_lease(FACILITATOR, [terms])
    stage.close_deployment(TENANT, terms.deployment)

    stage.pass_blocks(GRACE)
    pass_seconds(HALT_SECONDS)
    with refused(NOTHING):
        stage.finish_leases(FACILITATOR, [terms])
    stage.confirm_closed(PROVIDER, [terms])

    assert stage.state(terms) == State.CLOSED
    assert stage.leave()[OWNER] == 0
