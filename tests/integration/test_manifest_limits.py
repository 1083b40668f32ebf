"""What the agent's API refuses for its size or its frequency."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage import manifest
from moorage.request_auth import Action
from provider_agent.shell import lease_access
from provider_agent.shell.rate_limit import Rate
from tests.fakes.agent_world import GET, GOOD, LEASE, PROVIDER, PUT, World, assert_refused, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


async def test_h16_manifest__one_byte_too_big__is_refused_before_its_signature_is_looked_at(world: World) -> None:
    answer = await world.ask(PUT, bytes(manifest.MAX_BYTES + 1), account=None)

    await assert_refused(world, answer, 413, "1 MiB")


async def test_h16_manifest__of_the_maximum_size__gets_to_the_version(world: World) -> None:
    answer = await world.ask(PUT, bytes(manifest.MAX_BYTES))

    await assert_refused(world, answer, 409, "version")


async def test_h16_manifest__of_unknown_length__is_refused(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    answer = await world.ask(PUT, GOOD, sent=endless())

    await assert_refused(world, answer, 411, "content-length")


async def test_h16_manifest__compressed__is_not_unpacked(world: World) -> None:
    packed = gzip.compress(bytes(50_000_000))

    answer = await world.ask(PUT, packed, headers={"Content-Encoding": "gzip"})

    await assert_refused(world, answer, 409, "version")


async def test_h16_status__with_a_body__is_refused(world: World) -> None:
    answer = await world.ask(GET, sent=b"x" * 100)

    await assert_refused(world, answer, 413, "may not have a body")


async def test_h16_routes__more_than_a_peers_rate__are_refused_but_health_is_not(tmp_path: Path) -> None:
    async with running(tmp_path, peer_rate=Rate(per_second=0, burst=2)) as world:
        answers = [await world.ask(PUT, GOOD, account=None) for _ in range(3)]
        health = await world.ask(Action("", PROVIDER, LEASE, "GET", "/healthz"), account=None)

        await assert_refused(world, answers[2], 429, "this address")
        assert [answers[0].status, answers[1].status, health.status] == [401, 401, 200]


async def test_h16_routes__more_than_a_tenants_rate__are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_access, "TENANT_RATE", Rate(per_second=0, burst=1))
    async with running(tmp_path) as world:
        first = await world.ask(GET)

        answer = await world.ask(PUT, GOOD)

        assert first.status == 200
        await assert_refused(world, answer, 429, "this signer")
