"""The example of three images on a real engine: from the deployment file to a page, and back to nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from provider_agent.core.lease_names import is_gateway
from provider_agent.core.workload_report import WorkloadState
from tests.docker_world import engine_url
from tests.example_site import START_SECONDS, ExampleSite, example_site
from tests.full_pass import reconcile

URL = engine_url()

pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ExampleSite]:
    assert URL is not None
    async with example_site("webapp", URL, tmp_path_factory.mktemp("agent")) as started:
        yield started


async def python(site: ExampleSite, workload: str, code: str) -> str:
    """Run Python in a container of a workload and return what it prints."""
    execution = await site.container(workload).exec(["/usr/bin/python3", "-c", code])
    output = b""
    async with execution.start(detach=False) as stream:
        while message := await stream.read_out():
            output += message.data
    return output.decode()


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


async def test_example__deployed__shows_a_page_that_only_these_containers_can_have_made(site: ExampleSite) -> None:
    first = await page(site.address("front"))
    second = await page(site.address("front"))

    assert {report.state for report in site.runner.reports(site.lease)} == {WorkloadState.RUNNING}
    assert int(field(second, "visits")) == int(field(first, "visits")) + 1
    assert field(first, "container") in ("app-0", "app-1")
    assert (field(first, "lease"), field(first, "provider")) == (site.lease.lease.hex(), "1")


async def test_example__deployed__both_replicas_serve(site: ExampleSite) -> None:
    seen: set[str] = set()
    async with asyncio.timeout(START_SECONDS):
        while len(seen) < 2:
            seen.add(field(await page(site.address("front")), "container"))

    assert seen == {"app-0", "app-1"}


async def test_example__replica_crashes__comes_back_and_the_visits_stay(site: ExampleSite) -> None:
    before = int(field(await page(site.address("front")), "visits"))
    await site.kill("app")

    await site.restart_ended()

    reports = site.runner.reports(site.lease)
    assert {report.state for report in reports} == {WorkloadState.RUNNING}
    assert reports[1].reason == "replica 0: restarts after crashes: 1"
    assert int(field(await page(site.address("front")), "visits")) == before + 1


async def test_i09_example__a_connection_that_is_not_declared__does_not_exist(site: ExampleSite) -> None:
    networks = {each.hostname: {place.network for place in each.attachments} for each in site.lease.containers}
    shown = await site.container("front").show()
    own = next(name for name in networks["front-0"] if name.endswith("own.front"))
    address = shown["NetworkSettings"]["Networks"][own]["IPAddress"]
    attempt = (
        "import socket\ntry: socket.create_connection(({host!r}, {port}), {seconds})\n"
        "except OSError as e: print('refused')"
    )

    assert networks["front-0"].isdisjoint(networks["cache-0"] | networks["app-0"])
    assert await python(site, "app", attempt.format(host="cache", port=6379, seconds=60)) == ""
    assert await python(site, "app", attempt.format(host="cache", port=6380, seconds=3)) == "refused\n"
    assert await python(site, "app", attempt.format(host="front", port=80, seconds=3)) == "refused\n"
    assert await python(site, "app", attempt.format(host=address, port=80, seconds=3)) == "refused\n"


async def test_example__same_file_deployed_twice__the_two_share_nothing(site: ExampleSite) -> None:
    visits = int(field(await page(site.address("front")), "visits"))
    await reconcile(site.runner, [site.lease, site.other], ())

    others = await page(site.address("front", site.other))
    assert site.address("front", site.other) != site.address("front")
    assert (field(others, "lease"), field(others, "visits")) == (site.other.lease.hex(), "1")
    assert int(field(await page(site.address("front")), "visits")) == visits + 1

    await reconcile(site.runner, [site.lease], [site.other.lease])

    assert site.runner.is_reset(site.other.lease)
    assert int(field(await page(site.address("front")), "visits")) == visits + 2


async def test_example__everything__runs_without_root(site: ExampleSite) -> None:
    for container in site.lease.containers:
        shown = await site.docker.containers.container(container.name).show()
        assert shown["Config"]["User"] == "10001:10001"
        assert shown["HostConfig"]["CapAdd"] is None


async def test_example__its_gateway__runs_without_root_and_without_rights(site: ExampleSite) -> None:
    (gateway,) = [each for each in (await site.engine.observe(site.lease.lease)).containers if is_gateway(each.name)]
    shown = await site.docker.containers.container(gateway.name).show()

    assert not shown["Config"]["User"].startswith("0")
    assert shown["HostConfig"]["ReadonlyRootfs"]
    assert (shown["HostConfig"]["CapAdd"], shown["HostConfig"]["CapDrop"]) == (None, ["ALL"])
