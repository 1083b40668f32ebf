"""Agents of several providers on loopback with real TLS, over a chain that is whatever a test says."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web
from eth_account.signers.local import LocalAccount
from yarl import URL

from moorage import manifest, pki, tls
from moorage.agent_api import LeaseStatus
from moorage.agent_client import Agent
from moorage.manifest import Compute, Manifest, ManifestGroup
from moorage.request_auth import Action
from moorage.snapshot import Snapshot, Touched
from moorage.types import Address, Lease, Order, OrderId, OrderState, Permission, ProviderNumber
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.core.peers import PeerDirectory
from provider_agent.shell.connection_guard import ConnectionLimits
from provider_agent.shell.https_server import serving
from provider_agent.shell.lease_access import LeaseContext, LeaseGate, NoLease
from provider_agent.shell.manifest_intake import ManifestIntake
from provider_agent.shell.manifest_keeper import ManifestKeeper
from provider_agent.shell.manifest_pull import ManifestPeers
from provider_agent.shell.manifest_service import ManifestService
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.peer_access import PeerGate
from provider_agent.shell.peer_client import PeerClient
from provider_agent.shell.peer_service import PeerService
from provider_agent.shell.rate_limit import Rate
from provider_agent.shell.server_certificate import Leaf, ServerCertificate
from provider_agent.shell.tenant_door import TenantDoor
from tests.fakes.agent_world import DOMAIN, TENANT, WEB
from tests.markets import UNIT, make_deployment, make_group, make_lease, make_order, make_snapshot
from tests.signing import sign

FAST = Rate(1_000, 1_000)
LIMITS = ConnectionLimits(per_peer=256, new_per_peer=FAST)


def group_name(index: int) -> str:
    return f"region-{index % manifest.MAX_GROUPS}"


def manifest_for(groups: int, salt: int = 0, padding: int = 0) -> bytes:
    """Return a manifest with a web server in each group.

    Args:
        padding: bytes of environment, in all.
    """
    compute = Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=UNIT.memory_bytes, disk_bytes=UNIT.disk_bytes)
    workload = msgspec.structs.replace(WEB, image="web:1", env={}, compute=compute, count=1)
    chance = random.Random(salt)
    env = {f"K{place}": chance.randbytes(2_000).hex() for place in range(padding // 4_000)}
    filling = msgspec.structs.replace(workload, env=env)
    made = (
        ManifestGroup(name=group_name(each), workloads=(workload,))
        for each in range(1, min(groups, manifest.MAX_GROUPS))
    )
    first = ManifestGroup(name=group_name(0), workloads=(filling,))
    return manifest.encode(Manifest(format="0.1", salt=f"{salt:02x}" * 32, groups=(first, *made)))


@dataclass
class Chain:
    """Leases of one deployment, and its newest manifest's version."""

    leases: dict[OrderId, tuple[Order, Lease]] = field(default_factory=dict)
    encoded: bytes = b""
    block: int = 1_000

    def snapshot(self) -> Snapshot:
        self.block += 1
        deployment = replace(make_deployment(), version=manifest.version_of(self.encoded), tenant=TENANT.address)
        return make_snapshot(self.block, leases=self.leases.values(), deployments=[deployment])

    def set_state(self, lease: OrderId, state: OrderState) -> None:
        order, found = self.leases[lease]
        self.leases[lease] = order, replace(found, state=state)


class Statuses:
    async def status(self, lease: OrderId) -> LeaseStatus:
        return LeaseStatus(lease, None, ())


@dataclass
class Datacenter:
    """One provider's agent, as far as other agents and tenants meet it."""

    number: ProviderNumber
    lease: OrderId
    world: World
    folder: Path
    store: ManifestMemory = field(default_factory=ManifestMemory)
    accepted: list[OrderId] = field(default_factory=list)
    port: int = 0
    lie: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    """What it answers in place of manifests."""
    public_port: int | None = None
    """Where others find it, if something stands in between."""

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.root = pki.create_root(self.number, DOMAIN.exchange, now - timedelta(days=1))
        self.intermediate = pki.create_intermediate(self.root, now)
        self.server = ServerCertificate(lambda: self.intermediate, self.folder / "server.pem", now)
        self.client_leaf = Leaf(lambda at: pki.issue_client(self.intermediate, at), self.folder / "client.pem", now)
        self.client = PeerClient(DOMAIN.exchange, lambda: self.client_leaf.path)
        self.roots: tuple[bytes, ...] = (self.root.der,)
        self.restart()

    def restart(self) -> None:
        """Forget everything but what is on the disk."""
        self.directory = PeerDirectory(self.number)
        self.intake = ManifestIntake(self.store, self.note_accepted, self.world.images)
        self.keeper = ManifestKeeper(self.directory, self.store, self.intake, ManifestPeers(self.world, self.client))
        self.gate = PeerGate(self.number, DOMAIN.exchange, self.directory, FAST)

    def note_accepted(self, lease: OrderId) -> None:
        self.accepted.append(lease)
        self.keeper.wake()

    async def find(self, lease: OrderId) -> LeaseContext | NoLease:
        if lease not in self.world.chain.leases:
            return NoLease.UNKNOWN
        order, found = self.world.chain.leases[lease]
        version = manifest.version_of(self.world.chain.encoded)
        return LeaseContext(found, order.group, Address(TENANT.address), version)

    async def permissions(self, lease: OrderId, key: Address) -> Permission | NoLease:
        return Permission(0)

    @property
    def agent(self) -> Agent:
        return Agent(self.number, f"https://127.0.0.1:{self.public_port or self.port}", self.roots)

    def take(self, snapshot: Snapshot, roots: tuple[bytes, ...]) -> None:
        self.directory.take(snapshot)
        self.server.trust(roots)
        self.keeper.wake()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        gate = LeaseGate(self.number, DOMAIN, self)
        service = ManifestService(TenantDoor(gate, FAST), self.intake, Statuses())
        peers = _Service(self)
        application = service.application(peers.routes())
        async with serving(application, "127.0.0.1", 0, self.server.context, LIMITS) as self.port:
            yield

    def workloads_for(self, lease: OrderId, peer: OrderId) -> bytes | None:
        return b"[]" if lease == self.lease else None

    async def has(self, encoded: bytes) -> bool:
        return await self.store.get(self.lease) == encoded


class _Service(PeerService):
    """The real one, unless the agent lies."""

    def __init__(self, of: Datacenter) -> None:
        super().__init__(of.gate, of.store, of.workloads_for, FAST)
        self._of = of

    async def _get_manifest(self, request: web.Request) -> web.StreamResponse:
        return await (self._of.lie(request) if self._of.lie is not None else super()._get_manifest(request))


@dataclass
class World:
    """The providers, and what all of them see on chain."""

    folder: Path
    images: ImagePolicy | None = None
    chain: Chain = field(default_factory=Chain)
    datacenters: list[Datacenter] = field(default_factory=list)
    forgotten: set[ProviderNumber] = field(default_factory=set)
    """Of which nothing is known yet."""

    def find(self, provider: ProviderNumber) -> Agent | None:
        if provider in self.forgotten:
            return None
        return next(each.agent for each in self.datacenters if each.number == provider)

    def problem(self, provider: ProviderNumber) -> str | None:
        return None

    def add(self, number: int, index: int) -> Datacenter:
        order = make_order(index, group=make_group(name=group_name(index)))
        provider = ProviderNumber(number)
        folder = self.folder / f"provider-{number}"
        folder.mkdir(exist_ok=True)
        self.chain.leases[order.id] = order, make_lease(order, provider=provider)
        made = Datacenter(provider, order.id, self, folder)
        self.datacenters.append(made)
        return made

    def tell(self, touched: Touched | None = None) -> None:
        """Let all agents see the chain as it is now."""
        snapshot = replace(self.chain.snapshot(), touched=touched)
        everybody = tuple(root for each in self.datacenters for root in each.roots)
        for each in self.datacenters:
            each.take(snapshot, everybody)

    async def get(
        self, asked: Datacenter, path: str, credential: Path | None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask as anybody might; a connection that is refused is status 0."""
        context = tls.ssl_client_context(asked.root.der, credential=credential)
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(
                    URL(f"https://127.0.0.1:{asked.port}{path}", encoded=True),
                    ssl=context,
                    headers=headers,
                    server_hostname=pki.provider_name(asked.number, DOMAIN.exchange),
                ) as response,
            ):
                return response.status, await response.read()
        except aiohttp.ClientError:
            return 0, b""


def signed(action: Action, body: bytes = b"", account: LocalAccount = TENANT) -> str:
    return sign(action, body, int(datetime.now(UTC).timestamp()) + 60, DOMAIN, account)


@asynccontextmanager
async def running(
    folder: Path, count: int, *, images: ImagePolicy | None = None, keeps: bool = True, padding: int = 0
) -> AsyncIterator[World]:
    """Run agents of that many providers, each with one lease of one deployment.

    Args:
        keeps: whether they look for manifests by themselves.
    """
    world = World(folder, images)
    world.chain.encoded = manifest_for(count, padding=padding)
    for index in range(count):
        world.add(7 + index, index)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        for each in world.datacenters:
            await stack.enter_async_context(each.listening())
        world.tell()
        async with asyncio.TaskGroup() as tasks:
            keeping = [tasks.create_task(each.keeper.run(stop)) for each in world.datacenters] if keeps else []
            try:
                yield world
            finally:
                stop.set()
                for each in keeping:
                    each.cancel()


async def until(
    condition: Callable[[], object], seconds: float = 60, why: Callable[[], object] = lambda: "no reason known"
) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come to pass: {why()}"
        await asyncio.sleep(0.02)
