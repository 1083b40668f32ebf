"""The example of three images on a real engine: from the deployment file to a page, and back to nothing."""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import aiodocker
import aiohttp
import pytest
import pytest_asyncio

from moorage.deployment_file.compiler import compile
from moorage.deployment_file.loader import load
from moorage.manifest import decode, encode, version_of
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.workload_report import WorkloadState
from provider_agent.core.workloads import DesiredLease, Identity, desired_lease
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import engine_url
from tests.full_pass import reconcile

EXAMPLE = Path(__file__).parents[2] / "examples" / "webapp"
URL = engine_url()
START_SECONDS = 180

pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass(slots=True)
class Site:
    """The example on an engine, for one lease."""

    lease: DesiredLease
    other: DesiredLease
    """The same deployment file leased a second time; a test may start it."""
    runner: WorkloadRunner
    engine: DockerEngine
    docker: aiodocker.Docker

    def address(self, lease: DesiredLease | None = None) -> str:
        """Return where everybody may reach a lease; the site's own if none is named."""
        reports = self.runner.reports(lease or self.lease)
        return next(report for report in reports if report.name == "front").addresses[0]

    def container(self, workload: str, replica: int = 0) -> str:
        return next(each.name for each in self.lease.containers if each.hostname == f"{workload}-{replica}")

    async def python(self, name: str, code: str) -> str:
        """Run Python in a container and return what it prints."""
        execution = await self.docker.containers.container(name).exec(["/usr/bin/python3", "-c", code])
        output = b""
        async with execution.start(detach=False) as stream:
            while message := await stream.read_out():
                output += message.data
        return output.decode()


@pytest.fixture(scope="module")
def images() -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "DOCKER_HOST": URL or "", "HOME": "/root"}
    subprocess.run([EXAMPLE / "build-images.sh"], check=True, env=environment)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(images: None) -> AsyncIterator[Site]:
    assert URL is not None
    compiled = compile(load(EXAMPLE / "moorage.yml"), seconds_per_block=Fraction(1), salt=bytes(32))
    encoded = encode(compiled.manifest)
    identity = Identity(secrets.randbits(40), Address("0x" + "11" * 20), ProviderNumber(1))
    orders = [OrderId(secrets.token_bytes(32)) for _ in range(2)]
    group = compiled.groups[0].name
    lease, other = [desired_lease(identity, order, decode(encoded), group, version_of(encoded)) for order in orders]
    async with aiodocker.Docker(url=URL) as docker, connected(URL, identity.labels, DockerOptions()) as engine:
        runner = WorkloadRunner(engine, "127.0.0.1", time.time, pass_seconds=START_SECONDS)
        try:
            await reconcile(runner, [lease], ())
            yield Site(lease, other, runner, engine, docker)
        finally:
            await reconcile(runner, [], orders)
        assert all(runner.is_reset(order) for order in orders)


async def page(address: str) -> str:
    """Return the page as soon as it is there."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(address) as response:
                    if response.status == 200:
                        return await response.text()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def field(html: str, name: str) -> str:
    found = re.search(rf'id="{name}">([^<]*)<', html)
    assert found is not None, html
    return found[1]


async def test_example__deployed__shows_a_page_that_only_these_containers_can_have_made(site: Site) -> None:
    first = await page(site.address())
    second = await page(site.address())

    assert {report.state for report in site.runner.reports(site.lease)} == {WorkloadState.RUNNING}
    assert int(field(second, "visits")) == int(field(first, "visits")) + 1
    assert field(first, "container") in ("app-0", "app-1")
    assert (field(first, "lease"), field(first, "provider")) == (site.lease.lease.hex(), "1")


async def test_example__deployed__both_replicas_serve(site: Site) -> None:
    seen: set[str] = set()
    async with asyncio.timeout(START_SECONDS):
        while len(seen) < 2:
            seen.add(field(await page(site.address()), "container"))

    assert seen == {"app-0", "app-1"}


async def test_example__replica_crashes__comes_back_and_the_visits_stay(site: Site) -> None:
    before = int(field(await page(site.address()), "visits"))
    await site.docker.containers.container(site.container("app", 0)).kill(signal="SIGKILL")
    await site.docker.containers.container(site.container("app", 0)).wait()

    await asyncio.sleep(2.1)  # the first wait of the back-off, in whole seconds
    await reconcile(site.runner, [site.lease], ())

    reports = site.runner.reports(site.lease)
    assert {report.state for report in reports} == {WorkloadState.RUNNING}
    assert reports[1].reason == "replica 0: restarts after crashes: 1"
    assert int(field(await page(site.address()), "visits")) == before + 1


async def test_example__a_connection_that_is_not_declared__does_not_exist(site: Site) -> None:
    networks = {each.hostname: {place.network for place in each.attachments} for each in site.lease.containers}
    shown = await site.docker.containers.container(site.container("front")).show()
    front_public = next(name for name in networks["front-0"] if name.endswith("public"))
    address = shown["NetworkSettings"]["Networks"][front_public]["IPAddress"]
    attempt = (
        "import socket\ntry: socket.create_connection(({host!r}, {port}), 3)\nexcept OSError as e: print('refused')"
    )

    assert networks["front-0"].isdisjoint(networks["cache-0"])
    assert await site.python(site.container("app"), attempt.format(host="cache", port=6379)) == ""
    assert await site.python(site.container("app"), attempt.format(host="front", port=80)) == "refused\n"
    assert await site.python(site.container("app"), attempt.format(host=address, port=80)) == "refused\n"


async def test_example__same_file_deployed_twice__the_two_share_nothing(site: Site) -> None:
    visits = int(field(await page(site.address()), "visits"))
    await reconcile(site.runner, [site.lease, site.other], ())

    others = await page(site.address(site.other))
    assert site.address(site.other) != site.address()
    assert (field(others, "lease"), field(others, "visits")) == (site.other.lease.hex(), "1")
    assert int(field(await page(site.address()), "visits")) == visits + 1

    await reconcile(site.runner, [site.lease], [site.other.lease])

    assert site.runner.is_reset(site.other.lease)
    assert int(field(await page(site.address()), "visits")) == visits + 2


async def test_example__everything__runs_without_root(site: Site) -> None:
    for container in site.lease.containers:
        shown = await site.docker.containers.container(container.name).show()
        assert shown["Config"]["User"] == "10001:10001"
        assert shown["HostConfig"]["CapAdd"] is None
