"""Amounts and prices as a tenant reads them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from moorage.money import Money

MOOR = Money("MOOR", 18, Fraction(12))
USD = Money("USD", 6, Fraction(1, 3))
ODD = Money("ODD", 24, Fraction(7))


@pytest.mark.parametrize(
    ("ledger_units", "amount", "at_most", "number"),
    [
        (0, "0 MOOR", "0 MOOR", "0"),
        (1, "less than 0.000001 MOOR", "0.000001 MOOR", "0.000000000000000001"),
        (1_500_000 * 10**18, "1,500,000 MOOR", "1,500,000 MOOR", "1500000"),
        (1_002_999_999_999_993_600, "1.002999 MOOR", "1.003 MOOR", "1.0029999999999936"),
    ],
)
def test_money__amount__is_cut_for_people_and_rounded_up_for_who_pays(ledger_units, amount, at_most, number):
    assert (MOOR.amount(ledger_units), MOOR.at_most(ledger_units), MOOR.number(ledger_units)) == (
        amount,
        at_most,
        number,
    )


@pytest.mark.parametrize(
    ("money", "charge", "shown", "number"),
    [
        (MOOR, 10**18 // 600, "0.5 MOOR/h", "0.4999999999999998"),
        (MOOR, 1, "less than 0.000001 MOOR/h", "0.0000000000000003"),
        (USD, 10**18 // 10_800, "1 USD/h", "0.9999999999999936"),
        (ODD, 10**24 // 3_600 * 7, "1 ODD/h", "0.9999999999999999999972"),
    ],
)
def test_money__price_per_hour__is_rounded_to_the_nearest(money, charge, shown, number):
    assert (money.per_hour(charge), money.hourly_number(charge)) == (shown, number)


@pytest.mark.parametrize(
    ("blocks", "span", "hours"),
    [(-5, "0s", "0.0"), (1, "12s", "0.0"), (299, "59m 48s", "0.9"), (7_500, "1d 1h", "25.0")],
)
def test_money__blocks__are_shown_as_time(blocks, span, hours):
    assert (MOOR.span(blocks), MOOR.hours(blocks)) == (span, hours)
