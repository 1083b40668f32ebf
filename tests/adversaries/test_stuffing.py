"""Somebody who fills blocks so that nobody else's transactions get in: what it gains on the market, and what it burns.

A stuffed block is one in which only the stuffer acts. What it burns is counted in wei, and its prize by the rule of
docs/attacks.md: half of a period costs ten times what all collateral is worth that can be taken at once.
"""

from __future__ import annotations

from collections.abc import Container

import pytest

from tests.adversaries.attack_costs import cost_of_stuffing, period_against
from tests.adversaries.cast import (
    ATTACKER,
    ATTACKERS,
    CHARGE,
    COLLATERAL,
    GROUP,
    INTEREST,
    OWNER,
    PERIOD,
    PRICE,
    PROVIDER,
    TENANT,
    TIP,
    WAIT,
    deposit_for,
)
from tests.adversaries.programs import Program, bid, cranks, order, play, service, tenancy
from tests.adversaries.stage import Stage
from tests.stateful.model import State, Terms

ETHER = 10**18
CHAIN = 45_000_000, 10**9  # gas limit, base fee
HALF = PERIOD // 2
PRIZE = cost_of_stuffing(HALF, *CHAIN) // 10
"""Wei that all collateral of a tenant may be worth on a market with this period."""


def held_up(stage: Stage, program: Program, stuffed: Container[int]) -> Program:
    """Let a program act in blocks that are not stuffed: what it sends there waits."""
    while True:
        while stage.block in stuffed:
            yield stage.block + 1
        again = next(program, None)
        if again is None:
            return
        yield again


def leases_of_the_attacker(stage: Stage, count: int) -> list[Terms]:
    """Let the honest provider win and confirm leases of a tenant who wants its collateral."""
    orders = stage.submit_deployment(ATTACKER, count * [GROUP], count * [deposit_for(10)])
    for terms in orders:
        stage.submit_fulfillment(PROVIDER, terms, PRICE)
    stage.pass_blocks(WAIT)
    stage.submit_lease(ATTACKER, orders)
    stage.submit_lease_confirmation(PROVIDER, orders)
    return orders


def take_collateral(stage: Stage, leases: list[Terms], deadline: int) -> Program:
    """Call all leases stale in the first block in which they may be, before anybody else acts."""
    yield deadline + 1
    late = [terms for terms in leases if stage.model._is_stale(stage.order(terms))]
    if late:
        stage.submit_stale_lease(ATTACKER, late)


@pytest.mark.parametrize("count", [1, 8])
def test_d01_stuffer__fills_half_of_a_period__takes_all_collateral_and_burns_ten_times_as_much(
    stage: Stage, count: int
) -> None:
    leases = leases_of_the_attacker(stage, count)
    start = stage.block
    stuffed = range(start + HALF, start + PERIOD + 1)  # from the block in which the provider wants to confirm again

    parties = take_collateral(stage, leases, start + PERIOD), held_up(stage, service(stage, PROVIDER), stuffed)
    play(stage, *parties, until=start + PERIOD + 2)
    profits = stage.leave()

    assert period_against(PRIZE, *CHAIN) == PERIOD
    assert all(stage.state(terms) == State.STALE for terms in leases)
    gain = profits[ATTACKER]
    assert gain == count * COLLATERAL - TIP  # of the closed deployment; nothing was served since the first block
    burnt = cost_of_stuffing(len(stuffed), *CHAIN)
    assert gain * PRIZE // (count * COLLATERAL) - burnt < -9 * PRIZE


@pytest.mark.parametrize("gap", [0, 1, HALF // 2, HALF - 1, HALF])
def test_d01_stuffer__leaves_one_block_to_others__burns_it_all_for_nothing(stage: Stage, gap: int) -> None:
    leases = leases_of_the_attacker(stage, 2)
    start = stage.block
    stuffed = {*range(start + HALF, start + PERIOD + 1)} - {start + HALF + gap}

    parties = take_collateral(stage, leases, start + PERIOD), held_up(stage, service(stage, PROVIDER), stuffed)
    play(stage, *parties, tenancy(stage, leases, start + PERIOD + 2), until=start + 2 * PERIOD)
    profits = stage.leave()

    assert all(stage.state(terms) == State.CLOSED for terms in leases)
    assert profits[OWNER] == 2 * (PERIOD + 2) * CHARGE
    assert profits[ATTACKER] == -profits[OWNER] - TIP  # of the closed deployment


@pytest.mark.parametrize(("blocks", "winner"), [(WAIT, ATTACKERS[0]), (WAIT - 1, PROVIDER)])
def test_d01_stuffer__fills_the_wait_of_an_order__its_friend_wins_at_no_more_than_the_maximum(
    stage: Stage, blocks: int, winner: int
) -> None:
    terms = order(stage, periods=2)
    start = stage.block
    stuffed = range(start, start + blocks)

    play(
        stage,
        bid(stage, ATTACKERS[0], terms, PRICE),
        held_up(stage, bid(stage, PROVIDER, terms, PRICE - 1), stuffed),
        cranks(stage, ATTACKER),
        until=start + WAIT - 1,
    )
    stage.pass_blocks(1)
    stage.submit_lease(ATTACKER, [terms])
    play(
        stage, service(stage, winner), cranks(stage), tenancy(stage, [terms], start + 3 * WAIT), until=start + 4 * WAIT
    )
    profits = stage.leave()

    assert stage.lease(terms).provider == winner
    served = 2 * WAIT * (PRICE - (winner == PROVIDER) + INTEREST)
    assert profits[TENANT] == -served - 2 * TIP  # of match and closed deployment
    assert profits[ATTACKER] == TIP + (served if winner != PROVIDER else 0)
    assert profits[OWNER] == (served if winner == PROVIDER else 0)
    assert cost_of_stuffing(blocks, *CHAIN) > 2 * ETHER
