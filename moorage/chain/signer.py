"""Who signs: a key in this process, by libsecp256k1 where it is installed, for the calls that are allowed to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import structlog
from eth_account.signers.local import LocalAccount

from moorage.chain import abi
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError
from moorage.chain.transactions import Signature, Signed, Transaction, signed, signing_hash
from moorage.typed_data import TypedData
from moorage.types import Address

TOKEN_FUNCTIONS = ("approve",)

log = structlog.get_logger(__name__)


class SigningRefused(ChainError):
    """A transaction that is not signed, or was not signed as it was asked for."""


class Signer(Protocol):
    """One key."""

    @property
    def address(self) -> Address: ...

    async def sign(self, transaction: Transaction) -> Signed:
        """Return the transaction with a signature.

        Raises:
            SigningRefused: it is none of the calls that this key is for.
            NodeUnavailable: a remote signer does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Allowed:
    """The calls that a key may sign: on one chain, by contract, the first four bytes of the calldata."""

    chain_id: int
    selectors: Mapping[Address, frozenset[bytes]]

    def check(self, transaction: Transaction, signer: Address) -> None:
        """See that a transaction is one of them, or does nothing but use its nonce up.

        Raises:
            SigningRefused: it is another one.
        """
        if transaction.chain_id != self.chain_id:
            raise SigningRefused(f"not signed: it is for chain {transaction.chain_id}, this key is for {self.chain_id}")
        if transaction.to == signer and not transaction.data:
            return
        selector = transaction.data[:4]
        if selector not in self.selectors.get(transaction.to, ()):
            raise SigningRefused(
                f"not signed: {selector.hex() or 'a bare payment'} at {transaction.to} is no call for this key"
            )


def market_calls(
    market: Market, exchange: Collection[str] | None = None, registry: Collection[str] | None = None
) -> Allowed:
    """Return what may be signed on a market: functions of its contracts; allowances of its token if those are all.

    Args:
        market: the only one.
        exchange: names of functions; None for all, and for allowances: whoever has a key for some needs none.
        registry: names of functions; None for all.
    """
    return Allowed(
        market.chain_id,
        {
            market.exchange: _selectors("Exchange", exchange),
            market.registry: _selectors("ProviderRegistry", registry),
            market.token: _selectors("ERC20", TOKEN_FUNCTIONS if exchange is None else ()),
        },
    )


class LocalSigner:
    """A key in the memory of this process."""

    def __init__(self, account: LocalAccount, allowed: Allowed | None = None) -> None:
        """
        Args:
            account: the key.
            allowed: what may be signed; None for anything.
        """
        self.address = Address(account.address)
        self._allowed = allowed
        self._account = account
        self._sign_hash = _signing(bytes(account.key))

    async def sign(self, transaction: Transaction) -> Signed:
        """See Signer."""
        if self._allowed is not None:
            self._allowed.check(transaction, self.address)
        return signed(transaction, self._sign_hash(signing_hash(transaction)))

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See moorage.typed_data.TypedDataSigner."""
        return bytes(self._account.sign_message(data.signable).signature)


def _selectors(contract: str, names: Collection[str] | None) -> frozenset[bytes]:
    functions = abi.load(contract).functions
    return frozenset(functions[name].selector for name in (functions if names is None else names))


def _signing(key: bytes) -> Callable[[bytes], Signature]:
    """Return what signs a hash with a key; nonces follow from key and hash (RFC 6979) either way."""
    try:
        from coincurve import PrivateKey
    except ImportError:
        _warn_of_slowness()
        return _slow_signing(key)
    fast_key = PrivateKey(key)

    def sign(digest: bytes) -> Signature:
        made = fast_key.sign_recoverable(digest, hasher=None)
        return Signature(made[64], int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big"))

    return sign


def _slow_signing(key: bytes) -> Callable[[bytes], Signature]:
    from eth_keys.backends.native.main import NativeECCBackend
    from eth_keys.main import KeyAPI

    api = KeyAPI(NativeECCBackend())
    slow_key = api.PrivateKey(key)

    def sign(digest: bytes) -> Signature:
        made = api.ecdsa_sign(digest, slow_key)
        return Signature(made.v, made.r, made.s)

    return sign


@cache
def _warn_of_slowness() -> None:
    log.warning(
        "coincurve is missing: every signature takes a hundred times as long and leaks its timing",
        remedy="pip install coincurve",
    )
