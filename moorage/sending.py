"""What an operator sets for the key that a daemon sends with: where it is, what it may spend, where its journal is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from eth_utils.address import is_address, is_checksum_address, to_checksum_address

from moorage import units
from moorage.chain.jobs import Limits, Observer
from moorage.chain.outbox import Outbox
from moorage.chain.remote_signer import RemoteSigner, held_accounts
from moorage.chain.rpc import Rpc
from moorage.chain.signer import Allowed, LocalSigner, Signer, SigningRefused
from moorage.keys import load_key
from moorage.settings_file import SettingsFile
from moorage.types import Address

TABLE = "sending"
KNOWN = ("signer", "address", "fee_cap_gwei", "coins_per_day", "journal")
"""The keys of the table."""
JOURNAL = "transactions.db"
REMEDY = f"give it the key, or correct address in [{TABLE}]"
WEI_PER_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Sending:
    """Where a key is and what it may do."""

    key_file: Path | None
    password_file: Path | None
    signer_url: str | None
    """Of a remote signer, which has the key in place of a file."""
    signer_address: Address | None
    """Whose signature it gives."""
    fee_cap_wei: int | None
    """The most that is offered for a unit of gas."""
    daily_cap_wei: int | None
    journal: Path

    @property
    def limits(self) -> Limits:
        """What the outbox keeps to."""
        return Limits(fee_cap_wei=self.fee_cap_wei, daily_wei=self.daily_cap_wei)

    @property
    def where(self) -> str:
        """Where the key is, for messages; the address of a signer is shown without what may be a token in it."""
        return f"the signer at {Rpc(self.signer_url).name}" if self.signer_url else str(self.key_file)


def read_sending(at: Callable[[str], SettingsFile], key: str, password: str, data_dir: Path) -> Sending | None:
    """Read what is set for a daemon's key; None if there is no key.

    Args:
        at: gives the settings that have a key of the file; options come before the file.
        key: the name of the setting of the key's file.
        password: that of its password's.
        data_dir: where the journal is if nothing else is said.

    Raises:
        SettingsError: a value is out of form, or two keys are named.
    """
    signer, address = f"{TABLE}.signer", f"{TABLE}.address"
    key_file = at(key).optional_file(key)
    if at(signer).has(signer):
        if key_file is not None:
            raise at(signer).error(signer, f"{key} is there too: only one of them can have the key, take the other out")
        at(signer).text(signer)  # one, not a list
    elif key_file is None:
        return None
    limits = {
        name: at(f"{TABLE}.{name}").optional(f"{TABLE}.{name}", _positive) for name in ("fee_cap_gwei", "coins_per_day")
    }
    journal = f"{TABLE}.journal"
    return Sending(
        key_file=key_file,
        password_file=at(password).optional_file(password),
        signer_url=at(signer).nodes(signer)[0] if at(signer).has(signer) else None,
        signer_address=_address(at(address), address) if at(signer).has(signer) else None,
        fee_cap_wei=_wei(limits["fee_cap_gwei"], WEI_PER_GWEI),
        daily_cap_wei=_wei(limits["coins_per_day"], units.WEI_PER_COIN),
        journal=at(journal).optional_file(journal) or data_dir / JOURNAL,
    )


def address_of(sending: Sending) -> Address:
    """Return whose transactions a key signs.

    Raises:
        KeyFileError: its file can't be used.
    """
    if sending.signer_address is not None:
        return sending.signer_address
    assert sending.key_file is not None
    return Address(load_key(sending.key_file, sending.password_file).address)


@asynccontextmanager
async def opened_outbox(rpc: Rpc, sending: Sending, allowed: Allowed, observer: Observer) -> AsyncIterator[Outbox]:
    """Become the writer of a key.

    Args:
        allowed: what it may sign; its chain is the one that is sent to.

    Raises:
        KeyFileError: its file can't be used.
        ChainError: somebody else is, the journal can't be used, or the node does not answer.
    """
    async with _signer(sending, allowed) as signer:
        outbox = Outbox(rpc, signer, allowed.chain_id, sending.journal, sending.limits, observer)
        async with outbox:
            yield outbox


@asynccontextmanager
async def _signer(sending: Sending, allowed: Allowed) -> AsyncIterator[Signer]:
    if sending.signer_url is None:
        assert sending.key_file is not None
        yield LocalSigner(load_key(sending.key_file, sending.password_file), allowed)
        return
    assert sending.signer_address is not None
    async with Rpc(sending.signer_url) as rpc:
        held = await held_accounts(rpc)
        if held is not None and sending.signer_address not in held:
            raise SigningRefused(
                f"the signer at {rpc.name} does not have the key of {sending.signer_address}: {REMEDY}"
            )
        yield RemoteSigner(rpc, sending.signer_address, allowed)


def _address(file: SettingsFile, key: str) -> Address:
    written = file.text(key)
    has_checksum = written[2:] not in (written[2:].lower(), written[2:].upper())
    if not is_address(written) or (has_checksum and not is_checksum_address(written)):
        raise file.error(key, f"{written!r} is no address, or one that is mistyped: 0x and 40 hex digits")
    return Address(to_checksum_address(written))


def _positive(written: units.Written) -> Fraction:
    amount = units.parse_tokens(written)
    if not amount:
        raise units.UnitError("has to be more than 0; leave it out for no such limit")
    return amount


def _wei(amount: Fraction | None, one: int) -> int | None:
    """Return an amount in wei, rounded down: a limit is never more than what was written."""
    return None if amount is None else int(amount * one)
