"""The agent's streams over real TLS: who gets them, what they tell, and that they end and harm nobody."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from yarl import URL

from cli.console import Console
from cli.conversation import converse
from cli.failures import Failure
from moorage import agent_client, pki, tls
from moorage.agent_client import AgentClient, AgentRefused, AgentUnreachable
from moorage.agent_exec import AgentExec
from moorage.chain.signer import LocalSigner
from moorage.request_auth import Action
from moorage.stream_api import decode_end, read_logs
from moorage.streams import (
    CaughtUp,
    Channel,
    Ended,
    ExecEnd,
    ExecRequest,
    LogLine,
    LogQuery,
    Record,
    Source,
    TerminalSize,
)
from moorage.types import OrderId, OrderState
from provider_agent.core.log_frames import OutputLine
from provider_agent.shell import exec_session, log_stream, stream_service
from provider_agent.shell.engine import EngineUnavailable, LogRange
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_streams import MemoryExec
from tests.fakes.agent_world import (
    CANARY,
    DOMAIN,
    EXEC,
    LEASE,
    LIMITS,
    LOGS,
    OTHER_TENANT,
    PROVIDER,
    TENANT,
    World,
    assert_refused,
    lease_context,
    running,
    signed,
)
from tests.integration.test_agent_client import agent_that_answers

CLIENT = AgentClient(DOMAIN, LocalSigner(TENANT))
OTHER_LEASE = OrderId(b"\xbb" * 32)
CAT = ExecRequest("web", ("/bin/cat",), has_input=True)
TIME = "2026-01-01T00:00:00.000000000Z"
FOLLOW = LogQuery(is_following=True)
LIFE_SECONDS = 3
"""Of a connection that is to end by its age; on a busy machine its handshake alone may take one."""
PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(log_stream, "LOOK_SECONDS", 0.1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


@asynccontextmanager
async def stopped_reader(world: World, action: Action, message: bytes = b"") -> AsyncIterator[None]:
    """Ask for a stream, with a first message if it is a WebSocket, and read the head of the answer and no more."""
    world.guards[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", world.port))
    reader, writer = await asyncio.open_connection(
        sock=client,
        ssl=tls.ssl_client_context(world.root.der),
        server_hostname=pki.provider_name(PROVIDER, DOMAIN.exchange),
    )
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + "a" * 22
    head = f"GET {action.path} HTTP/1.1\r\nHost: x\r\nAuthorization: {signed(action, message)}\r\n"
    writer.write((head + (f"{upgrade}==\r\n" if message else "") + "\r\n").encode())
    assert (await reader.readline()).split()[1] in (b"200", b"101")
    if message:  # RFC 6455, section 5.2: one frame, final, binary, with a mask of zeros
        assert len(message) < 126
        writer.write(bytes([0x82, 0x80 | len(message)]) + bytes(4) + message)
    writer.transport._ssl_protocol._transport.pause_reading()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        writer.transport.abort()


async def lines(world: World, query: LogQuery = LogQuery()) -> list[str]:  # noqa: B008
    """Return what a request gets that ends by itself."""
    records = [each async for each in CLIENT.logs(world.agent, LEASE, query)]
    assert records[-1] == Ended()
    return [f"{each.workload}-{each.replica} {each.text}" for each in records if isinstance(each, LogLine)]


async def next_text(records: AsyncGenerator[Record, None]) -> str:
    async for record in records:
        if isinstance(record, LogLine):
            return record.text
        assert not isinstance(record, Ended), record
    raise AssertionError("the log has ended")


async def end_of(records: AsyncGenerator[Record, None]) -> Ended:
    found = [each async for each in records][-1]
    assert isinstance(found, Ended)
    return found


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(PATIENCE_SECONDS * 50):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


# ------------------------------------------------------------------ logs


async def test_logs__two_replicas__are_merged_by_time_to_the_end(world: World) -> None:
    first, second = await world.run(), await world.run(replica=1)
    world.engine.write(second, "b", Source.STDERR)
    world.engine.write(first, "a")

    records = [each async for each in CLIENT.logs(world.agent, LEASE, LogQuery())]

    told = [(each.replica, each.text, each.stream) for each in records if isinstance(each, LogLine)]
    assert told[:2] == [(0, "ready", Source.STDOUT), (1, "ready", Source.STDOUT)]
    assert sorted(told[2:]) == [(0, "a", Source.STDOUT), (1, "b", Source.STDERR)]
    assert records[-2:] == [CaughtUp(), Ended()]


async def test_logs__part_that_is_asked_for__is_told_alone(world: World) -> None:
    web, other = await world.run(), await world.run("db", replica=1)
    for number in range(3):
        world.engine.write(web, f"line {number}")
    world.engine.write(other, "of db")

    assert await lines(world, LogQuery(workload="web", tail=2)) == ["web-0 line 1", "web-0 line 2"]
    assert await lines(world, LogQuery(replica=1)) == ["db-1 ready", "db-1 of db"]
    assert await lines(world, LogQuery(workload="absent")) == []
    assert await lines(world, LogQuery(since="2026-01-01T00:00:00.000000002Z")) == ["web-0 line 1", "web-0 line 2"]


async def test_logs__replica_that_is_not_there__say_so(world: World) -> None:
    await world.run()

    with_reason = [
        each async for each in CLIENT.logs(world.agent, LEASE, LogQuery("web", 3)) if isinstance(each, Ended)
    ]

    assert with_reason == [Ended("workload web has no replica 3 now, but 0")]


async def test_h12_logs__containers_of_another_lease__are_not_told(world: World) -> None:
    await world.run()
    world.engine.write(await world.run(lease=OTHER_LEASE), CANARY)

    assert await lines(world) == ["web-0 ready"]


async def test_h12_streams__of_another_tenant__are_refused_with_the_reason(world: World) -> None:
    stranger = AgentClient(DOMAIN, LocalSigner(OTHER_TENANT))

    with pytest.raises(AgentRefused, match="403: the signer is not the tenant"):
        await anext(stranger.logs(world.agent, LEASE, LogQuery()))
    with pytest.raises(AgentRefused, match="403: the signer is not the tenant"):
        async with stranger.exec(world.agent, LEASE, CAT):
            pass


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?tail=x", 400), ("?tail=9999999", 400), ("?since=yesterday", 400),
        ("?since=2026-02-31T00:00:00.000000000Z", 400), ("?since=0001-01-01T00:00:00.000000000Z", 400),
        ("?workload=%2e%2e", 400), ("?x=1", 400),
        ("?follow=0", 400), ("?tail=01", 404), ("?follow=1&tail=1", 404), ("?tail=1&tail=1", 404),
        ("?workload=w%65b", 404), ("?tail", 400),
    ],
)  # fmt: skip
async def test_h19_logs__query_in_another_form__is_refused(world: World, query: str, status: int) -> None:
    action = replace(read_logs(PROVIDER, LEASE, LogQuery()), path=f"/v1/leases/{LEASE.hex()}/logs{query}")

    await assert_refused(world, await world.ask(action), status, "")


async def test_h13_logs__signed_for_other_lines__are_unauthorised(world: World) -> None:
    header = signed(read_logs(PROVIDER, LEASE, LogQuery(tail=1)))

    answer = await world.ask(read_logs(PROVIDER, LEASE, LogQuery(tail=2)), header=header)

    await assert_refused(world, answer, 401, "another path")


async def test_h13_logs__signed_with_a_body__are_unauthorised(world: World) -> None:
    action = read_logs(PROVIDER, LEASE, LogQuery())

    await assert_refused(world, await world.ask(action, header=signed(action, b"x")), 401, "another body")


async def test_logs__followed__tell_what_comes_also_after_a_restart_and_from_new_replicas(world: World) -> None:
    name = await world.run()
    async with aclosing(CLIENT.logs(world.agent, LEASE, FOLLOW)) as records:
        assert await next_text(records) == "ready"
        assert await anext(records) == CaughtUp()
        world.engine.write(name, "one")
        assert await next_text(records) == "one"

        world.engine.crash(name, 1)
        world.engine.first_words = ()
        await world.run(restarts=1)
        world.engine.write(name, "again")
        assert await next_text(records) == "again"

        world.engine.write(await world.run(replica=1), "of another")
        assert await next_text(records) == "of another"


async def test_logs__container_was_made_anew__are_told_from_the_ones_before_on(world: World) -> None:
    name = await world.run()
    world.engine.write(name, "why it crashes", Source.STDERR)
    for restarts in (1, 2):
        world.engine.crash(name, 1)
        await world.run(restarts=restarts)
    world.engine.write(name, "now")

    told = ["web-0 ready", "web-0 why it crashes", "web-0 ready", "web-0 ready", "web-0 now"]
    assert await lines(world) == told
    for tail in range(7):
        assert await lines(world, LogQuery(tail=tail)) == told[max(0, 5 - tail) :]
    assert await lines(world, LogQuery(since="2026-01-01T00:00:00.000000002Z")) == told[2:]


async def test_logs__container_is_gone__are_told_all_the_same(world: World) -> None:
    name, other = await world.run(), await world.run(replica=1)
    world.engine.write(await world.run(lease=OTHER_LEASE), CANARY)
    for each in (name, other):
        await world.engine.remove_container(each, at_once=True)
    await world.engine.remove_container(await world.run(lease=OTHER_LEASE))

    assert await lines(world, LogQuery("web", 0)) == ["web-0 ready"]
    assert await lines(world) == ["web-0 ready", "web-1 ready"]


@pytest.mark.parametrize("tail", [None, 0, 1])
async def test_logs__followed_over_crashes__tell_each_line_once(world: World, tail: int | None) -> None:
    world.engine.first_words = ()
    name = await world.run()
    told, numbers = ["-1"] if tail != 0 else [], iter(range(100))
    world.engine.write(name, "-1")
    async with aclosing(CLIENT.logs(world.agent, LEASE, replace(FOLLOW, tail=tail))) as records:
        told_now = [await next_text(records)] if tail != 0 else []
        assert await anext(records) == CaughtUp()
        for restarts in range(1, 9):
            for stream in (Source.STDERR, Source.STDOUT, Source.STDOUT):
                told.append(str(next(numbers)))
                world.engine.write(name, told[-1], stream)
            if restarts % 2:  # else the reader is not there yet when the container goes
                told_now += [await next_text(records) for _ in range(len(told) - len(told_now))]
            world.engine.crash(name, 1)
            if restarts % 3:
                await world.run(restarts=restarts)
            else:
                await world.engine.remove_container(name, at_once=True)
                await asyncio.sleep(0.1)
                await world.run(restarts=restarts)
        world.engine.write(name, "last")
        told_now += [await next_text(records) for _ in range(len(told) + 1 - len(told_now))]

    assert told_now == [*told, "last"]


async def test_logs__followed_log_is_taken_away_under_its_reader__tell_the_last_lines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_stream, "AGAIN_SECONDS", 0.5)
    name = await world.run()
    async with aclosing(CLIENT.logs(world.agent, LEASE, FOLLOW)) as records:
        assert await next_text(records) == "ready"
        await until(lambda: world.engine.calls.count("logs") >= 2)
        await asyncio.sleep(0.05)
        world.engine.crash(name, 1)
        for _ in range(10):
            await asyncio.sleep(0)
        world.engine.write(name, "the last word")  # which the reader did not get
        await world.engine.remove_container(name)

        assert await next_text(records) == "the last word"


async def test_logs__followed_without_what_was__tell_what_comes(world: World) -> None:
    name = await world.run()
    async with aclosing(CLIENT.logs(world.agent, LEASE, replace(FOLLOW, tail=0))) as records:
        assert await anext(records) == CaughtUp()
        await until(lambda: world.engine.calls.count("logs") >= 2)
        await asyncio.sleep(0.05)
        world.engine.write(name, "new")

        assert await next_text(records) == "new"


async def test_logs__engine_breaks_off__go_on_when_it_is_back(world: World) -> None:
    name = await world.run()
    world.engine.failures = [None, EngineUnavailable("gone"), EngineUnavailable("gone")]
    async with aclosing(CLIENT.logs(world.agent, LEASE, FOLLOW)) as records:
        assert await next_text(records) == "ready"
        world.engine.write(name, "one")

        assert await next_text(records) == "one"


async def test_h34_logs__engine_is_silent__say_so_and_no_more(world: World) -> None:
    await world.run()
    world.engine.failures = [EngineUnavailable("no answer from the engine")]

    assert await end_of(CLIENT.logs(world.agent, LEASE, LogQuery())) == Ended(
        "the engine does not tell: no answer from the engine", is_retryable=True
    )


async def test_h34_logs__fault_inside__shows_nothing_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(log_stream, "log_sources", broken)

    end = await end_of(CLIENT.logs(world.agent, LEASE, LogQuery()))

    assert end == Ended("the agent could not go on", is_retryable=True)


async def test_h16_streams__longer_than_a_connection_lives__go_on(tmp_path: Path) -> None:
    async with running(tmp_path, limits=replace(LIMITS, life_seconds=LIFE_SECONDS)) as world:
        name = await world.run()
        async with (
            aclosing(CLIENT.logs(world.agent, LEASE, FOLLOW)) as records,
            CLIENT.exec(world.agent, LEASE, CAT) as command,
        ):
            assert await next_text(records) == "ready"
            await asyncio.sleep(LIFE_SECONDS + 0.2)
            await command.write(b"still")
            assert await command.read() == (Channel.STDOUT, b"still")
            world.engine.write(name, "later")
            assert await next_text(records) == "later"


@pytest.mark.parametrize("state", [OrderState.LEASE_STALE, OrderState.LEASE_CLOSED])
async def test_h12_logs__lease_ends_meanwhile__end_too(
    world: World, state: OrderState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "CHECK_SECONDS", 0.0)
    await world.run()
    records = CLIENT.logs(world.agent, LEASE, FOLLOW)
    assert await next_text(records) == "ready"

    world.directory.lease_to_answer[LEASE] = lease_context(state=state)

    assert await end_of(records) == Ended("the lease is not active")


@pytest.mark.parametrize("query", [FOLLOW, LogQuery()])
async def test_logs__as_long_as_they_may__end_and_may_be_asked_for_again(
    world: World, query: LogQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "LONGEST_SECONDS", 0.0)
    await world.run()

    end = await end_of(CLIENT.logs(world.agent, LEASE, query))

    assert end.is_retryable


async def test_logs__agent_stops__say_so(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.run()
        records = CLIENT.logs(world.agent, LEASE, FOLLOW)
        assert await next_text(records) == "ready"
        reading = asyncio.create_task(end_of(records))

    assert await reading == Ended("the agent stops", is_retryable=True)


async def test_h16_logs__more_than_a_lease_may_have__are_refused_until_one_ends(world: World) -> None:
    await world.run()
    opened = [CLIENT.logs(world.agent, LEASE, FOLLOW) for _ in range(4)]
    for records in opened:
        await anext(records)

    with pytest.raises(AgentRefused, match="has 4 streams of this kind open") as refused:
        await anext(CLIENT.logs(world.agent, LEASE, FOLLOW))

    assert (refused.value.status, refused.value.is_retryable) == (429, True)
    await opened.pop().aclose()
    for _ in range(50):
        try:
            opened.append(CLIENT.logs(world.agent, LEASE, FOLLOW))
            assert await next_text(opened[-1]) == "ready"
            break
        except AgentRefused:
            await asyncio.sleep(0.2)
    else:
        raise AssertionError("no stream came free")
    for records in opened:
        await records.aclose()


@dataclass(slots=True)
class Scripted(MemoryEngine):
    """An engine that tells lines of these nanoseconds, reading after reading, and then nothing for ever."""

    readings: list[list[int]] = field(default_factory=list)

    async def logs(self, name: str, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        if not self.readings:
            await asyncio.Event().wait()
        for number in self.readings.pop(0):
            yield OutputLine(f"2026-01-01T00:00:00.{number:09}Z", Source.STDOUT, str(number))


def scripted(world: World, *readings: list[int]) -> None:
    world.engine = world.streams._engine = Scripted(
        world.engine.owner, world.engine.clock, images=world.engine.images, readings=list(readings)
    )


async def test_logs__lines_of_one_time_and_a_clock_that_is_set_back__are_all_told(world: World) -> None:
    scripted(world, [5, 5, 3, 7, 7])
    await world.run()

    assert await lines(world) == [f"web-0 {number}" for number in (5, 5, 3, 7, 7)]


async def test_logs__read_again_from_lines_of_one_time_on__tell_what_is_new(world: World) -> None:
    scripted(world, [5, 7, 7], [7, 7, 7, 6], [7, 7, 7, 8])
    await world.run()

    async with aclosing(CLIENT.logs(world.agent, LEASE, FOLLOW)) as records:
        assert [await next_text(records) for _ in range(6)] == ["5", "7", "7", "7", "6", "8"]


async def test_h16_logs__engine_that_says_nothing_in_the_middle__are_not_waited_for_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(stream_service, "STALL_SECONDS", 0.2)
    scripted(world)
    await world.run()

    with pytest.raises(AgentUnreachable):
        await lines(world)
    await until(lambda: not world.streams._logs._leases)


@dataclass(slots=True)
class Flood(MemoryEngine):
    """An engine whose containers write without an end."""

    told: int = 0

    async def logs(self, name: str, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        while True:
            self.told += 1
            yield OutputLine(f"2026-01-01T00:00:00.{self.told:09}Z", Source.STDOUT, "y" * 1_000)


async def test_h18_logs__flood_and_a_reader_who_reads_nothing__hold_up_nobody_and_fill_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "STALL_SECONDS", 1.0)
    async with running(tmp_path) as world:
        flood = Flood(world.engine.owner, world.engine.clock, images=world.engine.images)
        world.engine = flood
        world.streams._engine = flood
        await world.run()
        action = read_logs(PROVIDER, LEASE, FOLLOW)
        context = tls.ssl_client_context(world.root.der)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", world.port, ssl=context, server_hostname=pki.provider_name(PROVIDER, DOMAIN.exchange)
        )
        writer.write(f"GET {action.path} HTTP/1.1\r\nHost: x\r\nAuthorization: {signed(action)}\r\n\r\n".encode())
        assert b"200" in await reader.readline()
        reader._transport.pause_reading()  # type: ignore[attr-defined]

        told = -1
        while told != flood.told:  # until it is held back
            told = flood.told
            health = await world.ask(replace(action, path="/healthz"), account=None)
            assert health.status == 200
            await asyncio.sleep(0.2)

        assert flood.told < 20_000  # what fits into the buffers of two kernels, and a batch
        await until(lambda: not world.streams._logs._leases and not world.guards[0]._open)
        writer.close()


async def test_h16_logs__reader_who_stops_at_the_very_end__is_hung_up_on(tmp_path: Path) -> None:
    async with running(tmp_path, limits=replace(LIMITS, life_seconds=LIFE_SECONDS)) as world:
        name = await world.run()
        for _ in range(50):
            world.engine.write(name, "y" * 1_000)
        async with stopped_reader(world, LOGS):
            await until(lambda: "logs" in world.engine.calls)

            await until(lambda: not world.streams._logs._leases and not world.guards[0]._open)


# ------------------------------------------------------------------ commands


async def test_h16_exec__reader_who_stops_at_the_very_end__is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "STALL_SECONDS", 0.3)

    async def wordy(command: MemoryExec) -> int:
        await command.say(b"y" * 50_000)
        return 0

    async with running(tmp_path, limits=replace(LIMITS, life_seconds=LIFE_SECONDS)) as world:
        await world.run()
        world.engine.programs["wordy"] = wordy
        async with stopped_reader(world, EXEC, msgspec.json.encode(ExecRequest("web", ("wordy",)))):
            await until(lambda: "exec" in world.engine.calls)

            await until(lambda: not world.streams._execs._leases and not world.guards[0]._open)


async def read_all(running: AgentExec) -> tuple[dict[Channel, bytes], ExecEnd]:
    written = {Channel.STDOUT: b"", Channel.STDERR: b""}
    while not isinstance(said := await running.read(), ExecEnd):
        written[said[0]] += said[1]
    return written, said


async def test_exec__reads_input__answers_and_tells_its_code(world: World) -> None:
    await world.run()

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        await running.write(b"\x00one\n" * 20_000)
        await running.end_input()
        written, end = await read_all(running)

    assert (written[Channel.STDOUT], end) == (b"\x00one\n" * 20_000, ExecEnd(0))


@pytest.mark.parametrize(("file", "words"), [("directory", "Is a directory"), ("closed", "Bad file descriptor")])
async def test_exec__input_that_can_not_be_read__ends_the_command_and_says_so(
    world: World, tmp_path: Path, file: str, words: str
) -> None:
    await world.run()
    number = os.open(tmp_path, os.O_RDONLY) if file == "directory" else 999

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        with pytest.raises(Failure, match=f"the standard input can't be read: {words}"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await converse(Console(number, 1, 2), running, has_input=True, has_terminal=False)


async def test_exec__terminal__has_its_size_and_learns_the_next(world: World) -> None:
    await world.run()
    seen: list[TerminalSize | None] = []

    async def sized(command: MemoryExec) -> int:
        seen.append(command.size)
        await command.hear()
        seen.append(command.size)
        await command.say(b"no", Source.STDERR)
        return 3

    world.engine.programs["sized"] = sized
    request = ExecRequest("web", ("sized",), has_input=True, terminal=TerminalSize(80, 24))

    async with CLIENT.exec(world.agent, LEASE, request) as running:
        await running.resize(TerminalSize(132, 50))
        await running.write(b"\n")
        written, end = await read_all(running)

    assert seen == [TerminalSize(80, 24), TerminalSize(132, 50)]
    assert (written[Channel.STDERR], end.code) == (b"no", 3)


async def test_h13_exec__other_command_than_signed__is_not_run(world: World) -> None:
    await world.run()
    headers = {"Authorization": signed(EXEC, msgspec.json.encode(CAT))}
    other = msgspec.json.encode(ExecRequest("web", ("/bin/cat", "/etc/shadow")))

    end = await talk(world, headers, other)

    assert end == ExecEnd(reason="the signature is for another body")
    assert "exec" not in world.engine.calls


@pytest.mark.parametrize(
    "body",
    [b"{}", b"x", msgspec.json.encode({"workload": "web", "command": []}), b"x" * 40_000,
     msgspec.json.encode({"workload": "web", "command": ["a\x00b"]}),
     msgspec.json.encode({"workload": "web", "command": ["a"], "user": "root"}),
     msgspec.json.encode({"workload": "web", "command": ["a"], "terminal": {"columns": 0, "rows": 1}})],
    ids=["empty", "no json", "no word", "huge", "nul", "user", "no column"],
)  # fmt: skip
async def test_h30_exec__request_that_is_none__is_not_run(world: World, body: bytes) -> None:
    await world.run()

    end = await talk(world, {"Authorization": signed(EXEC, body)}, body)

    assert end == ExecEnd(reason="the first message is no command")
    assert "exec" not in world.engine.calls


async def talk(world: World, headers: dict[str, str], first: bytes) -> ExecEnd:
    """Open a command as anyone might, and return what is said to its first message."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            URL(f"https://127.0.0.1:{world.port}{EXEC.path}"),
            headers=headers,
            ssl=tls.ssl_client_context(world.root.der),
            server_hostname=pki.provider_name(PROVIDER, DOMAIN.exchange),
        ) as socket,
    ):
        await socket.send_bytes(first)
        message = await socket.receive_bytes()
        assert message[0] == Channel.END
        return msgspec.json.decode(message[1:], type=ExecEnd)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ExecRequest("db", ("/bin/cat",)), "nothing of a workload 'db'"),
        (ExecRequest("web", ("/bin/cat",), replica=3), "no replica 3 now, but 0"),
        (ExecRequest("web", ("/bin/absent",)), "not found"),
    ],
)
async def test_exec__nothing_to_run_or_nowhere__says_why(world: World, request_: ExecRequest, words: str) -> None:
    await world.run()

    async with CLIENT.exec(world.agent, LEASE, request_) as running:
        _, end = await read_all(running)

    assert end.code is None
    assert words in (end.reason or "")


async def test_exec__container_has_crashed__says_how_it_has_ended(world: World) -> None:
    world.engine.crash(await world.run(), 1)

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        assert (await read_all(running))[1].reason == "replica 0 of web has ended with exit code 1"


def endless(world: World) -> asyncio.Event:
    """Let there be a command that writes for ever; returns what is set when it has ended."""
    ended = asyncio.Event()

    async def program(command: MemoryExec) -> int:
        try:
            while True:
                await command.say(b"y\n")
        finally:
            ended.set()

    world.engine.programs["endless"] = program
    return ended


@pytest.mark.parametrize("flood", ["keys", "sizes", "output"])
async def test_h16_exec__flood_of_tiny_messages__leaves_the_agent_to_others_now_and_then(
    world: World, flood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.run()
    rests, rest = 0, world.streams._execs.rest

    async def counted() -> None:
        nonlocal rests
        rests += 1
        await rest()

    async def wordy(command: MemoryExec) -> int:
        for _ in range(640):
            await command.say(b"y")
        return 0

    world.streams._execs.rest = counted  # type: ignore[method-assign]
    world.engine.programs["wordy"] = wordy
    request = ExecRequest("web", ("wordy",)) if flood == "output" else CAT
    async with CLIENT.exec(world.agent, LEASE, request) as command:
        for _ in range(0 if flood == "output" else 640):
            await (command.write(b"y") if flood == "keys" else command.resize(TerminalSize(80, 24)))
        if flood != "output":
            await command.end_input()
        assert (await read_all(command))[1] == ExecEnd(0)

    assert rests >= 10


async def test_h18_exec__tenant_hangs_up__the_command_ends(world: World) -> None:
    await world.run()
    ended = endless(world)

    async with CLIENT.exec(world.agent, LEASE, ExecRequest("web", ("endless",))) as running:
        await running.read()

    await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)


async def test_h12_exec__lease_ends_though_the_tenant_reads_nothing__the_command_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_service, "CHECK_SECONDS", 0.05)
    await world.run()
    ended = endless(world)

    async with CLIENT.exec(world.agent, LEASE, ExecRequest("web", ("endless",))) as running:
        await running.read()
        world.directory.lease_to_answer[LEASE] = lease_context(state=OrderState.LEASE_CLOSING)
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        _, end = await read_all(running)

    assert end == ExecEnd(reason="the lease is not active")


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "LONGEST_SECONDS"])
async def test_h16_exec__as_long_as_it_may__ends(world: World, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_service, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(exec_session, limit, 0.0)
    await world.run()

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        assert "as long as it may" in ((await read_all(running))[1].reason or "")


async def test_h16_exec__tenant_says_nothing_for_too_long__the_command_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_session, "SILENCE_SECONDS", 0.1)
    await world.run()

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        assert (await read_all(running))[1] == ExecEnd(reason="nobody is there any more")


async def test_h16_exec__command_does_not_read__its_tenant_may_be_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_session, "SILENCE_SECONDS", 2.0)
    await world.run()

    async def slow(command: MemoryExec) -> int:
        await asyncio.sleep(2.5)
        return 4

    world.engine.programs["slow"] = slow
    async with CLIENT.exec(world.agent, LEASE, ExecRequest("web", ("slow",), has_input=True)) as running:
        for _ in range(3):
            await running.write(b"x")
        assert (await read_all(running))[1] == ExecEnd(4)


async def test_h16_exec__more_than_a_lease_may_have__is_refused(world: World) -> None:
    await world.run()
    async with (
        CLIENT.exec(world.agent, LEASE, CAT),
        CLIENT.exec(world.agent, LEASE, CAT),
        CLIENT.exec(world.agent, LEASE, CAT),
        CLIENT.exec(world.agent, LEASE, CAT),
    ):
        with pytest.raises(AgentRefused, match="429: this lease has 4 streams"):
            async with CLIENT.exec(world.agent, LEASE, CAT):
                pass


async def test_h34_exec__fault_inside__shows_nothing_of_it(world: World) -> None:
    await world.run()

    class Broken(MemoryEngine):
        def exec(self, *_: object) -> object:  # type: ignore[override]
            raise RuntimeError(CANARY)

    world.streams._engine = Broken(world.engine.owner, world.engine.clock)

    async with CLIENT.exec(world.agent, LEASE, CAT) as running:
        assert (await read_all(running))[1] == ExecEnd(reason="the agent could not go on")


async def test_exec__agent_stops__says_so(tmp_path: Path) -> None:
    async def run(world: World) -> ExecEnd:
        async with CLIENT.exec(world.agent, LEASE, CAT) as command:
            return (await read_all(command))[1]

    async with running(tmp_path) as world:
        await world.run()
        reading = asyncio.create_task(run(world))
        await until(lambda: "exec" in world.engine.calls)

    assert await reading == ExecEnd(reason="the agent stops")


async def test_streams__nobody_listens__are_unreachable(world: World) -> None:
    nowhere = replace(world.agent, endpoint="https://127.0.0.1:1")

    with pytest.raises(AgentUnreachable):
        await anext(CLIENT.logs(nowhere, LEASE, LogQuery()))
    with pytest.raises(AgentUnreachable):
        async with CLIENT.exec(nowhere, LEASE, CAT):
            pass


async def test_h20_streams__root_of_another__are_unreachable(world: World) -> None:
    other = replace(world.agent, roots_der=(pki.create_root(PROVIDER, DOMAIN.exchange, datetime.now(UTC)).der,))

    with pytest.raises(AgentUnreachable, match="its certificate is not valid: "):
        await anext(CLIENT.logs(other, LEASE, LogQuery()))
    with pytest.raises(AgentUnreachable, match="its certificate is not valid: "):
        async with CLIENT.exec(other, LEASE, CAT):
            pass


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"kind":"now"}\n', "broke off"),
        (b" " * 500_000, "too long"),
        (b'{"kind":"line"}\n', "127.0.0.1"),
        (b"[]\n", "127.0.0.1"),
    ],
    ids=["breaks off before its end", "endless line", "no line", "list"],
)
async def test_h16_logs__nonsense__are_unreachable(tmp_path: Path, body: bytes, words: str) -> None:
    async with agent_that_answers(tmp_path, lambda: web.Response(body=body)) as agent:
        with pytest.raises(AgentUnreachable, match=words):
            _ = [each async for each in CLIENT.logs(agent, LEASE, LogQuery())]


def told_line(**fields: object) -> bytes:
    line = {"kind": "line", "time": TIME, "workload": "web", "replica": 0, "stream": "stdout", "text": "a"}
    return msgspec.json.encode({**line, **fields}) + b'\n{"kind":"end"}\n'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (told_line(replica=-1), "Expected `int` >= 0"),
        (told_line(replica=10_000), "Expected `int` <= 9999"),
        (told_line(replica=1), "not asked for"),
        (told_line(workload="db"), "not asked for"),
        (told_line(time="2026-02-31T00:00:00.000000000Z"), "without time"),
        (told_line(time="0001-01-01T00:00:00.000000000Z"), "without time"),
    ],
)
async def test_h18_logs__lines_that_nobody_asked_for__are_not_taken(tmp_path: Path, body: bytes, words: str) -> None:
    async with agent_that_answers(tmp_path, lambda: web.Response(body=body)) as agent:
        with pytest.raises(AgentUnreachable, match=words):
            _ = [each async for each in CLIENT.logs(agent, LEASE, LogQuery("web", 0))]
    async with agent_that_answers(tmp_path, lambda: web.Response(body=told_line())) as agent:
        assert len([each async for each in CLIENT.logs(agent, LEASE, LogQuery("web", 0))]) == 2


async def test_h18_streams__reasons_without_an_end__are_cut(tmp_path: Path) -> None:
    body = msgspec.json.encode({"kind": "end", "reason": "\x1b" * 20_000}) + b"\n"
    async with agent_that_answers(tmp_path, lambda: web.Response(body=body)) as agent:
        assert await end_of(CLIENT.logs(agent, LEASE, LogQuery())) == Ended("\ufffd" * 500)
    assert decode_end(msgspec.json.encode(ExecEnd(reason="\x1b" * 20_000))) == ExecEnd(reason="\ufffd" * 500)


async def test_h16_logs__drip_without_an_end__is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = aiohttp.ClientTimeout(total=0.5, sock_read=10)
    monkeypatch.setattr(agent_client, "READ_TIMEOUT", patience)

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b'{"kind":"alive"}\n'
            await asyncio.sleep(0.05)

    async with agent_that_answers(tmp_path, lambda: web.Response(body=drip())) as agent:
        with pytest.raises(AgentUnreachable, match="not in time"):
            _ = [each async for each in CLIENT.logs(agent, LEASE, LogQuery())]


async def test_logs__records_in_pieces_of_any_size__are_put_together(tmp_path: Path) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for byte in told_line() + b"\n":
            yield bytes([byte])

    async with agent_that_answers(tmp_path, lambda: web.Response(body=drip())) as agent:
        records = [each async for each in CLIENT.logs(agent, LEASE, LogQuery())]
    assert records == [LogLine(TIME, "web", 0, Source.STDOUT, "a"), Ended()]


async def test_h18_streams__hostile_refusals__are_made_printable(tmp_path: Path) -> None:
    headers = {"Moorage-Detail": "no\u009b2J"}
    async with agent_that_answers(
        tmp_path, lambda: web.Response(status=418, body=b'{"detail": "no\\u009b2J"}', headers=headers)
    ) as agent:
        with pytest.raises(AgentRefused) as refused:
            await anext(CLIENT.logs(agent, LEASE, LogQuery()))
        assert refused.value.detail == "no\ufffd2J"
        with pytest.raises(AgentRefused) as refused:
            async with CLIENT.exec(agent, LEASE, CAT):
                pass
        assert refused.value.detail.isprintable()
