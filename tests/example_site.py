"""The examples on a real engine: from the deployment file to containers that run, and back to nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import aiodocker

from moorage.deployment_file.compiler import compile
from moorage.deployment_file.loader import load
from moorage.manifest import decode, encode, version_of
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import DesiredLease, desired_lease
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.secret_files import SecretDirectory
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.bytecode import ROOT
from tests.docker_world import build_gateway_image, gateways
from tests.full_pass import reconcile

START_SECONDS = 180


@dataclass(slots=True)
class ExampleSite:
    """The first datacenter of an example, for one lease."""

    lease: DesiredLease
    other: DesiredLease
    """The same deployment file leased a second time; a test may start it."""
    runner: WorkloadRunner
    engine: DockerEngine
    docker: aiodocker.Docker

    def address(self, workload: str, lease: DesiredLease | None = None) -> str:
        """Return where everybody may reach a workload of a lease; of the site's own if none is named."""
        reports = self.runner.reports(lease or self.lease)
        return next(report for report in reports if report.name == workload).addresses[0]

    def container(self, workload: str, replica: int = 0) -> aiodocker.docker.DockerContainer:
        names = (each.name for each in self.lease.containers if each.hostname == f"{workload}-{replica}")
        return self.docker.containers.container(next(names))

    async def kill(self, workload: str, replica: int = 0) -> None:
        """Kill a container and wait until it has ended."""
        container = self.container(workload, replica)
        await container.kill(signal="SIGKILL")
        await container.wait()

    async def restart_ended(self) -> None:
        """Make a pass when what has ended once is due."""
        await asyncio.sleep(2.1)  # the first wait of the back-off, in whole seconds
        await reconcile(self.runner, [self.lease], ())


@asynccontextmanager
async def example_site(name: str, url: str, folder: Path) -> AsyncIterator[ExampleSite]:
    """Make an example's images and start a lease of it; all that runs is removed in the end."""
    example = ROOT / "examples" / name
    environment = {**os.environ, "DOCKER_HOST": url}
    await asyncio.to_thread(subprocess.run, [example / "build-images.sh"], check=True, env=environment)
    await asyncio.to_thread(build_gateway_image, url)
    compiled = compile(load(example / "moorage.yml"), seconds_per_block=Fraction(1), salt=bytes(32))
    encoded = encode(compiled.manifest)
    identity = Identity(secrets.randbits(40), Address("0x" + "11" * 20), ProviderNumber(1))
    orders = [OrderId(secrets.token_bytes(32)) for _ in range(2)]
    group = compiled.groups[0].name
    lease, other = [desired_lease(identity, order, decode(encoded), group, version_of(encoded)) for order in orders]
    options = DockerOptions(secrets=SecretDirectory(folder / "secrets"))
    async with aiodocker.Docker(url=url) as docker, connected(url, identity.labels, options) as engine:
        runner = WorkloadRunner(engine, gateways(folder), time.time, pass_seconds=START_SECONDS)
        try:
            await reconcile(runner, [lease], ())
            yield ExampleSite(lease, other, runner, engine, docker)
        finally:
            await reconcile(runner, [], orders)
        assert all(runner.is_reset(order) for order in orders)
