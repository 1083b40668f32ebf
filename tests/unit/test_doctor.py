"""What doctor concludes from what it is told: nodes, clock, coin, directories, ports; and how it shows that."""

from __future__ import annotations

import asyncio
import io
import json
import math
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorage.chain.rpc import Rpc
from moorage.doctor.chain import (
    ask_endpoint,
    check_clock,
    check_coin,
    check_contracts,
    check_finality,
    compare_endpoints,
)
from moorage.doctor.finding import Check, Finding, Level, at_once, examine, failure, is_sound, ok, warning
from moorage.doctor.host import check_data_dir, check_key, check_port
from moorage.doctor.table import as_json, lines, show
from moorage.snapshot import Block
from moorage.types import Address
from tests.fakes.market_node import MARKET
from tests.fakes.node import Refusal, fake_node

LIVE = replace(MARKET, chain_id=10)
HEAD = Block(100, b"\x64" * 32, 1_700_000_000)
KEY = Address("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
BLOCK = {"number": "0x64", "hash": f"0x{'64' * 32}", "timestamp": hex(1_700_000_000), "parentHash": f"0x{'63' * 32}"}


def levels(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.level.value} {finding.where}" for finding in findings]


# ------------------------------------------------------------------ how checks are run


async def test_examine__check_that_raises_or_hangs__does_not_keep_the_others_from_telling() -> None:
    async def hangs() -> list[Finding]:
        await asyncio.sleep(3_600)
        return []

    def raises() -> list[Finding]:
        raise RuntimeError("canary-5e0f")

    def expected() -> list[Finding]:
        raise OSError("no such\nthing: make it")

    checks = [
        Check("a", hangs),
        Check("b", at_once(raises)),
        Check("c", at_once(expected)),
        Check("d", at_once(lambda: [ok("d", "fine")])),
    ]

    found = await examine(checks, (OSError,), seconds=0.05)

    assert found == [
        failure("a", "no answer in 0 s", "see whether it hangs, then run this again"),
        failure("b", "the check itself failed: RuntimeError", "please report this"),
        failure("c", "no such thing: make it", ""),
        ok("d", "fine"),
    ]
    assert (is_sound(found), is_sound(found[3:])) == (False, True)


def test_show__findings__are_a_table_with_the_worst_first_and_no_markup() -> None:
    stream = io.StringIO()

    show(
        [ok("rpc", "block 7"), warning("disk", "[red]full[/red]", "make room"), failure("key", "none", "get one")],
        stream,
    )
    lines = [" ".join(line.split()) for line in stream.getvalue().splitlines()]

    assert lines == [
        "WHERE WHAT, AND WHAT TO DO",
        "failure key none",
        "-> get one",
        "warning disk [red]full[/red]",
        "-> make room",
        "ok rpc block 7",
        "failures: 1, warnings: 1, in order: 1",
    ]


MAKE_ONE = "`moorage register` makes one, --wallet names another"
LONG = failure("wallet /home/you/.config/moorage/wallet.json", "no wallet", MAKE_ONE)


def test_lines__narrow_terminal__stand_below_each_other_and_no_path_is_cut() -> None:
    assert lines([LONG], 40) == [
        (Level.FAILURE, "failure  wallet /home/you/.config/moorage/wallet.json"),
        (None, "         no wallet"),
        (None, "         -> `moorage register` makes"),
        (None, "         one, --wallet names another"),
    ]


def test_lines__word_that_is_wider_than_the_terminal__is_not_cut() -> None:
    assert (None, f"{' ' * 9}/{'a' * 60}") in lines([failure("key", f"no /{'a' * 60}", "")], 30)


def test_show__no_terminal__a_line_stays_a_line() -> None:
    stream = io.StringIO()

    show([failure("key", "word " * 80, "")], stream)

    assert stream.getvalue().count("\n") == 3


def test_lines__wide_terminal_or_none__are_columns() -> None:
    table = lines([LONG, ok("rpc", "block 7")], math.inf)

    assert table == lines([LONG, ok("rpc", "block 7")], 120)
    assert [level for level, _ in table] == [None, Level.FAILURE, None, Level.OK]
    assert len({line.index(word) for (_, line), word in zip(table, ("WHAT", "no w", "->", "block"), strict=True)}) == 1


def test_as_json__findings__say_whether_all_is_sound() -> None:
    document = json.loads(as_json([warning("disk", "full", "make room")]))

    assert document == {
        "sound": True,
        "findings": [{"level": "warning", "where": "disk", "what": "full", "remedy": "make room"}],
    }


# ------------------------------------------------------------------ nodes and contracts


async def ask(chain: str = "0xa", head: Any = BLOCK) -> Any:
    def answer(method: str, params: list[Any]) -> Any:
        if isinstance(head, Exception):
            raise head
        return chain if method == "eth_chainId" else head

    async with fake_node(answer) as (_, rpc):
        return await ask_endpoint(rpc, LIVE)


async def test_endpoints__one_answers_and_one_is_on_another_chain__each_says_so() -> None:
    good, other, silent = await ask(), await ask(chain="0x1"), await ask(head=Refusal("not allowed"))

    assert (good.head.number, other.head, silent.head) == (100, None, None)
    assert [each.finding.level for each in (good, other, silent)] == [Level.OK, Level.FAILURE, Level.FAILURE]
    assert "is on chain 1, the market is on chain 10" in other.finding.what
    assert not any(each.level is Level.WARNING for each in compare_endpoints([good, other, silent]))


async def test_endpoints__only_one__is_a_warning() -> None:
    assert levels(compare_endpoints([await ask()]))[1:] == ["warning rpc"]


@pytest.mark.parametrize(("number", "behind"), [(95, []), (94, ["6 blocks behind"])])
async def test_endpoints__one_is_behind__is_a_warning(number: int, behind: list[str]) -> None:
    findings = compare_endpoints([await ask(), await ask(head={**BLOCK, "number": hex(number)})])[2:]

    assert len(findings) == len(behind)
    assert all(words in finding.what for words, finding in zip(behind, findings, strict=True))


async def test_g30_check_contracts__not_the_market__is_a_failure() -> None:
    async with fake_node(lambda method, params: "0x1") as (_, rpc):
        findings = await check_contracts(rpc, LIVE)

    assert levels(findings) == ["failure market"]
    assert "is on chain 1, the contracts are on chain 10" in findings[0].what


@pytest.mark.parametrize(("answer", "expected"), [(BLOCK, "ok final blocks"), (None, "failure final blocks")])
async def test_check_finality__node_knows_final_blocks_or_not__is_told(answer: Any, expected: str) -> None:
    async with fake_node(lambda method, params: answer) as (_, rpc):
        assert levels(await check_finality(rpc)) == [expected]


# ------------------------------------------------------------------ the clock


@pytest.mark.parametrize(
    ("skew", "seconds_per_block", "expected"),
    [
        (0, 1, "ok clock"),
        (30, 1, "ok clock"),
        (-30, 1, "ok clock"),
        (31, 1, "failure clock"),
        (-31, 1, "failure clock"),
        (60, 12, "ok clock"),
        (61, 12, "failure clock"),
        (3_600, 12, "failure clock"),
        (-3_600, 12, "failure clock"),
        (86_400 * 365, 1, "failure clock"),
    ],
)
def test_g18_doctor__clock_against_the_newest_block__more_than_half_a_minute_is_a_failure(
    skew: int, seconds_per_block: int, expected: str
) -> None:
    market = replace(LIVE, seconds_per_block=seconds_per_block)

    findings = check_clock(HEAD, HEAD.timestamp + skew, market)

    assert levels(findings) == [expected]
    assert ("NTP" in findings[0].remedy) == (expected != "ok clock")


def test_g18_doctor__clock_on_a_development_chain__is_only_a_warning() -> None:
    assert levels(check_clock(HEAD, HEAD.timestamp + 9_999, MARKET)) == ["warning clock"]


# ------------------------------------------------------------------ coin and keys


async def coin(balance: int, need: int) -> list[Finding]:
    async with fake_node(lambda method, params: hex(balance)) as (_, rpc):
        return await check_coin(rpc, KEY, need, 72)


async def test_d03_doctor__coin_for_three_days__is_ok_and_less_says_how_much_to_send() -> None:
    assert levels(await coin(72 * 10**15, 10**15)) == ["ok coin"]
    (short,) = await coin(72 * 10**15 - 1, 10**15)
    (none,) = await coin(0, 10**15)

    assert (short.level, "about 71 hours" in short.what) == (Level.WARNING, True)
    assert short.remedy == f"send at least 1e-18 coins to {KEY}"
    assert (none.level, none.remedy) == (Level.FAILURE, f"send some of the chain's coin to {KEY}")


async def test_d03_doctor__gas_costs_nothing__lasts() -> None:
    assert levels(await coin(1, 0)) == ["ok coin"]


def test_g26_check_key__file_that_others_may_read__says_what_to_do_and_nothing_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "operator"
    path.write_text("5e0f" * 16)
    path.chmod(0o644)

    address, findings = check_key(path, None, "the operator")

    assert (address, levels(findings)) == (None, [f"failure key {path}"])
    assert findings[0].remedy == f"run chmod 600 {path}"
    assert "5e0f" not in as_json(findings)
    path.chmod(0o600)
    assert levels(check_key(path, None, "the operator")[1]) == [f"ok key {path}"]
    assert levels(check_key(None, None, "")[1]) == ["warning key"]


# ------------------------------------------------------------------ directories and ports


def test_check_data_dir__private__says_what_to_back_up(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "root.pem").write_text("")

    assert [finding.what for finding in check_data_dir(folder, ("root.pem", "provider.json"))] == [
        "back up root.pem: nothing can bring them back"
    ]
    folder.chmod(0o755)
    assert levels(check_data_dir(folder, ("root.pem",)))[0] == f"warning data_dir {folder}"
    assert check_data_dir(folder, ())[0].remedy == f"run chmod 700 {folder}"


def test_check_data_dir__not_there_or_a_file__is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert check_data_dir(tmp_path / "a" / "b", ())[0].what == "is made at the first start"
    assert check_data_dir(tmp_path / "file", ())[0].level is Level.FAILURE


async def test_check_port__free_taken_or_off__is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = "127.0.0.1", server.getsockname()[1]
        assert "is taken and answers" in (await check_port("metrics", taken))[0].what
    assert "is free" in (await check_port("metrics", taken))[0].what
    assert (await check_port("metrics", ("192.0.2.1", 9_421)))[0].level is Level.FAILURE
    assert (await check_port("metrics", None))[0].level is Level.WARNING


async def test_ask_endpoint__nobody_there__tells_host_and_port_only() -> None:
    async with Rpc("http://user:canary-5e0f@127.0.0.1:1/canary-5e0f") as rpc:
        endpoint = await ask_endpoint(rpc, LIVE)

    assert endpoint.finding.level is Level.FAILURE
    assert "127.0.0.1:1" in endpoint.finding.what
    assert "canary" not in as_json([endpoint.finding])
