"""Adds up who has what: wallets, accounts on the exchange, what it holds for leases; to the last unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from demo.processes import DemoFailed
from moorage.chain.contracts import Exchange, Token, provider_account
from moorage.chain.index import read_block
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.types import Address, OrderId
from moorage.units import format_tokens, ledger_units_per_token, to_ledger_units


@dataclass(frozen=True, slots=True)
class Entry:
    """One party, in ledger units."""

    name: str
    wallet: int
    account: int
    """What is available on the exchange."""
    earned: int = 0
    """What leases hold for it until a claim."""

    @property
    def total(self) -> int:
        return self.wallet + self.account + self.earned


async def read(
    rpc: Rpc, market: Market, parties: Mapping[str, tuple[Address, ...]], leases: Sequence[OrderId] = ()
) -> list[Entry]:
    """Read what each party has, and last what the exchange holds: deposits, prepaid blocks, collateral, tips.

    All of it is read at one block.

    Args:
        rpc: the node.
        market: where.
        parties: name -> the addresses whose wallets and accounts are the party's.
        leases: active ones; what they have earned is their provider's.
    """
    exchange, token = Exchange(rpc, market), Token(rpc, market)
    block, entries = await read_block(rpc), []
    running = [lease for lease in await exchange.leases(block, leases) if lease is not None]
    for name, addresses in parties.items():
        accounts = await exchange.accounts(block, addresses)
        wallets = [await token.balance(block, address) for address in addresses]
        available = sum(each.available for each in accounts)
        earned = sum(lease.earned for lease in running if provider_account(lease.provider) in addresses)
        in_wallets = to_ledger_units(sum(wallets), market.parameters.token_decimals)
        entries.append(Entry(name, in_wallets, available, earned))
    exchange_holds = to_ledger_units(await token.balance(block, market.exchange), market.parameters.token_decimals)
    held = exchange_holds - sum(entry.account + entry.earned for entry in entries)
    entries.append(Entry("held, with collateral", 0, held))
    return entries


def table(entries: list[Entry], before: list[Entry], market: Market) -> str:
    """Return the ledger for people, with what each party has gained or lost."""
    rows: list[tuple[str, ...]] = [
        (f"{market.token_symbol}, cut to 6 decimals", "wallet", "account", "to claim", "since the start")
    ]
    for entry, earlier in zip(entries, before, strict=True):
        change = entry.total - earlier.total
        sign = "+" if change > 0 else "-" if change < 0 else " "
        amounts = (entry.wallet, entry.account, entry.earned)
        rows.append((entry.name, *(_tokens(amount, market) for amount in amounts), sign + _tokens(abs(change), market)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        row[0].ljust(widths[0]) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


async def prove(rpc: Rpc, market: Market, entries: list[Entry]) -> str:
    """Check that every unit is accounted for, and say so.

    Raises:
        DemoFailed: a unit is missing, or there is one too many.
    """
    token = Token(rpc, market)
    scale = to_ledger_units(1, market.parameters.token_decimals)
    held = await token.balance(None, market.exchange) * scale
    supply = int(await token.read(None, "totalSupply")) * scale
    *parties, held_for_leases = entries
    in_accounts = sum(entry.account for entry in parties)
    in_all = sum(entry.total for entry in entries)
    if held != in_accounts or supply != in_all or held_for_leases.total:
        raise DemoFailed(
            f"the ledger does not balance: the exchange holds {held}, its accounts say {in_accounts}; "
            f"the supply is {supply}, everybody together has {in_all}"
        )
    return (
        f"the exchange holds {held} units = the sum of all accounts {in_accounts}\n"
        f"the token's supply {supply} units = the sum of all wallets and accounts {in_all}\n"
        "nothing is held any more: every token is accounted for, to the last unit"
    )


def _tokens(ledger_units: int, market: Market) -> str:
    return format_tokens(Fraction(ledger_units, ledger_units_per_token(market.parameters.token_decimals)))
