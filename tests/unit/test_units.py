"""Conversions between what people write and integers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from moorage import units
from moorage.units import UnitError, Written


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        (0, 0),
        (1024, 1024),
        ("1024", 1024),
        ("7B", 7),
        ("1kB", 1_000),
        ("1KiB", 1_024),
        ("3MB", 3_000_000),
        ("3MiB", 3 * 2**20),
        ("3GB", 3 * 10**9),
        ("3GiB", 3 * 2**30),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("1.5GB", 1_500_000_000),
        ("0.5KiB", 512),
    ],
)
def test_parse_size__valid__is_in_bytes(written: Written, size_bytes: int) -> None:
    assert units.parse_size(written) == size_bytes


SIZE_FORM = "a size: a number with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB (512MiB), or plain bytes"


@pytest.mark.parametrize("written", ["3 GB", "3gb", "3Gi", "-1", "", "GB", "1e3", ".5GB", "5.", "٣GB", "3GB\n", -1])
def test_parse_size__another_form__says_what_is_allowed(written: Written) -> None:
    with pytest.raises(UnitError) as caught:
        units.parse_size(written)

    assert str(caught.value).endswith(f" is not {SIZE_FORM}")


def test_parse_size__part_of_a_byte__is_refused() -> None:
    with pytest.raises(UnitError, match=r"^'1.0001kB' is not a whole number of bytes$"):
        units.parse_size("1.0001kB")


@pytest.mark.parametrize(("written", "milli_cpu"), [("0.5", 500), (2, 2_000), ("500m", 500), ("0.001", 1), (0, 0)])
def test_parse_cpu__valid__is_in_thousandths(written: Written, milli_cpu: int) -> None:
    assert units.parse_cpu(written) == milli_cpu


@pytest.mark.parametrize("written", ["1.5c", "-1", "half", "1M", "1E+3"])
def test_parse_cpu__another_form__says_what_is_allowed(written: Written) -> None:
    with pytest.raises(
        UnitError, match=r"is not an amount of cpu: cores \(2 or 0.5\) or thousandths of a core \(500m\)$"
    ):
        units.parse_cpu(written)


@pytest.mark.parametrize("written", ["0.0001", "0.5m"])
def test_parse_cpu__finer_than_a_thousandth__is_refused(written: str) -> None:
    with pytest.raises(UnitError, match=r"is not a whole number of thousandths of a core$"):
        units.parse_cpu(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h", 3_600),
        ("30d", 2_592_000),
        ("0s", 0),
        ("short", 3_600),
        ("medium", 86_400),
        ("long", 2_592_000),
    ],
)
def test_parse_duration__valid__is_in_seconds(written: str, seconds: int) -> None:
    assert units.parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["90", 90, "1.5h", "1h30m", "1w", "Short", "", "-1h"])
def test_parse_duration__another_form__says_what_is_allowed(written: Written) -> None:
    message = r"is not a time: whole seconds, minutes, hours or days \(90s, 15m, 1h, 30d\), or short, medium or long$"
    with pytest.raises(UnitError, match=message):
        units.parse_duration(written)


def test_parse_tokens__decimal__is_exact() -> None:
    assert units.parse_tokens("0.1") == Fraction(1, 10)
    assert units.parse_tokens("0.10") == Fraction(1, 10)


@pytest.mark.parametrize("written", ["1 MOOR", "1,5", "1e18", "-1", "", "0x10"])
def test_parse_tokens__another_form__says_what_is_allowed(written: str) -> None:
    message = "is not an amount of tokens: digits with at most one decimal point, such as 5 or 0.25$"
    with pytest.raises(UnitError, match=message):
        units.parse_tokens(written)


@pytest.mark.parametrize(
    ("written", "token_decimals", "ledger_units"),
    [
        ("1", 18, 10**18),
        ("0.000000000000000001", 18, 1),
        ("1.5", 6, 1_500_000_000_000_000_000),
        ("0.000001", 6, 10**12),
        ("3", 0, 3 * 10**18),
        ("1", 24, 10**24),
        ("0.000000000000000000000001", 24, 1),
    ],
)
def test_parse_amount__valid__is_in_ledger_units(written: str, token_decimals: int, ledger_units: int) -> None:
    assert units.parse_amount(written, token_decimals) == ledger_units


@pytest.mark.parametrize(("written", "token_decimals"), [("0.1", 0), ("0.0000001", 6), ("0.0000000000000000001", 18)])
def test_parse_amount__finer_than_the_token__is_refused(written: str, token_decimals: int) -> None:
    message = f"^'{written}' is not an amount of a token with {token_decimals} decimals$"
    with pytest.raises(UnitError, match=message):
        units.parse_amount(written, token_decimals)


@pytest.mark.parametrize(
    ("written", "seconds_per_block"),
    [
        ("12", Fraction(12)),
        (2, Fraction(2)),
        ("0.25", Fraction(1, 4)),
        ("1/3", Fraction(1, 3)),
        ("3/2", Fraction(3, 2)),
    ],
)
def test_parse_block_time__valid__is_exact(written: Written, seconds_per_block: Fraction) -> None:
    assert units.parse_block_time(written) == seconds_per_block


@pytest.mark.parametrize("written", ["0", "1/0", "12s", "1/2/3", "/", "1/", "/2", "-1", ""])
def test_parse_block_time__another_form__says_what_is_allowed(written: str) -> None:
    with pytest.raises(UnitError, match=r"is not a block time: seconds above 0, such as 12, 0.25 or 1/3$"):
        units.parse_block_time(written)


@pytest.mark.parametrize(
    "parse", [units.parse_size, units.parse_cpu, units.parse_tokens, units.parse_amount, units.parse_block_time]
)
@pytest.mark.parametrize("written", [0.5, True, None, [], Decimal(1), "nan", "inf"])
def test_parse__a_float_or_no_number__is_refused(parse: object, written: object) -> None:
    with pytest.raises(UnitError):
        parse(written)  # type: ignore[operator]


@pytest.mark.parametrize("written", ["9" * 1_000_000, 10**1_000])
def test_parse__a_gigantic_number__is_refused_with_a_short_message(written: Written) -> None:
    with pytest.raises(UnitError) as caught:
        units.parse_size(written)

    assert len(str(caught.value)) < 200


def test_parse__hostile_text__is_escaped_in_the_message() -> None:
    with pytest.raises(UnitError, match=r"^'\\x1b\[2J\\u202e' is not"):
        units.parse_size("\x1b[2J\u202e")


@pytest.mark.parametrize(
    ("token_decimals", "per_token", "per_base_unit"),
    [(0, 10**18, 10**18), (6, 10**18, 10**12), (18, 10**18, 1), (24, 10**24, 1)],
)
def test_a15_ledger_units__of_each_kind_of_token__follow_its_decimals(
    token_decimals: int, per_token: int, per_base_unit: int
) -> None:
    assert units.ledger_units_per_token(token_decimals) == per_token
    assert units.to_ledger_units(7, token_decimals) == 7 * per_base_unit


def test_to_base_units__dust__is_rounded_down() -> None:
    assert units.to_base_units(1_999_999_999_999, 6) == 1
    assert units.to_base_units(999_999_999_999, 6) == 0


def test_price_per_block__a_price_that_does_not_divide__is_rounded_down() -> None:
    price = units.price_per_block(Fraction(1), Fraction(7))

    assert price == 1_944_444_444_444_444  # 10^18 x 7 / 3600 = 1944444444444444.4
    assert units.price_per_hour(price, Fraction(7)) < 1
    assert units.price_per_hour(price + 1, Fraction(7)) > 1


def test_price_per_block__block_time_below_a_second__is_exact() -> None:
    assert units.price_per_block(Fraction(36), Fraction(1, 4), token_decimals=6) == 2_500_000_000_000_000


def test_price_per_block__below_one_ledger_unit__is_zero() -> None:
    assert units.price_per_block(Fraction(3_599, 10**18), Fraction(1)) == 0
    assert units.price_per_block(Fraction(3_600, 10**18), Fraction(1)) == 1


def test_collateral_ledger_units__a_part_of_one__is_rounded_up() -> None:
    assert units.collateral_ledger_units(Fraction(1, 3)) == 333_333_333_333_333_334
    assert units.collateral_ledger_units(Fraction(1, 2)) == 5 * 10**17


def test_to_blocks__a_part_of_a_block__is_rounded_up() -> None:
    assert units.to_blocks(60, Fraction(12)) == 5
    assert units.to_blocks(61, Fraction(12)) == 6
    assert units.to_blocks(1, Fraction(1, 4)) == 4
    assert units.to_blocks(0, Fraction(12)) == 0


def test_to_seconds__a_part_of_a_second__is_rounded_down() -> None:
    assert units.to_seconds(7, Fraction(1, 4)) == 1
    assert units.to_seconds(5, Fraction(12)) == 60


@pytest.mark.parametrize(
    ("ledger_units", "token_decimals", "text"),
    [
        (0, 18, "0"),
        (1, 18, "0.000000000000000001"),
        (10**18, 18, "1"),
        (15 * 10**17, 6, "1.5"),
        (100 * 10**18, 0, "100"),
        (10**24, 24, "1"),
        (1, 24, "0.000000000000000000000001"),
    ],
)
def test_a15_format_amount__any__is_exact(ledger_units: int, token_decimals: int, text: str) -> None:
    assert units.format_amount(ledger_units, token_decimals) == text


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(5), "5"),
        (Fraction(12_505, 10), "1,250.5"),
        (Fraction(2, 3), "0.666666"),
        (Fraction(1, 10**7), "less than 0.000001"),
        (Fraction(100), "100"),
    ],
)
def test_format_tokens__any__is_cut(tokens: Fraction, text: str) -> None:
    assert units.format_tokens(tokens) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (12, "12s"),
        (60, "1m"),
        (61, "1m 1s"),
        (3_600, "1h"),
        (3_661, "1h 1m"),
        (86_400, "1d"),
        (86_400 + 61, "1d"),
        (3 * 86_400 + 4 * 3_600 + 59, "3d 4h"),
        (20 * 60, "20m"),
        (100 * 86_400 + 3_600, "100d 1h"),
    ],
)
def test_format_duration__any__is_its_two_largest_units(seconds: int, text: str) -> None:
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0B"), (7, "7B"), (512 * 2**20, "512MiB"), (3 * 10**9, "3GB"), (1_000_001, "1000001B"), (2**40, "1TiB")],
)
def test_format_size__any__is_exact(size_bytes: int, text: str) -> None:
    assert units.format_size(size_bytes) == text


@pytest.mark.parametrize(("milli_cpu", "text"), [(2_000, "2"), (500, "500m"), (1_500, "1500m")])
def test_format_cpu__any__is_exact(milli_cpu: int, text: str) -> None:
    assert units.format_cpu(milli_cpu) == text
