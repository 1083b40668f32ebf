"""How long a workload takes from its manifest to its start, beside the same requests made to the engine by hand.

Both make the network, create the container and start it, with the image present and in turn; both end when the engine
says that it runs. What a gateway adds is told apart: only leases with connections have one.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import aiodocker

from moorage import manifest
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import DesiredLease, desired_lease
from provider_agent.shell.docker_config import container_config, network_config
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import IMAGE, build_gateway_image, engine_url, gateways, import_image
from tests.engine_contract import LOOP
from tests.factories.proofs import over
from tests.factories.workloads import GROUP, connection, workload
from tests.factories.workloads import manifest as manifest_of

ROUNDS = 12
SUBNET = IPv4Network("10.223.255.240/28")
"""Outside the agent's pool."""


def body(*, is_connected: bool) -> bytes:
    """Return a manifest of one workload, with a port that is open to everybody or none."""
    connections = (connection(80),) if is_connected else ()
    return manifest.encode(manifest_of(workload("web", *connections, image=IMAGE, command=LOOP, user="1000:1000")))


async def measure() -> dict[str, Any]:
    """Return medians in milliseconds, and how many times the engine's own ours takes."""
    url = engine_url()
    assert url is not None, "no Docker engine at DOCKER_HOST or /var/run/docker.sock: run setup/engine.sh"
    identity = Identity(secrets.randbits(40), Address("0x" + "33" * 20), ProviderNumber(1))
    build_gateway_image(url)
    with tempfile.TemporaryDirectory() as folder:
        options = DockerOptions(stop_seconds=0)
        async with aiodocker.Docker(url=url) as docker, connected(url, identity.labels, options) as engine:
            await import_image(docker)
            runner = WorkloadRunner(engine, gateways(Path(folder)), time.time, pass_seconds=60)
            await runner.look()
            return await _rounds(identity, docker, engine, runner)


async def _rounds(
    identity: Identity, docker: aiodocker.Docker, engine: DockerEngine, runner: WorkloadRunner
) -> dict[str, Any]:
    kinds: dict[str, Callable[[], Awaitable[float]]] = {
        "engine": lambda: _by_hand(identity, docker, engine),
        "ours": lambda: _ours(identity, runner, body(is_connected=False)),
        "with gateway": lambda: _ours(identity, runner, body(is_connected=True)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for round_number in range(ROUNDS + 1):
        for name, run in kinds.items():
            taken = await run()
            if round_number:  # the first only warms up
                seconds[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    pairs = zip(seconds["ours"], seconds["engine"], strict=True)
    return {
        "unit": "milliseconds, median",
        **{name: round(median * 1_000, 1) for name, median in medians.items()},
        "ratio": round(statistics.median(ours / engine for ours, engine in pairs), 2),
    }


async def _by_hand(identity: Identity, docker: aiodocker.Docker, engine: DockerEngine) -> float:
    lease = _desired(identity, OrderId(secrets.token_bytes(32)), body(is_connected=False))
    (network,), (container,) = lease.networks, lease.containers
    network_body = network_config(network, SUBNET, identity.labels)
    container_body = container_config(container, SUBNET[3], 0)
    try:
        begun = time.perf_counter()
        await docker._query_json("networks/create", "POST", data=network_body)
        created = await docker._query_json(
            "containers/create", "POST", params={"name": container.name}, data=container_body
        )
        await docker._query_json(f"containers/{created['Id']}/start", "POST")
        shown = await docker._query_json(f"containers/{created['Id']}/json")
        taken = time.perf_counter() - begun
        assert shown["State"]["Running"]
        return taken
    finally:
        await engine.remove_container(container.name)
        await engine.remove_network(network.name)


async def _ours(identity: Identity, runner: WorkloadRunner, encoded: bytes) -> float:
    order = OrderId(secrets.token_bytes(32))
    try:
        begun = time.perf_counter()
        lease = _desired(identity, order, encoded)
        await runner.carry_out([lease])
        taken = time.perf_counter() - begun
        assert [report.state for report in runner.reports(lease)] == ["running"]
        return taken
    finally:
        await runner.carry_out([], [over(order)])
        await runner.look()


def _desired(identity: Identity, lease: OrderId, encoded: bytes) -> DesiredLease:
    return desired_lease(identity, lease, manifest.decode(encoded), GROUP, manifest.version_of(encoded))
