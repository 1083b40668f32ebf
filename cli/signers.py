"""Who signs for the tenant: a key that is opened when it is first needed, a signer elsewhere, or nobody here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eth_account.signers.local import LocalAccount

from cli.failures import ExitStatus, Failure
from moorage.chain.remote_signer import RemoteSigner
from moorage.chain.rpc import ChainError, NodeUnavailable
from moorage.chain.signer import Allowed, LocalSigner, SigningRefused
from moorage.chain.transactions import Signed, Transaction
from moorage.typed_data import TypedData
from moorage.types import Address


class TenantSigner(Protocol):
    """The tenant's key, wherever it is: signs transactions and messages."""

    address: Address
    failure: Failure | None
    """Why a signer elsewhere did not sign the last time, None if it did: what sends knows only of no signature."""

    async def unlock(self) -> None:
        """Get ready to sign, as by asking for a password.

        Raises:
            Failure: there is no key here.
            KeyFileError: the file is no key, or the password is another one.
        """

    async def sign(self, transaction: Transaction) -> Signed:
        """See moorage.chain.signer.Signer."""

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See moorage.typed_data.TypedDataSigner."""


class KeySigner:
    """A key that comes into this process when it is first needed."""

    failure: Failure | None = None

    def __init__(self, address: Address, open_key: Callable[[], LocalAccount], allowed: Allowed) -> None:
        self.address = address
        self._open_key = open_key
        self._allowed = allowed
        self._signer: LocalSigner | None = None

    async def unlock(self) -> None:
        """See TenantSigner."""
        self._opened()

    async def sign(self, transaction: Transaction) -> Signed:
        """See TenantSigner."""
        return await self._opened().sign(transaction)

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See TenantSigner."""
        return await self._opened().sign_typed_data(data)

    def _opened(self) -> LocalSigner:
        if self._signer is None:
            self._signer = LocalSigner(self._open_key(), self._allowed)
        return self._signer


class SignerElsewhere:
    """A signer of its own, asked over HTTP. Whatever keeps it from signing is one kind of failure."""

    def __init__(self, signer: RemoteSigner) -> None:
        self.address = signer.address
        self.failure: Failure | None = None
        self._signer = signer

    async def unlock(self) -> None:
        """See TenantSigner."""
        try:
            await self._signer.check_holds_key()
        except ChainError as error:
            raise self._failed(error) from error

    async def sign(self, transaction: Transaction) -> Signed:
        """See TenantSigner."""
        self.failure = None
        try:
            return await self._signer.sign(transaction)
        except ChainError as error:
            self._failed(error)
            raise

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See TenantSigner. A signer that is away may be asked again, one that refuses is not."""
        self.failure = None
        try:
            return await self._signer.sign_typed_data(data)
        except NodeUnavailable as error:
            self._failed(error)
            raise
        except ChainError as error:
            raise self._failed(error) from error

    def _failed(self, error: ChainError) -> Failure:
        text = str(error).replace("the node at", "the signer at")
        self.failure = Failure(ExitStatus.SIGNER, f"{text}: nothing was signed")
        return self.failure


class NobodySigns:
    """An address without its key: for what is only shown, or written down for a key that is elsewhere."""

    failure: Failure | None = None

    def __init__(self, address: Address) -> None:
        self.address = address

    async def unlock(self) -> None:
        """See TenantSigner."""
        raise self._failure()

    async def sign(self, transaction: Transaction) -> Signed:
        """See TenantSigner."""
        raise SigningRefused(self._failure().message)

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See TenantSigner."""
        raise self._failure()

    def _failure(self) -> Failure:
        text = f"the key of {self.address} is not here: --unsigned-out writes for it what has to be signed"
        return Failure(ExitStatus.WALLET, text)
