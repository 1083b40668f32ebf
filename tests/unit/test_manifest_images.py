"""Images that a provider does not run are refused when their manifest arrives, and the tenant reads why."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from moorage.manifest import Manifest, ManifestGroup, encode
from provider_agent.core.image_policy import ImagePolicy
from tests.fakes.agent_world import GOOD, LEASE, PUT, WEB, assert_refused, lease_context, running


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (ImagePolicy(deny=("docker.io/library/nginx",)), "this provider does not run docker.io/library/nginx"),
        (ImagePolicy(allow=("ghcr.io/*",)), "this provider runs only images of its list"),
    ],
)
async def test_put_manifest__image_that_is_not_run__is_refused_with_the_reason(
    tmp_path: Path, images: ImagePolicy, reason: str
) -> None:
    async with running(tmp_path, images=images) as world:
        answer = await world.ask(PUT, GOOD)

        await assert_refused(world, answer, 403, reason)


async def test_put_manifest__image_that_is_run__is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, images=ImagePolicy(allow=("docker.io/library/*",), deny=("*/miner",))) as world:
        answer = await world.ask(PUT, GOOD)

    assert (answer.status, world.accepted) == (202, [LEASE])


async def test_put_manifest__image_in_the_group_of_another_provider__is_none_of_ours(tmp_path: Path) -> None:
    other = msgspec.structs.replace(WEB, image="evil/miner")
    groups = ManifestGroup(name="eastcoast", workloads=(other,)), ManifestGroup(name="westcoast", workloads=(WEB,))
    body = encode(Manifest(format="0.1", salt="00" * 32, groups=groups))
    async with running(tmp_path, images=ImagePolicy(deny=("*/miner",))) as world:
        world.directory.lease_to_answer[LEASE] = lease_context(body)
        answer = await world.ask(PUT, body)

    assert (answer.status, world.accepted) == (202, [LEASE])
