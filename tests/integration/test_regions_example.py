"""The example of three regions, its datacenter with the database, on a real engine: pages, cache, volume, secret."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from demo.regions.stage import PASSWORD_VARIABLE
from demo.regions.visitor import Visitor
from tests.docker_world import engine_url
from tests.example_site import ExampleSite, example_site

URL = engine_url()
WHOLE_SECONDS = 60.0

pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module")
def password() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        value = secrets.token_hex(16)
        patch.setenv(PASSWORD_VARIABLE, value)
        yield value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(password: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ExampleSite]:
    assert URL is not None
    async with example_site("regions", URL, tmp_path_factory.mktemp("agent")) as started:
        yield started


async def test_regions_example__page_is_written__is_read_from_the_database_and_then_from_the_cache(
    site: ExampleSite,
) -> None:
    visitor, address = Visitor(), site.address("web")
    await visitor.wait_until_whole(address, WHOLE_SECONDS)

    await visitor.write(address, "harbour", "a berth")
    first = await visitor.read(address, "harbour")
    second = await visitor.read(address, "harbour")

    assert (first["text"], first["written_in"], first["answered_by"]) == ("a berth", "us-east", "us-east")
    assert [each["came_from"] for each in (first, second)] == ["database", "cache"]


async def test_regions_example__page_that_nobody_wrote__is_not_found(site: ExampleSite) -> None:
    address = site.address("web")
    await Visitor().wait_until_whole(address, WHOLE_SECONDS)

    assert await status_of(f"{address}/pages/none") == 404


async def test_h11_regions_example__password_of_the_database__is_in_nothing_that_the_engine_tells(
    site: ExampleSite, password: str
) -> None:
    await Visitor().wait_until_whole(site.address("web"), WHOLE_SECONDS)

    for container in site.lease.containers:
        shown = json.dumps(await site.docker.containers.container(container.name).show())
        assert "/app/site-packages" in shown
        assert password not in shown


async def test_regions_example__database_is_killed__pages_say_so_and_are_there_again_after_it(
    site: ExampleSite,
) -> None:
    visitor, address = Visitor(), site.address("web")
    await visitor.wait_until_whole(address, WHOLE_SECONDS)
    await visitor.write(address, "kept", "on a volume")
    await site.kill("db")

    status = await status_of(f"{address}/healthz")
    await site.restart_ended()
    await visitor.wait_until_whole(address, WHOLE_SECONDS)

    assert status == 503
    assert (await visitor.read(address, "kept"))["text"] == "on a volume"


async def test_regions_example__cache_is_killed__pages_go_on_without_it(site: ExampleSite) -> None:
    visitor, address = Visitor(), site.address("web")
    await visitor.wait_until_whole(address, WHOLE_SECONDS)
    await visitor.write(address, "slow", "but there")
    await site.kill("cache")

    found = await visitor.read(address, "slow")

    assert (found["text"], found["came_from"]) == ("but there", "database")


async def status_of(address: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return response.status
