"""What the constructor of an exchange lets through: each bound, one below and one above it."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.creation import creation_refusal
from tests.contracts.market import NOBODY

MAX_WORD = 2**256 - 1

# parameter -> (value, what the constructor says to it) around each bound
TABLE: dict[str, list[tuple[int, str | None]]] = {
    "reconfirmation_period_blocks": [
        (0, "parameters: period too short"),
        (3, "parameters: period too short"),
        (4, None),
        (5, None),
        (999_999, None),
        (1_000_000, None),
        (1_000_001, "parameters: period too long"),
        (MAX_WORD, "parameters: period too long"),
    ],
    "collateral_interest_rate": [
        (0, None),
        (1, None),
        (10**12 - 1, None),
        (10**12, None),
        (10**12 + 1, "parameters: interest too high"),
        (MAX_WORD, "parameters: interest too high"),
    ],
    "facilitator_tip": [
        (0, None),
        (1, None),
        (2**80 - 2, None),
        (2**80 - 1, None),
        (2**80, "parameters: tip too high"),
        (MAX_WORD, "parameters: tip too high"),
    ],
    "closing_grace_blocks": [
        (0, "parameters: grace too short"),
        (1, None),
        (2, None),
        (999_999, None),
        (1_000_000, None),
        (1_000_001, "parameters: grace too long"),
        (MAX_WORD, "parameters: grace too long"),
    ],
    "max_fulfillments": [
        (0, "parameters: too few bids"),
        (1, None),
        (2, None),
        (31, None),
        (32, None),
        (33, "parameters: too many bids"),
        (MAX_WORD, "parameters: too many bids"),
    ],
}

PLAIN = {
    "reconfirmation_period_blocks": 100,
    "collateral_interest_rate": 10**9,
    "facilitator_tip": 10**15,
    "closing_grace_blocks": 50,
    "max_fulfillments": 32,
}

EMPTY_ACCOUNT = "0x00000000000000000000000000000000000Decaf"


@pytest.fixture(scope="module")
def registry(module_isolation: None, accounts: Any) -> Any:
    return brownie.ProviderRegistry.deploy(0, {"from": accounts[0]})


@pytest.fixture(scope="module")
def token(registry: Any, accounts: Any) -> Any:
    return brownie.MoorageToken.deploy(10**24, {"from": accounts[0]})


@pytest.mark.parametrize("parameter", TABLE)
def test_constructor__around_each_bound__takes_what_is_inside(token: Any, registry: Any, parameter: str) -> None:
    answers = [
        (value, creation_refusal(brownie.Exchange, token, registry, *(PLAIN | {parameter: value}).values()))
        for value, _ in TABLE[parameter]
    ]

    assert answers == TABLE[parameter]


@pytest.mark.parametrize("is_largest", [False, True])
def test_constructor__bounds_together__are_stored_exactly(
    token: Any, registry: Any, accounts: Any, is_largest: bool
) -> None:
    inside = {name: [value for value, refused in row if refused is None] for name, row in TABLE.items()}
    values = {name: (max if is_largest else min)(allowed) for name, allowed in inside.items()}

    exchange = brownie.Exchange.deploy(token, registry, *values.values(), {"from": accounts[0]})

    scale = {"ledger_scale": 1}
    expected = values | scale | {"settlement_token": token, "provider_registry": registry}
    assert exchange.market_parameters().dict() == expected


@pytest.mark.parametrize("account", [NOBODY, EMPTY_ACCOUNT])
def test_a18_constructor__address_without_code__is_refused(token: Any, registry: Any, account: str) -> None:
    values = PLAIN.values()

    assert creation_refusal(brownie.Exchange, account, registry, *values) == "parameters: token has no code"
    assert creation_refusal(brownie.Exchange, token, account, *values) == "parameters: registry has no code"


def test_a18_constructor__token_that_is_no_token__reverts(registry: Any) -> None:
    assert creation_refusal(brownie.Exchange, registry, registry, *PLAIN.values()) is not None


@pytest.mark.parametrize(
    ("decimals", "scale", "expected"),
    [
        (0, 10**18, None),
        (6, 10**12, None),
        (17, 10, None),
        (18, 1, None),
        (19, 1, None),
        (36, 1, None),
        (37, 0, "parameters: too many decimals"),
        (255, 0, "parameters: too many decimals"),
    ],
)
def test_a15_constructor__decimals_of_the_token__scale_the_ledger(
    registry: Any, accounts: Any, decimals: int, scale: int, expected: str | None
) -> None:
    token = brownie.StandardToken.deploy(1, decimals, {"from": accounts[0]})

    assert creation_refusal(brownie.Exchange, token, registry, *PLAIN.values()) == expected
    if expected is None:
        exchange = brownie.Exchange.deploy(token, registry, *PLAIN.values(), {"from": accounts[0]})
        assert exchange.market_parameters()["ledger_scale"] == scale


def test_a18_constructor__token_without_supply__is_refused(registry: Any, accounts: Any) -> None:
    token = brownie.StandardToken.deploy(0, 18, {"from": accounts[0]})

    assert creation_refusal(brownie.Exchange, token, registry, *PLAIN.values()) == "parameters: token has no supply"
