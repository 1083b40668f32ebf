"""What an agent does on an engine beside leases: names of images, errands, and what is set when it is opened."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from provider_agent.core.containers import NetworkKind, NetworkSpec
from provider_agent.core.image_names import image_name
from provider_agent.engine_room import opened_engine
from provider_agent.isolation_settings import Isolation
from provider_agent.shell.docker_calls import docker_at
from provider_agent.shell.docker_images import DockerImages
from provider_agent.shell.engine import EngineRefused
from provider_agent.shell.errand import Errand, run_errand
from provider_agent.shell.firewall import NOT_YET
from tests.factories.workloads import IDENTITY
from tests.fakes.docker_socket import docker_socket, refusal

ID = "sha256:" + "ab" * 32
DIGEST = "sha256:" + "cd" * 32


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("example/web:1", True),
        ("docker.io/example/web:1", True),
        ("example/web:2", False),
        (f"example/web@{DIGEST}", True),
        (f"example/web@sha256:{'ef' * 32}", False),
        ("abab", False),
    ],
)
async def test_i13_by_name__engine_takes_it_for_another_image__is_not_there(
    tmp_path: Path, name: str, is_there: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        tags, digests = ["example/web:1"], [f"example/web@{DIGEST}"]
        return web.json_response({"Id": ID, "RepoTags": tags, "RepoDigests": digests, "Size": 1})

    async with docker_socket(tmp_path / "s", answer) as url, docker_at(url) as docker:
        found = await DockerImages(docker).by_name(image_name(name))

    assert (found is not None) is is_there


async def test_run_errand__some_were_left_long_ago__go_and_one_that_runs_stays(tmp_path: Path) -> None:
    removed: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        path = request.path.removeprefix("/v1.41/")
        if request.method == "DELETE":
            removed.append(path.removeprefix("containers/"))
            return web.Response(status=204)
        if path == "containers/json":
            assert json.loads(request.query["filters"]) == {"label": ["moorage.errand=mh-a"]}
            return web.json_response([{"Id": "old", "Created": 5}, {"Id": "new", "Created": time.time()}])
        if path.endswith("/logs"):
            return web.Response(body=b"\1\0\0\0\0\0\0\5rules", content_type="application/octet-stream")
        if path.endswith("/wait"):
            return web.json_response({"StatusCode": 0})
        return web.json_response({"Id": "own", "Config": {"Tty": False}, "Warnings": []}, status=201)

    async with docker_socket(tmp_path / "s", answer) as url:
        await run_errand(url, Errand("mh-a", "firewall", "image:1", ("/nft",), ()))

    assert removed[0] == "old"
    assert [each.rpartition("-")[0] for each in removed[1:]] == ["mh-a"]


async def test_i07_opened_engine__rules_are_not_there_yet__nothing_that_leads_out_is_made(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        match request.path.removeprefix("/v1.41/"):
            case "version":
                components = [{"Name": "runc", "Version": "1.3.3"}]
                return web.json_response({"Version": "29.1.0", "ApiVersion": "1.41", "Components": components})
            case "containers/create":
                return refusal("no quota support")
            case "containers/json" | "networks":
                return web.json_response([])
            case _:
                return web.json_response({"Volumes": []})

    async with docker_socket(tmp_path / "s", answer) as url:
        settings = SimpleNamespace(
            docker_url=url,
            data_dir=tmp_path,
            gateways=SimpleNamespace(image="gateway:1"),
            isolation=Isolation(),
            file=Path("a.toml"),
        )
        async with opened_engine(cast(Any, settings), IDENTITY, accepts_holes=True) as room:
            with pytest.raises(EngineRefused, match=NOT_YET):
                await room.engine.ensure_network(NetworkSpec("me-a", IDENTITY.labels, NetworkKind.EGRESS, 16))
