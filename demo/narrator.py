"""Tells what happens: headings for the acts, a line for each event on chain."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from fractions import Fraction

from moorage.chain.logs import Happening
from moorage.chain.market import Market
from moorage.types import Address
from moorage.units import format_duration, format_tokens, ledger_units_per_token


class Narrator:
    """Prints to standard output, a line at once."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._act = 0

    def act(self, title: str) -> None:
        """Begin a numbered part."""
        self._act += 1
        seconds = int(time.monotonic() - self._started)
        heading = f"{self._act}. {title}"
        self._print(f"\n\033[1m{heading}\033[0m" if sys.stdout.isatty() else f"\n{heading}")
        self._print(f"   ({format_duration(seconds)} since the start)")

    def say(self, text: str) -> None:
        """Print indented lines."""
        for line in text.splitlines() or [""]:
            self._print(f"   {line}")

    def quote(self, program: str, text: str) -> None:
        """Print what a program has said, with its name."""
        for line in text.splitlines():
            self.say(f"{' ' * 12}{program}: {line}")

    def block(self, number: int, text: str) -> None:
        """Print something that is on chain."""
        self._print(f"   block {number:>4}  {text}")

    def _print(self, line: str) -> None:
        print(line, flush=True)


class Wording:
    """Puts events of the exchange into words."""

    def __init__(self, market: Market, names: Mapping[Address, str]) -> None:
        """
        Args:
            market: for amounts.
            names: what to call an account.
        """
        self._market = market
        self._names = names

    def amount(self, ledger_units: int) -> str:
        """Return an amount in tokens."""
        tokens = Fraction(ledger_units, ledger_units_per_token(self._market.parameters.token_decimals))
        return f"{format_tokens(tokens)} {self._market.token_symbol}"

    def describe(self, happening: Happening) -> str | None:
        """Return one line for an event, None for those that say nothing new."""
        name, arguments = happening.name, happening.arguments
        short = {key: f"0x{value.hex()[:8]}" for key, value in arguments.items() if isinstance(value, bytes)}
        words = _WORDS.get(name)
        if words is None:
            return None
        amounts = {key: self.amount(value) for key, value in arguments.items() if key in _AMOUNTS}
        people = {key: self._name(value) for key, value in arguments.items() if isinstance(value, str)}
        return words.format_map({**arguments, **people, **amounts, **short})

    def _name(self, value: str) -> str:
        known = {address.lower(): name for address, name in self._names.items()}
        return known.get(value.lower(), value)


_AMOUNTS = ("amount", "deposit", "refund", "charge", "earned", "slashed", "spend_cap")
_WORDS = {
    "Deposited": "{payer} pays {amount} into the account of {account}",
    "DeploymentSubmitted": "deployment {deployment} submitted by {tenant}",
    "OrderCreated": "order {order} open, holding {deposit}",
    "FulfillmentSubmitted": "provider {provider} bids {charge} a block on order {order} and locks its collateral",
    "LeaseCreated": "order {lease} matched by {facilitator}: provider {provider} at {charge} a block",
    "LeaseConfirmed": "lease {lease} confirmed by its provider",
    "LeaseClaimed": "lease {lease}: {amount} moved to its provider",
    "FulfillmentReleased": "order {order}: provider {provider} gets its collateral back",
    "LeaseStale": "lease {lease} STALE, called by {facilitator}: provider {provider} loses {slashed} to the tenant",
    "OrderRecreated": "order {order} takes its place, without provider {excluded_provider}",
    "DeploymentClosing": "deployment {deployment} closing",
    "OrderClosed": "order {order} closed; {refund} back",
    "LeaseClosing": "lease {lease} closing: nothing is charged from here on",
    "LeaseClosed": "lease {lease} closed: {earned} to provider {provider} with its collateral, {refund} to the tenant",
    "DeploymentClosed": "deployment {deployment} closed by {facilitator}",
}
