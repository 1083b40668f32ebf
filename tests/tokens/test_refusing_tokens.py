"""Tokens that refuse transfers, or begin to: who can't get tokens waits, and nobody else is harmed by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stateful.evm import NO_SIGNATURE
from tests.tokens.lifecycle import FACILITATOR, FIRST, OPERATORS, OWNERS, STRANGER, TENANT, Lifecycle

EVERYTHING = 2**256 - 1


def transfers(life: Lifecycle, amount: int = 1) -> list[tuple[Any, ...]]:
    """Return all transactions that move tokens."""
    return [
        ("deposit", TENANT, TENANT, amount),
        ("deposit_with_permit", TENANT, TENANT, amount, *NO_SIGNATURE),
        ("withdraw", TENANT, TENANT, amount),
        ("withdraw_to", OWNERS[0], FIRST, amount, STRANGER),
    ]


def refusals(life: Lifecycle, amount: int = 1) -> list[str]:
    return [life.refused(*transfer) for transfer in transfers(life, amount)]


# ------------------------------------------------------------------ fees


def test_a01_deposit__token_that_takes_a_fee__is_refused_and_changes_nothing() -> None:
    life = Lifecycle("FeeOnTransferToken", switch=("set_charging(bool)", False))
    life.token("set_charging(bool)", True)

    assert life.refused("deposit", TENANT, TENANT, 100) == "ledger: short transfer"
    assert life.refused("deposit_with_permit", TENANT, FIRST, 10**18, *NO_SIGNATURE) == "ledger: short transfer"
    life.do("deposit", TENANT, TENANT, 99)  # a hundredth of it is nothing


def test_a01_lifecycle__token_that_begins_to_take_a_fee__is_not_taken_any_more_and_all_get_out() -> None:
    life = Lifecycle("FeeOnTransferToken", switch=("set_charging(bool)", False))
    life.bring_money()
    life.token("set_charging(bool)", True)

    life.run_leases()
    assert life.refused("deposit", TENANT, TENANT, 100) == "ledger: short transfer"
    life.end_leases()

    life.leave(fee_percent=1)


# ------------------------------------------------------------------ false


def test_a05_lifecycle__token_that_answers_false_for_a_while__moves_nothing_and_keeps_all_accounts() -> None:
    life = Lifecycle("ReturnsFalseToken", switch=("set_refuses(bool)", False))
    life.bring_money()
    life.token("set_refuses(bool)", True)

    assert refusals(life) == 4 * ["ledger: token refused"]
    life.run_leases()
    life.end_leases()
    assert refusals(life) == 4 * ["ledger: token refused"]
    life.token("set_refuses(bool)", False)

    life.leave()


# ------------------------------------------------------------------ restrictions


def test_a11_lifecycle__provider_on_the_tokens_list__others_leave_and_it_leaves_by_another_wallet() -> None:
    life = Lifecycle("RestrictedToken")
    life.bring_money()
    life.token("set_blocked(address,bool)", OWNERS[0], True)
    life.token("set_blocked(address,bool)", OPERATORS[0], True)

    life.run_leases()
    life.end_leases()
    earnings = life.withdrawable(FIRST)
    assert life.refused("withdraw", OWNERS[0], FIRST, 1) == "test token: blocked"
    for account, owner in life.accounts():
        if account != FIRST and life.withdrawable(account):
            life.do("withdraw", owner, account, life.withdrawable(account))
    life.do("withdraw_to", OWNERS[0], FIRST, earnings, STRANGER)

    life.compare_all()
    life.check_empty()


def test_a11_lifecycle__tenant_on_the_tokens_list__provider_is_paid_and_leaves_first() -> None:
    life = Lifecycle("RestrictedToken")
    life.bring_money()
    life.run_leases()
    life.token("set_blocked(address,bool)", TENANT, True)

    life.end_leases()
    assert life.refused("deposit", TENANT, TENANT, 1) == "test token: blocked"
    life.do("withdraw", OWNERS[0], FIRST, life.withdrawable(FIRST))
    assert life.refused("withdraw", TENANT, TENANT, 1) == "test token: blocked"
    life.do("withdraw_to", TENANT, TENANT, life.withdrawable(TENANT), FACILITATOR)


@pytest.mark.parametrize(
    ("restriction", "lifted", "text"),
    [
        (("set_paused(bool)", True), ("set_paused(bool)", False), "test token: paused"),
        (("set_limit(uint256)", 0), ("set_limit(uint256)", EVERYTHING), "test token: above limit"),
    ],
)
def test_a11_lifecycle__token_is_stopped_for_a_while__leases_go_on_and_all_leave_later(
    restriction: tuple[Any, ...], lifted: tuple[Any, ...], text: str
) -> None:
    life = Lifecycle("RestrictedToken")
    life.bring_money()
    life.token(*restriction)

    assert refusals(life) == 4 * [text]
    life.run_leases()
    life.end_leases()
    assert refusals(life) == 4 * [text]
    life.token(*lifted)

    life.leave()


def test_a11_lifecycle__exchange_on_the_tokens_list_for_a_while__leases_go_on_and_all_leave_later() -> None:
    life = Lifecycle("RestrictedToken")
    life.bring_money()
    life.token("set_blocked(address,bool)", life.market.exchange, True)

    assert refusals(life) == 4 * ["test token: blocked"]
    life.run_leases()
    life.end_leases()
    life.token("set_blocked(address,bool)", life.market.exchange, False)

    life.leave()


def test_a11_withdraw__token_that_bounds_a_transfer__pays_in_parts() -> None:
    life = Lifecycle("RestrictedToken")
    life.bring_money()
    part = life.withdrawable(TENANT) // 5
    life.token("set_limit(uint256)", part)

    assert refusals(life, part + 1) == 4 * ["test token: above limit"]
    for _ in range(5):
        life.do("withdraw", TENANT, TENANT, part)

    life.compare_all()
    assert life.withdrawable(TENANT) == 0
