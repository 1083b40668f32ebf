"""Asking an engine what it is: over a socket on which a fake answers as the Docker Engine API does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from provider_agent.shell import engine_probe
from provider_agent.shell.engine import EngineUnavailable
from provider_agent.shell.engine_probe import probe
from tests.fakes.docker_socket import docker_socket

VERSION = {"Version": "20.10.24+dfsg1", "Components": [{"Name": "runc", "Version": "1.1.5+ds1"}]}
INFO = {"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]], "NCPU": 2, "MemTotal": 4 * 2**30}


@asynccontextmanager
async def engine(path: Path, status: int = 200, hangs: bool = False) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        if hangs:
            await asyncio.sleep(3_600)
        body = VERSION if request.path.endswith("/version") else INFO
        return web.json_response(body if status == 200 else {"message": "no"}, status=status)

    async with docker_socket(path, answer) as url:
        yield url


async def test_i02_probe__engine_answers__tells_versions_and_storage(tmp_path: Path) -> None:
    async with engine(tmp_path / "docker.sock") as url:
        facts = await probe(url)

    assert (facts.version, facts.runc, facts.storage_driver) == ("20.10.24+dfsg1", "1.1.5+ds1", "overlay2")
    assert (facts.backing_filesystem, facts.cpus, facts.memory_bytes) == ("extfs", 2, 4 * 2**30)


async def test_probe__engine_refuses_is_not_there_or_hangs__is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path / "docker.sock", status=500) as url:
        with pytest.raises(EngineUnavailable, match="no answer from the engine at unix://"):
            await probe(url)
    nowhere = f"unix://{tmp_path}/nowhere.sock"
    with pytest.raises(EngineUnavailable) as caught:
        await probe(nowhere)
    assert str(caught.value) == f"no answer from the engine at {nowhere}: No such file or directory"
    monkeypatch.setattr(engine_probe, "PROBE_SECONDS", 0.1)
    async with engine(tmp_path / "other.sock", hangs=True) as url:
        with pytest.raises(EngineUnavailable, match=r"in 0\.1 s"):
            await probe(url)
