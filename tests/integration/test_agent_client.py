"""A tenant's client against a good agent, and against all that may stand at an endpoint instead of one."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from moorage import manifest, pki
from moorage.agent_client import Agent, AgentClient, AgentRefused, AgentUnreachable
from moorage.chain.signer import LocalSigner
from moorage.streams import ExecRequest
from moorage.types import OrderId, ProviderNumber
from provider_agent.shell.https_server import serving
from provider_agent.shell.lease_access import NoLease
from provider_agent.shell.server_certificate import ServerCertificate
from tests.fakes.agent_world import (
    DOMAIN,
    GOOD,
    LEASE,
    LIMITS,
    OTHER_TENANT,
    PROVIDER,
    TENANT,
    World,
    lease_context,
    running,
)

NOW = datetime.now(UTC)
CLIENT = AgentClient(DOMAIN, LocalSigner(TENANT))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


@asynccontextmanager
async def agent_that_answers(directory: Path, answer: Callable[[], web.Response]) -> AsyncIterator[Agent]:
    """Run a provider that owns its certificate and answers everything in the same way."""

    async def handle(_: web.Request) -> web.Response:
        return answer()

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    root = pki.create_root(PROVIDER, DOMAIN.exchange, NOW)
    context = ServerCertificate(lambda: root, directory / "server.pem", NOW).context
    async with serving(application, "127.0.0.1", 0, context, LIMITS) as port:
        yield Agent(PROVIDER, f"https://127.0.0.1:{port}", (root.der,))


async def test_deliver_manifest__good_agent__takes_it(world: World) -> None:
    await CLIENT.deliver_manifest(world.agent, LEASE, GOOD)

    assert await world.store.get(LEASE) == GOOD


async def test_status__good_agent__is_typed_and_printable(world: World) -> None:
    status = await CLIENT.status(world.agent, LEASE)

    assert (status.lease, status.version) == (LEASE, manifest.version_of(GOOD))
    (workload,) = status.workloads
    assert (workload.name, workload.state, workload.addresses) == ("web", "running", ("203.0.113.1:80",))
    assert workload.reason == "since\ufffd[2J"


async def test_deliver_manifest__not_the_tenant__is_refused_for_good(world: World) -> None:
    with pytest.raises(AgentRefused, match="not the tenant") as refused:
        await AgentClient(DOMAIN, LocalSigner(OTHER_TENANT)).deliver_manifest(world.agent, LEASE, GOOD)

    assert (refused.value.status, refused.value.is_retryable) == (403, False)


async def test_deliver_manifest__other_version__is_refused_with_the_one_on_chain(world: World) -> None:
    world.directory.lease_to_answer[LEASE] = lease_context(b"other")

    with pytest.raises(AgentRefused) as refused:
        await CLIENT.deliver_manifest(world.agent, LEASE, GOOD)

    assert refused.value.status == 409
    assert manifest.version_of(b"other").hex() in refused.value.detail


async def test_status__agent_without_its_node__may_be_retried(world: World) -> None:
    world.directory.lease_to_answer[LEASE] = NoLease.UNAVAILABLE

    with pytest.raises(AgentRefused) as refused:
        await CLIENT.status(world.agent, LEASE)

    assert (refused.value.status, refused.value.is_retryable) == (503, True)


async def test_h28_status__clock_15_minutes_ahead__is_refused(world: World) -> None:
    ahead = AgentClient(DOMAIN, LocalSigner(TENANT), lambda: time.time() + 900)

    with pytest.raises(AgentRefused, match="more than 15 minutes"):
        await ahead.status(world.agent, LEASE)


async def test_h20_status__root_of_another__is_unreachable(world: World) -> None:
    other = pki.create_root(PROVIDER, DOMAIN.exchange, NOW)

    with pytest.raises(AgentUnreachable, match="its certificate is not valid: "):
        await CLIENT.status(replace(world.agent, roots_der=(other.der,)), LEASE)


async def test_h20_status__provider_behind_anothers_endpoint__is_unreachable(world: World) -> None:
    with pytest.raises(AgentUnreachable, match="Hostname mismatch"):
        await CLIENT.status(replace(world.agent, provider=ProviderNumber(8)), LEASE)


async def test_h22_status__old_and_new_root__is_reached_by_either(world: World) -> None:
    new = pki.create_root(PROVIDER, DOMAIN.exchange, NOW)

    status = await CLIENT.status(replace(world.agent, roots_der=(new.der, world.root.der)), LEASE)

    assert status.lease == LEASE


@pytest.mark.parametrize("roots", [(), (b"",), (b"\x30\x00",)])
async def test_h20_status__no_usable_root__is_unreachable(world: World, roots: tuple[bytes, ...]) -> None:
    with pytest.raises(AgentUnreachable, match="root certificate"):
        await CLIENT.status(replace(world.agent, roots_der=roots), LEASE)


async def test_status__nobody_listens__is_unreachable_and_retryable(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"https://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(AgentUnreachable) as unreachable:
            await CLIENT.status(replace(world.agent, endpoint=endpoint), LEASE)

    assert unreachable.value.is_retryable


@pytest.mark.parametrize("form", ["http://{}", "https://user:secret@{}", "https://{}/x", "https://{}?x=1"])
async def test_status__right_host_in_another_form__is_unreachable(world: World, form: str) -> None:
    endpoint = form.format(f"127.0.0.1:{world.port}")

    with pytest.raises(AgentUnreachable, match="not of the form"):
        await CLIENT.status(replace(world.agent, endpoint=endpoint), LEASE)


@pytest.mark.parametrize(
    "endpoint", ["", "https://", "https://127.0.0.1:99999", "nonsense", "\x1b[2J", "https://a\x1b[2J"]
)
async def test_h18_status__endpoint_that_is_none__is_unreachable(world: World, endpoint: str) -> None:
    with pytest.raises(AgentUnreachable) as unreachable:
        await CLIENT.status(replace(world.agent, endpoint=endpoint), LEASE)

    assert "\x1b" not in str(unreachable.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"lease": "zz", "version": null, "workloads": []}',
        b'{"lease": "aa", "version": null, "workloads": []}',
    ],
    ids=["empty", "list", "no hex", "other lease"],
)
async def test_status__nonsense__is_unreachable(tmp_path: Path, body: bytes) -> None:
    async with agent_that_answers(tmp_path, lambda: web.Response(body=body)) as agent:
        with pytest.raises(AgentUnreachable):
            await CLIENT.status(agent, LEASE)


async def test_h16_status__endless_answer__is_unreachable(tmp_path: Path) -> None:
    async with agent_that_answers(tmp_path, lambda: web.Response(body=b" " * (2 << 20))) as agent:
        with pytest.raises(AgentUnreachable, match="too long"):
            await CLIENT.status(agent, LEASE)


async def test_deliver_manifest__redirect__is_not_followed(tmp_path: Path, world: World) -> None:
    target = {"Location": f"https://127.0.0.1:{world.port}/v1/leases/{LEASE.hex()}/manifest"}

    async with agent_that_answers(tmp_path, lambda: web.Response(status=307, headers=target)) as agent:
        with pytest.raises(AgentRefused) as refused:
            await CLIENT.deliver_manifest(agent, LEASE, GOOD)

    assert refused.value.status == 307
    assert await world.store.leases() == frozenset()


async def test_h07_exec__redirect_to_the_tenants_own_machine__is_not_followed(tmp_path: Path) -> None:
    visits: list[str] = []

    async def victim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append((await reader.readline()).decode())
        writer.close()

    async with await asyncio.start_server(victim, "127.0.0.1", 0) as server:
        target = {"Location": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret"}
        async with agent_that_answers(tmp_path, lambda: web.Response(status=302, headers=target)) as agent:
            with pytest.raises(AgentUnreachable, match="redirect"):
                async with CLIENT.exec(agent, LEASE, ExecRequest("web", ("id",))):
                    pass

    assert visits == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"detail": "\\u001b[2Jgone\\n"}', "\ufffd[2Jgone\ufffd"),
        (b'{"title": "Gone"}', "Gone"),
        (b"<html>", "no reason given"),
        (b'{"detail": 1}', "no reason given"),
        (b'{"detail": "' + b"a" * 10_000 + b'"}', "a" * 500),
    ],
)
async def test_h18_deliver_manifest__hostile_detail__is_made_printable(
    tmp_path: Path, body: bytes, detail: str
) -> None:
    async with agent_that_answers(tmp_path, lambda: web.Response(status=418, body=body)) as agent:
        with pytest.raises(AgentRefused) as refused:
            await CLIENT.deliver_manifest(agent, OrderId(LEASE), GOOD)

    assert refused.value.detail == detail
