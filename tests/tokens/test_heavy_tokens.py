"""Tokens that cost gas: by what they burn, and by how much they answer."""

from __future__ import annotations

from typing import Any

import boa  # type: ignore[import-untyped]
import pytest

from tests.stateful.evm import NO_SIGNATURE
from tests.tokens.lifecycle import FIRST, OWNERS, STRANGER, TENANT, Lifecycle

ALL_GAS = 2**256 - 1
MOST_GAS = 2**24  # of a transaction (EIP-7825)
TRANSFERS: dict[str, tuple[Any, ...]] = {
    "deposit": (TENANT, TENANT, 7),
    "deposit_with_permit": (TENANT, TENANT, 7, *NO_SIGNATURE),
    "withdraw": (TENANT, TENANT, 7),
    "withdraw_to": (OWNERS[0], FIRST, 7, STRANGER),
}


def own_gas(token: str, name: str) -> int:
    """Return what a transfer costs the exchange itself, without the calls that it makes."""
    life = Lifecycle(token)
    life.bring_money()

    life.do(name, *TRANSFERS[name])

    return int(life.result.get_gas_used() - sum(child.get_gas_used() for child in life.result.children))


@pytest.mark.parametrize("name", TRANSFERS)
def test_a16_transfer__token_that_answers_64_kib__costs_the_exchange_no_more_than_another(name: str) -> None:
    standard, heavy = own_gas("StandardToken", name), own_gas("HeavyToken", name)

    assert standard > 1_000
    assert heavy < 1.05 * standard


def test_a16_lifecycle__token_that_burns_all_the_gas_it_gets__is_not_taken_any_more_and_all_get_out() -> None:
    life = Lifecycle("HeavyToken")
    life.bring_money()
    boa.env.evm.patch.gas_limit = MOST_GAS
    life.token("set_burnt_gas(uint256)", ALL_GAS)

    refusals = [life.refused(name, *TRANSFERS[name]) for name in ("deposit", "deposit_with_permit")]
    life.run_leases()
    life.end_leases()

    assert refusals == ["", ""]  # out of gas, at the cost of the caller
    life.leave()  # what a caller keeps for itself, a 64th, is enough
