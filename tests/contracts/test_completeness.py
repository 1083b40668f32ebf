"""Nothing of the contracts goes untested unnoticed: functions, revert texts and events are looked for in the tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import brownie

TESTS = Path(__file__).parent
CONTRACTS = TESTS.parents[1] / "contracts"
MARKET = ("Exchange", "ProviderRegistry", "MoorageToken")
SOURCES = [*(CONTRACTS / f"{name}.vy" for name in MARKET), *CONTRACTS.glob("_modules/*.vy")]

# A view without an argument tells what the constructor was given.
PARAMETER_TESTS = TESTS / "parameters" / "test_bounds.py"

REVERT_TEXT = re.compile(r'"([a-z_]+: [^"]+)"')
DOCSTRING = re.compile(r'""".*?"""', re.DOTALL)


def _strings(*folders: Path) -> Iterator[str]:
    """Yield all strings in the tests, apart from this file."""
    for folder in folders:
        for path in folder.rglob("*.py"):
            if path != Path(__file__):
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value


def _tested_functions(folder: Path) -> set[str]:
    """Return the subjects of the tests in the files that are named after them."""
    return {
        path.stem.removeprefix("test_") for path in folder.glob("test_*.py") if f"def {path.stem}__" in path.read_text()
    }


def _functions(abi: list[dict]) -> Iterator[tuple[str, bool]]:
    """Yield name and whether it is a parameter of the market."""
    for entry in abi:
        if entry["type"] == "function":
            yield entry["name"], entry["stateMutability"] == "view" and not entry["inputs"]


def test_completeness__functions_of_the_exchange__have_a_test_file_each():
    expected = {name for name, is_parameter in _functions(brownie.Exchange.abi) if not is_parameter}

    assert sorted(expected - _tested_functions(TESTS / "exchange")) == []


def test_completeness__parameters_of_the_exchange__are_tested():
    expected = {name for name, is_parameter in _functions(brownie.Exchange.abi) if is_parameter}

    assert sorted(name for name in expected if name not in PARAMETER_TESTS.read_text()) == []


def test_completeness__transactions_of_the_registry__have_a_test_file_each():
    abi = brownie.ProviderRegistry.abi
    expected = {each["name"] for each in abi if each["type"] == "function" and each["stateMutability"] != "view"}

    assert sorted(expected - _tested_functions(TESTS / "registry")) == []


def test_completeness__revert_texts_of_the_market__appear_in_the_tests():
    code = [DOCSTRING.sub("", path.read_text(encoding="ascii")) for path in SOURCES]
    expected = {text for source in code for text in REVERT_TEXT.findall(source)}

    assert len(expected) > 50
    assert sorted(expected - set(_strings(TESTS))) == []


def test_completeness__events_of_the_exchange__appear_in_its_tests():
    expected = {each["name"] for each in brownie.Exchange.abi if each["type"] == "event"}

    assert sorted(expected - set(_strings(TESTS / "exchange"))) == []
