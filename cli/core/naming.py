"""What the words of a call are made of: whose address it is, amounts of tokens, what strangers have written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from eth_utils.address import to_checksum_address

from moorage import units
from moorage.money import Money
from moorage.types import Address, Parameters

MAX_SHOWN = 200


class Contract(StrEnum):
    """The three contracts of a market; the values are the names of their ABIs."""

    EXCHANGE = "Exchange"
    REGISTRY = "ProviderRegistry"
    TOKEN = "ERC20"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Calldata that was taken apart by a contract's ABI."""

    contract: Contract
    address: Address
    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PermitTerms:
    """A message that lets somebody take tokens (EIP-2612), as it is going to be signed."""

    owner: Address
    spender: Address
    amount_base_units: int
    deadline_seconds: int
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the words need to know of the market and of whoever signs."""

    money: Money
    chain_id: int
    parameters: Parameters
    exchange: Address
    registry: Address
    token: Address
    wallet: Address
    known: Mapping[bytes, str] = field(default_factory=dict)
    """By an order's or a deployment's id: what the run knows of it beside the calldata."""


Words: TypeAlias = tuple[str, ...]
"""What is done, and then a line for each detail."""
Writer: TypeAlias = Callable[[Mapping[str, Any], Names], Words]


def tokens(base_units: int, names: Names) -> str:
    """Return base units of the token with every digit."""
    return ledger(units.to_ledger_units(base_units, names.money.decimals), names)


def ledger(ledger_units: int, names: Names) -> str:
    """Return ledger units as tokens with every digit."""
    return f"{names.money.number(ledger_units)} {names.money.symbol}"


def party(address: str, names: Names) -> str:
    """Return an address with what it is, if that is known; never shortened."""
    full = Address(to_checksum_address(address))
    known = {
        names.wallet: "this wallet",
        names.exchange: "the exchange",
        names.registry: "the registry",
        names.token: "the token",
    }
    return f"{known[full]} {full}" if full in known else str(full)


def account(address: str, names: Names) -> str:
    """Return whose account on the exchange it is: an address's, or a provider's, which is its number."""
    number = int(address, 16)
    if 0 < number < 2**32:
        return f"the account of provider {number}"
    if Address(to_checksum_address(address)) == names.wallet:
        return f"its own account {names.wallet}"
    return f"the account of {party(address, names)}"


def full_id(identifier: bytes) -> str:
    """Return an id as it is everywhere: 0x and all of its digits."""
    return f"0x{identifier.hex()}"


def text_line(text: str) -> str:
    """Return what somebody wrote as what can be shown: one line without control characters, not endless."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}... ({len(line)} characters)"
