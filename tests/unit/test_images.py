"""Images for leases: pinned to what they were, within limits, from registries that are strangers."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import logging
import lzma
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import pytest
import structlog

from moorage.guarded_http import GuardedHttp
from moorage.reachable import PUBLIC, Reachable
from moorage.workload_secrets import Credentials
from provider_agent.core.image_names import ImageRequest
from provider_agent.shell import images as module
from provider_agent.shell.docker_images import EngineImage
from provider_agent.shell.engine import EngineError, EngineUnavailable, ImageNotFound, ImagePullFailed
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.images import ImageOptions, Images, keep_tidy
from tests.factories.workloads import LEASE, OTHER_LEASE, lease_of, workload
from tests.fakes.engine_images import FakeEngineImages
from tests.image_registry import LAYER_TYPE, ImageRegistry, descriptor, image_registry, layer_of, sparse_layer

LOOPBACK = Reachable((ip_network("127.0.0.0/8"),))
CANARY = Credentials(user="robot", password="canary-77ab")
LAYER = layer_of({"program": b"one"})
BIG = layer_of({"zeros": b"\0" * 2**20})


@dataclass
class World:
    registry: ImageRegistry
    engine: FakeEngineImages
    path: Path
    http: GuardedHttp
    now_seconds: int = 1_000_000

    def images(self, **options: object) -> Images:
        """Return what an agent has after a start."""
        usual = ImageOptions(reachable=LOOPBACK, insecure=(self.registry.authority,), pull_seconds=10)
        chosen = replace(usual, **options)  # type: ignore[arg-type]
        ledger = ImageLedger(self.path / "images.json")
        return Images(self.engine, self.http, ledger, "moorage-pulled-test", chosen, lambda: self.now_seconds)

    def request(self, tag: str = "1", credentials: Credentials | None = None) -> ImageRequest:
        return ImageRequest(self.registry.name(tag), credentials)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with image_registry() as registry:
        http = GuardedHttp(LOOPBACK)
        yield World(registry, FakeEngineImages(), tmp_path, http)
        await http.close()


async def failure_of(images: Images, request: ImageRequest) -> str:
    with pytest.raises(EngineError) as caught:
        await images.pull(LEASE, request)
    return str(caught.value)


async def test_i11_pull__tag_moves__the_lease_keeps_its_content_and_another_gets_the_new(world: World) -> None:
    first = world.registry.put("1", [LAYER])
    assert await world.images().pull(LEASE, world.request()) == first
    second = world.registry.put("1", [layer_of({"program": b"two"})])

    assert await world.images().pull(LEASE, world.request()) == first
    assert await world.images().pull(OTHER_LEASE, world.request()) == second


async def test_i11_pull__image_is_gone_and_its_tag_has_moved__the_same_content_comes_back(world: World) -> None:
    first = world.registry.put("1", [LAYER])
    await world.images().pull(LEASE, world.request())
    world.registry.put("1", [layer_of({"program": b"two"})])
    world.engine.images.clear()

    assert await world.images().pull(LEASE, world.request()) == first
    assert first in world.engine.images


async def test_i11_pinned__after_a_pull_and_a_restart__is_the_content(world: World) -> None:
    image = world.registry.put("1", [LAYER])
    wanted = lease_of(workload("web", image=world.registry.name()))
    assert world.images().missing(wanted) == {world.registry.name(): wanted.images[0]}
    await world.images().pull(LEASE, wanted.images[0])

    images = world.images()
    assert [spec.image for spec in images.pinned(wanted).containers] == [image]
    assert images.missing(wanted) == {}
    images.lose(image)
    assert images.missing(wanted) == {image: wanted.images[0]}


async def test_i11_pull__index_of_architectures__takes_the_hosts_own(world: World) -> None:
    ours = world.registry.put("ours", [LAYER])
    world.registry.put("other", [LAYER])
    world.registry.put_index("1", ("arm64", "other"), ("amd64", "ours"))
    world.registry.put_index("2", ("arm64", "other"))

    assert await world.images().pull(LEASE, world.request()) == ours
    assert "not made for linux/amd64" in await failure_of(world.images(), world.request("2"))


async def test_i11_pull__five_gigabytes_claimed__is_refused_before_a_layer_is_asked_for(world: World) -> None:
    world.registry.put("1", [LAYER], layers=[{**descriptor(LAYER_TYPE, LAYER), "size": 5 * 2**30}])

    assert "has 5368709120 bytes, more than the 4000000000" in await failure_of(world.images(), world.request())
    assert not [path for path in world.registry.asked if "/blobs/" in path]
    assert world.engine.loads == 0


async def test_i11_pull__decompression_bomb__is_broken_off(world: World) -> None:
    world.registry.put("1", [b"\0" * (64 * 2**20)])

    images = world.images(unpacked_bytes=16 * 2**20)

    assert "more than the 16777216 bytes unpacked" in await failure_of(images, world.request())
    assert world.engine.images == {}


async def test_i11_pull__bomb_in_a_second_gzip_member__is_counted_too(world: World) -> None:
    packed = gzip.compress(b"\0" * 1024) + gzip.compress(b"\0" * (64 * 2**20))
    world.registry.blobs[descriptor(LAYER_TYPE, packed)["digest"]] = packed
    world.registry.put("1", [LAYER], layers=[descriptor(LAYER_TYPE, packed)])

    images = world.images(unpacked_bytes=16 * 2**20)

    assert "more than the 16777216 bytes unpacked" in await failure_of(images, world.request())


async def test_i11_pull__same_layer_many_times__counts_each_time(world: World) -> None:
    layer = descriptor(LAYER_TYPE, gzip.compress(BIG, 1))
    world.registry.put("1", [BIG], layers=[layer] * 20)

    images = world.images(unpacked_bytes=16 * 2**20)

    assert "more than the 16777216 bytes unpacked" in await failure_of(images, world.request())


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress, gzip.compress])
async def test_i11_pull__compressed_layer_that_does_not_say_so__is_refused(
    world: World, compress: Callable[[bytes], bytes]
) -> None:
    packed = compress(BIG)
    layer = descriptor("application/vnd.oci.image.layer.v1.tar", packed)
    world.registry.put("1", [LAYER], layers=[layer])
    world.registry.blobs[layer["digest"]] = packed

    assert "compressed and does not say so" in await failure_of(world.images(), world.request())


async def test_i11_pull__countless_empty_files__count_too(world: World) -> None:
    world.registry.put("1", [layer_of({str(each): b"" for each in range(5_000)})])

    images = world.images(unpacked_bytes=16 * 2**20)

    assert "more than the 16777216 bytes unpacked" in await failure_of(images, world.request())


async def test_i11_pull__sparse_file__is_refused(world: World) -> None:
    world.registry.put("1", [sparse_layer(2**40)])

    assert "sparse files" in await failure_of(world.images(), world.request())


async def test_pull__layer_that_is_not_compressed__is_taken(world: World) -> None:
    layer = descriptor("application/vnd.oci.image.layer.v1.tar", LAYER)
    image = world.registry.put("1", [LAYER], layers=[layer])
    world.registry.blobs[layer["digest"]] = LAYER

    assert await world.images().pull(LEASE, world.request()) == image


@pytest.mark.parametrize("change", ["longer", "shorter", "other"])
async def test_i11_pull__layer_is_not_what_was_claimed__is_refused(world: World, change: str) -> None:
    world.registry.put("1", [LAYER])
    (layer,) = [digest for digest, blob in world.registry.blobs.items() if blob.startswith(b"\x1f\x8b")]
    blob = world.registry.blobs[layer]
    packed = {"longer": blob + blob, "shorter": blob[:-1], "other": blob[:-1] + b"\xff"}[change]
    world.registry.blobs[layer] = packed

    failure = await failure_of(world.images(), world.request())

    assert "sends something else than" in failure or "not gzip" in failure
    assert world.engine.images == {}


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "https://127.0.0.1:1/",
        "https://localhost:1/",
        "https://[::1]:1/",
        "https://[::ffff:127.0.0.1]:1/",
        "https://10.0.0.1/",
        "file:///etc/passwd",
    ],
)
async def test_i11_pull__layer_is_said_to_be_inside__is_not_followed(world: World, target: str) -> None:
    world.registry.put("1", [LAYER])
    world.registry.redirects = dict.fromkeys(world.registry.blobs, target)

    failure = await failure_of(world.images(), world.request())

    assert "only https is followed" in failure or "is not connected to" in failure or "could not be reached" in failure
    assert world.engine.images == {}


async def test_i11_pull__redirect_to_loopback__reaches_nobody_there(world: World) -> None:
    async with image_registry() as victim:
        world.registry.put("1", [LAYER])
        world.registry.redirects = dict.fromkeys(world.registry.blobs, f"http://{victim.authority}/secret")

        failure = await failure_of(world.images(), world.request())

        assert "only https is followed" in failure
        assert victim.asked == []


async def test_i11_pull__registry_on_loopback_without_leave__is_not_connected_to(world: World) -> None:
    world.registry.put("1", [LAYER])
    http = GuardedHttp(PUBLIC)
    images = Images(
        world.engine,
        http,
        ImageLedger(world.path / "other.json"),
        "moorage-pulled-test",
        ImageOptions(insecure=(world.registry.authority,)),
        lambda: 0,
    )

    assert "127.0.0.1 is not a public address" in await failure_of(images, world.request())
    port = world.registry.authority.partition(":")[2]
    by_name = ImageRequest(f"localhost:{port}/team/app:1", None)
    failure = await failure_of(images, by_name)
    assert "it has no public address" in failure
    assert "127.0.0.1" not in failure and "::1" not in failure
    assert world.registry.asked == []
    await http.close()


async def test_i11_pull__token_service_inside__is_not_asked(world: World) -> None:
    async with image_registry() as victim:
        world.registry.put("1", [LAYER])
        world.registry.login = ("robot", "x")
        world.registry.realm = f"http://{victim.authority}/token"

        assert "only https is followed" in await failure_of(world.images(), world.request(credentials=CANARY))
        assert victim.asked == []


async def test_i13_pull__private_registry__is_shown_the_password_which_stays_nowhere(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.reset_defaults()
    world.registry.put("1", [LAYER])
    world.registry.login = (CANARY.user, CANARY.password)
    assert "was not found" in await failure_of(world.images(), world.request())
    wrong = Credentials(user="robot", password="canary-77ab-wrong")
    failure = await failure_of(world.images(), world.request(credentials=wrong))

    await world.images().pull(LEASE, world.request(credentials=CANARY))

    kept = "".join(path.read_text() for path in world.path.iterdir())
    printed = capsys.readouterr()
    shown = f"{failure}{kept}{printed.out}{printed.err}{caplog.text}{world.request(credentials=CANARY)}"
    assert "canary" not in shown
    assert "image resolved" in printed.out  # what would show it was captured


async def test_i13_pull__private_image_is_there_already__the_registry_is_asked_all_the_same(world: World) -> None:
    world.registry.put("1", [LAYER])
    world.registry.login = (CANARY.user, CANARY.password)
    await world.images().pull(LEASE, world.request(credentials=CANARY))

    with pytest.raises(ImageNotFound):
        await world.images().pull(OTHER_LEASE, world.request())


async def test_i13_pull__another_registry_claims_a_private_image__has_to_have_it(world: World) -> None:
    private = world.registry.put("1", [LAYER])
    await world.images().pull(LEASE, world.request())
    manifest = world.registry.tags["1"]
    async with image_registry() as thief:
        thief.tags["1"] = manifest
        images = world.images(insecure=(thief.authority,))

        with pytest.raises(ImageNotFound):
            await images.pull(OTHER_LEASE, ImageRequest(thief.name(), None))

    assert private in world.engine.images


async def test_i13_pull__name_that_the_agent_gives_to_what_it_pulled__is_nobodys(world: World) -> None:
    image = world.registry.put("1", [LAYER])
    await world.images().pull(LEASE, world.request())
    name = f"moorage-pulled-test:{image.removeprefix('sha256:')}"
    world.engine.names[f"docker.io/library/{name}"] = image

    with pytest.raises(ImageNotFound):
        await world.images().pull(OTHER_LEASE, ImageRequest(name, None))


async def test_pull__image_of_the_providers_own__needs_no_registry(world: World) -> None:
    world.engine.provide(f"{world.registry.authority}/team/app:1", "sha256:" + "1" * 64)

    assert await world.images().pull(LEASE, world.request()) == "sha256:" + "1" * 64
    assert world.registry.asked == []


async def test_pull__provider_has_pulled_it_and_the_registry_is_down__takes_the_providers(world: World) -> None:
    world.engine.provide("127.0.0.1:1/team/app:1", "sha256:" + "1" * 64, digests=("x@sha256:" + "2" * 64,))
    images = world.images(insecure=("127.0.0.1:1",))

    assert await images.pull(LEASE, ImageRequest("127.0.0.1:1/team/app:1", None)) == "sha256:" + "1" * 64


@pytest.mark.parametrize("kind", ["forbidden", "refusing", "private"])
async def test_i13_pull__provider_has_pulled_it_and_the_registry_does_not_show_it__is_not_given(
    world: World, kind: str
) -> None:
    world.engine.provide(world.registry.name(), "sha256:" + "ab" * 32, digests=("x@sha256:" + "cd" * 32,))
    world.registry.login = ("robot", "x") if kind == "private" else None
    world.registry.status = 429 if kind == "refusing" else None
    http = GuardedHttp(PUBLIC if kind == "forbidden" else LOOPBACK)

    images = world.images()
    images._http = http

    await failure_of(images, world.request())
    await http.close()


async def test_i11_pull__registry_that_never_ends__is_given_up(world: World) -> None:
    world.registry.put("1", [LAYER])
    stuck = asyncio.Event()

    async def never(*_: object) -> None:
        await stuck.wait()

    world.engine.load = never  # type: ignore[method-assign]
    images = world.images(pull_seconds=1)

    assert "took longer than 1 s" in await failure_of(images, world.request())


async def test_i11_pull__many_at_once__no_more_than_the_provider_lets(world: World) -> None:
    for number in range(6):
        world.registry.put(str(number), [LAYER])
    images = world.images(pulls=2)

    await asyncio.gather(*(images.pull(LEASE, world.request(str(number))) for number in range(6)))

    assert (world.engine.loads, world.engine.largest) == (6, 2)


async def test_i11_tidy__what_no_lease_needs__goes_after_a_while_and_never_what_the_provider_has(world: World) -> None:
    images = world.images(keep_seconds=100)
    world.engine.provide("docker.io/library/own:1", "sha256:" + "1" * 64)
    kept, dropped = world.registry.put("1", [LAYER]), world.registry.put("2", [LAYER])
    await images.pull(LEASE, world.request("1"))
    await images.pull(LEASE, world.request("2"))
    await images.keep(LEASE, [world.registry.name("1")])
    await images.tidy()
    assert dropped in world.engine.images

    world.now_seconds += 101
    await world.images(keep_seconds=100).tidy()

    assert set(world.engine.images) == {kept, "sha256:" + "1" * 64}


async def test_i11_tidy__more_than_there_is_room_for__the_longest_unused_goes_first(world: World) -> None:
    images = world.images()
    first, second = world.registry.put("1", [LAYER]), world.registry.put("2", [LAYER])
    for number, tag in enumerate(("1", "2")):
        await images.pull(LEASE, world.request(tag))
        world.now_seconds += number
        await images.keep(LEASE, [])
        world.now_seconds += 1
    room = world.engine.images[second].size_bytes

    await world.images(keep_bytes=room).tidy()

    assert first not in world.engine.images
    assert second in world.engine.images


async def test_keep_tidy__engine_does_not_answer__is_told_in_a_line_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.01)
    asked = 0
    stop = asyncio.Event()

    async def tagged(repository: str) -> dict[str, EngineImage]:
        nonlocal asked
        asked += 1
        if asked == 3:
            stop.set()
        if asked == 2:
            raise RuntimeError
        raise EngineUnavailable("no answer from the engine in 60 s")

    world.engine.tagged = tagged  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        await keep_tidy(world.images(), stop)

    told = {"event": "images not tidied", "log_level": "warning", "reason": "no answer from the engine in 60 s"}
    assert logs == [told, {"event": "images not tidied", "log_level": "error", "exc_info": True}, told]


async def test_ledger__file_is_damaged__names_are_resolved_anew(world: World) -> None:
    image = world.registry.put("1", [LAYER])
    await world.images().pull(LEASE, world.request())
    (world.path / "images.json").write_bytes(b'{"pins": 1}')

    assert await world.images().pull(LEASE, world.request()) == image


async def test_pull__registry_answers_nonsense__says_what(world: World) -> None:
    world.registry.put("1", [LAYER], layers=[{**descriptor("text/html", b"")}])
    assert "layer of type 'text/html'" in await failure_of(world.images(), world.request())
    world.registry.put_manifest("1", LAYER_TYPE, {})
    assert "which is not taken" in await failure_of(world.images(), world.request())
    with pytest.raises(ImagePullFailed):
        world.registry.put_manifest("1", "application/vnd.oci.image.manifest.v1+json", {"config": 1})
        await world.images().pull(LEASE, world.request())
