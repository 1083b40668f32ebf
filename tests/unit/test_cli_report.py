"""How a deployment is shown, to people and to programs."""

from __future__ import annotations

import io
from functools import partial
from typing import Any
from unittest.mock import ANY

import pytest
from rich.console import Console

from cli.core.agents import Connection, Knowledge, ManifestNews, Report, Workload
from cli.core.report import Row, document, heading, listing, rows
from cli.core.story import Line
from cli.core.view import full
from cli.output import LiveScreen, as_text, table
from moorage.told import BEING_TRIED, VERSION_BEFORE
from moorage.types import OrderState
from tests.factories.deployments import DEPLOYMENT, MONEY, ORDER, RENEWED, VERSION, attempt, bid, lease, view

WEB = Workload("web", "running", None, ("http://203.0.113.1:80",))
DB = Workload("db", "restarting", "exited with code 3", ())
KNOWN = {ORDER: Knowledge(Report(VERSION, (WEB, DB)))}


def leased(**changes):
    return attempt(lease=lease(**changes))


@pytest.mark.parametrize(
    ("one", "block", "row"),
    [
        (attempt(OrderState.OPEN), 90, Row("west", "open order", detail="0 bids, to be matched in 6 blocks (6s)")),
        (
            attempt(OrderState.OPEN, bids=(bid(2), bid(1))),
            95,
            Row("west", "open order", price="1 MOOR/h", detail="2 bids, to be matched in 1 block (1s)"),
        ),
        (
            attempt(OrderState.OPEN, bids=(bid(2),)),
            96,
            Row("west", "open order", price="1 MOOR/h", detail="1 bid, to be matched now"),
        ),
        (attempt(OrderState.OPEN), 96, Row("west", "open order", detail="no bids yet")),
        (
            leased(),
            104,
            Row(
                "west",
                "leased",
                "1",
                "1 MOOR/h",
                "0.9 h",
                "provider confirmed 4 blocks ago, next within 6",
            ),
        ),
        (
            leased(),
            101,
            Row(
                "west",
                "leased",
                "1",
                "1 MOOR/h",
                "0.9 h",
                "provider confirmed 1 block ago, next within 9",
            ),
        ),
        (
            leased(is_awaiting=True),
            104,
            Row("west", "leased", "1", "1 MOOR/h", "1.0 h", "first confirmation within 6 blocks"),
        ),
        (
            leased(),
            111,
            Row(
                "west",
                "overdue",
                "1",
                "1 MOOR/h",
                "0.9 h",
                "anyone may end it as stale: you receive its collateral, and another provider is ordered",
            ),
        ),
        (
            leased(confirmed_block=3_700),
            3_702,
            Row(
                "west", "used up", "1", "1 MOOR/h", "0.0 h", "`moorage fund` revives it, else its workloads are stopped"
            ),
        ),
        (
            attempt(OrderState.LEASE_CLOSING),
            104,
            Row("west", "closing", "1", "1 MOOR/h", "0.9 h", "nothing more is charged"),
        ),
        (attempt(OrderState.LEASE_CLOSED), 104, Row("west", "closed", "1")),
        (attempt(OrderState.LEASE_STALE), 104, Row("west", "stale, not replaced", "1")),
        (attempt(OrderState.CLOSED), 104, Row("west", "closed, never matched")),
    ],
)
def test_rows__each_state__says_what_matters_in_it(one, block, row):
    assert rows(view(one, block=block), {}, MONEY)[0] == row


def test_rows__lease_is_replaced__says_whose_place_is_taken_until_the_other_has_confirmed():
    failed = attempt(OrderState.LEASE_STALE)

    def told(**changes: Any) -> str:
        changes = {"nonce": ORDER, "replaced": ORDER, **changes}
        return rows(view(failed, attempt(**changes), block=104), {}, MONEY)[0].detail

    assert told(state=OrderState.OPEN) == "no bids yet, in place of provider 1"
    assert told(state=OrderState.OPEN, bids=(bid(2),)) == "1 bid, to be matched now, in place of provider 1"
    assert told(state=OrderState.OPEN, match_block=107).endswith("in 3 blocks (3s), in place of provider 1")
    new = {"provider": 2, "confirmed_block": 103}
    assert told(lease=lease(RENEWED, is_awaiting=True, **new)).endswith("9 blocks, in place of provider 1")
    assert "in place of" not in told(lease=lease(RENEWED, **new))


def test_rows__agent_does_not_answer_any_more__nothing_is_shown_as_if_it_were_so_now():
    there = Connection("db:5432", "out", "db", "us-east", "up", None)
    web = Workload("web", "running", None, ("http://203.0.113.1:80",), (there,))
    report = Report(VERSION, (web, Workload("job", "done", None, ())))
    once, lost = [Knowledge(report, problem="no answer", failures=count) for count in (2, 3)]

    (_, *now), (first, *past) = [rows(view(attempt(), block=104), {ORDER: known}, MONEY) for known in (once, lost)]

    assert now == [Row("  web", "running", detail="http://203.0.113.1:80"), ANY, Row("  job", "done")]
    assert first.detail.startswith("1/2 workloads done, 1 were healthy, provider confirmed")
    assert past == [
        Row("  web", "was running", detail="http://203.0.113.1:80"),
        Row("    to db:5432 in us-east", "was up"),
        Row("  job", "was done"),
        Row("", "", detail="agent: no answer; above is its last word"),
    ]


def test_rows__open_order_with_bids__has_the_lowest_five():
    many = attempt(OrderState.OPEN, bids=tuple(bid(number) for number in range(1, 8)))

    _, first, *others, rest = rows(view(many), {}, MONEY)

    assert first == Row("  bid", "lowest", "1", "1 MOOR/h")
    assert others == [Row("  bid", "", str(number), "1 MOOR/h") for number in range(2, 6)]
    assert rest == Row("", "", detail="and 2 dearer bids")


def test_rows__workloads__are_counted_beside_their_lease():
    assert rows(view(attempt(), block=104), KNOWN, MONEY)[0].detail.startswith(
        "1/2 workloads healthy, provider confirmed 4"
    )


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (("done",), "1/1 workloads done, provider confirmed"),
        (("done", "running", "failed"), "1/3 workloads done, 1 healthy, provider confirmed"),
        (("running", "restarting"), "1/2 workloads healthy, provider confirmed"),
    ],
)
def test_rows__some_are_done__are_counted_apart(states: tuple[str, ...], told: str) -> None:
    known = {ORDER: Knowledge(Report(VERSION, tuple(Workload("job", state, None, ()) for state in states)))}

    assert rows(view(attempt(), block=104), known, MONEY)[0].detail.startswith(told)


def test_rows__workloads__stand_below_their_group():
    assert rows(view(attempt()), KNOWN, MONEY)[1:] == (
        Row("  web", "running", detail="http://203.0.113.1:80"),
        Row("  db", "restarting", detail="exited with code 3"),
    )


@pytest.mark.parametrize("others", ["running", "done"])
def test_rows__version_before_goes_on__is_counted_apart_and_told_on_a_line_of_its_own(others):
    reason = "the version before goes on; the new one failed: image a:2 was not found; next attempt in 9 s"
    web, job = Workload("web", "running", reason, ("http://203.0.113.1:80",)), Workload("job", others, None, ())

    first, *below = rows(view(attempt()), {ORDER: Knowledge(Report(VERSION, (web, job)))}, MONEY)

    healthy = {"running": "2/2 workloads healthy", "done": "1/2 workloads done, 1 healthy"}[others]
    assert first.detail.startswith(f"{healthy}, 1/2 in the new version, provider confirmed")
    assert below == [
        Row("  web", "update failed", detail="http://203.0.113.1:80"),
        Row("", "", detail=reason),
        Row("  job", others),
    ]


@pytest.mark.parametrize(
    ("state", "said", "shown", "update"),
    [
        ("running", f"{VERSION_BEFORE}; the new one {BEING_TRIED}", "updating", "updating"),
        ("running", f"replica 0: {VERSION_BEFORE}; the new one failed; replica 1: starting", "update failed", "failed"),
        (
            "starting",
            f"replica 0: {VERSION_BEFORE}; the new one {BEING_TRIED}; replica 1: starting",
            "starting",
            "updating",
        ),
        (
            "restarting",
            f"replica 0: {VERSION_BEFORE}; the new one failed; replica 1: exit code 3",
            "restarting",
            "failed",
        ),
        ("running", None, "running", None),
    ],
)
def test_status__version_before_goes_on__says_how_it_is_with_the_new_one(state, said, shown, update):
    known = {ORDER: Knowledge(Report(VERSION, (Workload("web", state, said, ()),)))}

    row = rows(view(attempt()), known, MONEY)[1]
    (group,) = document(view(attempt()), known, MONEY)["groups"]

    assert (row.group, row.state) == ("  web", shown)
    (workload,) = group["workloads"]
    assert (workload["state"], workload["update"]) == (state, update)
    assert type(workload["update"]) in (str, type(None))  # YAML knows no other


def test_rows__connections__stand_below_their_workload():
    there = Connection("db:5432", "out", "db", "us-east", "down", "no answer")
    here = Connection("web:80", "in", "cache", "west", "up", None)
    web = Workload("web", "running", None, (), (there, here))

    assert rows(view(attempt()), {ORDER: Knowledge(Report(VERSION, (web,)))}, MONEY)[1:] == (
        Row("  web", "running"),
        Row("    to db:5432 in us-east", "down", detail="no answer"),
        Row("    web:80 from cache in west", "up"),
    )


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (ManifestNews("here", "the tenant", None), ()),
        (ManifestNews("fetching", "provider 3", None), (Row("  manifest", "fetching from provider 3"),)),
        (
            ManifestNews("waiting", None, "nobody has it"),
            (Row("  manifest", "waiting", detail="nobody has it; `moorage deploy` with the same file gives it again"),),
        ),
    ],
)
def test_rows__manifest_is_on_its_way__is_told_until_it_is_there(news, expected):
    assert rows(view(attempt()), {ORDER: Knowledge(Report(None, (), news))}, MONEY)[1:] == expected


def test_document__connections_and_manifest__have_the_same_for_programs():
    there = Connection("db:5432", "out", "db", "us-east", "down", "no answer")
    report = Report(VERSION, (Workload("web", "running", None, (), (there,)),), ManifestNews("here", None, None))

    (group,) = document(view(attempt()), {ORDER: Knowledge(report)}, MONEY)["groups"]

    assert group["manifest"] == {"state": "here", "source": None, "reason": None}
    assert group["workloads"][0]["connections"] == [
        {
            "name": "db:5432",
            "direction": "out",
            "workload": "db",
            "datacenter": "us-east",
            "state": "down",
            "reason": "no answer",
        }
    ]


def test_rows__agent_does_not_answer__says_so():
    assert rows(view(attempt()), {ORDER: Knowledge(problem="gone")}, MONEY)[1:] == (Row("", "", detail="agent: gone"),)


def test_document__leased__has_numbers_for_programs():
    assert document(view(attempt(), block=104), KNOWN, MONEY) == {
        "deployment": full(DEPLOYMENT),
        "state": "active",
        "version": full(VERSION),
        "block": 104,
        "token": "MOOR",
        "price_per_hour": "0.9999999999999972",
        "groups": [
            {
                "name": "west",
                "order": full(ORDER),
                "state": "lease-active",
                "provider": 1,
                "bids": None,
                "match_block": None,
                "price_per_hour": "0.9999999999999972",
                "runway_hours": "0.9",
                "runway_blocks": 3_596,
                "confirmed_block": 100,
                "agent_problem": None,
                "manifest": None,
                "workloads": [
                    {
                        "name": "web",
                        "state": "running",
                        "reason": None,
                        "update": None,
                        "addresses": ["http://203.0.113.1:80"],
                        "connections": [],
                    },
                    {
                        "name": "db",
                        "state": "restarting",
                        "reason": "exited with code 3",
                        "update": None,
                        "addresses": [],
                        "connections": [],
                    },
                ],
            }
        ],
    }


def test_document__open_order__has_no_lease():
    (group,) = document(view(attempt(OrderState.OPEN, bids=(bid(1),))), {}, MONEY)["groups"]

    assert (group["provider"], group["bids"], group["match_block"], group["runway_blocks"]) == (None, 1, 96, None)


def test_listing__deployment__is_one_row():
    assert listing(view(attempt(), attempt(OrderState.OPEN, 1, name="east")), "/app/moorage.yml", MONEY) == (
        full(DEPLOYMENT),
        "active",
        "1 MOOR/h",
        "west leased, east open order",
        "/app/moorage.yml",
    )


def test_table__text_that_looks_like_markup__stays_text():
    console = Console(file=io.StringIO(), width=120)

    console.print(
        table(heading(view(attempt())), (Row("[red]west[/red]", "[link=x]leased", detail="[bold]"),), 120, 24)
    )

    shown = console.file.getvalue()
    assert "[red]west[/red]" in shown and "[link=x]leased" in shown and full(DEPLOYMENT) in shown


def test_live_screen__lines_and_rows__both_are_shown(capsys):
    with LiveScreen() as screen:
        screen.show(heading(view(attempt())), rows(view(attempt()), {}, MONEY))
        screen.tell(Line(57, "matched", "lease 0xab [bold] matched"))

    assert "block 57    lease 0xab [bold] matched" in capsys.readouterr().out


def test_live_screen__paused__draws_nothing_and_goes_on_with_what_it_had(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr("rich.console.Console", partial(Console, file=text, force_terminal=True, width=80))

    with LiveScreen() as screen:
        screen.show("waiting for the block", (Row("west", "leased"),))
        with screen.paused():
            before = text.getvalue()
            screen.show("still waiting", ())
            asked = text.getvalue()
        screen.tell(Line(57, "closed", "closed"))

    assert before.endswith("\x1b[1A\x1b[2K") and asked == before
    assert "\x1b[1A" not in text.getvalue()[len(before) :].partition("still waiting")[0]


def test_line__as_text__has_its_block_in_front():
    assert as_text(Line(57, "matched", "lease matched")) == "block 57    lease matched"
