"""The one module of conversions, between what people write and read and integers of ledger units, bytes and blocks.

Only integers, `Fraction` and decimal text; a float is refused, because 0.1 is not one tenth.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from moorage.types import LEDGER_DECIMALS

Written = str | int
WEI_PER_COIN = 10**18
"""A number as a person wrote it."""

SIZE_UNITS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
    "TB": 10**12,
    "TiB": 2**40,
}
DURATION_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LIFETIMES = {"short": 3_600, "medium": 86_400, "long": 30 * 86_400}
"""Seconds that the words of `qos.lifetime` stand for: 1h, 1d and 30d."""

SECONDS_PER_HOUR = 3_600

_MAX_DIGITS = 40  # far above every cap of the exchange; keeps the arithmetic on hostile text small
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", re.ASCII)

_SIZE_FORM = "a size: a number with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB (512MiB), or plain bytes"
_CPU_FORM = "an amount of cpu: cores (2 or 0.5) or thousandths of a core (500m)"
_DURATION_FORM = "a time: whole seconds, minutes, hours or days (90s, 15m, 1h, 30d), or short, medium or long"
_AMOUNT_FORM = "an amount of tokens: digits with at most one decimal point, such as 5 or 0.25"
_BLOCK_TIME_FORM = "a block time: seconds above 0, such as 12, 0.25 or 1/3"


class UnitError(ValueError):
    """A value that is not in the form it has to have; the message says what is wrong and what is allowed."""


def parse_size(written: Written) -> int:
    """Return a size in bytes.

    Raises:
        UnitError: not a size, or not a whole number of bytes.
    """
    number, unit = _split(written, _SIZE_FORM)
    if unit not in SIZE_UNITS:
        raise UnitError(f"{_shown(written)} is not {_SIZE_FORM}")
    return _whole(number * SIZE_UNITS[unit], written, "a whole number of bytes")


def parse_cpu(written: Written) -> int:
    """Return an amount of cpu in thousandths of a core.

    Raises:
        UnitError: not an amount of cpu, or finer than a thousandth of a core.
    """
    number, unit = _split(written, _CPU_FORM)
    if unit not in ("", "m"):
        raise UnitError(f"{_shown(written)} is not {_CPU_FORM}")
    milli_cpu = number if unit == "m" else number * 1_000
    return _whole(milli_cpu, written, "a whole number of thousandths of a core")


def parse_duration(written: Written) -> int:
    """Return a span of time in seconds.

    Raises:
        UnitError: not a time, or not a whole number of its unit.
    """
    if isinstance(written, str) and written in LIFETIMES:
        return LIFETIMES[written]
    number, unit = _split(written, _DURATION_FORM)
    if unit not in DURATION_UNITS:
        raise UnitError(f"{_shown(written)} is not {_DURATION_FORM}")
    return _whole(number, written, _DURATION_FORM) * DURATION_UNITS[unit]


def parse_tokens(written: Written) -> Fraction:
    """Return an amount of tokens exactly as written.

    Raises:
        UnitError: not an amount of tokens.
    """
    number, unit = _split(written, _AMOUNT_FORM)
    if unit:
        raise UnitError(f"{_shown(written)} is not {_AMOUNT_FORM}")
    return number


def parse_amount(written: Written, token_decimals: int = LEDGER_DECIMALS) -> int:
    """Return an amount of tokens in ledger units.

    Raises:
        UnitError: not an amount of tokens, or finer than the token itself can be divided.
    """
    amount = parse_tokens(written) * 10**token_decimals
    base_units = _whole(amount, written, f"an amount of a token with {token_decimals} decimals")
    return to_ledger_units(base_units, token_decimals)


def parse_block_time(written: Written) -> Fraction:
    """Return the seconds per block of a chain; a third of a second is written `1/3`.

    Raises:
        UnitError: not a number of seconds above 0.
    """
    numerator, slash, denominator = str(written).partition("/")
    seconds, unit = _split(numerator if slash else written, _BLOCK_TIME_FORM)
    divisor, divisor_unit = _split(denominator, _BLOCK_TIME_FORM) if slash else (Fraction(1), "")
    if unit or divisor_unit or not seconds or not divisor:
        raise UnitError(f"{_shown(written)} is not {_BLOCK_TIME_FORM}")
    return seconds / divisor


def ledger_units_per_token(token_decimals: int = LEDGER_DECIMALS) -> int:
    """Return the ledger units of one whole token; of a token with more than 18 decimals these are its base units."""
    return int(10 ** max(token_decimals, LEDGER_DECIMALS))


def wei_per_ledger_unit(coins_per_token: Fraction, token_decimals: int) -> Fraction:
    """Return what a ledger unit is worth in the chain's coin, by what an operator says that a token is worth."""
    return coins_per_token * WEI_PER_COIN / ledger_units_per_token(token_decimals)


def to_ledger_units(base_units: int, token_decimals: int) -> int:
    """Return base units of the token in ledger units: x 10^(18 - decimals), x 1 from 18 decimals on."""
    return base_units * _ledger_units_per_base_unit(token_decimals)


def to_base_units(ledger_units: int, token_decimals: int) -> int:
    """Return ledger units in base units of the token, rounded down; the dust stays in the account."""
    return ledger_units // _ledger_units_per_base_unit(token_decimals)


def covering_base_units(ledger_units: int, token_decimals: int) -> int:
    """Return the base units of the token that cover an amount: rounded up, what is more stays in the account."""
    return -(-ledger_units // _ledger_units_per_base_unit(token_decimals))


def collateral_ledger_units(tokens: Fraction, token_decimals: int = LEDGER_DECIMALS) -> int:
    """Return an amount of collateral in ledger units, rounded up: what a time at a price comes to need not be whole."""
    return math.ceil(tokens * ledger_units_per_token(token_decimals))


def price_per_block(
    tokens_per_hour: Fraction, seconds_per_block: Fraction, token_decimals: int = LEDGER_DECIMALS
) -> int:
    """Return an hourly price in ledger units per block.

    Rounded down, in the tenant's favour: nobody can be made to pay more per hour than the maximum that was written.
    """
    ledger_units_per_hour = tokens_per_hour * ledger_units_per_token(token_decimals)
    return int(ledger_units_per_hour * seconds_per_block // SECONDS_PER_HOUR)


def price_per_hour(
    ledger_units_per_block: int, seconds_per_block: Fraction, token_decimals: int = LEDGER_DECIMALS
) -> Fraction:
    """Return a price per block in tokens per hour, exactly; `format_tokens` shows it."""
    blocks_per_hour = SECONDS_PER_HOUR / seconds_per_block
    return ledger_units_per_block * blocks_per_hour / ledger_units_per_token(token_decimals)


def to_blocks(seconds: int, seconds_per_block: Fraction) -> int:
    """Return the blocks that last at least as long as `seconds`: rounded up."""
    return math.ceil(seconds / seconds_per_block)


def to_seconds(blocks: int, seconds_per_block: Fraction) -> int:
    """Return the whole seconds that `blocks` last, rounded down."""
    return int(blocks * seconds_per_block)


def format_amount(ledger_units: int, token_decimals: int = LEDGER_DECIMALS) -> str:
    """Return 0 or more ledger units as decimal text in tokens, exactly: what `parse_amount` reads back."""
    decimals = max(token_decimals, LEDGER_DECIMALS)
    whole, part = divmod(ledger_units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")


def format_tokens(tokens: Fraction, places: int = 6) -> str:
    """Return an amount of 0 or more tokens for people, cut after `places` decimals: `1,250.5`, `less than 0.000001`."""
    scaled = int(tokens * 10**places)
    if tokens and not scaled:
        return f"less than {format_tokens(Fraction(1, 10**places), places)}"
    whole, part = divmod(scaled, 10**places)
    return f"{whole:,}" + (f".{part:0{places}d}".rstrip("0") if part else "")


def format_duration(seconds: int) -> str:
    """Return a span for people in its two largest units, rounded down: `3d 4h`, `1h 5m`, `12s`."""
    units = sorted(DURATION_UNITS.items(), key=lambda item: -item[1])
    largest = next((index for index, (_, length) in enumerate(units) if seconds >= length), len(units) - 1)
    parts, rest = [], seconds
    for name, length in units[largest : largest + 2]:
        count, rest = divmod(rest, length)
        parts.append(f"{count}{name}")
    return " ".join(part for part in parts if not part.startswith("0")) or "0s"


def format_size(size_bytes: int) -> str:
    """Return a size in the largest unit that says it exactly: `512MiB`, `3GB`, `1000001B`."""
    exact = [(factor, unit) for unit, factor in SIZE_UNITS.items() if unit and size_bytes % factor == 0]
    factor, unit = max(exact) if size_bytes else (1, "B")
    return f"{size_bytes // factor}{unit}"


def format_cpu(milli_cpu: int) -> str:
    """Return an amount of cpu in cores when it is whole cores, else in thousandths: `2`, `500m`."""
    cores, rest = divmod(milli_cpu, 1_000)
    return f"{milli_cpu}m" if rest else str(cores)


def _ledger_units_per_base_unit(token_decimals: int) -> int:
    return int(10 ** max(LEDGER_DECIMALS - token_decimals, 0))


def _split(written: Written, form: str) -> tuple[Fraction, str]:
    """Part a number from the unit behind it."""
    if not isinstance(written, str | int):
        raise UnitError(f"{_shown(written)} is not {form}")
    if isinstance(written, int) and abs(written) >= 10**_MAX_DIGITS:
        raise UnitError(f"the number is too large for {form}")
    match = _NUMBER.fullmatch(str(written))
    if match is None or len(match[1]) > 2 * _MAX_DIGITS:
        raise UnitError(f"{_shown(written)} is not {form}")
    return Fraction(match[1]), match[2]


def _whole(number: Fraction, written: Written, form: str) -> int:
    if number.denominator != 1:
        raise UnitError(f"{_shown(written)} is not {form}")
    return number.numerator


def _shown(written: object) -> str:
    """Quote a value for a message: one line, printable, short."""
    text = ascii(str(written))
    return text if len(text) <= 60 else text[:57] + "...'"
