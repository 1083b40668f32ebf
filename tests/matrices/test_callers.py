"""Every transaction by every caller, managers with every set of permissions among them: only who is listed passes."""

from __future__ import annotations

import boa  # type: ignore[import-untyped]
import pytest

from tests.matrices.authority import ACTIVE, CANCELLABLE, callers, labels, model_alone, row_of, rows
from tests.matrices.cast import (
    EXPIRED,
    FACILITATOR,
    GROUP,
    LOSER,
    MANAGERS,
    OPERATOR,
    ORDINARY,
    OWNER,
    PENDING_OWNER,
    REVOKED,
    SPENT,
    TENANT,
    WINNER,
)
from tests.matrices.interface import functions, transactions
from tests.matrices.pair import Pair, call
from tests.stateful.evm import GROUP as GROUP_KIND
from tests.stateful.evm import KEY, words_of
from tests.stateful.model import Permission


@pytest.mark.parametrize("label", labels())
def test_e01_transaction__by_every_caller__passes_for_those_listed(pair: Pair, label: str) -> None:
    row = row_of(pair, label)
    passed = set()

    for caller in callers(pair):
        with pair.branch():
            if pair.send(row.send(caller)) is None:
                passed.add(caller)

    assert passed == row.allowed


def test_e01_matrix__of_transactions_and_callers__is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    count = len(callers(Pair(ORDINARY, is_model_alone=True)))
    with capsys.disabled():
        print(f"\n{len(labels()) * count} cells: {len(labels())} calls x {count} callers")

    assert {label.split(",")[0] for label in labels()} == set(transactions("Exchange"))
    assert len(labels()) == len(set(labels()))
    assert set(MANAGERS.values()) == {Permission(mask) for mask in range(1, 8)}


def test_e01_views__by_every_caller__say_the_same(pair: Pair) -> None:
    assert pair.market
    samples: dict[str, object] = {"bytes32": pair.ids.order(ACTIVE), "uint256": WINNER, "address": TENANT}
    samples |= {KEY: pair.ids.key(ACTIVE), GROUP_KIND: words_of(GROUP)}
    views = [function for name, function in functions("Exchange").items() if name and not function.is_transaction]
    assert {view.name for view in views} >= {"account", "deployment", "manager", "order", "bids", "lease"}

    for view in views:
        data = view.encode([samples[kind] for kind in view.kinds])
        assert len({shown(pair.market.exchange, caller, data) for caller in callers(pair)}) == 1


def shown(contract: str, caller: str, data: bytes) -> bytes:
    result = boa.env.execute_code(to_address=contract, sender=caller, data=data, is_modifying=False)
    assert not result.is_error
    return bytes(result.output)


def test_b08_caller__every_transaction__takes_from_nobody_but_for_staleness() -> None:
    pair = model_alone()
    for row in rows(pair):
        for caller in row.allowed:
            with pair.branch():
                had = {account: pair.worth(account) for account in pair.model.accounts}
                assert pair.send(row.send(caller)) is None
                poorer = {account for account in had if pair.worth(account) < had[account]} - {caller}
            if row.name == "submit_stale_lease":
                assert poorer == {WINNER}
            elif caller == OWNER:
                assert poorer <= {WINNER}
            else:
                assert poorer <= ({TENANT} if caller in {*MANAGERS, EXPIRED, REVOKED, SPENT} else set())


# ------------------------------------------------------------------ keys that are replaced


@pytest.mark.parametrize("label", labels(allowed=frozenset({OPERATOR})))
@pytest.mark.parametrize("is_before", [False, True])
def test_e09_operator__replaced_and_used_in_one_block__counts_as_it_is_then(
    pair: Pair, label: str, is_before: bool
) -> None:
    row = row_of(pair, label)
    with pair.branch():
        if is_before:
            assert pair.send(row.send(OPERATOR)) is None
        register(pair, "set_operator", OWNER, WINNER, FACILITATOR)
        pair.model.providers[WINNER].operator = FACILITATOR

        assert pair.send(row.send(OPERATOR))
        assert (pair.send(row.send(FACILITATOR)) is None) != is_before or label == "submit_lease_confirmation"


def test_e09_owner__hands_over_and_withdraws_in_one_block__until_the_other_accepts(pair: Pair) -> None:
    withdraw = row_of(pair, "withdraw, a provider's")
    with pair.branch():
        assert pair.send(withdraw.send(OWNER)) is None
        assert pair.send(withdraw.send(PENDING_OWNER)) == "ledger: not the owner"
        register(pair, "accept_ownership", PENDING_OWNER, WINNER)
        pair.model.providers[WINNER].owner = PENDING_OWNER

        assert pair.send(withdraw.send(OWNER)) == "ledger: not the owner"
        assert pair.send(withdraw.send(PENDING_OWNER)) is None
        assert pair.send(call("withdraw", PENDING_OWNER, LOSER, 1)) == "ledger: not the owner"
        assert pair.send(call("fund", OWNER, CANCELLABLE, 1)) is None


def register(pair: Pair, name: str, caller: str, *arguments: object) -> None:
    assert pair.market
    assert pair.market.send(pair.market.registry, name, caller, *arguments) is None
