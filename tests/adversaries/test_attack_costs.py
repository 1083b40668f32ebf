"""The price of stuffing blocks, which the contract can't prevent: the figures on which a period is chosen."""

from __future__ import annotations

import json

import pytest

from tests.adversaries.attack_costs import (
    CONFIRMATION_GAS,
    blocks_stuffed_for,
    cost_of_outbidding,
    cost_of_stuffing,
    period_against,
)
from tests.bytecode import ROOT

GWEI = 10**9
ETHER = 10**18
MAINNET = 45_000_000, GWEI
CHEAP = 60_000_000, GWEI // 100


@pytest.mark.parametrize(
    ("chain", "blocks", "tenths_of_ether"),
    [
        *((MAINNET, 25, 65), (MAINNET, 50, 1_300), (MAINNET, 75, 24_700), (MAINNET, 100, 469_000)),
        *((CHEAP, 50, 17), (CHEAP, 75, 330), (CHEAP, 100, 6_260)),
    ],
)
def test_d01_stuffing__blocks_in_a_row__costs_what_others_have_computed(
    chain: tuple[int, int], blocks: int, tenths_of_ether: int
) -> None:
    cost = cost_of_stuffing(blocks, *chain)

    assert cost == pytest.approx(tenths_of_ether * ETHER // 10, rel=0.02)


def test_d01_stuffing__base_fee_of_full_blocks__rises_by_an_eighth_and_by_a_wei_at_least() -> None:
    assert cost_of_stuffing(0, 30, 8) == 0
    assert cost_of_stuffing(3, 30, 800) == 30 * (800 + 900 + 1_012)
    assert cost_of_stuffing(3, 30, 1) == 30 * (1 + 2 + 3)


@pytest.mark.parametrize("prize", [1, ETHER, 100 * ETHER, 10_000 * ETHER])
def test_d01_period__against_a_prize__is_the_shortest_of_which_half_costs_ten_times_as_much(prize: int) -> None:
    half = period_against(prize, *MAINNET) // 2

    assert cost_of_stuffing(half, *MAINNET) >= 10 * prize > cost_of_stuffing(half - 1, *MAINNET)


def test_d01_stuffing__money_for_some_blocks__is_enough_for_these_and_no_more() -> None:
    cost = cost_of_stuffing(40, *MAINNET)

    assert [blocks_stuffed_for(money, *MAINNET) for money in (0, cost - 1, cost)] == [0, 39, 40]


def test_d01_outbidding__one_block__costs_as_many_offers_as_confirmations_fit_into_it() -> None:
    assert cost_of_outbidding(ETHER // 100, 36_000_000) == 10 * ETHER


def test_d01_outbidding__gas_of_a_confirmation__is_what_the_benchmark_measures() -> None:
    figures = json.loads((ROOT / "reports" / "gas.json").read_text())

    assert pytest.approx(figures["submit_lease_confirmation"]["gas"], rel=0.1) == CONFIRMATION_GAS
