"""What /healthz and /metrics say, over HTTP: healthy is who has processed a new head in time."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from moorage.health import Health, limit_seconds, telling
from moorage.metrics import ChainMetrics
from moorage.snapshot import Block

FIRST, SECOND = Block(7, b"\x07" * 32, 1_700_000_007), Block(8, b"\x08" * 32, 1_700_000_008)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def health(clock: Clock) -> Health:
    return Health(60, clock)


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


def test_health__head_in_time__is_healthy() -> None:
    clock = Clock()
    checked = health(clock)
    checked.head_processed(FIRST)
    clock.now += 60

    assert checked.report().document == {"state": "ok", "reasons": [], "warnings": [], "head_block": 7}


def test_health__no_new_head_for_longer__says_since_when_and_why() -> None:
    clock = Clock()
    checked = health(clock)
    checked.head_processed(FIRST)
    checked.cycle_failed("no answer from the node at http://127.0.0.1:8545: not in time")
    clock.now += 61

    assert checked.report().document == {
        "state": "failing",
        "reasons": [
            "no new block processed, 61 s ago; the limit is 60 s",
            "the last cycle was given up: no answer from the node at http://127.0.0.1:8545: not in time",
        ],
        "warnings": [],
        "head_block": 7,
    }


def test_health__the_same_head_again_and_again__counts_once() -> None:
    clock = Clock()
    checked = health(clock)
    for _ in range(70):
        checked.head_processed(FIRST)
        clock.now += 1

    assert not checked.report().is_healthy
    checked.head_processed(SECOND)
    assert checked.report().is_healthy


def test_health__before_the_first_head__is_not_healthy_and_says_that_it_starts() -> None:
    clock = Clock()
    checked = health(clock)

    assert checked.report().reasons == ("starting: no block processed yet",)
    clock.now += 61
    assert checked.report().reasons == ("no block processed since the start, 61 s ago; the limit is 60 s",)


def test_g14_health__engine_is_down__is_told_and_does_not_count() -> None:
    checked = health(Clock())
    checked.head_processed(FIRST)
    checked.fault("engine", "no answer in 60 s")

    assert (checked.report().is_healthy, checked.report().warnings) == (True, ("engine: no answer in 60 s",))
    checked.fault("engine", None)
    assert checked.report().warnings == ()


def test_limit_seconds__slow_and_fast_chains__is_twenty_blocks_or_a_minute() -> None:
    assert (limit_seconds(12), limit_seconds(0.25)) == (240, 60)


async def test_telling__healthz_and_metrics__are_served() -> None:
    clock, registry = Clock(), CollectorRegistry()
    checked, chain = health(clock), ChainMetrics(registry, lambda: 1_700_000_010.0)
    async with telling(("127.0.0.1", 0), checked, registry) as port:
        assert port is not None
        assert (await get(port, "/healthz"))[0] == 503
        checked.head_processed(FIRST)
        chain.head_processed(FIRST)

        status, body = await get(port, "/healthz")
        metrics = (await get(port, "/metrics"))[1].splitlines()

        assert (status, '"state": "ok"' in body) == (200, True)
        assert "moorage_chain_head_block 7.0" in metrics
        assert "moorage_chain_head_age_seconds 3.0" in metrics
        assert (await get(port, "/"))[0] == 404


async def test_telling__no_address__serves_nothing() -> None:
    async with telling(None, health(Clock()), CollectorRegistry()) as port:
        assert port is None


async def test_telling__port_is_taken__is_logged_and_the_daemon_runs(capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1", taken.getsockname()[1]
        async with telling(address, health(Clock()), CollectorRegistry()) as port:
            assert port is None

    assert "metrics not served" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9100", 200),
        ("127.0.0.1", 200),
        ("localhost:9100", 200),
        ("LOCALHOST", 200),
        ("[::1]:9100", 200),
        ("evil.example:9100", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.0.2.1:9100", 421),
        ("localhost@evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
async def test_h32_telling__name_of_a_web_page_points_here__is_refused(path: str, host: str, status: int) -> None:
    checked = health(Clock())
    checked.head_processed(FIRST)
    async with telling(("127.0.0.1", 0), checked, CollectorRegistry()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n".encode()
        )
        head = (await reader.read()).partition(b"\r\n\r\n")[0].decode().lower()
        writer.close()

    assert int(head.split()[1]) == status
    assert "access-control" not in head
    assert "set-cookie" not in head
