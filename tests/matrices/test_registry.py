"""Every transaction of the registry, by every caller and in every state of a provider and its roots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_utils.crypto import keccak

from tests.matrices.cast import OPERATOR, OTHER_OPERATOR, OTHER_OWNER, OWNER, PENDING_OWNER, PEOPLE, STRANGER
from tests.matrices.interface import transactions
from tests.matrices.registry import A_ROOT, FIRST, NEXT_ROOT, REGISTRATION, ROOT_DELAY, SECOND, RegistryPair, deployed
from tests.stateful.evm import FIRST_BLOCK

EVERYBODY = frozenset(PEOPLE)
FINGERPRINT = keccak(A_ROOT)

ROWS: dict[str, tuple[frozenset[str], tuple[object, ...]]] = {
    "register_provider": (EVERYBODY, REGISTRATION),
    "update_provider": (frozenset({OWNER}), (FIRST, 4, "https://b", "")),
    "advertise": (frozenset({OWNER, OPERATOR}), (FIRST, 1, 2, 3, 4)),
    "set_operator": (frozenset({OWNER}), (FIRST, STRANGER)),
    "set_collateral_cap": (frozenset({OWNER}), (FIRST, 7)),
    "add_root": (frozenset({OWNER}), (FIRST, NEXT_ROOT)),
    "remove_root": (frozenset({OWNER}), (FIRST, FINGERPRINT)),
    "transfer_ownership": (frozenset({OWNER}), (FIRST, STRANGER)),
    "accept_ownership": (frozenset({PENDING_OWNER}), (FIRST,)),
    "deregister_provider": (frozenset({OWNER}), (FIRST,)),
}
"""Transaction -> who may send it, and its arguments."""

STATES: dict[str, list[tuple[str, str, tuple[object, ...]]]] = {
    "registered": [],
    "deregistered": [("deregister_provider", OWNER, (FIRST,))],
    "two roots": [("add_root", OWNER, (FIRST, NEXT_ROOT))],
    "two others": [
        ("add_root", OWNER, (FIRST, b"other")),
        ("remove_root", OWNER, (FIRST, FINGERPRINT)),
        ("add_root", OWNER, (FIRST, b"another")),
    ],
    "only the next root": [
        ("add_root", OWNER, (FIRST, NEXT_ROOT)),
        ("remove_root", OWNER, (FIRST, FINGERPRINT)),
    ],
    "no roots": [("remove_root", OWNER, (FIRST, FINGERPRINT))],
    "handed over": [("accept_ownership", PENDING_OWNER, (FIRST,))],
    "offer taken back": [("transfer_ownership", OWNER, (FIRST, "0x" + 40 * "0"))],
}
CALLERS = (OWNER, OPERATOR, PENDING_OWNER, OTHER_OWNER)


@pytest.fixture(scope="module")
def pair() -> Iterator[RegistryPair]:
    pair = RegistryPair()
    with pair.branch():
        pair.set_up()
        yield pair


def test_e10_matrix__of_the_registry__is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\n{len(ROWS) * (len(EVERYBODY) + 2)} cells by caller, {len(STATES) * len(ROWS) * len(CALLERS)} by state"
        )

    assert ROWS.keys() == transactions("ProviderRegistry").keys()


@pytest.mark.parametrize("name", ROWS)
def test_e10_registry__every_transaction_by_every_caller__passes_for_those_listed(
    pair: RegistryPair, name: str
) -> None:
    allowed, arguments = ROWS[name]
    passed = set()

    for caller in [*EVERYBODY, deployed().lower(), "0x" + 40 * "0"]:
        with pair.branch():
            if pair.send(name, caller, *arguments) is None and caller in EVERYBODY:
                passed.add(caller)

    assert passed == allowed


@pytest.mark.parametrize("state", STATES)
def test_registry__every_transaction_in_every_state__does_what_the_model_does(pair: RegistryPair, state: str) -> None:
    with pair.branch():
        for name, caller, arguments in STATES[state]:
            pair.do(name, caller, *arguments)
        pair.set_block(FIRST_BLOCK + 5)
        for name, (_, arguments) in ROWS.items():
            for caller in CALLERS:
                with pair.branch():
                    pair.send(name, caller, *arguments)


def test_e10_root__added_by_its_owner__counts_after_the_delay_and_not_before(pair: RegistryPair) -> None:
    with pair.branch():
        assert pair.send("add_root", OPERATOR, FIRST, NEXT_ROOT) == "registry: not the owner"
        pair.do("add_root", OWNER, FIRST, NEXT_ROOT)
        added, announced = pair.model.entries[FIRST].roots

        assert (added[2], announced[2]) == (FIRST_BLOCK, FIRST_BLOCK + ROOT_DELAY)


@pytest.mark.parametrize("is_before", [False, True])
@pytest.mark.parametrize("name", ["set_operator", "add_root", "set_collateral_cap", "transfer_ownership"])
def test_e10_owner__handed_over_and_acting_in_one_block__counts_as_it_is_then(
    pair: RegistryPair, name: str, is_before: bool
) -> None:
    with pair.branch():
        if is_before:
            pair.do(name, OWNER, *ROWS[name][1])
            pair.do("transfer_ownership", OWNER, FIRST, PENDING_OWNER)
        pair.do("accept_ownership", PENDING_OWNER, FIRST)

        assert pair.send(name, OWNER, *ROWS[name][1]) == "registry: not the owner"
        assert pair.send("accept_ownership", PENDING_OWNER, FIRST) == "registry: not offered"
        assert pair.send("set_operator", OTHER_OWNER, FIRST, OTHER_OPERATOR) == "registry: not the owner"
        assert pair.model.entries[SECOND].owner == OTHER_OWNER
