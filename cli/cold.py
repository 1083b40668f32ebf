"""Transactions that come out of a file, shown as what they really do: nothing that the file says of itself counts."""

from __future__ import annotations

from collections.abc import Sequence

from cli.core.reviewing import COIN_DECIMALS
from cli.output import note
from cli.wording import names_of, words_for
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.market import Market
from moorage.chain.transactions import Transaction
from moorage.money import Money
from moorage.types import Address


def show_unsigned(market: Market, sender: Address, transactions: Sequence[Transaction]) -> None:
    """Show each transaction in words, by its own calldata and by the market that is known here.

    Raises:
        Failure: there are no words for one.
    """
    money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
    names = names_of(market, money, sender)
    shown = [words_for(market, names, call_of(each)) for each in transactions]
    note(f"wallet {sender} signs for chain {market.chain_id}, without a node:")
    for number, (transaction, (what, *details)) in enumerate(zip(transactions, shown, strict=True), 1):
        note(f"{number}. {what}")
        for each in details:
            note(f"     {each}")
        fee = units.format_amount(transaction.gas * transaction.fees.max_wei, COIN_DECIMALS)
        note(f"     transaction number {transaction.nonce} of the wallet, gas at most {fee} of the chain's coin")


def call_of(transaction: Transaction) -> Call:
    """Return what a transaction does, named by the first four bytes of its calldata."""
    return Call(transaction.to, transaction.data, f"transaction {transaction.nonce}")
