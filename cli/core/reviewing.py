"""What is shown before anything is signed: each step in words, and what the wallet has before and after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cli.core.naming import Names, Words, ledger, tokens
from moorage import units

COIN_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Holding:
    """What belongs to a wallet."""

    wallet: int
    """Base units of the token."""
    account: int
    """Ledger units in its account on the exchange."""
    allowance: int
    """Base units that the exchange may take."""
    tenant: int | None = None
    """Ledger units in the account of the tenant that a manager spends; None: the wallet spends its own."""


@dataclass(frozen=True, slots=True)
class Balances:
    """What a wallet has at a block, and after the steps."""

    block_number: int
    before: Holding
    after: Holding | None
    """None: the node can't try it."""
    fee_wei: int | None
    """The most that the gas costs, whatever fees do; None if nobody knows how much is needed."""


def lines(steps: Sequence[Words], balances: Balances, names: Names, where: str) -> Iterator[str]:
    """Yield what is shown.

    Args:
        where: the chain, and by which node it is told.
    """
    yield f"wallet {names.wallet} signs on {where}:"
    for number, (what, *details) in enumerate(steps, 1):
        yield f"{number}. {what}"
        yield from (f"     {each}" for each in details)
    yield from _changes(balances, names)


def _changes(balances: Balances, names: Names) -> Iterator[str]:
    before, after, block = balances.before, balances.after, balances.block_number
    if after is None:
        yield f"what it changes could NOT be tried: this node has no eth_simulateV1; in block {block} there are"
        after = before
    else:
        yield f"what it changes, tried at block {block}:"
    yield f"     wallet      {_change(tokens, before.wallet, after.wallet, names)}"
    yield f"     account     {_change(ledger, before.account, after.account, names)}"
    if before.tenant is not None and after.tenant is not None:
        yield f"     tenant's    {_change(ledger, before.tenant, after.tenant, names)}, its account"
    if before.allowance or after.allowance:
        yield f"     allowance   {_change(tokens, before.allowance, after.allowance, names)} for the exchange"
    if balances.fee_wei is not None:
        yield f"     gas         at most {units.format_amount(balances.fee_wei, COIN_DECIMALS)} of the chain's coin"


def _change(shown: Any, before: int, after: int, names: Names) -> str:
    if before == after:
        return f"{shown(before, names)} stay"
    sign = "+" if after > before else "-"
    return f"{shown(before, names)} -> {shown(after, names)} ({sign}{shown(abs(after - before), names)})"


def document(steps: Sequence[Words], balances: Balances, names: Names) -> dict[str, Any]:
    """Return the same for programs."""
    money, decimals = names.money, names.money.decimals

    def of(holding: Holding) -> dict[str, str]:
        of_tenant = {} if holding.tenant is None else {"tenant_account": money.number(holding.tenant)}
        return {
            "wallet": money.number(units.to_ledger_units(holding.wallet, decimals)),
            "account": money.number(holding.account),
            "allowance": money.number(units.to_ledger_units(holding.allowance, decimals)),
            **of_tenant,
        }

    fee = balances.fee_wei
    return {
        "wallet": names.wallet,
        "steps": [list(words) for words in steps],
        "block": balances.block_number,
        "before": of(balances.before),
        "after": None if balances.after is None else of(balances.after),
        "symbol": money.symbol,
        "gas_at_most": None if fee is None else units.format_amount(fee, COIN_DECIMALS),
    }
