"""Rows on terminals of any width: nothing important is cut."""

from __future__ import annotations

import pytest

from cli.core.layout import StyledLine, laid_out
from cli.core.report import Row
from moorage.palette import BAD, CAUTION, GOOD

ADDRESS = "https://web.3f2a9c4e.provider-one.example:443"
GROUP = Row("europe-frontend", "leased", "1", "0.8 MOOR/h", "23.9 h", "2/2 workloads healthy, confirmed 4 blocks ago")
WEB = Row("  web", "running", detail=ADDRESS)
UP = Row("    to db:5432 in us-east", "up")
DOWN = Row("    to cache:6379 in us-east", "down", detail="connection refused")
HINT = Row("", "", detail="agent: no answer")
ROWS = (GROUP, WEB, UP, DOWN, HINT)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_layout__any_width__has_every_word_whole(width):
    lines = laid_out(ROWS, width, 99)

    words = " ".join(line.text for line in lines).split()
    for row in ROWS:
        for word in " ".join([row.group, row.state, row.provider, row.price, row.runway, row.detail]).split():
            assert word in words


def test_layout__wide_terminal__has_the_detail_beside_its_row():
    assert [line.text for line in laid_out((GROUP, HINT), 120, 99)] == [
        "GROUP            STATE   PROVIDER  PRICE       PAID FOR",
        "europe-frontend  leased  1         0.8 MOOR/h  23.9 h  2/2 workloads healthy, confirmed 4 blocks ago",
        "      agent: no answer",
    ]


def test_layout__narrow_terminal__has_the_detail_below_its_row():
    assert [line.text for line in laid_out((GROUP,), 80, 99)][1:] == [
        "europe-frontend  leased  1         0.8 MOOR/h  23.9 h",
        "      2/2 workloads healthy, confirmed 4 blocks ago",
    ]


def test_layout__states__have_colours():
    lines = laid_out(ROWS, 120, 99)

    assert [line.style for line in lines] == ["bold", GOOD, GOOD, GOOD, BAD, ""]
    assert [line.text[line.start : line.end] for line in lines[1:5]] == ["leased", "running", "up", "down"]


@pytest.mark.parametrize(
    ("state", "style"),
    [
        ("overdue", CAUTION),
        ("used up", CAUTION),
        ("updating", CAUTION),
        ("update failed", BAD),
        ("was running", ""),
        ("was up", ""),
    ],
)
def test_layout__what_is_not_well_or_was_so_once__is_not_shown_as_good(state, style):
    assert laid_out((Row("web", state),), 80, 99)[1].style == style


@pytest.mark.parametrize(("height", "left_out"), [(6, set()), (5, {"up"}), (4, {"up", "down"}), (1, {"up", "down"})])
def test_layout__low_terminal__leaves_out_connections_and_those_first_that_are_up(height, left_out):
    shown = {row.state for row in ROWS if any(row.group.strip() in line.text for line in laid_out(ROWS, 120, height))}

    texts = " ".join(line.text for line in laid_out(ROWS, 120, height))
    assert {state for state, name in (("up", "db:5432"), ("down", "cache:6379")) if name not in texts} == left_out
    assert "leased" in shown and ADDRESS in texts


def test_layout__no_rows__is_the_header_alone():
    assert laid_out((), 80, 24) == (StyledLine("GROUP  STATE  PROVIDER  PRICE  PAID FOR", "bold"),)


def test_layout__long_names_of_connections__make_no_room_in_other_rows():
    with_connections, without = laid_out((GROUP, WEB, UP), 120, 99), laid_out((GROUP, WEB), 120, 99)

    assert [line.text for line in with_connections][:3] == [line.text for line in without]
