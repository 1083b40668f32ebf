"""Tokens with which everything works, from the first deposit to the last withdrawal, in exact amounts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.stateful.evm import NO_SIGNATURE, address
from tests.stateful.model import Account
from tests.tokens.lifecycle import FIRST, OWNERS, SECOND, STRANGER, TENANT, Lifecycle

MILLION_GAS = 10**6

# tokens that differ from the standard in nothing that the exchange uses, or only when they are told to
HARMLESS: dict[str, tuple[Any, ...]] = {
    "DaiPermitToken": (),
    "FeeOnTransferToken": ("set_charging(bool)", False),
    "RebasingToken": (),
    "RestrictedToken": (),
}


@pytest.mark.parametrize("token", HARMLESS)
def test_lifecycle__token_whose_oddity_does_not_show__adds_up(token: str) -> None:
    Lifecycle(token, switch=HARMLESS[token]).live()


@pytest.mark.parametrize("decimals", [0, 6, 18, 24, 36])
def test_a15_lifecycle__token_of_any_decimals__adds_up(decimals: int) -> None:
    Lifecycle(decimals=decimals).live()


@pytest.mark.parametrize("decimals", [6, 18])
def test_a04_lifecycle__token_that_answers_nothing__adds_up(decimals: int) -> None:
    Lifecycle("NoReturnToken", decimals).live()


def test_a05_lifecycle__token_that_answers_false_to_transfers_of_nothing__adds_up() -> None:
    life = Lifecycle("ReturnsFalseToken", switch=("set_refuses(bool)", False))

    life.live()


def test_a09_lifecycle__token_whose_permit_does_nothing__adds_up_by_allowances() -> None:
    Lifecycle("PhantomPermitToken").live()


def test_a16_lifecycle__token_that_burns_gas_and_answers_too_much__adds_up() -> None:
    life = Lifecycle("HeavyToken")
    life.token("set_burnt_gas(uint256)", MILLION_GAS)

    life.live()


def test_a01_deposits__a_hundred_at_random__are_owed_and_held_to_the_unit() -> None:
    chance = random.Random(1)
    life = Lifecycle(decimals=6)

    for _ in range(100):
        payer = chance.choice([TENANT, *OWNERS])
        account: Account = chance.choice([TENANT, STRANGER, FIRST, SECOND])
        amount = chance.choice([1, 2, chance.randrange(1, 10**5)])
        if chance.random() < 0.5:
            life.do("deposit", payer, account, amount)
        else:
            life.do("deposit_with_permit", payer, account, amount, *NO_SIGNATURE)

    life.compare_all()
    deposited = sum(life.market.view("account", address(account))[0] for account, _ in life.accounts())
    assert life.market.tokens(life.market.exchange) * 10**12 == deposited


def test_a14_approvals__token_that_wants_zero_between_two__is_ready_for_the_next_after_a_deposit() -> None:
    life = Lifecycle("NoReturnToken")
    approve = "approve(address,uint256)", life.market.exchange
    assert life.token(*approve, 7, caller=TENANT) == "test token: approve zero first"
    assert life.token(*approve, 0, caller=TENANT) is None

    for amount in (5, 8):
        assert life.token(*approve, amount, caller=TENANT) is None
        life.do("deposit", TENANT, TENANT, amount)

    assert life.refused("deposit", TENANT, TENANT, 1) == "test token: low allowance"
