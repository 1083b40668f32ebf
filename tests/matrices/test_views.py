"""Every number that a view takes, at its extremes: what is there is shown, of anything else zeros."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import boa  # type: ignore[import-untyped]
import pytest
from boa.util.abi import Address  # type: ignore[import-untyped]

from tests.matrices.authority import CANCELLABLE, MANAGERS, RUNNING
from tests.matrices.cast import OWNER, TENANT, WINNER
from tests.matrices.extremes import extremes
from tests.matrices.interface import Function, functions, replaced
from tests.matrices.pair import Pair
from tests.matrices.ranges import NUMBER, Range
from tests.matrices.registry import FIRST, RegistryPair
from tests.stateful.evm import create

MANAGER = next(iter(MANAGERS))
CONTRACTS = ("Exchange", "ProviderRegistry", "MoorageToken")
OTHERS = (Range(2**32, 2**40), Range(2**96, 2**128), Range(2**160 - 1, 2**160))
"""Where fields of words begin and end: a number that was cut to its field would be taken for another."""


def views_of(contract: str) -> dict[str, Function]:
    return {name: each for name, each in functions(contract).items() if name and not each.is_transaction}


def numbers_of(contract: str) -> list[tuple[str, str, int]]:
    """Return view, number and place of each number that a view takes."""
    return [
        (name, leaf.name, leaf.positions[0])
        for name, view in views_of(contract).items()
        for leaf in view.leaves
        if leaf.is_number
    ]


@pytest.fixture(scope="module")
def samples(pair: Pair) -> Iterator[dict[str, tuple[Address, dict[str, list[Any]]]]]:
    """Return each contract with arguments for which its views have something to show."""
    assert pair.market
    order = pair.ids.order(CANCELLABLE)
    exchange = {
        "account": [TENANT],
        "manager": [pair.ids.deployment(RUNNING), MANAGER],
        "fulfillment": [order, WINNER],
    }
    registered = RegistryPair()
    with registered.branch():
        registered.set_up()
        of_providers: dict[str, list[Any]] = {name: [FIRST] for name in views_of("ProviderRegistry")}
        token = create("MoorageToken", ["uint256"], [2**96 - 1])
        holder = str(boa.env.eoa).lower()
        ours: dict[str, list[Any]] = {"balanceOf": [holder], "allowance": [holder, holder], "nonces": [holder]}
        yield {
            "Exchange": (pair.market.exchange, exchange),
            "ProviderRegistry": (registered.contract, of_providers),
            "MoorageToken": (token, ours),
        }


def answer(contract: Address, data: bytes) -> bytes | None:
    """Return what a view says, or nothing if it reverts without a text."""
    result = boa.env.execute_code(to_address=contract, data=data, is_modifying=False)
    assert not result.is_error or result.output == b""
    return None if result.is_error else bytes(result.output)


@pytest.mark.parametrize(("contract", "view", "number", "place"), [(c, *n) for c in CONTRACTS for n in numbers_of(c)])
def test_a17_view__number_at_its_extremes__shows_what_has_this_number_alone(
    samples: dict[str, tuple[Address, dict[str, list[Any]]]], contract: str, view: str, number: str, place: int
) -> None:
    deployed, arguments = samples[contract]
    function = views_of(contract)[view]
    given = arguments[view]
    (leaf,) = (leaf for leaf in function.leaves if leaf.positions == (place,))
    usual = given[place] if isinstance(given[place], int) else int(given[place], 16)
    tried = chain.from_iterable(extremes(each, usual, usual + 2**32, usual + 2**160) for each in OTHERS)

    shown = {
        value: answer(deployed, function.encode(replaced(given, (place,), value), is_loose=True))
        for value in sorted({usual, *tried})
    }

    has_much = {value for value, said in shown.items() if said and any(said)}
    unreadable = {value for value, said in shown.items() if said is None}
    assert unreadable == {value for value in shown if value >= 2**leaf.bits}
    assert has_much <= {usual, *known(view)}
    assert usual in has_much or view in ("allowance", "nonces")


def known(view: str) -> set[int]:
    """Return the other numbers below the first extremes of which a view has something to say."""
    return {1, 2} if view in {"account", *views_of("ProviderRegistry")} else set()


def test_a17_views__accounts_whose_last_bits_are_the_same__are_not_confused(pair: Pair) -> None:
    assert pair.market
    function = functions("Exchange")["account"]
    numbers = WINNER, WINNER + NUMBER + 1, int(OWNER, 16)

    shown = [answer(pair.market.exchange, function.encode([number], is_loose=True)) for number in numbers]

    assert len(set(shown)) == 3
    assert shown[1] == bytes(64)


def test_a17_views__with_numbers__are_all_that_the_abi_has(capsys: pytest.CaptureFixture[str]) -> None:
    found = {contract: {name for name, _, _ in numbers_of(contract)} for contract in CONTRACTS}
    with capsys.disabled():
        print(f"\n{sum(len(numbers_of(contract)) for contract in CONTRACTS)} numbers in views")

    assert found["Exchange"] == {"account", "manager", "fulfillment"}
    assert found["ProviderRegistry"] == {"operator_of", "owner_of", "bidder", "profile", "roots"}
    assert found["MoorageToken"] == {"balanceOf", "allowance", "nonces"}
