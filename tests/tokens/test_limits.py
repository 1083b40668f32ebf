"""Amounts, accounts and tokens at the edge of what there can be: taken or refused with a text, never wrapped."""

from __future__ import annotations

import boa  # type: ignore[import-untyped]
import pytest
from eth_abi.abi import encode

from tests.bytecode import creation_code
from tests.stateful.evm import NO_SIGNATURE, address, create, create_token, refusal_of
from tests.stateful.model import MAX_MONEY, NOBODY, Account
from tests.tokens.lifecycle import FIRST, OWNERS, STRANGER, TENANT, Lifecycle, setting_of

MAX_WORD = 2**256 - 1
NO_TEXT = ""


# ------------------------------------------------------------------ amounts


@pytest.mark.parametrize("decimals", [0, 6, 18, 36])
def test_a17_amounts__around_each_limit__are_taken_or_refused_as_the_model_says(decimals: int) -> None:
    life = Lifecycle(decimals=decimals)
    give_all_tokens(life)
    most = MAX_MONEY // life.model.parameters.scale
    limits = [0, most, MAX_MONEY, 2**128, 2**255]
    amounts = sorted({1, *limits, *(limit + 1 for limit in limits), *(limit - 1 for limit in limits[1:]), MAX_WORD})
    taken = []

    for amount in amounts:
        refusals = [life.alike("deposit", TENANT, TENANT, amount)]
        if refusals == [None]:
            taken.append(amount)
            refusals += [life.alike("withdraw", TENANT, TENANT, wrong) for wrong in amounts if wrong > amount]
            life.do("withdraw_to", TENANT, TENANT, amount, TENANT)
        else:
            refusals.append(life.alike("deposit_with_permit", TENANT, STRANGER, amount, *NO_SIGNATURE))
            refusals.append(life.alike("withdraw_to", OWNERS[0], FIRST, amount, STRANGER))
        assert NO_TEXT not in refusals

    assert taken == [1, most - 1, most]


def test_a17_deposit__exchange_holds_all_tokens_that_a_word_can_count__is_refused_and_everybody_gets_out() -> None:
    life = Lifecycle("RebasingToken")
    life.bring_money()
    others = 1 + sum(life.model.wallets.values())
    life.rebase(MAX_WORD - others)

    assert life.alike("deposit", TENANT, TENANT, 1) == "ledger: exchange is full"
    life.run_leases()
    life.end_leases()

    life.leave()


@pytest.mark.parametrize(
    ("account", "refusal"),
    [
        (NOBODY, "ledger: no account"),
        (FIRST, None),
        (3, "ledger: unknown provider"),
        (2**32 - 1, "ledger: unknown provider"),
        (address(2**32), None),
        (address(2**160 - 1), None),
    ],
)
def test_a17_deposit__first_and_last_of_each_kind_of_account__has_an_owner_or_is_refused(
    account: Account, refusal: str | None
) -> None:
    life = Lifecycle()

    assert life.alike("deposit", TENANT, account, 1) == refusal
    assert life.alike("withdraw", TENANT, account, 1) == "ledger: not the owner"


def give_all_tokens(life: Lifecycle) -> None:
    """Give the tenant all tokens that a word can count."""
    others = 1 + sum(life.model.wallets.values())
    assert life.token("mint(address,uint256)", TENANT, MAX_WORD - others) is None
    life.model.wallets[TENANT] += MAX_WORD - others


# ------------------------------------------------------------------ what is no token

ANSWERS_ALL_ONES = bytes.fromhex("5f195f5260205ff3")
ANSWERS_ZERO = bytes.fromhex("60205ff3")
NO_TOKENS: dict[str, tuple[bytes, str]] = {
    "nothing there": (b"", "parameters: token has no code"),
    "answers nothing": (bytes.fromhex("00"), NO_TEXT),
    "fails": (bytes.fromhex("fe"), NO_TEXT),
    "answers anything with zero": (ANSWERS_ZERO, "parameters: token has no supply"),
    "answers anything with ones": (ANSWERS_ALL_ONES, NO_TEXT),
}


def creation_refusal(token: str) -> str | None:
    registry = create("ProviderRegistry", ["uint256"], [0])
    arguments = encode(["address", "address", *5 * ["uint256"]], [token, registry, 10, 0, 0, 1, 1])
    _, computation = boa.env.deploy(bytecode=creation_code("Exchange") + arguments)
    return refusal_of(computation)


@pytest.mark.parametrize("what", NO_TOKENS)
def test_a18_exchange__on_what_is_no_token__can_not_be_opened(what: str) -> None:
    code, refusal = NO_TOKENS[what]
    token = create_token("testing/StandardToken", setting_of())
    assert creation_refusal(token) is None

    boa.env.set_code(token, code)  # no code: it has destroyed itself

    assert creation_refusal(token) == refusal


@pytest.mark.parametrize("number", [0, 1, 4, 9])
def test_a18_exchange__on_a_contract_of_the_chain_itself__can_not_be_opened(number: int) -> None:
    assert creation_refusal(address(number)) == "parameters: token has no code"
