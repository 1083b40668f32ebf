"""Manifests go from agent to agent over real TLS: everybody gets them, liars and breaks cost little."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from moorage import agent_api, manifest, pki, tls
from moorage.crash import Crashed, crash_hook
from moorage.types import OrderState
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.core.tunnels import Participant
from provider_agent.shell import manifest_keeper, manifest_pull
from provider_agent.shell.manifest_intake import TENANT
from provider_agent.shell.manifest_pull import ManifestPeers, Outcome
from tests.fakes.agent_world import DOMAIN
from tests.fakes.peer_world import Datacenter, World, manifest_for, running, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_keeper, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(manifest_keeper, "BUSY_SECONDS", 0.05)


async def give(datacenter: Datacenter, encoded: bytes) -> None:
    """Have the tenant deliver to one agent."""
    context = await datacenter.find(datacenter.lease)
    assert await datacenter.intake.take(context, encoded, TENANT) is None  # type: ignore[arg-type]


def is_complete(world: World) -> bool:
    return all(each.keeper.state(each.lease).is_complete for each in world.datacenters)


async def test_manifest__given_to_one_agent__reaches_all(tmp_path: Path) -> None:
    async with running(tmp_path, 4) as world:
        await give(world.datacenters[0], world.chain.encoded)
        await until(lambda: is_complete(world))

        for each in world.datacenters:
            assert await each.has(world.chain.encoded)
            assert each.accepted == [each.lease]
        assert world.datacenters[0].keeper.state(world.datacenters[0].lease).source == TENANT
        source = world.datacenters[1].keeper.state(world.datacenters[1].lease).source
        assert source is not None
        assert source.startswith("provider ")


async def test_manifest__new_version_on_chain__reaches_all_the_same_way(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as world:
        await give(world.datacenters[0], world.chain.encoded)
        await until(lambda: is_complete(world))

        world.chain.encoded = manifest_for(3, salt=1)
        world.tell()
        assert not is_complete(world)
        await give(world.datacenters[2], world.chain.encoded)

        await until(lambda: is_complete(world))
        assert [await each.has(world.chain.encoded) for each in world.datacenters] == [True] * 3


async def test_manifest__lease_goes_to_another_provider_and_the_tenant_is_away__is_there(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as world:
        await give(world.datacenters[0], world.chain.encoded)
        await until(lambda: is_complete(world))
        lost = world.datacenters.pop()
        del world.chain.leases[lost.lease]

        heir = world.add(20, 1)
        stop = asyncio.Event()
        async with heir.listening(), asyncio.TaskGroup() as tasks:
            tasks.create_task(heir.keeper.run(stop))
            world.tell()
            await until(lambda: is_complete(world))
            stop.set()
            heir.keeper.wake()

        assert await heir.has(world.chain.encoded)


async def test_manifest__nobody_has_it__says_whom_it_has_asked(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as world:
        first, second = world.datacenters
        await until(lambda: "does not have it" in str(first.keeper.state(first.lease).reason))

        state = first.keeper.state(first.lease)
        assert (state.held, state.is_complete) == (None, False)
        assert state.reason == f"provider {second.number} does not have it"


async def test_manifest__two_leases_of_one_provider__is_not_fetched_from_oneself(tmp_path: Path) -> None:
    async with running(tmp_path, 1, keeps=False) as world:
        (ours,) = world.datacenters
        other = world.add(8, 1)
        order, lease = world.chain.leases[other.lease]
        world.datacenters.remove(other)
        world.chain.encoded = manifest_for(2)
        from dataclasses import replace

        world.chain.leases[other.lease] = order, replace(lease, provider=ours.number)
        world.tell()
        await give(ours, world.chain.encoded)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ours.keeper.run(stop))
            await until(lambda: ours.keeper.state(other.lease).is_complete)
            stop.set()
            ours.keeper.wake()

        assert ours.keeper.state(other.lease).source == "another lease here"


async def test_h30_manifest__pulled_one_does_not_fit_the_policy__is_refused_as_a_delivered_one(tmp_path: Path) -> None:
    async with running(tmp_path, 2, images=ImagePolicy(deny=("docker.io/library/web",)), keeps=False) as world:
        giver, taker = world.datacenters
        await giver.store.put(giver.lease, world.chain.encoded)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(taker.keeper.run(stop))
            await until(lambda: "does not run" in str(taker.keeper.state(taker.lease).reason))
            stop.set()
            taker.keeper.wake()

        assert await taker.store.get(taker.lease) is None


# ------------------------------------------------------------------ liars and breaks


class Liar:
    """Stands in for the manifest's bytes at one agent."""

    def __init__(self, body: bytes, *, chunk_seconds: float = 0, cut_at: int | None = None, endless: bool = False):
        self.body, self.chunk_seconds, self.cut_at, self.endless = body, chunk_seconds, cut_at, endless
        self.starts: list[int] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.starts.append(start)
        response = web.StreamResponse(status=206 if start else 200)
        response.headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        if self.cut_at is not None:
            response.content_length = len(self.body) - start
        await response.prepare(request)
        rest = self.body[start:]
        try:
            while self.endless and request.transport is not None and not request.transport.is_closing():
                await response.write(b"x" * 65_536)
                await asyncio.sleep(0)
            for place in range(0, len(rest[: self.cut_at]), 16_384):
                await response.write(rest[: self.cut_at][place : place + 16_384])
                await asyncio.sleep(self.chunk_seconds)
        except ConnectionError:
            return response
        if self.cut_at is not None:
            assert request.transport is not None
            request.transport.close()
        return response


async def keep_one(taker: Datacenter, seconds: float = 60) -> None:
    """Let one agent look for its manifest until it has it."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(taker.keeper.run(stop))
        state = taker.keeper.state
        await until(lambda: state(taker.lease).is_complete, seconds, lambda: state(taker.lease))
        stop.set()
        taker.keeper.wake()


@pytest.mark.parametrize("kind", ["wrong", "short", "long", "endless"])
async def test_h01_pull__holder_gives_other_bytes__costs_one_attempt(tmp_path: Path, kind: str) -> None:
    truth = manifest_for(3, padding=200_000)
    flipped = bytes([truth[0] ^ 1]) + truth[1:]
    lies = {"wrong": flipped, "short": truth[:-1], "long": truth + b" ", "endless": truth}
    liar = Liar(lies[kind], endless=kind == "endless")
    async with running(tmp_path, 3, keeps=False, padding=200_000) as world:
        taker, bad, good = world.datacenters
        await good.store.put(good.lease, truth)
        bad.lie = liar.answer
        for _ in range(20):  # the order of questions is chance: until the liar was asked first
            await taker.store.remove(taker.lease)
            taker.restart()
            world.tell()
            await keep_one(taker)
            assert await taker.has(truth)
            if liar.starts:
                break

        assert liar.starts == [0]


async def test_pull__holder_breaks_off__goes_on_where_it_was_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, 3, keeps=False, padding=400_000) as world:
        truth = world.chain.encoded
        taker, breaking, good = world.datacenters
        await good.store.put(good.lease, truth)
        liar = Liar(truth, cut_at=100_000)
        breaking.lie = liar.answer
        asked: list[str | None] = []
        genuine = manifest_pull.ManifestPeers._receive

        async def receive(self: manifest_pull.ManifestPeers, pull: manifest_pull.Pull, peer, agent, *, waits) -> None:  # type: ignore[no-untyped-def]
            asked.append(f"{peer.provider}@{len(pull.body)}")
            await genuine(self, pull, peer, agent, waits=waits)

        monkeypatch.setattr(manifest_pull.ManifestPeers, "_receive", receive)
        for _ in range(20):
            asked.clear()
            await taker.store.remove(taker.lease)
            taker.restart()
            world.tell()
            await keep_one(taker)
            assert await taker.has(truth)
            if asked[0] == f"{breaking.number}@0":
                break

        assert asked[1].startswith(f"{good.number}@")  # type: ignore[union-attr]
        assert not asked[1].endswith("@0")  # type: ignore[union-attr]


async def test_h01_pull__first_part_was_a_lie__is_fetched_whole_from_who_does_not_lie(tmp_path: Path) -> None:
    async with running(tmp_path, 3, keeps=False, padding=400_000) as world:
        truth = world.chain.encoded
        taker, bad, good = world.datacenters
        await good.store.put(good.lease, truth)
        bad.lie = Liar(b"x" * len(truth), cut_at=100_000).answer
        for _ in range(5):
            await taker.store.remove(taker.lease)
            taker.restart()
            world.tell()
            await keep_one(taker)
            assert await taker.has(truth)


async def test_h16_pull__holder_answers_too_slowly__is_cut_and_avoided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_pull, "ATTEMPT_SECONDS", 4.0)
    async with running(tmp_path, 3, keeps=False, padding=400_000) as world:
        truth = world.chain.encoded
        taker, slow, good = world.datacenters
        await good.store.put(good.lease, truth)
        liar = Liar(truth, chunk_seconds=2)
        slow.lie = liar.answer
        for _ in range(20):
            await taker.store.remove(taker.lease)
            taker.restart()
            world.tell()
            await keep_one(taker)
            if liar.starts:
                break

        assert liar.starts == [0]
        assert await taker.has(truth)


async def test_pull__several_ask_one_holder_at_once__one_is_served_the_others_come_back(tmp_path: Path) -> None:
    async with running(tmp_path, 2, keeps=False, padding=800_000) as world:
        holder, asking = world.datacenters
        await holder.store.put(holder.lease, world.chain.encoded)
        version = manifest.version_of(world.chain.encoded)
        path = agent_api.peer_manifest_path(holder.lease, asking.lease, version)

        answers = await asyncio.gather(*(world.get(holder, path, asking.client_leaf.path) for _ in range(6)))

        statuses = sorted(status for status, _ in answers)
        assert statuses[0] == 200
        assert set(statuses) == {200, 503}
        assert all(body == world.chain.encoded for status, body in answers if status == 200)


class First(random.Random):
    """Takes what comes first."""

    def sample(self, population, k, *, counts=None):  # type: ignore[no-untyped-def]
        return list(population)[:k]


def participants(*datacenters: Datacenter) -> list[Participant]:
    return [Participant(each.lease, each.number, f"region-{each.number - 7}") for each in datacenters]


def unread(asked: Datacenter, path: str, peer: Datacenter) -> ssl.SSLSocket:
    """Ask for a manifest and read no more than that it comes."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.settimeout(60)
    plain.connect(("127.0.0.1", asked.port))
    context = tls.ssl_client_context(asked.root.der, credential=peer.client_leaf.path)
    secured = context.wrap_socket(plain, server_hostname=pki.provider_name(asked.number, DOMAIN.exchange))
    secured.sendall(f"GET {path} HTTP/1.1\r\nHost: agent\r\n\r\n".encode())
    assert secured.recv(12) == b"HTTP/1.1 200"
    return secured


async def unread_when_free(asked: Datacenter, path: str, peer: Datacenter) -> ssl.SSLSocket:
    """Do so as soon as nobody else is served."""
    async with asyncio.timeout(60):
        while True:
            with suppress(AssertionError):
                return await asyncio.to_thread(unread, asked, path, peer)
            await asyncio.sleep(0.05)


async def test_pull__holder_is_serving_somebody__is_told_who_has_it_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_pull, "ASKED_IN_A_ROUND", 1)
    async with running(tmp_path, 4, keeps=False, padding=800_000) as world:
        holder, slow, second, taker = world.datacenters
        version = manifest.version_of(world.chain.encoded)
        await holder.store.put(holder.lease, world.chain.encoded)
        peers = {each.number: ManifestPeers(world, each.client, chance=First()) for each in world.datacenters}
        pulls = {each.number: manifest_pull.Pull(each.lease, version) for each in world.datacenters}
        assert await peers[second.number].ask_all(pulls[second.number], participants(holder)) is Outcome.WHOLE
        await second.store.put(second.lease, bytes(pulls[second.number].body))
        path = agent_api.peer_manifest_path(holder.lease, slow.lease, version)
        pull = pulls[taker.number]

        with await asyncio.to_thread(unread, holder, path, slow):
            assert await peers[taker.number].ask_all(pull, participants(holder)) is Outcome.BUSY
            assert await peers[taker.number].ask_all(pull, participants(holder, second)) is Outcome.WHOLE

        assert pull.source == f"provider {second.number}"
        assert bytes(pull.body) == world.chain.encoded


async def test_pull__receiver_has_hung_up_in_the_middle__is_named_to_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, 4, keeps=False, padding=800_000) as world:
        holder, fickle, slow, taker = world.datacenters
        version = manifest.version_of(world.chain.encoded)
        await holder.store.put(holder.lease, world.chain.encoded)
        paths = [agent_api.peer_manifest_path(holder.lease, each.lease, version) for each in (fickle, slow)]
        (await asyncio.to_thread(unread, holder, paths[0], fickle)).close()
        pull = manifest_pull.Pull(taker.lease, version)

        with await unread_when_free(holder, paths[1], slow):
            outcome = await ManifestPeers(world, taker.client).ask_all(pull, participants(holder))

        assert (outcome, pull.hint) == (Outcome.BUSY, "")


async def test_pull__receiver_has_not_hung_up__keeps_the_line(tmp_path: Path) -> None:
    async with running(tmp_path, 3, keeps=False, padding=20_000) as world:
        holder, first, second = world.datacenters
        await holder.store.put(holder.lease, world.chain.encoded)
        version = manifest.version_of(world.chain.encoded)
        paths = [agent_api.peer_manifest_path(holder.lease, each.lease, version) for each in (first, second)]

        with await asyncio.to_thread(unread, holder, paths[0], first):
            await asyncio.sleep(0.2)  # all of it is in the buffers of the kernel by now
            status, _ = await world.get(holder, paths[1], second.client_leaf.path)
            assert status == 503

        status, body = await world.get(holder, paths[1], second.client_leaf.path, {"Prefer": "wait"})
        assert (status, body) == (200, world.chain.encoded)


@pytest.mark.parametrize("hint", ["of each other", "of oneself", "of nobody", "no lease"])
async def test_h16_pull__busy_holders_name_others_without_end__costs_few_questions(tmp_path: Path, hint: str) -> None:
    async with running(tmp_path, 3, keeps=False) as world:
        liars, taker = world.datacenters[:2], world.datacenters[2]
        questions = []

        def lying(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
            async def answer(request: web.Request) -> web.StreamResponse:
                questions.append(request.path)
                return web.Response(status=503, headers={agent_api.HOLDER_HEADER: name})

            return answer

        for each, other in zip(liars, reversed(liars), strict=True):
            names = {"of each other": other.lease.hex(), "of oneself": taker.lease.hex(), "of nobody": "ab" * 32}
            each.lie = lying(names.get(hint, "../../x" * 900))
        pull = manifest_pull.Pull(taker.lease, manifest.version_of(world.chain.encoded))

        assert await ManifestPeers(world, taker.client).ask_all(pull, participants(*liars)) is Outcome.BUSY

        assert len(questions) <= (6 if hint == "of each other" else 2)


@pytest.mark.parametrize(
    ("header", "status", "start"),
    [("bytes=0-", 200, 0), ("bytes=1000-", 206, 1_000), ("bytes=0-99", 416, 0), ("bytes=-5", 416, 0), ("x", 416, 0)],
)
async def test_pull__range__is_given_from_a_place_to_the_end_or_not_at_all(
    tmp_path: Path, header: str, status: int, start: int
) -> None:
    async with running(tmp_path, 2, keeps=False, padding=10_000) as world:
        holder, asking = world.datacenters
        await holder.store.put(holder.lease, world.chain.encoded)
        path = agent_api.peer_manifest_path(holder.lease, asking.lease, manifest.version_of(world.chain.encoded))

        found, body = await world.get(holder, path, asking.client_leaf.path, {"Range": header})

        assert found == status
        if status < 400:
            assert body == world.chain.encoded[start:]


@pytest.mark.parametrize("point", ["before-storing-manifest", "after-storing-manifest"])
async def test_pull__agent_dies_during_the_transfer__has_it_after_a_restart(tmp_path: Path, point: str) -> None:
    def die(name: str) -> None:
        if name == point and not is_back:
            deaths.append(name)
            raise Crashed

    deaths: list[str] = []
    is_back = False
    async with running(tmp_path, 2, keeps=False) as world:
        giver, taker = world.datacenters
        await giver.store.put(giver.lease, world.chain.encoded)
        with crash_hook(die):
            stop = asyncio.Event()
            keeping = asyncio.create_task(taker.keeper.run(stop))
            await until(lambda: deaths)
            stop.set()  # a cancellation can get lost in wait_for of Python 3.11
            taker.keeper.wake()
            await keeping
            await asyncio.sleep(0.05)  # nothing of it goes on
            is_back = True
            taker.accepted.clear()
            taker.restart()
            world.tell()

            await keep_one(taker)

        assert await taker.has(world.chain.encoded)
        is_fetched_again = point.startswith("before")
        assert (taker.accepted == [taker.lease]) is is_fetched_again


async def test_h29_pull__lease_ends_meanwhile__is_given_up(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as world:
        first, _ = world.datacenters
        await until(lambda: bool(first.keeper._pulls))

        world.chain.set_state(first.lease, OrderState.LEASE_CLOSING)
        world.tell()
        await until(lambda: not first.keeper._pulls)

        assert first.keeper.state(first.lease).reason == "the lease is not active"
