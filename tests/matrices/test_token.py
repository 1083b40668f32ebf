"""Every number that the token takes, at its extremes: what is moved and allowed is what was said, or nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import boa  # type: ignore[import-untyped]
import pytest
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth_abi.abi import decode

from tests.matrices.cast import OWNER, STRANGER, TENANT
from tests.matrices.extremes import extremes
from tests.matrices.interface import functions, transactions
from tests.matrices.pair import answer_to
from tests.matrices.ranges import ADDRESS, LARGEST, MONEY, Range
from tests.stateful.evm import create

HELD, ALLOWED = MONEY - 1_000, 10**6
Call = tuple[str, str, list[object]]

TRANSFER: Call = ("transfer", TENANT, [STRANGER, 5])
TRANSFER_FROM: Call = ("transferFrom", OWNER, [TENANT, STRANGER, 5])
APPROVE: Call = ("approve", TENANT, [STRANGER, 5])
PERMIT: Call = ("permit", OWNER, [TENANT, STRANGER, 5, LARGEST, 27, bytes(32), bytes(32)])

NUMBERS: list[tuple[Call, str, Range]] = [
    (TRANSFER, "receiver", Range(1, ADDRESS)),
    (TRANSFER, "amount", Range(0, HELD)),
    (TRANSFER_FROM, "receiver", Range(1, ADDRESS)),
    (TRANSFER_FROM, "amount", Range(0, ALLOWED)),
    (APPROVE, "spender", Range(1, ADDRESS)),
    (APPROVE, "amount", Range(0, LARGEST)),
]
"""Call, number in it, what is accepted. A sender without tokens, and a permit without a signature, never are."""
REFUSED = [(TRANSFER_FROM, "sender"), *((PERMIT, name) for name in ("owner", "spender", "amount", "deadline", "v"))]


@pytest.fixture(scope="module")
def token() -> Iterator[Address]:
    """Return a token of which the tenant holds nearly all, and the owner may take some."""
    with boa.env.anchor():
        created = create("MoorageToken", ["uint256"], [MONEY])
        for caller, name, arguments in (
            (boa.env.eoa, "transfer", [TENANT, HELD]),
            (TENANT, "approve", [OWNER, ALLOWED]),
        ):
            assert answer_to(created, caller, functions("MoorageToken")[name].encode(arguments)) is None
        yield created


def send_with(token: Address, sent: Call, name: str, number: int) -> str | None:
    called, caller, arguments = sent
    function = functions("MoorageToken")[called]
    values = [number if each == name else value for each, value in zip(function.names, arguments, strict=True)]
    return answer_to(token, caller, function.encode(values, is_loose=True))


def amount(token: Address, view: str, *arguments: str) -> int:
    data = functions("MoorageToken")[view].encode(arguments)
    result = boa.env.execute_code(to_address=token, data=data, is_modifying=False)
    (value,) = decode(["uint256"], result.output)
    return int(value)


def bits(sent: Call, name: str) -> int:
    (leaf,) = (leaf for leaf in functions("MoorageToken")[sent[0]].leaves if leaf.name == name)
    return leaf.bits


@pytest.mark.parametrize(("sent", "name", "allowed"), NUMBERS, ids=[f"{each[0][0]} {each[1]}" for each in NUMBERS])
def test_a17_token__number_at_its_extremes__is_taken_within_its_range_alone(
    token: Address, sent: Call, name: str, allowed: Range
) -> None:
    for number in extremes(allowed):
        with boa.env.anchor():
            refusal = send_with(token, sent, name, number)
            accounts = [TENANT, STRANGER, f"0x{number % 2**160:040x}", str(boa.env.eoa)]
            held = sum(amount(token, "balanceOf", account) for account in dict.fromkeys(accounts))

        assert (refusal is None) == (allowed.least <= number <= allowed.most), f"{number}: {refusal}"
        assert (refusal == "") == (number >= 2 ** bits(sent, name))
        assert held == MONEY


@pytest.mark.parametrize(("sent", "name"), REFUSED, ids=[f"{sent[0]} {name}" for sent, name in REFUSED])
def test_a17_token__number_in_what_nobody_allowed__is_refused(token: Address, sent: Call, name: str) -> None:
    for number in extremes(Range(27, 28) if name == "v" else Range(2**96, ADDRESS)):
        with boa.env.anchor():
            refusal = send_with(token, sent, name, number)

        assert refusal is not None
        assert (refusal == "") == (number >= 2 ** bits(sent, name))


def test_a17_token__amounts_that_are_moved_and_allowed__are_those_that_were_said(token: Address) -> None:
    for number in extremes(Range(0, HELD), ALLOWED):
        with boa.env.anchor():
            is_moved = send_with(token, TRANSFER, "amount", number) is None
            assert amount(token, "balanceOf", STRANGER) == (number if is_moved else 0)
            assert amount(token, "balanceOf", TENANT) == HELD - (number if is_moved else 0)
        with boa.env.anchor():
            is_taken = send_with(token, TRANSFER_FROM, "amount", number) is None
            assert amount(token, "allowance", TENANT, OWNER) == ALLOWED - (number if is_taken else 0)
        with boa.env.anchor():
            assert send_with(token, APPROVE, "amount", number) is None
            assert amount(token, "allowance", TENANT, STRANGER) == number


def test_a17_token__numbers_of_the_abi__are_those_of_the_table() -> None:
    found = {
        (name, leaf.name)
        for name, function in transactions("MoorageToken").items()
        for leaf in function.leaves
        if leaf.is_number
    }

    assert {(sent[0], name) for sent, name, _ in NUMBERS} | {(sent[0], name) for sent, name in REFUSED} == found
