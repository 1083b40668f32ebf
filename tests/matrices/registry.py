"""The registry of providers as docs/protocol.md describes it, in plain Python, and beside it the contract."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boa  # type: ignore[import-untyped]
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from tests.bytecode import creation_code
from tests.matrices.cast import OPERATOR, OTHER_OPERATOR, OTHER_OWNER, OWNER, PENDING_OWNER
from tests.matrices.interface import functions
from tests.matrices.pair import answer_to
from tests.stateful.evm import FIRST_BLOCK, ZERO_ADDRESS, word
from tests.stateful.model import Refused, refuse_if

MAX_CAP = 2**90 - 1
MAX_PROVIDER = 2**32 - 1
ROOT_DELAY = 100
NO_ROOT = (bytes(32), 0, 0)
FIRST, SECOND = 1, 2
A_ROOT, NEXT_ROOT = b"a root", b"the next root"
REGISTRATION = OPERATOR, 1, 10**18, "https://a", "{}", A_ROOT
PROFILE = "owner", "operator", "pending_owner", "region", "collateral_cap", "updated_block"


@dataclass
class Entry:
    """A provider; its roots are fingerprint, added block and active block."""

    owner: str
    operator: str
    region: int  # zero once deregistered
    cap: int
    updated_block: int
    pending_owner: str = ZERO_ADDRESS
    roots: list[tuple[bytes, int, int]] = field(default_factory=lambda: [NO_ROOT, NO_ROOT])

    @property
    def fingerprints(self) -> list[bytes]:
        return [fingerprint for fingerprint, _, _ in self.roots]


class Registry:
    """Each transaction is a method whose first argument is its caller."""

    def __init__(self) -> None:
        self.block = FIRST_BLOCK
        self.count = 0
        self.entries: dict[int, Entry] = {}

    def register_provider(
        self, caller: str, operator: str, region: int, cap: int, endpoint: str, _attributes: str, certificate: bytes
    ) -> None:
        refuse_if(operator == ZERO_ADDRESS, "registry: no operator")
        refuse_if(cap > MAX_CAP, "registry: cap too high")
        refuse_if(self.count == MAX_PROVIDER, "registry: full")
        self._check_announcement(region, endpoint)
        refuse_if(not certificate, "registry: no certificate")
        self.count += 1
        entry = Entry(caller, operator, region, cap, self.block)
        entry.roots[0] = (keccak(certificate), self.block, self.block)
        self.entries[self.count] = entry

    def update_provider(self, caller: str, number: int, region: int, endpoint: str, _attributes: str) -> None:
        entry = self._owned(caller, number)
        self._check_announcement(region, endpoint)
        entry.region, entry.updated_block = region, self.block

    def advertise(self, caller: str, number: int, *_what: int) -> None:
        entry = self.entries.get(number)
        refuse_if(entry is None or caller not in (entry.owner, entry.operator), "registry: not the owner")

    def set_operator(self, caller: str, number: int, operator: str) -> None:
        entry = self._owned(caller, number)
        refuse_if(operator == ZERO_ADDRESS, "registry: no operator")
        entry.operator = operator

    def set_collateral_cap(self, caller: str, number: int, cap: int) -> None:
        entry = self._owned(caller, number)
        refuse_if(cap > MAX_CAP, "registry: cap too high")
        entry.cap = cap

    def add_root(self, caller: str, number: int, certificate: bytes) -> None:
        entry = self._owned(caller, number)
        refuse_if(not certificate, "registry: no certificate")
        fingerprint = keccak(certificate)
        refuse_if(entry.fingerprints[0] == fingerprint, "registry: root exists")
        refuse_if(NO_ROOT not in entry.roots, "registry: two roots already")
        refuse_if(fingerprint in entry.fingerprints, "registry: root exists")
        entry.roots[entry.roots.index(NO_ROOT)] = (fingerprint, self.block, self.block + ROOT_DELAY)

    def remove_root(self, caller: str, number: int, fingerprint: bytes) -> None:
        entry = self._owned(caller, number)
        is_known = fingerprint != NO_ROOT[0] and fingerprint in entry.fingerprints
        refuse_if(not is_known, "registry: no such root")
        entry.roots[entry.fingerprints.index(fingerprint)] = NO_ROOT

    def transfer_ownership(self, caller: str, number: int, new_owner: str) -> None:
        self._owned(caller, number).pending_owner = new_owner

    def accept_ownership(self, caller: str, number: int) -> None:
        entry = self.entries.get(number)
        if entry is None or entry.pending_owner != caller:
            raise Refused("registry: not offered")
        entry.owner, entry.pending_owner = caller, ZERO_ADDRESS

    def deregister_provider(self, caller: str, number: int) -> None:
        entry = self._owned(caller, number)
        refuse_if(entry.region == 0, "registry: not registered")
        entry.region = 0

    def _owned(self, caller: str, number: int) -> Entry:
        entry = self.entries.get(number)
        if entry is None or entry.owner != caller:
            raise Refused("registry: not the owner")
        return entry

    @staticmethod
    def _check_announcement(region: int, endpoint: str) -> None:
        refuse_if(region not in [1 << place for place in range(32)], "registry: bad region")
        refuse_if(not endpoint, "registry: no endpoint")


@cache
def deployed() -> Address:
    """Return the registry of these tests, which is deployed once, before the first of them."""
    created, computation = boa.env.deploy(
        bytecode=creation_code("ProviderRegistry") + encode(["uint256"], [ROOT_DELAY])
    )
    assert not computation.is_error
    return created


class RegistryPair:
    """Model and contract of a registry with two providers, one of them offered to somebody, or the model alone."""

    def __init__(self, *, is_model_alone: bool = False) -> None:
        self.contract = None if is_model_alone else deployed()
        self.model = Registry()
        self.set_block(FIRST_BLOCK)

    def set_up(self) -> None:
        self.do("register_provider", OWNER, *REGISTRATION)
        self.do("register_provider", OTHER_OWNER, OTHER_OPERATOR, *REGISTRATION[1:])
        self.do("transfer_ownership", OWNER, FIRST, PENDING_OWNER)

    @contextmanager
    def branch(self) -> Iterator[None]:
        saved = pickle.dumps(self.model)
        try:
            with boa.env.anchor():
                yield
        finally:
            self.model = pickle.loads(saved)

    def set_block(self, block: int) -> None:
        self.model.block = block
        boa.env.evm.patch.block_number = block

    def do(self, name: str, caller: str, *arguments: object) -> None:
        assert self.send(name, caller, *arguments) is None

    def send(self, name: str, caller: str, *arguments: Any, data: bytes = b"") -> str | None:
        """Send to both sides, compare all that the views show, and return what the transaction is refused with."""
        refusal = None
        try:
            getattr(self.model, name)(caller, *arguments)
        except Refused as refused:
            refusal = refused.text
        if self.contract:
            answer = self.answer(caller, data or functions("ProviderRegistry")[name].encode(arguments))
            assert answer == refusal, f"{name}: the contract says {answer!r}, the model {refusal!r}"
            if refusal is None:
                self.compare()
        return refusal

    def answer(self, caller: str, data: bytes) -> str | None:
        """Send what only the contract can understand, or not."""
        assert self.contract
        return answer_to(self.contract, caller, data)

    def last_counter(self) -> int:
        """Return the slot of the word that the last transaction has written and that is in no map."""
        (counter,) = (slot for slot in boa.env.sstore_trace[self.contract] if word(slot) not in boa.env.sha3_trace)
        return int(counter)

    def compare(self) -> None:
        addresses, numbers = 3 * ["address"], 3 * ["uint256"]
        assert functions("ProviderRegistry")["profile"].outputs == PROFILE
        self._compare("provider_count", ["uint256"], (self.model.count,))
        for number in [*self.model.entries, self.model.count + 1]:
            entry = self.model.entries.get(number) or Entry(ZERO_ADDRESS, ZERO_ADDRESS, 0, 0, 0)
            keys = entry.owner, entry.operator, entry.pending_owner
            shown = *keys, entry.region, entry.cap, entry.updated_block
            self._compare("profile", [*addresses, *numbers], shown, number)
            self._compare("roots", ["(bytes32,uint256,uint256)[2]"], (tuple(entry.roots),), number)
            self._compare("bidder", ["address", *numbers[:2]], (entry.operator, entry.region, entry.cap), number)

    def _compare(self, view: str, kinds: Sequence[str], expected: tuple[object, ...], *arguments: int) -> None:
        data = functions("ProviderRegistry")[view].encode(arguments)
        result = boa.env.execute_code(to_address=self.contract, data=data, is_modifying=False)
        actual = decode(kinds, result.output)
        assert actual == expected, f"{view}: the contract shows {actual}, the model {expected}"
