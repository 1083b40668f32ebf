"""Conversions keep their promises for every number: exact ways there and back, and rounding in the tenant's favour."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from moorage import units
from moorage.units import UnitError

LEDGER_UNITS = st.integers(0, 2**96 - 1)
DECIMALS = st.integers(0, 36)
BLOCK_TIMES = st.fractions(min_value=Fraction(1, 100), max_value=1_000, max_denominator=10**9)


@given(LEDGER_UNITS, DECIMALS)
def test_amount__formatted_and_parsed__is_the_same_without_the_dust(ledger_units: int, token_decimals: int) -> None:
    base_units = units.to_base_units(ledger_units, token_decimals)
    without_dust = units.to_ledger_units(base_units, token_decimals)

    assert units.parse_amount(units.format_amount(without_dust, token_decimals), token_decimals) == without_dust
    assert 0 <= ledger_units - without_dust < units.to_ledger_units(1, token_decimals)


@given(st.integers(0, 2**53))
def test_size__formatted_and_parsed__is_the_same(size_bytes: int) -> None:
    assert units.parse_size(units.format_size(size_bytes)) == size_bytes


@given(st.integers(0, 2**32))
def test_cpu__formatted_and_parsed__is_the_same(milli_cpu: int) -> None:
    assert units.parse_cpu(units.format_cpu(milli_cpu)) == milli_cpu


@given(BLOCK_TIMES)
def test_block_time__written_as_a_fraction__is_the_same(seconds_per_block: Fraction) -> None:
    assert units.parse_block_time(str(seconds_per_block)) == seconds_per_block


@given(st.fractions(min_value=0, max_value=10**9), BLOCK_TIMES, DECIMALS)
def test_price__per_block__is_the_largest_that_does_not_cost_more_per_hour(
    tokens_per_hour: Fraction, seconds_per_block: Fraction, token_decimals: int
) -> None:
    price = units.price_per_block(tokens_per_hour, seconds_per_block, token_decimals)

    assert units.price_per_hour(price, seconds_per_block, token_decimals) <= tokens_per_hour
    assert units.price_per_hour(price + 1, seconds_per_block, token_decimals) > tokens_per_hour


@given(st.fractions(min_value=0, max_value=10**9), DECIMALS)
def test_collateral__in_ledger_units__is_the_smallest_that_covers_it(tokens: Fraction, token_decimals: int) -> None:
    collateral = units.collateral_ledger_units(tokens, token_decimals)

    assert 0 <= collateral - tokens * units.ledger_units_per_token(token_decimals) < 1


@given(st.integers(0, 10**10), BLOCK_TIMES)
def test_blocks__of_a_time__are_the_fewest_that_last_as_long(seconds: int, seconds_per_block: Fraction) -> None:
    blocks = units.to_blocks(seconds, seconds_per_block)

    assert blocks * seconds_per_block >= seconds
    assert blocks == 0 or (blocks - 1) * seconds_per_block < seconds
    assert units.to_seconds(blocks, seconds_per_block) >= seconds


@given(st.text() | st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,3})?[A-Za-z]{0,3}", fullmatch=True))
def test_parse__any_text__is_a_number_or_a_unit_error(text: str) -> None:
    for parse in (
        units.parse_size,
        units.parse_cpu,
        units.parse_duration,
        units.parse_tokens,
        units.parse_amount,
        units.parse_block_time,
    ):
        try:
            assert parse(text) >= 0
        except UnitError as error:
            assert str(error).isprintable()


@given(st.integers(0, 10**12), st.fractions(min_value=0, max_value=10**12))
def test_format__any_number__is_one_printable_line(seconds: int, tokens: Fraction) -> None:
    assert units.format_duration(seconds).isprintable()
    assert units.format_tokens(tokens).isprintable()
