"""What is worth telling although nothing happens."""

from __future__ import annotations

import pytest

from cli.core.hints import PATIENCE_BLOCKS, hints
from moorage.types import DeploymentState, OrderState
from tests.factories.deployments import MONEY, PERIOD, attempt, bid, lease, view

OPEN = attempt(OrderState.OPEN, match_block=100)
BID_ON = attempt(OrderState.OPEN, match_block=100, bids=(bid(1),))


def leased(**changes):
    return attempt(lease=lease(**changes))


@pytest.mark.parametrize(
    ("one", "block", "told"),
    [
        (OPEN, 99, []),
        (OPEN, 100, ["no-bids"]),
        (BID_ON, 100 + PATIENCE_BLOCKS - 1, []),
        (BID_ON, 100 + PATIENCE_BLOCKS, ["not-matched"]),
        (leased(), 105, []),
        (leased(), 100 + PERIOD + PATIENCE_BLOCKS, []),
        (leased(), 101 + PERIOD + PATIENCE_BLOCKS, ["not-ended"]),
        (leased(confirmed_block=3_690), 3_689, []),
        (leased(confirmed_block=3_690), 3_690, ["low"]),
        (leased(confirmed_block=3_700), 3_700, ["exhausted"]),
        (leased(is_awaiting=True, funded_block=102), 101, []),
        (attempt(OrderState.LEASE_CLOSED), 9_999, []),
    ],
)
def test_hints__situation__is_told_from_the_right_block_on(one, block, told):
    assert [line.event for line in hints(view(one, block=block), MONEY)] == told


def test_hints__deployment_is_closing__has_none():
    assert hints(view(OPEN, block=500, state=DeploymentState.CLOSING), MONEY) == ()


@pytest.mark.parametrize(
    ("one", "command"),
    [(BID_ON, f"`moorage match 0x{BID_ON.id.hex()}`"), (leased(), f"`moorage stale 0x{leased().id.hex()}`")],
)
def test_d07_hints__no_facilitator_does_it__name_the_command_that_does(one, command):
    (line,) = hints(view(one, block=500), MONEY)

    assert command in line.text
