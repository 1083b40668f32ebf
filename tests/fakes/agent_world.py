"""A provider's agent that listens on loopback with real TLS, over a chain and an engine that are in memory."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from yarl import URL

from moorage import manifest, pki, tls
from moorage.agent_api import LeaseStatus, WorkloadStatus, deliver_manifest, read_status
from moorage.agent_client import Agent
from moorage.manifest import Compute, Manifest, ManifestGroup, Workload
from moorage.request_auth import Action, Domain
from moorage.stream_api import read_logs, run_command
from moorage.streams import LogQuery
from moorage.types import (
    Address,
    ComputeUnit,
    Group,
    Lease,
    OrderId,
    OrderState,
    Permission,
    ProviderNumber,
    ResourceGroup,
)
from provider_agent.core.containers import ContainerSpec, ObservedContainer
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.core.lease_names import LEASE_LABEL, Identity, LeaseNames
from provider_agent.shell.connection_guard import ConnectionLimits, GuardedListener
from provider_agent.shell.https_server import GUARD, serving
from provider_agent.shell.lease_access import LeaseContext, LeaseGate, NoLease
from provider_agent.shell.manifest_intake import ManifestIntake
from provider_agent.shell.manifest_service import ManifestService
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.rate_limit import Rate
from provider_agent.shell.server_certificate import ServerCertificate
from provider_agent.shell.stream_service import StreamService
from provider_agent.shell.tenant_door import TenantDoor
from tests.signing import sign

TENANT: LocalAccount = Account.from_key(b"\x01" * 32)
OTHER_TENANT: LocalAccount = Account.from_key(b"\x02" * 32)
DOMAIN = Domain(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
PROVIDER = ProviderNumber(7)
LEASE = OrderId(b"\xaa" * 32)
IDENTITY = Identity(DOMAIN.chain_id, DOMAIN.exchange, PROVIDER)
CANARY = "canary-5e0f"
"""Stands where nobody but the tenant may ever see it."""
FAST = Rate(1_000, 1_000)
LIMITS = ConnectionLimits(new_per_peer=FAST)

COMPUTE = Compute(milli_cpu=500, memory_bytes=2**28, disk_bytes=10**9)
WEB = Workload(
    name="web",
    image="nginx:1.22",
    command=None,
    args=(),
    env={"PASSWORD": CANARY},
    user=None,
    read_only=False,
    resource_group=0,
    compute=COMPUTE,
    count=2,
    depends_on=(),
    connections=(),
    health=None,
    storage={},
    host=(),
    secrets={},
    credentials=None,
)
PUT = deliver_manifest(PROVIDER, LEASE)
GET = read_status(PROVIDER, LEASE)
LOGS = read_logs(PROVIDER, LEASE, LogQuery())
EXEC = run_command(PROVIDER, LEASE)
LEASED = Group("westcoast", 1, True, (ResourceGroup(ComputeUnit(500, 2**28, 10**9), 10, 100, 2),))


def manifest_of(workload: Workload = WEB, group: str = "westcoast") -> bytes:
    groups = (ManifestGroup(name=group, workloads=(workload,)),)
    return manifest.encode(Manifest(format="0.1", salt="00" * 32, groups=groups))


GOOD = manifest_of()


def lease_context(encoded: bytes = GOOD, state: OrderState = OrderState.LEASE_ACTIVE, number: int = 7) -> LeaseContext:
    lease = Lease(LEASE, ProviderNumber(number), state, 40, False, 100, 100, 1000)
    return LeaseContext(lease, LEASED, Address(TENANT.address), manifest.version_of(encoded))


class Directory:
    """A chain of our own."""

    def __init__(self) -> None:
        self.lease_to_answer: dict[OrderId, LeaseContext | NoLease | Exception] = {LEASE: lease_context()}
        self.key_to_permissions: dict[str, Permission | NoLease] = {}
        self.delay_seconds = 0.0

    async def find(self, lease: OrderId) -> LeaseContext | NoLease:
        await asyncio.sleep(self.delay_seconds)
        answer = self.lease_to_answer.get(lease, NoLease.UNKNOWN)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def permissions(self, lease: OrderId, key: Address) -> Permission | NoLease:
        return self.key_to_permissions.get(key, Permission(0))


class Statuses:
    """An engine that runs one workload."""

    async def status(self, lease: OrderId) -> LeaseStatus:
        workload = WorkloadStatus("web", "running", "since\x1b[2J", ("203.0.113.1:80",))
        return LeaseStatus(lease, manifest.version_of(GOOD), (workload,))


class BrokenStore(ManifestMemory):
    async def put(self, lease: OrderId, manifest: bytes) -> None:
        raise OSError(28, f"no space left for {CANARY}")


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class World:
    root: pki.Credential
    directory: Directory = field(default_factory=Directory)
    store: ManifestMemory = field(default_factory=ManifestMemory)
    accepted: list[OrderId] = field(default_factory=list)
    service: ManifestService = field(init=False)
    streams: StreamService = field(init=False)
    guards: list[GuardedListener] = field(init=False)
    engine: MemoryEngine = field(
        default_factory=lambda: MemoryEngine(IDENTITY.labels, lambda: 1_000_000, images={"nginx:1.22"})
    )
    port: int = field(init=False)

    @property
    def agent(self) -> Agent:
        return Agent(PROVIDER, f"https://127.0.0.1:{self.port}", (self.root.der,))

    async def run(self, workload: str = "web", replica: int = 0, lease: OrderId = LEASE, restarts: int = 0) -> str:
        """Run a container of a workload, and return its name."""
        names = LeaseNames(IDENTITY, lease, manifest.version_of(GOOD))
        spec = container_spec(names, workload, replica, restarts)
        await self.engine.ensure_container(spec)
        return spec.name

    def containers(self, lease: OrderId) -> tuple[ObservedContainer, ...]:
        """Return what a lease has on the engine."""
        return tuple(each for each in self.engine._containers.values() if each.label(LEASE_LABEL) == lease.hex())

    async def ask(
        self,
        action: Action,
        body: bytes = b"",
        account: LocalAccount | None = TENANT,
        header: str | None = None,
        headers: dict[str, str] | None = None,
        sent: bytes | AsyncIterator[bytes] | None = None,
        path: str | None = None,
    ) -> Answer:
        """Send a request as anyone might; `sent` and `path` go in place of what is signed."""
        if header is None and account is not None:
            header = signed(action, body, account)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                action.method,
                URL(f"https://127.0.0.1:{self.port}{path or action.path}", encoded=True),
                data=(body or None) if sent is None else sent,
                headers={**({"Authorization": header} if header is not None else {}), **(headers or {})},
                ssl=tls.ssl_client_context(self.root.der),
                server_hostname=pki.provider_name(PROVIDER, DOMAIN.exchange),
            ) as response,
        ):
            return Answer(response.status, response.content_type, await response.read(), response.headers)


def container_spec(names: LeaseNames, workload: str, replica: int, restarts: int = 0) -> ContainerSpec:
    """Return a container as the agent makes it for a replica, as far as streams go by it."""
    return ContainerSpec(
        name=names.container(workload, replica),
        labels=names.labels(workload=workload, replica=str(replica)),
        image="nginx:1.22",
        hostname=workload,
        command=None,
        args=(),
        env=(),
        user=None,
        is_read_only=False,
        milli_cpu=100,
        memory_bytes=2**26,
        attachments=(),
        published_ports=(),
        mounts=(),
        mount_labels=(),
        restarts=restarts,
    )


def signed(action: Action, body: bytes = b"", account: LocalAccount = TENANT) -> str:
    return sign(action, body, int(time.time()) + 60, DOMAIN, account)


async def assert_refused(world: World, answer: Answer, status: int, detail: str) -> None:
    """Check that the answer is a problem with this reason, and that nothing was stored or started."""
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert detail in answer.json["detail"]
    assert await world.store.leases() == frozenset()
    assert world.accepted == []


@asynccontextmanager
async def running(
    directory: Path,
    peer_rate: Rate = FAST,
    limits: ConnectionLimits = LIMITS,
    store: ManifestMemory | None = None,
    images: ImagePolicy | None = None,
) -> AsyncIterator[World]:
    """Run a service on loopback, with its keys in a directory."""
    now = datetime.now(UTC)
    root = pki.create_root(PROVIDER, DOMAIN.exchange, now)
    certificate = ServerCertificate(lambda: root, directory / "server.pem", now)
    world = World(root, store=store or ManifestMemory())
    gate = LeaseGate(PROVIDER, DOMAIN, world.directory)
    intake = ManifestIntake(world.store, world.accepted.append, images)
    door = TenantDoor(gate, peer_rate)
    world.service = ManifestService(door, intake, Statuses())
    world.streams = StreamService(door, world.engine, world.containers)
    application = world.service.application(world.streams.routes())
    application.on_shutdown.append(world.streams.stop)
    world.guards = application.setdefault(GUARD, [])
    async with serving(application, "127.0.0.1", 0, certificate.context, limits) as world.port:
        yield world
