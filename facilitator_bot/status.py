"""Reads what the status command shows, and words it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facilitator_bot.core.summary import Summary, summarise
from facilitator_bot.settings import Settings
from moorage.chain.market import Market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.maintenance import Maintenance
from moorage.money import Money
from moorage.sending import address_of
from moorage.types import Address

WEI_PER_COIN = 10**18


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the facilitator's key has."""

    address: Address
    coin_wei: int
    tips: int
    """Ledger units in its account on the exchange."""


@dataclass(frozen=True, slots=True)
class Status:
    summary: Summary
    wallet: Wallet | None
    """None: dry mode."""
    is_draining: bool


async def read_status(rpc: Rpc, market: Market, settings: Settings) -> Status:
    """Read the market at the newest block.

    Raises:
        KeyFileError: the key can't be opened.
        NodeUnavailable: the node does not answer.
    """
    reader = MarketReader(rpc, market)
    snapshot = await reader.snapshot()
    wallet = await _wallet(rpc, reader, settings) if settings.sending else None
    return Status(summarise(snapshot), wallet, Maintenance(settings.data_dir).is_draining)


async def _wallet(rpc: Rpc, reader: MarketReader, settings: Settings) -> Wallet:
    assert settings.sending is not None
    address = address_of(settings.sending)
    (account,) = await reader.exchange.accounts(None, [address])
    try:
        coin = as_number(await rpc.call("eth_getBalance", address, "latest"))
    except NodeRefused as error:
        raise NodeUnavailable(f"the coin of {address} could not be read: {error}") from error
    return Wallet(address, coin, account.available)


def document(status: Status, money: Money) -> dict[str, Any]:
    """Return a status for programs; amounts are decimal text in tokens, and in the chain's coin."""
    summary, wallet = status.summary, status.wallet
    return {
        "block": summary.block.number,
        "draining": status.is_draining,
        "orders": summary.orders,
        "bids": summary.bids,
        "leases": {"active": summary.active_leases, "closing": summary.closing_leases},
        "deployments": {
            "active": summary.deployments - summary.closing_deployments,
            "closing": summary.closing_deployments,
        },
        "due": summary.due,
        "oldest_due_blocks": summary.oldest_due_blocks,
        "wallet": None
        if wallet is None
        else {
            "address": wallet.address,
            "coin_wei": str(wallet.coin_wei),
            "tips": money.number(wallet.tips),
        },
    }


def as_text(status: Status, money: Money) -> list[str]:
    """Return a status for people."""
    summary, wallet = status.summary, status.wallet
    due = ", ".join(f"{count} {kind}" for kind, count in summary.due.items() if count)
    active = summary.deployments - summary.closing_deployments
    lines = [
        f"block        {summary.block.number}",
        f"orders       {summary.orders} open, with {summary.bids} bids",
        f"leases       {summary.active_leases} active, {summary.closing_leases} closing",
        f"deployments  {active} active, {summary.closing_deployments} closing",
        f"due now      {due or 'nothing'}",
    ]
    if summary.oldest_due_blocks:
        lines.append(f"waiting      for {summary.oldest_due_blocks} blocks ({money.span(summary.oldest_due_blocks)})")
    if wallet is None:
        lines.append("key          none: dry mode")
    else:
        lines.append(f"key          {wallet.address}: {wallet.coin_wei / WEI_PER_COIN:.6g} coins")
        lines.append(f"tips         {money.amount(wallet.tips)}")
    if status.is_draining:
        lines.append("maintenance  on: nothing new is sent; end it with drain --off")
    return lines
