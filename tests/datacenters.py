"""A market with real daemons for tests: agents and facilitators as processes, a tenant in this one.

async with open_site() as site:
    agent = site.start_agent(0)
    order = await site.order(await site.submit(body))
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiodocker

from moorage import manifest, pki, terms
from moorage.agent_client import Agent, AgentClient, AgentError, AgentRefused, AgentUnreachable
from moorage.chain.contracts import Exchange
from moorage.chain.market import Market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.signer import LocalSigner
from moorage.manifest import Compute, Connection, Manifest, ManifestGroup
from moorage.regions import mask_of
from moorage.request_auth import Domain
from moorage.snapshot import Snapshot
from moorage.types import (
    Address,
    ComputeUnit,
    DeploymentId,
    Group,
    Lease,
    OrderId,
    OrderState,
    ProviderNumber,
    ResourceGroup,
)
from provider_agent.core.containers import ROLE_LABEL
from provider_agent.core.lease_names import Identity
from tests.bytecode import ROOT
from tests.chain import ONE_TOKEN, Chain, deploy_market, deposit, register_provider, start_chain, write_market
from tests.docker_world import IMAGE, build_gateway_image, engine_url, import_image, remove_all
from tests.factories.workloads import workload
from tests.free_ports import free_port

BLOCK_SECONDS = 0.5
PERIOD = 240
"""Long enough for a daemon to start again on a busy machine; a test that wants to see one pass mines blocks."""
GRACE = 240
WAIT_BLOCKS = 3
PATIENCE_SECONDS = 120.0
UNIT = Compute(milli_cpu=100, memory_bytes=2**26, disk_bytes=10**8)
NO_RULES = 'firewall = "off"'
"""So that tests leave nothing in the firewall of the machine that they run on."""
FOREVER = ("/bin/sh", "-c", "while :; do /bin/sleep 1; done")
PRICES = ("0.2", "0.3", "0.4")
CAPACITY = 'cpu = 2\nmemory = "1GiB"\ndisk = "10GB"'
SETTINGS = """
rpc = "{rpc}"
market = "market.json"
data_dir = "data-{index}"
operator_key_file = "operator-{index}"
region = "{region}"
endpoint = "https://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
docker = "{docker}"
metrics = "127.0.0.1:{metrics}"
collateral_cap = "1000"
{more}
claim_after = "1h"
[capacity]
{capacity}
[prices]
cpu = "{price}"
memory = "0"
disk = "0"
[egress]
{egress}
"""

Found = TypeVar("Found")


def make_manifest(
    *,
    image: str = IMAGE,
    count: int = 1,
    command: Sequence[str] = FOREVER,
    memory: int = 2**26,
    storage: Mapping[str, int] | None = None,
) -> bytes:
    """Return a manifest of one workload that everybody may reach on a port."""
    web = workload(
        "web",
        Connection(port=8080, protocol="http", workload=None, datacenter=None, is_global=True),
        image=image,
        command=tuple(command),
        compute=Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=memory, disk_bytes=UNIT.disk_bytes),
        count=count,
        storage=dict(storage or {}),
    )
    group = ManifestGroup(name="dock", workloads=(web,))
    return manifest.encode(Manifest(format="0.1", salt=secrets.token_hex(32), groups=(group,)))


def make_group() -> Group:
    """Return what the manifest needs: one compute unit at up to one token per hour of half-second blocks."""
    compute = ComputeUnit(UNIT.milli_cpu, UNIT.memory_bytes, UNIT.disk_bytes)
    price = ONE_TOKEN * 1 // 7_200
    return Group("dock", mask_of("local"), True, (ResourceGroup(compute, price, 10 * ONE_TOKEN, 1),))


@dataclass
class Site:
    """One market, up to three providers on the one engine, and a tenant with 100 tokens in its account."""

    chain: Chain
    market: Market
    folder: Path
    docker: aiodocker.Docker
    docker_url: str
    reader: MarketReader
    egress: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    providers: list[ProviderNumber] = field(default_factory=list)
    roots: list[pki.Credential] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    engines: dict[int, aiodocker.Docker] = field(default_factory=dict)
    """Those of providers that have one of their own."""
    metrics: dict[str, int] = field(default_factory=dict)
    """Ports at which the daemons tell what they measure: agent-0, facilitator-2, ..."""

    @property
    def exchange(self) -> Exchange:
        return self.reader.exchange

    @property
    def client(self) -> AgentClient:
        return self.client_of(1)

    def client_of(self, account: int) -> AgentClient:
        domain = Domain(self.market.chain_id, self.market.exchange)
        return AgentClient(domain, LocalSigner(self.chain.accounts[account]))

    def agent(self, index: int = 0) -> Agent:
        return Agent(self.providers[index], f"https://127.0.0.1:{self.ports[index]}", (self.roots[index].der,))

    async def add_provider(
        self, region: str = "local", docker_url: str | None = None, more: str = "", capacity: str = CAPACITY
    ) -> int:
        """Register a provider and write its files; each one is dearer than the one before.

        Args:
            docker_url: of an engine of its own.
            more: lines of its settings.
            capacity: what its leases may use, as in its settings.
        """
        index = len(self.providers)
        number = ProviderNumber(index + 1)
        root = pki.create_root(number, self.market.exchange, datetime.now(UTC))
        data = self.folder / f"data-{index}"
        pki.store(root, data / "root.pem")
        self.ports.append(free_port())
        self.metrics[f"agent-{index}"] = free_port()
        self.write_key(f"operator-{index}", 7 + index)
        (self.folder / f"provider-{index}.toml").write_text(
            SETTINGS.format(
                rpc=self.chain.url,
                index=index,
                port=self.ports[index],
                docker=docker_url or self.docker_url,
                metrics=self.metrics[f"agent-{index}"],
                price=PRICES[index],
                region=region,
                more=more,
                capacity=capacity,
                egress=self.egress,
            )
        )
        endpoint = f"https://127.0.0.1:{self.ports[index]}"
        found = await register_provider(
            self.chain, self.market, index, endpoint=endpoint, certificate=root.der, region=region
        )
        assert found == number
        (data / "provider.json").write_text(json.dumps({"exchange": self.market.exchange, "provider": number}))
        self.providers.append(number)
        self.roots.append(root)
        if docker_url is not None:
            self.engines[index] = aiodocker.Docker(url=docker_url)
        return index

    def let_pull_from(self, registry: str, index: int = 0) -> None:
        """Let a provider's next agent pull images from a registry on loopback, `host:port`."""
        with (self.folder / f"provider-{index}.toml").open("a") as file:
            file.write(f'[images]\ninside = ["127.0.0.0/8"]\ninsecure = ["{registry}"]\n')

    def write_key(self, name: str, account: int) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(self.chain.accounts[account].key.hex())
        return path

    def start_agent(self, index: int = 0, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Start an agent; with `crash_at` it kills itself at that point."""
        command = ["provider_agent.main", "run", "-c", f"provider-{index}.toml", "--accept-known-holes"]
        return self._start(command, f"agent-{index}", {"MOORAGE_CRASH_AT": crash_at})

    def start_facilitator(self, account: int = 2) -> subprocess.Popen[bytes]:
        key = self.write_key(f"facilitator-{account}", account)
        command = ["facilitator_bot.main", "run", "--rpc", self.chain.url, "--market", "market.json"]
        port = self.metrics[f"facilitator-{account}"] = free_port()
        command += ["--data-dir", f"facilitator-data-{account}", "--metrics", f"127.0.0.1:{port}"]
        return self._start([*command, "--key-file", str(key)], f"facilitator-{account}", {})

    def _start(self, command: Sequence[str], name: str, more: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **more},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    async def submit(
        self, body: bytes, *, group: Group | None = None, groups: Sequence[Group] = (), blocks: int = 200
    ) -> DeploymentId:
        """Order what a manifest needs, with so many blocks at the maximum price beyond the least."""
        salt, every = secrets.token_bytes(32), list(groups) or [group or make_group()]
        parameters = self.market.parameters
        deposits = [
            terms.minimum_deposit(each, parameters) + blocks * terms.max_charge(each, parameters) for each in every
        ]
        version = manifest.version_of(body)
        call = self.exchange.submit_deployment(salt, version, WAIT_BLOCKS, every, deposits)
        await self.chain.transact(self.chain.tenant, call)
        tenant = Address(self.chain.tenant.address)
        return terms.deployment_id(self.market.chain_id, self.market.exchange, tenant, salt)

    async def update(self, lease: OrderId, body: bytes) -> None:
        """Have a deployment follow another manifest with the same groups, and hand it over for a lease."""
        snapshot = await self.until("a snapshot", _itself)
        deployment = snapshot.leased_orders[lease].key.deployment
        call = self.exchange.update_deployment(deployment, manifest.version_of(body), [], [], [])
        await self.chain.transact(self.chain.tenant, call)
        await self.deliver(lease, body)

    async def until(self, what: str, look: Callable[[Snapshot], Awaitable[Found | None]]) -> Found:
        """Look at each snapshot until something is found. Nodes and agents that do not answer are asked again."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < limit:
            with suppress(NodeUnavailable, AgentUnreachable):
                found = await look(await self.reader.snapshot())
                if found is not None:
                    return found
            await asyncio.sleep(0.2)
        raise AssertionError(f"{what}: not within {PATIENCE_SECONDS:.0f} s\n{self.logs()}")

    async def lease(self, deployment: DeploymentId, not_before: int = 0) -> Lease:
        """Wait for an active lease of a deployment that was matched at or after a block."""

        async def look(snapshot: Snapshot) -> Lease | None:
            for lease in snapshot.leases.values():
                is_of_it = snapshot.leased_orders[lease.id].key.deployment == deployment
                if is_of_it and lease.state is OrderState.LEASE_ACTIVE and lease.confirmed_block >= not_before:
                    return lease
            return None

        return await self.until("a lease", look)

    async def confirmed(self, lease: OrderId, after: int = 0) -> Lease:
        """Wait for a confirmation of a lease in a block after one."""

        async def look(snapshot: Snapshot) -> Lease | None:
            found = snapshot.leases.get(lease)
            is_so = found is not None and not found.is_awaiting and found.confirmed_block > after
            return found if is_so else None

        return await self.until("a confirmation", look)

    async def deliver(self, lease: OrderId, body: bytes, index: int = 0) -> None:
        """Hand a manifest over as soon as the agent takes it."""

        async def look(_: Snapshot) -> bool | None:
            try:
                await self.client.deliver_manifest(self.agent(index), lease, body)
                return True
            except AgentRefused as error:
                assert error.status in (404, 409, 503), error
            except AgentError:
                pass
            return None

        await self.until("the manifest delivered", look)

    async def running(self, lease: OrderId, index: int = 0) -> list[Any]:
        """Wait until the containers of a lease run, and return them."""

        async def look(_: Snapshot) -> list[Any] | None:
            found = [each for each in await self.containers(index) if each["Labels"]["moorage.lease"] == lease.hex()]
            return found if found and all(each["State"] == "running" for each in found) else None

        return await self.until("running workloads", look)

    async def closed(self, deployment: DeploymentId) -> None:
        """Close a deployment and wait until it is closed on chain."""
        snapshot = await self.until("a snapshot", _itself)
        orders = (*snapshot.orders.values(), *snapshot.leased_orders.values())
        keys = [order.key for order in orders if order.key.deployment == deployment]
        await self.chain.transact(self.chain.tenant, self.exchange.close_deployment(deployment, keys))

        async def look(snapshot: Snapshot) -> bool | None:
            return True if deployment not in snapshot.deployments else None

        await self.until("the deployment closed", look)

    async def containers(self, index: int = 0) -> list[dict[str, Any]]:
        """Return the containers of a provider's workloads, without those that are the provider's own."""
        return [each for each in await self._all_containers(index) if ROLE_LABEL not in each["Labels"]]

    async def _all_containers(self, index: int) -> list[dict[str, Any]]:
        engine = self.engine(index)
        return [dict(each._container) for each in await engine.containers.list(all=True, filters=self.mine(index))]

    def engine(self, index: int) -> aiodocker.Docker:
        return self.engines.get(index, self.docker)

    async def left(self, index: int = 0) -> list[str]:
        """Return all that a provider has on the engine, and files of gateways, in order: the engine's own varies."""
        names = [each["Names"][0] for each in await self._all_containers(index)]
        names += [each["Name"] for each in await self.docker.networks.list(filters=json.loads(self.mine(index)))]
        volumes = await self.engine(index)._query_json("volumes", params={"filters": self.mine(index)})
        files = await asyncio.to_thread(lambda: list((self.folder / f"data-{index}" / "gateways").glob("*")))
        return sorted([*names, *(each["Name"] for each in volumes["Volumes"] or ()), *map(str, files)])

    def mine(self, index: int) -> str:
        labels = Identity(self.market.chain_id, self.market.exchange, self.providers[index]).labels
        return json.dumps({"label": [f"{key}={value}" for key, value in labels]})

    async def clear(self) -> None:
        """End the daemons and remove what they have on the engine."""
        for process in self.processes:
            process.kill()
            process.wait()
        for engine in self.engines.values():  # what is on them goes with their machines
            await engine.close()
        for index in range(len(self.providers)):
            await remove_all(self.docker, json.loads(self.mine(index)))


@asynccontextmanager
async def open_site(
    folder: Path, providers: int = 1, engine: str | None = None, egress: str = NO_RULES
) -> AsyncIterator[Site]:
    """Start a chain of its own with a market and so many providers; no daemon runs yet.

    Args:
        engine: its address; None: this machine's.
        egress: that part of the providers' settings.
    """
    url = engine or engine_url()
    assert url is not None, "no Docker engine at DOCKER_HOST or /var/run/docker.sock: run setup/engine.sh"
    async with AsyncExitStack() as stack:
        # its own chain id: no other test on the engine can be meant by the labels
        chain_id = 10**9 + secrets.randbelow(10**8)
        chain = await stack.enter_async_context(start_chain(block_time=BLOCK_SECONDS, chain_id=chain_id))
        market = await deploy_market(chain, period=PERIOD, grace=GRACE)
        write_market(market, folder / "market.json")
        docker = await stack.enter_async_context(aiodocker.Docker(url=url))
        await import_image(docker)
        await asyncio.to_thread(build_gateway_image, url)
        site = Site(chain, market, folder, docker, url, MarketReader(chain.rpc, market), egress)
        stack.push_async_callback(site.clear)
        await deposit(chain, market, chain.tenant.address, 100 * ONE_TOKEN)
        for _ in range(providers):
            await site.add_provider()
        yield site


async def _itself(snapshot: Snapshot) -> Snapshot:
    return snapshot


async def died(process: subprocess.Popen[bytes], site: Site) -> int:
    """Wait until a daemon has ended, and return how."""
    try:
        return await asyncio.to_thread(process.wait, PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the daemon goes on\n{site.logs()}") from None
