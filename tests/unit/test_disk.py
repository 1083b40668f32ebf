"""Who uses more disk than was leased, and when sizes are measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from moorage.manifest import Compute
from provider_agent.core.disk import DiskUsage, is_measuring_due, overuses
from provider_agent.core.updates import name_beside
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.disk_usage import DiskLimits, measure, try_limits, usage_of
from provider_agent.shell.engine import EngineRefused, EngineUnavailable
from tests.factories.workloads import LEASE, lease_of, workload
from tests.fakes.docker_socket import docker_socket, refusal

MEGABYTE = 1_000_000
COMPUTE = Compute(milli_cpu=250, memory_bytes=64 << 20, disk_bytes=100 * MEGABYTE)


def one(**storage: int) -> DesiredLease:
    """Return a lease of one workload with 100 MB of disk, of which volumes take some."""
    return lease_of(workload("web", compute=COMPUTE, storage={f"/{name}": size for name, size in storage.items()}))


def test_i05_overuses__within_what_was_leased__none() -> None:
    lease = one(data=40 * MEGABYTE)
    (spec,) = lease.containers
    usage = DiskUsage({spec.name: 60 * MEGABYTE}, {spec.mounts[0].volume: 40 * MEGABYTE})

    assert (spec.layer_bytes, spec.mounts[0].size_bytes) == (60 * MEGABYTE, 40 * MEGABYTE)
    assert overuses([lease], usage) == ()


def test_i05_overuses__files_beside_the_volumes__are_told_with_what_was_leased() -> None:
    lease = one(data=40 * MEGABYTE)
    spec = lease.containers[0]

    (found,) = overuses([lease], DiskUsage({spec.name: 150 * MEGABYTE + 1}, {}))

    assert (found.lease, found.container) == (LEASE, spec.name)
    assert found.reason == "stopped: its files took 151 MB of disk, 60 MB are leased"
    assert found.excess_bytes == 90 * MEGABYTE + 1


def test_i05_overuses__volume__counts_by_itself() -> None:
    lease = one(data=40 * MEGABYTE)
    spec = lease.containers[0]

    (found,) = overuses([lease], DiskUsage({}, {spec.mounts[0].volume: 50 * MEGABYTE}))

    assert found.reason == "stopped: /data took 50 MB of disk, 40 MB are leased"


def test_i05_overuses__several__the_worst_comes_first_and_each_once() -> None:
    lease = lease_of(workload("web", compute=COMPUTE, count=2, storage={"/data": MEGABYTE}))
    first, second = lease.containers
    usage = DiskUsage(
        {first.name: 110 * MEGABYTE, second.name: 300 * MEGABYTE}, {second.mounts[0].volume: 20 * MEGABYTE}
    )

    assert [each.container for each in overuses([lease], usage)] == [second.name, first.name]


def test_i05_overuses__no_disk_at_all__has_room_for_mount_points() -> None:
    lease = lease_of(workload("web", compute=Compute(milli_cpu=1, memory_bytes=1, disk_bytes=0)))
    name = lease.containers[0].name

    assert overuses([lease], DiskUsage({name: 4096}, {})) == ()
    assert len(overuses([lease], DiskUsage({name: 2 * MEGABYTE}, {}))) == 1


def test_i05_overuses__new_version_that_is_tried__counts_like_the_one_before() -> None:
    lease = one()
    beside = name_beside(lease.containers[0])

    (found,) = overuses([lease], DiskUsage({beside: 150 * MEGABYTE}, {}))

    assert found.container == beside


def test_i05_usage__volumes_that_only_the_image_asks_for__are_part_of_the_container() -> None:
    volumes: list[dict[str, Any]] = [
        {"Name": "ours", "Labels": {"moorage.lease": "ab"}, "UsageData": {"Size": 5}},
        {"Name": "f00", "Labels": None, "UsageData": {"Size": 700}},
        {"Name": "other", "Labels": None, "UsageData": {"Size": -1}},
    ]
    mounts = [{"Type": "volume", "Name": each["Name"]} for each in volumes] + [{"Type": "bind", "Source": "/x"}]

    found = usage_of({"Containers": [{"Names": ["/web"], "SizeRw": 20, "Mounts": mounts}], "Volumes": volumes})

    assert found.layers == {"web": 720}
    assert found.volumes["ours"] == 5


def test_i05_overuses__others_on_the_same_engine__are_no_business_of_ours() -> None:
    assert overuses([one()], DiskUsage({"other": 10**12}, {"other": 10**12})) == ()


GIGABYTE = 1_000 * MEGABYTE


@pytest.mark.parametrize(
    ("since", "measuring", "free", "before", "is_due"),
    [
        (29.9, 0.1, 50 * GIGABYTE, 50 * GIGABYTE, False),
        (30.0, 0.1, 50 * GIGABYTE, 50 * GIGABYTE, True),
        (2.0, 0.1, 49 * GIGABYTE, 50 * GIGABYTE, True),
        (1.9, 0.1, 49 * GIGABYTE, 50 * GIGABYTE, False),
        (2.0, 0.1, 50 * GIGABYTE, 49 * GIGABYTE, False),
        (2.0, 0.1, GIGABYTE, GIGABYTE, True),
        (39.0, 2.0, GIGABYTE, 50 * GIGABYTE, False),
        (40.0, 2.0, GIGABYTE, 50 * GIGABYTE, True),
        (float("inf"), 0.0, 50 * GIGABYTE, 0, True),
    ],
)
def test_is_measuring_due__time_and_free_space__decide(
    since: float, measuring: float, free: int, before: int, is_due: bool
) -> None:
    assert is_measuring_due(since, measuring, free, before, floor_bytes=5 * GIGABYTE) is is_due


def test_layer__of_a_workload__is_its_disk_without_its_volumes_and_part_of_the_digest() -> None:
    spec = one(data=40 * MEGABYTE).containers[0]

    assert replace(spec, layer_bytes=1).digest != spec.digest


@pytest.mark.parametrize(("words", "asked"), [("a disk usage operation is already running", 2), ("not today", 1)])
async def test_i05_measure__engine_measures_for_somebody_else__is_asked_again(
    tmp_path: Path, words: str, asked: int
) -> None:
    requests: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request.path)
        found = {"Containers": [{"Names": ["/web"], "SizeRw": 7}], "Volumes": None}
        return refusal(words) if len(requests) == 1 else web.json_response(found)

    async with docker_socket(tmp_path / "s", answer) as url:
        if asked == 1:
            with pytest.raises(EngineRefused, match=words):
                await measure(url)
        else:
            assert await measure(url) == DiskUsage({"web": 7}, {})

    assert len(requests) == asked


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_i05_try_limits__engine_goes_away_meanwhile__nothing_is_concluded(tmp_path: Path, method: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.method == method:
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"Id": "a", "Warnings": []}, status=201)

    async with docker_socket(tmp_path / "s", answer) as url:
        with pytest.raises(EngineUnavailable):
            await try_limits(url, "image:1")


@pytest.mark.parametrize(
    ("method", "limits"),
    [
        ("POST", DiskLimits(False, False, "no quota support")),
        ("PUT", DiskLimits(True, True)),
        ("", DiskLimits(False, False, "the engine takes a limit and does not keep to it")),
    ],
)
async def test_i05_try_limits__engine_refuses_the_limit_or_what_is_beyond_or_nothing__is_told(
    tmp_path: Path, method: str, limits: DiskLimits
) -> None:
    removed: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            removed.append(request.path)
        if request.method == method:
            return refusal("no quota support")
        return web.json_response({"Id": "a", "Warnings": []}, status=201)

    async with docker_socket(tmp_path / "s", answer) as url:
        assert await try_limits(url, "image:1") == limits

    assert len(removed) == (0 if method == "POST" else 4)
