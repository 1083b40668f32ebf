"""Images from a registry on a real engine: what runs is what was pinned, and what is refused leaves nothing there."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import aiodocker
import pytest

from moorage.guarded_http import GuardedHttp
from moorage.reachable import Reachable
from moorage.workload_secrets import Credentials
from provider_agent.core.image_names import ImageRequest
from provider_agent.shell.docker_images import DockerImages
from provider_agent.shell.engine import ImageNotFound, ImagePullFailed
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.images import ImageOptions, Images
from tests.docker_world import DockerWorld, docker_world, engine_url
from tests.engine_contract import container
from tests.factories.workloads import LEASE, OTHER_LEASE
from tests.image_registry import ImageRegistry, image_registry, layer_of

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
LOOPBACK = Reachable((ip_network("127.0.0.0/8"),))
CANARY = Credentials(user="robot", password="canary-77ab")


@dataclass
class Place:
    world: DockerWorld
    registry: ImageRegistry
    folder: Path
    repository: str
    http: GuardedHttp
    base: bytes
    """The file system of the tests' image."""
    now_seconds: int = 1_000_000

    def images(self, **options: int) -> Images:
        chosen = ImageOptions(LOOPBACK, (self.registry.authority,), pull_seconds=60, **options)
        ledger = ImageLedger(self.folder / "images.json")
        engine = DockerImages(self.world.docker)
        return Images(engine, self.http, ledger, self.repository, chosen, lambda: self.now_seconds)

    def request(self, credentials: Credentials | None = None) -> ImageRequest:
        return ImageRequest(self.registry.name(), credentials)

    async def output(self, image: str) -> str:
        """Return what a container of an image says."""
        spec = container(self.world, image=image, command=("/bin/cat", "/mark"))
        await self.world.engine.ensure_container(spec)
        found = await self.world.output(spec.name)
        await self.world.engine.remove_container(spec.name)
        return found


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    assert URL is not None
    async with docker_world(URL) as world, image_registry() as registry:
        http = GuardedHttp(LOOPBACK)
        repository = f"moorage-pulled-{secrets.token_hex(4)}"
        place = Place(world, registry, tmp_path, repository, http, await _exported(world))
        try:
            yield place
        finally:
            await http.close()
            for tag in await DockerImages(world.docker).tagged(repository):
                await world.docker.images.delete(tag, force=True)


async def _exported(world: DockerWorld) -> bytes:
    created = await world.docker.containers.create({"Image": world.image, "Cmd": ["/bin/sh"]})
    try:
        async with world.docker._query(f"containers/{created.id}/export") as response:
            return await response.read()
    finally:
        await created.delete(force=True)


async def test_i11_images__tag_moves_and_the_image_is_lost__the_same_content_runs(place: Place) -> None:
    place.registry.put("1", [place.base, layer_of({"mark": b"first"})])
    image = await place.images().pull(LEASE, place.request())
    assert await place.output(image) == "first"
    place.registry.put("1", [place.base, layer_of({"mark": b"second"})])
    await place.world.docker.images.delete(image, force=True)

    again = await place.images().pull(LEASE, place.request())

    assert (again, await place.output(again)) == (image, "first")
    other = await place.images().pull(OTHER_LEASE, place.request())
    assert await place.output(other) == "second"


async def test_i11_images__bomb_and_wrong_bytes__leave_nothing_on_the_engine(place: Place) -> None:
    bomb = place.registry.put("1", [b"\0" * 2**28])
    with pytest.raises(ImagePullFailed, match="bytes unpacked"):
        await place.images(unpacked_bytes=2**26).pull(LEASE, place.request())
    place.registry.blobs.clear()
    broken = place.registry.put("1", [place.base])
    layer = next(digest for digest, blob in place.registry.blobs.items() if len(blob) > 100_000)
    place.registry.blobs[layer] = place.registry.blobs[layer][:-1]
    with pytest.raises(ImagePullFailed, match="something else than"):
        await place.images().pull(LEASE, place.request())

    assert not {bomb, broken} & await _ids(place.world.docker)


async def test_i11_images__layer_that_the_configuration_does_not_name__is_refused_by_the_engine(place: Place) -> None:
    place.registry.put("1", [place.base])
    honest = place.registry.tags["1"]
    place.registry.put("2", [place.base, layer_of({"mark": b"more"})])
    swapped = place.registry.tags["2"][1].replace(
        *(_config_of(body).encode() for body in (place.registry.tags["2"][1], honest[1]))
    )
    place.registry.tags["1"] = (honest[0], swapped)

    with pytest.raises(ImagePullFailed, match="the engine does not take the image"):
        await place.images().pull(LEASE, place.request())


async def test_i13_images__private_registry__the_password_is_nowhere_on_the_engine(place: Place) -> None:
    place.registry.put("1", [place.base, layer_of({"mark": b"private"})])
    place.registry.login = (CANARY.user, CANARY.password)

    image = await place.images().pull(LEASE, place.request(CANARY))

    assert await place.output(image) == "private"
    with pytest.raises(ImageNotFound):
        await place.images().pull(OTHER_LEASE, place.request())
    inspected = await place.world.docker.images.inspect(image)
    listed = await asyncio.to_thread(subprocess.check_output, ["ps", "axeww"], text=True)
    assert "canary-77ab" not in f"{inspected}{await place.world.docker.system.info()}{listed}"
    assert "canary-77ab" not in "".join(path.read_text() for path in place.folder.iterdir())


@pytest.mark.parametrize("form", ["short id", "id", "other tag"])
async def test_i13_images__name_that_the_engine_would_take_for_an_id__is_not_found(place: Place, form: str) -> None:
    private = (await place.world.docker.images.inspect(place.world.image))["Id"]
    name = {"short id": private[7:19], "id": private, "other tag": place.world.image.replace(":1", ":2")}[form]

    with pytest.raises((ImageNotFound, ImagePullFailed)):
        await place.images().pull(LEASE, ImageRequest(f"{name}", None))


async def test_i11_images__tidied__goes_only_when_no_container_is_made_of_it(place: Place) -> None:
    place.registry.put("1", [place.base, layer_of({"mark": b"tidy"})])
    images = place.images(keep_seconds=10)
    image = await images.pull(LEASE, place.request())
    spec = container(place.world, image=image)
    await place.world.engine.ensure_container(spec)
    await images.keep(LEASE, [])
    place.now_seconds += 11
    await images.tidy()
    assert image in await _ids(place.world.docker)

    await place.world.engine.remove_container(spec.name)
    await images.tidy()

    assert image not in await _ids(place.world.docker)
    assert (await place.world.docker.images.inspect(place.world.image))["Id"]


async def _ids(docker: aiodocker.Docker) -> set[str]:
    return {each["Id"] for each in await docker.images.list()}


def _config_of(manifest: bytes) -> str:
    start = manifest.index(b'"config": ')
    return manifest[start : manifest.index(b"}", start)].decode()
