"""The figures of docs/attacks.md are what the functions and the files that they stand for say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal

import pytest

from moorage.chain.fees import FEE_LIMIT
from provider_agent.core.chores import DUE_FRACTION
from tests.adversaries.attack_costs import (
    CONFIRMATION_GAS,
    cost_of_delaying,
    cost_of_outbidding,
    cost_of_stuffing,
    period_against,
)
from tests.adversaries.test_largest_calls import AT_MOST
from tests.bytecode import ROOT

GWEI, ETHER = 10**9, 10**18
PAGE = (ROOT / "docs" / "attacks.md").read_text()
TEXT = " ".join(PAGE.split())
MARKET = tomllib.loads((ROOT / "deploy" / "example.toml").read_text())
PERIOD = MARKET["reconfirmation_period_blocks"]


def tables() -> list[tuple[list[int], dict[tuple[int, int], list[str]]]]:
    """Return the tables by gas limit and base fee: the numbers in the heads of the columns, and the rows."""
    found = []
    for head, *rows in (table.splitlines() for table in PAGE.split("\n\n") if table.startswith("| Gas limit")):
        columns = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) (?:blocks|ether)", head)]
        cells = [row.strip("| ").split(" | ") for row in rows[1:]]
        chains = [(int(limit.split()[0]) * 10**6, int(Decimal(fee.split()[0]) * GWEI)) for limit, fee, *_ in cells]
        found.append((columns, {chain: values for chain, (_, _, *values) in zip(chains, cells, strict=True)}))
    return found


def three_digits(wei: int) -> str:
    return f"{float(f'{wei / ETHER:.3g}'):,g}"


@pytest.mark.parametrize(
    ("place", "computed"),
    [
        (0, lambda blocks, *chain: three_digits(cost_of_stuffing(blocks, *chain))),
        (1, lambda prize, *chain: str(period_against(prize * ETHER, *chain))),
    ],
)
def test_d01_page__tables_of_stuffing__have_the_computed_figures(place: int, computed: Callable[..., str]) -> None:
    columns, rows = tables()[place]

    assert len(rows) == len(columns) == 5
    for chain, figures in rows.items():
        assert figures == [computed(column, *chain) for column in columns]


def test_d01_page__period_of_the_example__is_above_all_in_the_table() -> None:
    _, rows = tables()[1]

    assert f"The {PERIOD} blocks of `deploy/example.toml`" in TEXT
    assert max(int(figure) for figures in rows.values() for figure in figures) < PERIOD


def test_d01_page__what_it_says_of_the_rule__follows_from_it() -> None:
    blocks = [cost_of_stuffing(n, 1, GWEI) - cost_of_stuffing(n - 1, 1, GWEI) for n in range(1, 61)]
    chain = 45_000_000, GWEI
    more = [period_against(2 * prize * ETHER, *chain) - period_against(prize * ETHER, *chain) for prize in (5, 80, 900)]

    assert "a thousandfold in 59" in TEXT
    assert blocks[59] > 1_000 * blocks[0] > blocks[58]
    assert "Each doubling of the prize asks for about twelve blocks more" in TEXT
    assert set(more) <= {10, 12, 14}
    assert "twenty blocks in a row are one chance in 3.5 billion" in TEXT
    assert round(3**20, -8) == 3_500_000_000


def test_d01_page__price_of_a_stuffed_wait__is_that_of_the_table() -> None:
    _, second, *_ = tables()[0][1]

    assert f"on the second chain {three_digits(cost_of_stuffing(50, *second))} ether for a wait of 50 blocks" in TEXT


def test_d01_page__what_it_says_of_the_agent__is_how_the_agent_is() -> None:
    assert "Our agent confirms when half of a period is over" in TEXT
    assert DUE_FRACTION == 2
    assert "up to ten times what a block asks" in TEXT
    assert FEE_LIMIT == 10
    assert f"for its confirmation of {CONFIRMATION_GAS:,} gas, one full block of 45 million costs 12.5 ether" in TEXT
    assert cost_of_outbidding(ETHER // 100, 45_000_000) == 12.5 * ETHER


def test_c02_page__price_of_a_delay__is_computed_for_the_example() -> None:
    tip = int(MARKET["facilitator_tip"])
    day = cost_of_delaying(7_200, 50, PERIOD, 12 * ETHER, tip)

    assert f"a period of {PERIOD} blocks and a tip of {tip / ETHER}, an order with a wait of 50" in TEXT
    assert f"for a day of 7,200 blocks at a price of {round(day / ETHER)} tokens" in TEXT


def test_b19_page__dearest_transaction__is_that_of_the_assertions() -> None:
    assert "the dearest, 32 stale leases that are replaced, needs at most 1.6 million" in TEXT
    assert max(AT_MOST, key=lambda what: AT_MOST[what]) == "32 leases called stale"
    assert round(AT_MOST["32 leases called stale"], -5) == 1_600_000


def test_attacks__numbers_of_the_programs_and_of_the_page__are_the_same() -> None:
    sources = [path.read_text() for path in (ROOT / "tests" / "adversaries").glob("test_*.py")]
    played = {number.upper() for source in sources for number in re.findall(r"def test_([a-k][0-9]{2})_", source)}

    assert set(re.findall(r"\b[A-K][0-9]{2}\b", PAGE)) == played
