"""The token as an ERC-20: supply, transfers, allowances."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.creation import creation_refusal
from tests.contracts.events import events_of
from tests.contracts.market import NOBODY, refusal
from tests.contracts.token.permits import MAX_WORD, SUPPLY


def transfer_of(sender: Any, receiver: Any, value: int) -> tuple[str, dict[str, Any]]:
    return "Transfer", {"sender": sender, "receiver": receiver, "value": value}


# -------------------------------------------------------------------------------------------------------- supply


def test_token__deployed__says_what_it_is(token: Any) -> None:
    assert (token.name(), token.symbol(), token.decimals()) == ("Moorage", "MOOR", 18)


def test_token__deployed__has_minted_all_to_the_deployer(token: Any, holder: Any) -> None:
    assert (token.totalSupply(), token.balanceOf(holder)) == (SUPPLY, SUPPLY)
    assert events_of(token.tx) == [transfer_of(NOBODY, holder, SUPPLY)]


@pytest.mark.parametrize(
    ("supply", "expected"),
    [
        (0, "token: no supply"),
        (1, None),
        (2**96 - 1, None),
        (2**96, "token: supply too large"),
        (MAX_WORD, "token: supply too large"),
    ],
)
def test_a13_token__supply__is_bounded(supply: int, expected: str | None) -> None:
    assert creation_refusal(brownie.MoorageToken, supply) == expected


# ------------------------------------------------------------------------------------------------------ transfer


@pytest.mark.parametrize("amount", [0, 1, SUPPLY])
def test_transfer__up_to_the_balance__moves_it(token: Any, holder: Any, receiver: Any, amount: int) -> None:
    transaction = token.transfer(receiver, amount, {"from": holder})

    assert (token.balanceOf(holder), token.balanceOf(receiver)) == (SUPPLY - amount, amount)
    assert token.totalSupply() == SUPPLY
    assert events_of(transaction) == [transfer_of(holder, receiver, amount)]
    assert token.transfer.call(receiver, 0, {"from": holder}) is True


def test_a13_transfer__to_oneself__changes_nothing(token: Any, holder: Any) -> None:
    transaction = token.transfer(holder, SUPPLY, {"from": holder})

    assert token.balanceOf(holder) == SUPPLY
    assert events_of(transaction) == [transfer_of(holder, holder, SUPPLY)]


@pytest.mark.parametrize("amount", [SUPPLY + 1, MAX_WORD])
def test_transfer__more_than_the_balance__is_refused(token: Any, holder: Any, receiver: Any, amount: int) -> None:
    assert refusal(token.transfer, receiver, amount, by=holder) == "token: insufficient balance"


def test_transfer__without_tokens__is_refused(token: Any, holder: Any, receiver: Any) -> None:
    assert refusal(token.transfer, holder, 1, by=receiver) == "token: insufficient balance"


def test_a13_transfer__where_tokens_would_be_lost__is_refused(token: Any, holder: Any) -> None:
    assert refusal(token.transfer, NOBODY, 1, by=holder) == "token: bad receiver"
    assert refusal(token.transfer, token, 1, by=holder) == "token: bad receiver"


# ----------------------------------------------------------------------------------------- approve, transferFrom


@pytest.mark.parametrize("amount", [0, 1, MAX_WORD])
def test_approve__any_amount__replaces_what_was_allowed(token: Any, holder: Any, spender: Any, amount: int) -> None:
    token.approve(spender, 5, {"from": holder})

    transaction = token.approve(spender, amount, {"from": holder})

    assert token.allowance(holder, spender) == amount
    assert events_of(transaction) == [("Approval", {"owner": holder, "spender": spender, "value": amount})]
    assert token.approve.call(spender, amount, {"from": holder}) is True


def test_approve__nobody__is_refused(token: Any, holder: Any) -> None:
    assert refusal(token.approve, NOBODY, 1, by=holder) == "token: bad spender"


def test_transfer_from__part_of_the_allowance__moves_and_reduces(
    token: Any, holder: Any, spender: Any, receiver: Any
) -> None:
    token.approve(spender, 10, {"from": holder})

    transaction = token.transferFrom(holder, receiver, 7, {"from": spender})

    assert (token.balanceOf(holder), token.balanceOf(receiver)) == (SUPPLY - 7, 7)
    assert token.allowance(holder, spender) == 3
    assert events_of(transaction) == [transfer_of(holder, receiver, 7)]
    assert token.transferFrom.call(holder, receiver, 3, {"from": spender}) is True


def test_transfer_from__largest_allowance__is_not_reduced(token: Any, holder: Any, spender: Any, receiver: Any) -> None:
    token.approve(spender, MAX_WORD, {"from": holder})

    token.transferFrom(holder, receiver, 7, {"from": spender})

    assert token.allowance(holder, spender) == MAX_WORD


def test_transfer_from__one_above_the_allowance__is_refused(
    token: Any, holder: Any, spender: Any, receiver: Any
) -> None:
    token.approve(spender, 10, {"from": holder})

    assert refusal(token.transferFrom, holder, receiver, 11, by=spender) == "token: insufficient allowance"


def test_transfer_from__allowance_used_up__is_refused(token: Any, holder: Any, spender: Any, receiver: Any) -> None:
    token.approve(spender, 10, {"from": holder})
    token.transferFrom(holder, receiver, 10, {"from": spender})

    assert refusal(token.transferFrom, holder, receiver, 1, by=spender) == "token: insufficient allowance"


def test_transfer_from__owner_without_allowance_for_itself__is_refused(token: Any, holder: Any, receiver: Any) -> None:
    assert refusal(token.transferFrom, holder, receiver, 1, by=holder) == "token: insufficient allowance"


def test_transfer_from__more_than_the_balance__is_refused(token: Any, holder: Any, spender: Any, receiver: Any) -> None:
    token.approve(spender, MAX_WORD, {"from": holder})

    text = refusal(token.transferFrom, holder, receiver, SUPPLY + 1, by=spender)

    assert text == "token: insufficient balance"


def test_a13_transfer_from__where_tokens_would_be_lost__is_refused(token: Any, holder: Any, spender: Any) -> None:
    token.approve(spender, 10, {"from": holder})

    assert refusal(token.transferFrom, holder, NOBODY, 1, by=spender) == "token: bad receiver"
    assert refusal(token.transferFrom, holder, token, 1, by=spender) == "token: bad receiver"
