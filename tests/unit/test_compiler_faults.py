"""Faults of the compiler that the contract lint keeps clear of, seen at work.

When one of these tests fails, the compiler has changed: look whether it is mended, and whether the rule can go.
"""

from __future__ import annotations

import boa  # type: ignore[import-untyped]
import pytest
import vyper
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector
from vyper.compiler import compile_code
from vyper.compiler.settings import OptimizationLevel, Settings
from vyper.exceptions import TypeMismatch, VersionException

from tests.bytecode import LEVELS, ROOT
from tests.contract_lint import COMPILER

FIXTURES = ROOT / "tests" / "fixtures" / "vyper"
ADDRESS = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


def compiled(source: str, level: str = "gas") -> bytes:
    settings = Settings(optimize=OptimizationLevel.from_string(level))
    code: str = compile_code(source, output_formats=["bytecode"], settings=settings)["bytecode"]
    return bytes.fromhex(code.removeprefix("0x"))


def answer(file: str, level: str, function: str) -> bytes:
    """Deploy a source and return what a function of it says to `true`."""
    with boa.swap_env(boa.Env()):
        contract, _ = boa.env.deploy(bytecode=compiled((FIXTURES / file).read_text(encoding="ascii"), level))
        data = function_signature_to_4byte_selector(f"{function}(bool)") + encode(["bool"], [True])
        result = boa.env.execute_code(contract, data=data)
    assert not result.is_error
    return bytes(result.output)


@pytest.mark.parametrize(("level", "at_once"), [("none", 44), ("gas", 1), ("codesize", 1)])
def test_f01_canary__or_of_what_was_sent_in_a_ternary__is_folded_when_optimised(level: str, at_once: int) -> None:
    assert decode(["uint256"], answer("f01_or_in_ternary.vy", level, "at_once")) == (at_once,)
    assert decode(["uint256"], answer("f01_or_in_ternary.vy", level, "in_two_steps")) == (36 | 8,)


@pytest.mark.parametrize("level", LEVELS)
def test_f02_canary__ternary_of_arrays_of_other_bounds__mixes_their_elements(level: str) -> None:
    right = decode(["uint256[][]"], answer("f02_ternary_of_nested_arrays.vy", level, "in_two_steps"))
    wrong = decode(["uint256[][]"], answer("f02_ternary_of_nested_arrays.vy", level, "at_once"))

    assert right == (((1, 2), (3, 4)),)
    assert wrong == (((1, 2), (4, 2, 3)),)


def test_f03_canary__form_feed_in_a_comment__makes_an_address_something_else() -> None:
    source = f"# pragma version {COMPILER}\n# {{}}\n@external\ndef who() -> address:\n    return {ADDRESS}\n"

    assert compiled(source.format("."))
    with pytest.raises(TypeMismatch, match="Expected address"):
        compiled(source.format("\f"))


def test_f05_compiler__installed_and_asked_for__is_the_one_that_the_sources_name() -> None:
    assert vyper.__version__ == COMPILER
    for lock in ("development.lock", "brownie.lock"):
        assert f"\nvyper=={COMPILER} \\\n" in "\n" + (ROOT / "requirements" / lock).read_text()
    assert f'version: "{COMPILER}"\n' in (ROOT / "brownie-config.yaml").read_text()


@pytest.mark.parametrize("version", ["0.4.2", "0.4.4", "^0.3.10"])
def test_f05_compiler__source_for_another_version__is_refused(version: str) -> None:
    with pytest.raises(VersionException):
        compiled(f"# pragma version {version}\n")


def test_f07_canary__function_that_returns_nothing__implements_one_that_does() -> None:
    assert compiled((FIXTURES / "f07_return_type_missing.vy").read_text(encoding="ascii"))


def test_f09_canary__function_that_is_a_docstring_alone__is_no_message() -> None:
    with pytest.raises(IndexError):
        compiled((FIXTURES / "f09_empty_body.vy").read_text(encoding="ascii"))


def test_f13_canary__answer_of_a_token_that_goes_nowhere__compiles() -> None:
    assert compiled((FIXTURES / "a05_unused_answers.vy").read_text(encoding="ascii"))
