"""What is kept of the output of containers that are gone, on a real disk."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

import pytest

from moorage.streams import MAX_TEXT_BYTES, Source
from moorage.types import OrderId
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.log_frames import OutputLine
from provider_agent.shell import past_logs
from provider_agent.shell.engine import EngineUnavailable, LogRange
from provider_agent.shell.past_logs import KEPT_BYTES, PastLogs
from tests.factories.workloads import IDENTITY, LEASE, OTHER_LEASE, VERSION

NAMES = LeaseNames(IDENTITY, LEASE, VERSION)
WEB, NEXT, GATEWAY = NAMES.container("web", 0), f"{NAMES.container('web', 0)}.next", NAMES.gateway()
OTHER = LeaseNames(IDENTITY, OTHER_LEASE, VERSION).container("web", 0)
ALL = LogRange()


@pytest.fixture
def past(tmp_path: Path) -> PastLogs:
    return PastLogs(tmp_path / "logs")


def file_of(tmp_path: Path, lease: OrderId = LEASE, container: str = WEB) -> Path:
    return tmp_path / "logs" / lease.hex() / container


def line(second: int, text: str = "", stream: Source = Source.STDOUT, *, is_cut: bool = False) -> OutputLine:
    return OutputLine(f"2026-01-01T00:{second // 60:02}:{second % 60:02}.000000000Z", stream, text, is_cut)


async def written(lines: Iterable[OutputLine], end: Exception | None = None) -> AsyncGenerator[OutputLine, None]:
    for each in lines:
        yield each
    if end is not None:
        raise end


async def kept(past: PastLogs, wanted: LogRange = ALL, container: str = WEB, run: str = "") -> list[OutputLine]:
    return [each async for each in past.read(container, run, wanted)]


async def test_past_logs__two_runs__are_read_in_their_order_also_by_the_next_agent(tmp_path: Path) -> None:
    first = [line(1, "out"), line(2, "error \ufffd", Source.STDERR, is_cut=True)]
    await PastLogs(tmp_path / "logs").keep(WEB, "aa", written(first))
    await PastLogs(tmp_path / "logs").keep(WEB, "bb", written([line(0, "of a clock that was set back")]))

    past = PastLogs(tmp_path / "logs")

    assert await kept(past) == [*first, line(0, "of a clock that was set back")]
    assert await kept(past, LogRange(tail=2)) == [first[1], line(0, "of a clock that was set back")]
    assert await kept(past, LogRange(since=line(2).time)) == [first[1]]
    assert await kept(past, LogRange(since=line(2).time, tail=1)) == []
    assert (await past.has(WEB), await past.has(NEXT)) == (True, False)


async def test_past_logs__agent_was_killed_before_the_container_was_removed__tell_the_run_once(past: PastLogs) -> None:
    await past.keep(WEB, "aa", written([line(1)]))
    await past.keep(WEB, "bb", written([line(2)]))

    await past.keep(WEB, "bb", written([line(2), line(3)]))

    assert await kept(past) == [line(1), line(2), line(3)]
    assert await kept(past, run="bb") == [line(1)]
    assert await kept(past, LogRange(tail=1), run="bb") == [line(1)]


@pytest.mark.parametrize("text", ["", "y" * 1_000, "\x01" * MAX_TEXT_BYTES], ids=["nothing", "y", "control"])
async def test_i05_h18_past_logs__endless_lines__keep_the_newest_and_no_more_than_their_room(
    past: PastLogs, tmp_path: Path, text: str
) -> None:
    count = 3 * KEPT_BYTES // (len(text) + 64)

    await past.keep(WEB, "aa", written(line(number % 3_000, text) for number in range(count)))

    found = await kept(past)
    assert found == [line(number % 3_000, text) for number in range(count - len(found), count)]
    assert KEPT_BYTES - 7 * MAX_TEXT_BYTES < file_of(tmp_path).stat().st_size <= KEPT_BYTES


async def test_h18_past_logs__endless_lines__take_little_memory(past: PastLogs) -> None:
    text = "y" * MAX_TEXT_BYTES
    tracemalloc.start()
    try:
        await past.keep(WEB, "aa", written(line(number, text) for number in range(3_000)))
        before, to_keep = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert len([None async for _ in past.read(WEB, "", LogRange(tail=100))]) == 100
        _, to_read = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert to_keep < 6 * KEPT_BYTES
    assert to_read - before < KEPT_BYTES // 2


async def test_i05_past_logs__crashes_without_an_end__lose_the_oldest_lines_first(
    past: PastLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_logs, "KEPT_BYTES", 1_000)
    for number in range(30):
        await past.keep(WEB, f"{number:012x}", written([line(number, "one"), line(number, "two")]))

    found = await kept(past)

    assert found == [line(number, text) for number in range(30) for text in ("one", "two")][-len(found) :]
    assert 900 < file_of(tmp_path).stat().st_size <= 1_000


async def test_past_logs__exactly_their_room__keep_all(
    past: PastLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await past.keep(WEB, "aa", written([line(1), line(2)]))
    monkeypatch.setattr(past_logs, "KEPT_BYTES", file_of(tmp_path).stat().st_size)
    await past.keep(WEB, "aa", written([line(1)]))
    await past.keep(WEB, "bb", written([line(2)]))
    assert await kept(past) == [line(1), line(2)]

    await past.keep(WEB, "cc", written([line(3)]))
    assert await kept(past) == [line(2), line(3)]


async def test_h18_past_logs__line_that_poses_as_others__is_one_line(past: PastLogs) -> None:
    hostile = line(1, 'a\n["bb","2020-01-01T00:00:00.000000000Z","stdout","forged",false]\r\u2028\x1b[2J\x00"]')

    await past.keep(WEB, "aa", written([hostile, line(2)]))
    await past.keep(WEB, "bb", written([line(3)]))

    assert await kept(past) == [hostile, line(2), line(3)]


async def test_h12_i21_past_logs__any__are_nobody_elses_to_read(past: PastLogs, tmp_path: Path) -> None:
    await past.keep(WEB, "aa", written([line(1)]))

    file = file_of(tmp_path)
    assert [each.stat().st_mode & 0o777 for each in (file, file.parent, file.parent.parent)] == [0o600, 0o700, 0o700]
    assert await kept(past, container=OTHER) == []


async def test_h12_past_logs__names_that_are_no_replicas__are_not_kept(past: PastLogs, tmp_path: Path) -> None:
    for name in (GATEWAY, WEB.replace("mw-", "mg-"), "mw-web-0", f"../{WEB}", f"{WEB}/../a", ""):
        await past.keep(name, "aa", written([line(1)]))
        assert (await past.has(name), await kept(past, container=name)) == (False, [])

    assert not (tmp_path / "logs").exists()


async def test_past_logs__nothing_was_written__are_none(past: PastLogs) -> None:
    await past.keep(WEB, "aa", written([]))

    assert not await past.has(WEB)


@pytest.mark.parametrize("end", [EngineUnavailable("gone"), None], ids=["breaks off", "hangs"])
async def test_past_logs__engine_breaks_off_or_hangs__keep_what_came(
    past: PastLogs, monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    monkeypatch.setattr(past_logs, "KEEP_SECONDS", 0.05)

    async def slow() -> AsyncGenerator[OutputLine, None]:
        yield line(1)
        if end is not None:
            raise end
        await asyncio.Event().wait()

    await past.keep(WEB, "aa", slow())

    assert await kept(past) == [line(1)]


async def test_g14_past_logs__disk_fails__hold_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    past = PastLogs(tmp_path / "logs")

    await past.keep(WEB, "aa", written([line(1)]))

    assert (await kept(past), await past.containers(LEASE)) == ([], frozenset())
    await past.forget(LEASE)


async def test_past_logs__disk_has_spoilt_a_line__tell_the_others(past: PastLogs, tmp_path: Path) -> None:
    await past.keep(WEB, "aa", written([line(1), line(2), line(3)]))
    lines = file_of(tmp_path).read_bytes().splitlines(keepends=True)
    file_of(tmp_path).write_bytes(lines[0] + b'["aa","20\xff\n{}\n' + lines[2])

    assert await kept(past) == [line(1), line(3)]


async def test_i21_forget__lease_is_over_or_has_other_containers__leaves_what_is_to_stay(
    past: PastLogs, tmp_path: Path
) -> None:
    for name in (WEB, NEXT, OTHER):
        await past.keep(name, "aa", written([line(1)]))

    await past.forget(LEASE, {WEB})
    assert (await past.containers(LEASE), await past.containers(OTHER_LEASE)) == ({WEB}, {OTHER})
    await past.forget(LEASE)
    await past.forget(LEASE)

    assert [each.name for each in (tmp_path / "logs").iterdir()] == [OTHER_LEASE.hex()]


async def test_i21_keep_leases__agent_was_killed__removes_what_belongs_to_no_lease_and_drafts(
    past: PastLogs, tmp_path: Path
) -> None:
    past.keep_leases([])
    await past.keep(WEB, "aa", written([line(1)]))
    await past.keep(OTHER, "aa", written([line(1)]))
    (file_of(tmp_path).parent / f".{WEB}.0011").write_text("half")
    assert await past.containers(LEASE) == {WEB}

    past.keep_leases([LEASE])

    assert [each.relative_to(tmp_path / "logs") for each in (tmp_path / "logs").rglob("*")] == [
        Path(LEASE.hex()),
        Path(LEASE.hex(), WEB),
    ]
