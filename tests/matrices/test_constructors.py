"""What the constructors of the three contracts let through: every number at its bounds and beyond."""

from __future__ import annotations

from typing import Any

import boa  # type: ignore[import-untyped]
import pytest
from eth_abi.abi import encode

from tests.bytecode import creation_code
from tests.matrices.cast import ORDINARY
from tests.matrices.extremes import extremes
from tests.matrices.interface import functions, replaced
from tests.matrices.ranges import CHARGE, MONEY, Range
from tests.stateful.evm import Market, market, refusal_of

RANGES: dict[str, dict[str, Range]] = {
    "Exchange": {
        "reconfirmation_period_blocks": Range(4, 1_000_000),
        "collateral_interest_rate": Range(0, 10**12),
        "facilitator_tip": Range(0, CHARGE),
        "closing_grace_blocks": Range(1, 1_000_000),
        "max_fulfillments": Range(1, 32),
    },
    "ProviderRegistry": {"root_delay_blocks": Range(0, 1_000_000)},
    "MoorageToken": {"supply": Range(1, MONEY)},
}
TEXTS = {
    "reconfirmation_period_blocks": ("parameters: period too short", "parameters: period too long"),
    "collateral_interest_rate": ("", "parameters: interest too high"),
    "facilitator_tip": ("", "parameters: tip too high"),
    "closing_grace_blocks": ("parameters: grace too short", "parameters: grace too long"),
    "max_fulfillments": ("parameters: too few bids", "parameters: too many bids"),
    "root_delay_blocks": ("", "registry: delay too long"),
    "supply": ("token: no supply", "token: supply too large"),
}
"""Argument -> what is said of one that is too small, and of one too large."""
NO_CODE = ("parameters: token has no code", "parameters: registry has no code")
TOO_HIGH = "parameters: chain too high"
MANY_DECIMALS = "parameters: too many decimals"
NO_SUPPLY = "parameters: token has no supply"

CASES = [(contract, name) for contract, ranges in RANGES.items() for name in ranges]


def usual(contract: str) -> list[Any]:
    deployed = market(ORDINARY)
    return [deployed.token, deployed.registry, 10, 0, 0, 7, 3] if contract == "Exchange" else [1]


def refused_creation(contract: str, values: list[Any]) -> str | None:
    """Create a contract and return what it is refused with, the empty text for no text."""
    data = creation_code(contract) + functions(contract)[""].encode(values, is_loose=True)
    with boa.env.anchor():
        _, computation = boa.env.deploy(bytecode=data)
    return refusal_of(computation)


def test_a17_e14_constructors__numbers_of_the_abi__are_those_of_the_table() -> None:
    for contract, ranges in RANGES.items():
        assert {leaf.name for leaf in functions(contract)[""].leaves} - {"token", "registry"} == set(ranges)


@pytest.mark.parametrize(("contract", "name"), CASES)
def test_a17_e14_constructor__number_at_its_extremes__is_accepted_within_its_range_alone(
    contract: str, name: str
) -> None:
    (leaf,) = (leaf for leaf in functions(contract)[""].leaves if leaf.name == name)
    least, most = RANGES[contract][name]
    for number in extremes(RANGES[contract][name]):
        refusal = refused_creation(contract, replaced(usual(contract), leaf.positions, number))

        too_small, too_large = TEXTS[name]
        assert refusal == (too_small if number < least else too_large if number > most else None)


@pytest.mark.parametrize("position", [0, 1])
def test_a17_e14_constructor__address_at_its_extremes__is_refused(position: int) -> None:
    for number in (0, 1, 2**160 - 1):
        assert refused_creation("Exchange", replaced(usual("Exchange"), (position,), number)) == NO_CODE[position]
    for number in (2**160, 2**255, 2**256 - 1):
        assert refused_creation("Exchange", replaced(usual("Exchange"), (position,), number)) == ""


@pytest.mark.parametrize(("height", "is_allowed"), [(0, True), (2**39 - 2, True), (2**39 - 1, False), (2**64, False)])
def test_a17_e14_constructor__height_of_the_chain__leaves_room_for_spans(height: int, is_allowed: bool) -> None:
    Market.at(height)

    assert refused_creation("Exchange", usual("Exchange")) == (None if is_allowed else TOO_HIGH)


@pytest.mark.parametrize(("decimals", "is_allowed"), [(0, True), (18, True), (36, True), (37, False), (255, False)])
def test_a17_e14_constructor__decimals_of_the_token__are_36_at_most(decimals: int, is_allowed: bool) -> None:
    text = refused_creation("Exchange", [token(1, decimals), *usual("Exchange")[1:]])

    assert text == (None if is_allowed else MANY_DECIMALS)


def test_a17_e14_constructor__token_without_supply__is_refused() -> None:
    assert refused_creation("Exchange", [token(0, 18), *usual("Exchange")[1:]]) == NO_SUPPLY


def token(supply: int, decimals: int) -> str:
    data = encode(["uint256", "uint8"], [supply, decimals])
    created, computation = boa.env.deploy(bytecode=creation_code("testing/StandardToken") + data)
    assert not computation.is_error
    return str(created)
