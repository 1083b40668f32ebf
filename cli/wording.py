"""The words of what is going to be signed, out of its own calldata; what has no words is not signed."""

from __future__ import annotations

from collections.abc import Mapping

from cli.core.decoding import words_of
from cli.core.naming import Contract, Decoded, Names, Words
from cli.failures import ExitStatus, Failure
from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.market import Market
from moorage.money import Money
from moorage.types import Address


def names_of(market: Market, money: Money, wallet: Address, known: Mapping[bytes, str] | None = None) -> Names:
    """Return what the words need to know.

    Args:
        known: by an order's or a deployment's id: what the run knows of it beside the calldata.
    """
    return Names(
        money, market.chain_id, market.parameters, market.exchange, market.registry, market.token, wallet, known or {}
    )


def decode(market: Market, call: Call) -> Decoded | None:
    """Return a call taken apart; None if it is none of the market's contracts, or not in the one form that it has."""
    contracts = {
        market.exchange: Contract.EXCHANGE,
        market.registry: Contract.REGISTRY,
        market.token: Contract.TOKEN,
    }
    contract = contracts.get(call.to)
    found = abi.load(contract).decode_call(call.data) if contract is not None else None
    return None if contract is None or found is None else Decoded(contract, call.to, *found)


def words_for(market: Market, names: Names, call: Call) -> Words:
    """Return what a call does in words.

    Raises:
        Failure: nobody could know what would be signed.
    """
    decoded = decode(market, call)
    words = words_of(decoded, names) if decoded is not None else None
    if words is None:
        text = f"not signed: 0x{call.data[:4].hex()} at {call.to} is no call that can be shown in words"
        raise Failure(ExitStatus.REFUSED, f"{text}, it may do anything")
    return words
