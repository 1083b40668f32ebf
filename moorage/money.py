"""Money and spans of blocks as people are shown them: tokens, tokens per hour, hours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from moorage import units
from moorage.types import LEDGER_DECIMALS

SHOWN_PLACES = 6


@dataclass(frozen=True, slots=True)
class Money:
    """How a market's amounts are shown."""

    symbol: str
    decimals: int
    seconds_per_block: Fraction

    def amount(self, ledger_units: int) -> str:
        """Return an amount for people, cut after six decimals."""
        one = units.ledger_units_per_token(self.decimals)
        return f"{units.format_tokens(Fraction(ledger_units, one), SHOWN_PLACES)} {self.symbol}"

    def at_most(self, ledger_units: int) -> str:
        """Return an amount that somebody agrees to pay, rounded up after six decimals."""
        one = units.ledger_units_per_token(self.decimals)
        rounded = Fraction(math.ceil(Fraction(ledger_units * 10**SHOWN_PLACES, one)), 10**SHOWN_PLACES)
        return f"{units.format_tokens(rounded, SHOWN_PLACES)} {self.symbol}"

    def number(self, ledger_units: int) -> str:
        """Return an amount for programs: tokens with every decimal."""
        return units.format_amount(ledger_units, self.decimals)

    def per_hour(self, charge_per_block: int) -> str:
        """Return a charge for people, rounded to the nearest sixth decimal: blocks seldom divide an hour's price."""
        tokens = units.price_per_hour(charge_per_block, self.seconds_per_block, self.decimals)
        rounded = _nearest(tokens, SHOWN_PLACES)
        return f"{units.format_tokens(rounded or tokens, SHOWN_PLACES)} {self.symbol}/h"

    def hourly_number(self, charge_per_block: int) -> str:
        """Return a charge for programs: tokens per hour, rounded to the nearest unit of the ledger."""
        decimals = max(self.decimals, LEDGER_DECIMALS)
        tokens = units.price_per_hour(charge_per_block, self.seconds_per_block, self.decimals)
        return units.format_amount(round(tokens * 10**decimals), self.decimals)

    def span(self, blocks: int) -> str:
        """Return how long blocks last: `23h 59m`."""
        return units.format_duration(units.to_seconds(max(blocks, 0), self.seconds_per_block))

    def hours(self, blocks: int) -> str:
        """Return how many hours blocks last, to the tenth, rounded down."""
        tenths = units.to_seconds(max(blocks, 0), self.seconds_per_block) * 10 // units.SECONDS_PER_HOUR
        return f"{tenths // 10}.{tenths % 10}"


def _nearest(tokens: Fraction, places: int) -> Fraction:
    return Fraction(round(tokens * 10**places), 10**places)
