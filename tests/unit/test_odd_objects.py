"""One odd object on an engine, such as one that is being removed: all the others are seen and served as ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from moorage.types import OrderId
from provider_agent.core.containers import ContainerState, NetworkKind, NetworkSpec
from provider_agent.core.lease_names import LEASE_LABEL
from provider_agent.shell.disk_usage import usage_of
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.engine import EngineRefused, EngineUnavailable
from tests.engine_contract import LEASE, OTHER_LEASE
from tests.fakes.docker_socket import docker_socket, refusal

OWNER = (("moorage.provider", "7"),)
LABELS = dict(OWNER)
POOL = IPv4Network("10.224.0.0/27")
SPEC = NetworkSpec("mn-a", OWNER, NetworkKind.INTERNAL, 16)
Json = dict[str, Any]


class Engine:
    """What is on an engine; `inspected` is what it says of one container, a text for a refusal."""

    def __init__(self) -> None:
        self.containers = [listed("web")]
        self.networks = [network("mn-web", "10.224.0.0/28")]
        self.inspected: dict[str, Json | str] = {}
        self.asked: list[tuple[str, str]] = []
        self.created: list[Json] = []
        self.goes_away_at: str | None = None

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/v1.41/")
        self.asked.append((request.method, path))
        if path == self.goes_away_at:
            assert request.transport is not None
            request.transport.close()
        match path.split("/"):
            case ["networks", "create"]:
                self.created.append(await request.json())
                return web.json_response({}, status=201)
            case ["networks", name] if request.method == "DELETE":
                self.networks = [each for each in self.networks if each["Id"] != name]
                return web.Response(status=204)
            case ["networks", name]:
                return found(next((each for each in self.networks if each["Name"] == name), None))
            case ["containers", name, "json"]:
                return found(self.inspected.get(name))
        lists: dict[str, object] = {
            "containers/json": self.containers,
            "networks": self.networks,
            "volumes": {"Volumes": [{"Name": "mv-web", "Labels": LABELS}]},
        }
        return web.json_response(lists[path])


def found(body: Json | str | None) -> web.Response:
    if isinstance(body, str):
        return refusal(body)
    return refusal("no such", 404) if body is None else web.json_response(body)


def listed(name: str, state: str = "running") -> Json:
    return {
        "Id": f"id-{name}",
        "Names": [f"/{name}"],
        "Labels": LABELS,
        "State": state,
        "Created": 5,
        "Ports": [],
        "NetworkSettings": {"Networks": {"mn-web": {}}},
    }


def network(name: str, *subnets: str) -> Json:
    ipam = {"Config": [{"Subnet": each} for each in subnets] or None}
    return {"Name": name, "Id": f"id-{name}", "Labels": LABELS, "IPAM": ipam, "Containers": {}}


@pytest.fixture
def engine() -> Engine:
    return Engine()


@asynccontextmanager
async def opened(engine: Engine, folder: Path) -> AsyncIterator[DockerEngine]:
    options = DockerOptions(network_pool=POOL)
    async with docker_socket(folder / "s", engine.answer) as url, connected(url, OWNER, options) as docker:
        yield docker


@pytest.mark.parametrize("names", [None, []])
async def test_observe__container_has_lost_its_name__the_others_are_seen(
    tmp_path: Path, engine: Engine, names: list[str] | None
) -> None:
    engine.containers.insert(0, {**listed("odd"), "Names": names})

    async with opened(engine, tmp_path) as docker:
        seen = await docker.observe()

    assert [each.name for each in seen.containers] == ["web"]


async def test_observe__container_that_has_ended_cannot_be_looked_at__the_others_are_seen_and_it_stays_as_it_is(
    tmp_path: Path, engine: Engine
) -> None:
    engine.containers.insert(0, listed("odd", "exited"))
    engine.inspected["id-odd"] = "RWLayer of container id-odd is unexpectedly nil"

    async with opened(engine, tmp_path) as docker:
        seen = await docker.observe()

    assert [(each.name, each.state) for each in seen.containers] == [
        ("odd", ContainerState.OTHER),
        ("web", ContainerState.RUNNING),
    ]


async def test_observe__container_that_runs_cannot_be_looked_at_closely__is_what_the_list_says(
    tmp_path: Path, engine: Engine
) -> None:
    engine.inspected["id-web"] = "not now"

    async with opened(engine, tmp_path) as docker:
        (seen,) = (await docker.observe(LEASE)).containers

    assert (seen.name, seen.state, seen.started_seconds) == ("web", ContainerState.RUNNING, 5)


@pytest.mark.parametrize(
    ("told", "state"), [((LEASE,), ContainerState.EXITED), ((OTHER_LEASE,), ContainerState.RUNNING)]
)
async def test_i18_observe__everything_as_a_death_is_told__is_as_the_container_itself_says(
    tmp_path: Path, engine: Engine, told: tuple[OrderId, ...], state: ContainerState
) -> None:
    engine.containers = [{**listed("web"), "Labels": {**LABELS, LEASE_LABEL: LEASE.hex()}}]
    ended = {"Status": "exited", "ExitCode": 137, "OOMKilled": False}
    times = {"StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "2026-01-01T00:00:01Z"}
    engine.inspected["id-web"] = {"State": ended | times}

    async with opened(engine, tmp_path) as docker:
        (seen,) = (await docker.observe(told=told)).containers

    assert seen.state is state


async def test_observe__engine_goes_away_at_the_last_container__nothing_is_known(
    tmp_path: Path, engine: Engine
) -> None:
    engine.containers.append(listed("odd", "exited"))
    engine.goes_away_at = "containers/id-odd/json"

    async with opened(engine, tmp_path) as docker:
        with pytest.raises(EngineUnavailable):
            await docker.observe()


@pytest.mark.parametrize("subnets", [(), ("fd00::/64",)])
async def test_observe__network_has_no_subnet__the_others_are_seen(
    tmp_path: Path, engine: Engine, subnets: tuple[str, ...]
) -> None:
    engine.networks.insert(0, network("mn-a", *subnets))

    async with opened(engine, tmp_path) as docker:
        seen = await docker.observe()

    assert [each.name for each in seen.networks] == ["mn-web"]


async def test_ensure_network__one_of_its_name_has_no_subnet__is_made_anew(tmp_path: Path, engine: Engine) -> None:
    engine.networks.append(network("mn-a"))

    async with opened(engine, tmp_path) as docker:
        await docker.ensure_network(SPEC)

    assert ("DELETE", "networks/id-mn-a") in engine.asked
    assert [each["Name"] for each in engine.created] == ["mn-a"]


async def test_ensure_network__one_of_its_name_has_a_subnet__stays(tmp_path: Path, engine: Engine) -> None:
    engine.networks.append(network("mn-a", "10.224.0.16/28"))

    async with opened(engine, tmp_path) as docker:
        await docker.ensure_network(SPEC)

    assert engine.asked == [("GET", "networks/mn-a")]


@pytest.mark.parametrize("subnet", ["0.0.0.0/0", "fd00::/64", ""])
async def test_ensure_network__somebody_elses_is_odd__takes_a_free_subnet(
    tmp_path: Path, engine: Engine, subnet: str
) -> None:
    engine.networks.append({**network("other", subnet), "Labels": None})

    async with opened(engine, tmp_path) as docker:
        await docker.ensure_network(SPEC)

    assert [each["IPAM"]["Config"] for each in engine.created] == [[{"Subnet": "10.224.0.16/28"}]]


async def test_ensure_network__pool_is_somebody_elses__is_refused(tmp_path: Path, engine: Engine) -> None:
    engine.networks.append(network("other", "10.0.0.0/8"))

    async with opened(engine, tmp_path) as docker:
        with pytest.raises(EngineRefused, match="no free addresses"):
            await docker.ensure_network(SPEC)


def test_i05_usage__container_is_being_removed__the_others_are_measured() -> None:
    odd: Json = {"Names": None, "SizeRw": None, "Mounts": [{"Type": "volume"}]}
    nameless: Json = {"Name": "f00", "Labels": None, "UsageData": None}

    usage = usage_of({"Containers": [odd, {"Names": ["/web"], "SizeRw": 20, "Mounts": None}], "Volumes": [nameless]})

    assert (usage.layers, usage.volumes) == ({"web": 20}, {"f00": 0})


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("exited", ContainerState.EXITED, 137),
        ("dead", ContainerState.EXITED, 137),
        ("removing", ContainerState.OTHER, None),
        ("paused", ContainerState.OTHER, None),
    ],
)
async def test_observe__container_does_not_run__is_told_with_how_it_ended(
    tmp_path: Path, engine: Engine, status: str, state: ContainerState, code: int | None
) -> None:
    times = {"StartedAt": "2026-01-01T00:00:00.5Z", "FinishedAt": "2026-01-01T00:00:09.5Z"}
    engine.containers = [listed("web", status)]
    engine.inspected["id-web"] = {"State": {"Status": status, "ExitCode": 137, "OOMKilled": True, **times}}

    async with opened(engine, tmp_path) as docker:
        (seen,) = (await docker.observe()).containers

    assert (seen.state, seen.exit_code, seen.is_out_of_memory) == (state, code, code is not None)
    assert seen.finished_seconds - seen.started_seconds == (9 if code is not None else 0)
