"""Who reaches whom in the demo of three regions: how outcomes are read, compared and shown."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import cast

import pytest

from demo.processes import DemoFailed
from demo.regions import matrix, prober
from demo.regions.matrix import Matrix, Source, Target, is_answer_of, measure

CACHE = Target("cache", "redis", (("10.0.0.3", 6379, "redis"),), "a1")
AGENT = Target("agent", "tcp", (("10.0.0.9", 8443, "tcp"),), "")
HERE = Source("here", ())
AS_DECLARED = Matrix(("web", "db"), ("db", "cache"), frozenset({("web", "db")}), frozenset({("web", "db")}), {})


@pytest.mark.parametrize(
    ("attempt", "outcome", "is_it"),
    [
        (("cache", 6379, "redis"), "answers: # Server\r\nrun_id:a1\r\n", True),
        (("10.0.0.3", 6379, "redis"), "answers: # Server\r\nrun_id:b2\r\n", False),
        (("10.0.0.3", 6379, "redis"), "timed out", False),
        (("10.0.0.3", 6379, "redis"), "closed", False),
    ],
)
def test_is_answer_of__server_that_says_who_it_is__counts_by_its_word(
    attempt: matrix.Attempt, outcome: str, is_it: bool
) -> None:
    assert is_answer_of(CACHE, attempt, outcome) is is_it


def test_is_answer_of__server_that_says_nothing__counts_by_its_address() -> None:
    assert is_answer_of(AGENT, ("10.0.0.9", 8443, "tcp"), "answers: connected")
    assert not is_answer_of(AGENT, ("10.0.0.8", 8443, "tcp"), "answers: connected")


def test_is_answer_of__database__counts_only_when_it_speaks_its_protocol() -> None:
    database = Target("db", "postgres", (), "N")

    assert is_answer_of(database, ("db", 5432, "postgres"), "answers: N")
    assert not is_answer_of(database, ("db", 5432, "postgres"), "answers: \x15")


def test_matrix__as_declared__has_no_faults() -> None:
    assert AS_DECLARED.faults == []
    assert AS_DECLARED.pairs == 3


def test_i09_matrix__something_else_is_reached__is_a_fault_and_shown() -> None:
    found = replace(AS_DECLARED, reached=frozenset({("web", "db"), ("db", "cache")}))

    assert found.faults == ["db reaches cache"]
    assert found.table().splitlines()[1:3] == ["web   o  .", "db       X"]


def test_matrix__something_declared_is_not_reached__is_a_fault_and_shown() -> None:
    found = replace(AS_DECLARED, reached=frozenset())

    assert found.faults == ["web does not reach db"]
    assert found.table().splitlines()[1] == "web   -  ."


def test_i09_matrix__one_is_missing_and_another_open__both_are_faults() -> None:
    found = replace(AS_DECLARED, reached=frozenset({("db", "cache")}))

    assert found.faults == ["web does not reach db", "db reaches cache"]


async def test_measure__from_this_network__finds_what_answers_under_another_address() -> None:
    async with server(b"# Server\r\nrun_id:a1\r\n") as port, server(b"hello") as silent_port:
        attempts = (("127.0.0.1", port, "redis"),)
        there = Target("there", "redis", (("127.0.0.1", silent_port, "redis"),), "a1")
        other = Target("other", "redis", (), "b2")

        found = await measure([HERE], [there, other], attempts, {("here", "there")})

    assert found.faults == []
    assert found.outcomes == {"answers": 2}


async def test_measure__declared_one_does_not_answer__is_tried_again() -> None:
    async with server(b"") as port:
        away = Target("away", "redis", (("127.0.0.1", port, "redis"),), "a1")

        found = await measure([HERE], [away], (), {("here", "away")})

    assert found.faults == ["here does not reach away"]
    assert found.outcomes == {"closed": 1 + matrix.SECOND_TRIES}


async def test_measure__source_cannot_be_entered__fails_with_its_words() -> None:
    nowhere = Source("nowhere", ("nsenter", "--net=/proc/0/ns/net"))

    with pytest.raises(DemoFailed, match=r"nothing can be tried from nowhere: nsenter: .*No such file"):
        await measure([nowhere], [AGENT], (), ())


async def test_attempt__nobody_listens__is_refused() -> None:
    async with server(b"") as port:
        pass

    assert await prober.attempt("127.0.0.1", port, "tcp") == "refused"


async def test_attempt__connection_ends_without_a_word__is_closed() -> None:
    async with server(b"") as port:
        assert await prober.attempt("127.0.0.1", port, "banner") == "closed"


@pytest.mark.parametrize(("answers", "address"), [([b"\x0a\x01\x02\x03"], "10.1.2.3"), ([], None)])
async def test_resolve__name_server_answers__takes_the_address_or_none(
    monkeypatch: pytest.MonkeyPatch, answers: list[bytes], address: str | None
) -> None:
    class NameServer(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
            head = struct.pack("!2s5H", data[:2], 0x8180, 1, len(answers), 0, 0)
            records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + each for each in answers)
            cast(asyncio.DatagramTransport, self.transport).sendto(head + data[12:] + records, sender)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    monkeypatch.setattr(prober, "NAME_SERVER", transport.get_extra_info("sockname"))

    found = await prober.resolve("db")

    transport.close()
    assert found == address


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):  # what closes with words unread resets the connection
            await asyncio.wait_for(reader.read(100), 0.1)
        writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
