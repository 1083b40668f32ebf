"""Each table of the command line on a terminal of 80 columns: no line is longer, and no word is cut."""

from __future__ import annotations

import re

import pytest

from cli.commands import allowance, context, list, manager, notify_list, wallet
from cli.core import search_report
from cli.core.candidates import Answer, Verdict
from cli.core.fund_plan import Longer, describe_funding, plan_funding
from cli.core.layout import laid_out
from cli.core.report import listing, rows
from moorage.columns import fitted
from moorage.doctor.finding import ok, warning
from moorage.doctor.table import lines
from moorage.types import OrderState, ProviderNumber
from tests.factories.deployments import HOURLY, MONEY, attempt, lease, view
from tests.tour.page import read, steps

COLUMNS = 80
ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
PATH = "/home/somebody/work/shop/deployments/31337.json"
DEAR = lease(charge_per_block=HOURLY * 123_456 // 100_000)
LIVE = view(attempt(lease=DEAR, name="europe-frontend"))
VERDICTS = (
    Verdict("europe-frontend", ProviderNumber(12), 1 << 14, Answer.MAYBE, HOURLY // 7, HOURLY * 3, ("may ask more",)),
    Verdict(
        "europe-frontend", ProviderNumber(2), 1, Answer.NO, None, None, ("is in us-west, `region` asks for local",)
    ),
)
TABLES = {
    "search": (search_report.HEADER, *search_report.search_rows(VERDICTS, MONEY)),
    "fund": tuple(describe_funding(plan_funding(LIVE, (), Longer(864_000), MONEY), MONEY)),
    "list": (list.HEADER, listing(LIVE, PATH, MONEY), listing(view(attempt(OrderState.OPEN)), "", MONEY)),
    "context list": (context.HEADER, ("* home", "https://node.example.org:8545", PATH, f"{ADDRESS} by signer.example")),
    "manager list": (
        manager.HEADER,
        (ADDRESS, "update,fund,scale", "block 12592170 (in 29d 23h)", "123,456.789012 MOOR"),
    ),
    "allowance list": (allowance.HEADER, (ADDRESS, "everything, without a limit", "the exchange of this market")),
    "wallet list": (wallet.HEADER, (ADDRESS, PATH, "others may read it: chmod 600")),
    "notify list": (
        notify_list.COLUMNS,
        ("ops", "webhook at hooks.example.org, not signed", "all", "12", "1", "3", "2026-11-22T01:56:05Z"),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_table__on_80_columns__fits_and_has_every_word(name):
    header, *body = TABLES[name]

    shown = fitted([header, *body], COLUMNS)

    assert [line for line in shown if len(line) > COLUMNS] == []
    words = " ".join(shown).split()
    assert [word for row in body for cell in row for word in cell.split() if word not in words] == []


@pytest.mark.parametrize("name", TABLES)
def test_table__without_a_terminal__has_a_line_for_each_row(name):
    assert len(fitted(TABLES[name], float("inf"))) == len(TABLES[name])


def test_rows__on_80_columns__fit():
    assert [line.text for line in laid_out(rows(LIVE, {}, MONEY), COLUMNS, 99) if len(line.text) > COLUMNS] == []


def test_findings__on_80_columns__fit():
    findings = [ok(f"wallet {PATH}", f"{ADDRESS}; only you may read it"), warning("state", PATH, f"chmod 700 {PATH}")]

    assert [line for _, line in lines(findings, COLUMNS) if len(line) > COLUMNS] == []


def test_tour__what_commands_print__fits_80_columns_where_its_words_do():
    printed = [line for step in steps(read()) if "-o json" not in step.command for line in step.output.splitlines()]

    assert [
        line for line in printed if len(line) > COLUMNS and max(map(len, re.split(r"\s", line))) < COLUMNS - 16
    ] == []
