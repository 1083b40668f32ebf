"""Tables and texts on terminals of any width: nothing is cut, and nothing that could be shorter is too long."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.columns import columns, fitted, wrapped
from moorage.terminal_width import width_of

ADDRESS = f"0x{'Ab' * 20}"
ID = f"0x{'ab' * 32}"
LISTED = [
    ("DEPLOYMENT", "STATE", "PRICE", "FILE"),
    ("0xde", "active", "1 MOOR/h", "/app/a.yml"),
    ("0xdf", "closed", "", ""),
]
TEXTS = st.lists(st.text("abc.`-0 ", max_size=30), min_size=1, max_size=5)


def test_columns__rows__are_aligned_without_trailing_spaces():
    assert columns([("A", "LONG"), ("aaa", ""), ("b", "x")]) == ["A    LONG", "aaa", "b    x"]


def test_fitted__wide_enough__is_a_table():
    table = ["DEPLOYMENT  STATE   PRICE     FILE", "0xde        active  1 MOOR/h  /app/a.yml", "0xdf        closed"]

    assert fitted(LISTED, 40) == fitted(LISTED, math.inf) == table


def test_fitted__words_too_long_for_columns__is_a_paragraph_each():
    assert fitted(LISTED, 39) == [
        "0xde",
        "  state: active  price: 1 MOOR/h",
        "  file: /app/a.yml",
        "0xdf",
        "  state: closed",
    ]


def test_fitted__a_little_too_narrow__has_cells_of_several_lines():
    table = [("GROUP", "PRICE", "WHY"), ("dock", "0.1 to 2 MOOR/h", "may ask more than you pay")]

    assert fitted(table, 30) == [
        "GROUP  PRICE        WHY",
        "dock   0.1 to       may ask",
        "       2 MOOR/h     more than",
        "                    you pay",
    ]


def test_fitted__a_row_too_high__is_a_paragraph():
    assert fitted([("A", "B"), ("x", "one two six ten and on")], 8)[:2] == ["x", "  b: one"]


@given(st.integers(1, 4).flatmap(lambda size: st.lists(st.tuples(*[TEXTS.map(" ".join)] * size), min_size=2)))
def test_fitted__anything_at_any_width__has_every_word(table):
    for width in (10, 40, 80):
        shown = " ".join(fitted(table, width)).split()
        assert all(word in shown for row in table[1:] for cell in row for word in cell.split())


def test_wrapped__a_line_with_a_label__goes_on_where_its_text_begins():
    assert wrapped("gas     at most 1.5 MOOR now", 20) == ["gas     at most", "        1.5 MOOR now"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"1. pay to {ADDRESS}", ["1. pay to", f"   {ADDRESS}"]),
        (f"wallet {ADDRESS} signs", ["wallet", f"  {ADDRESS}", "  signs"]),
        (
            "please run `moorage deploy -f a.yml` again",
            ["please run", "  `moorage deploy -f a.yml`", "  again"],
        ),
        ("it is settled within about 10 blocks", ["it is settled within about", "  10 blocks"]),
        ("the provider has to confirm in 5 s", ["the provider has to confirm in", "  5 s"]),
        ("the group is prepaid for 1h 15m", ["the group is prepaid for", "  1h 15m"]),
        ("confirmed 0s ago, next within 33", ["confirmed 0s ago, next", "  within 33"]),
        ("restarting, it exits with code 3", ["restarting, it exits with", "  code 3"]),
        ("    far in there is a text that goes on", ["    far in there is a text", "      that goes on"]),
        ("short", ["short"]),
    ],
)
def test_wrapped__other_lines__go_on_below_themselves(text, lines):
    assert wrapped(text, 30) == lines


@given(st.text("ab `0MO", max_size=120), st.integers(1, 100))
def test_wrapped__anything__loses_no_word(text, width):
    assert " ".join(wrapped(text, width)).split() == text.split()


@pytest.mark.parametrize(
    "text", [f"deployment {ID} is active at block 9", f"block 9     {ID} and so on, and on, and on, for long"]
)
def test_wrapped__an_id__is_whole_at_80(text):
    lines = wrapped(text, 80)

    assert any(ID in line for line in lines) and max(map(len, lines)) <= 80


def test_width__no_terminal__is_what_columns_says_or_without_end(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) == math.inf

    monkeypatch.setenv("COLUMNS", "80")
    assert width_of(io.StringIO()) == 80

    monkeypatch.setenv("COLUMNS", "9" * 5_000)
    assert width_of(io.StringIO()) == math.inf
