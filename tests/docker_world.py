"""A real Docker engine for tests: a small image made from this machine's shell, and a registry that has nothing."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import re
import secrets
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiodocker
from aiohttp import web

from provider_agent.core.containers import Labels
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.core.ports import PortRange
from provider_agent.gateway_settings import gateway_owner
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.haproxy_gateways import HaproxyGateways
from provider_agent.shell.past_logs import PastLogs
from tests.engine_contract import LOOP

IMAGE = "moorage-test/shell:1"
PROGRAMS = ("/bin/sh", "/bin/sleep", "/bin/cat")
OPTIONS = DockerOptions(call_seconds=120, stop_seconds=1)
REMOVAL_SECONDS = 120
LOAD_SECONDS = 60.0
"""In which a gateway that runs on a busy machine has taken its configuration."""


GATEWAY_SCRIPT = Path(__file__).parents[1] / "deploy" / "gateway" / "build-image.sh"


def build_gateway_image(url: str) -> None:
    """Make the gateways' image, unless the engine has it; tests that run side by side wait for each other."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "DOCKER_HOST": url, "HOME": "/root"}
    with (Path(tempfile.gettempdir()) / "moorage-gateway-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([GATEWAY_SCRIPT], check=True, env=environment, stdout=subprocess.DEVNULL)


def gateways(directory: Path, ports: PortRange | None = None, load_seconds: float = LOAD_SECONDS) -> HaproxyGateways:
    """Return the gateways of an agent whose data is in a directory."""
    uid, gid = gateway_owner() or (os.getuid(), os.getgid())
    site = GatewaySite(str(directory / "gateways"), user=f"{uid}:{gid}", ports=ports or PortRange())
    return HaproxyGateways(site, gateway_owner(), load_seconds)


def engine_url() -> str | None:
    """Return the address of an engine that may be used, or None."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    path = url.removeprefix("unix://")
    return url if path == url or Path(path).is_socket() else None


@dataclass(slots=True)
class DockerWorld:
    engine: DockerEngine
    docker: aiodocker.Docker
    owner: Labels
    prefix: str
    image: str
    absent_image: str

    async def crash(self, name: str) -> None:
        container = self.docker.containers.container(name)
        async for line in container.log(stdout=True, follow=True):
            if line == "ready\n":
                break
        await container.kill(signal="SIGUSR1")
        await container.wait()

    async def add_foreign_container(self, name: str) -> None:
        labels = {"moorage.test": self.prefix, "moorage.provider": "8"}
        await self.docker.containers.create({"Image": self.image, "Cmd": list(LOOP), "Labels": labels}, name=name)

    async def has_container(self, name: str) -> bool:
        return f"/{name}" in [names for each in await self.docker.containers.list(all=True) for names in each["Names"]]

    async def output(self, name: str) -> str:
        """Return what a container writes until it ends."""
        container = self.docker.containers.container(name)
        await container.wait()
        return "".join(await container.log(stdout=True, stderr=True))


@asynccontextmanager
async def docker_world(url: str) -> AsyncIterator[DockerWorld]:
    """Open an engine under labels of a new test, and remove all that it leaves."""
    prefix = f"mt-{secrets.token_hex(4)}"
    owner: Labels = (("moorage.provider", "7"), ("moorage.test", prefix))
    async with AsyncExitStack() as stack:
        docker = await stack.enter_async_context(aiodocker.Docker(url=url))
        past = PastLogs(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        engine = await stack.enter_async_context(connected(url, owner, replace(OPTIONS, past=past)))
        port = await stack.enter_async_context(_empty_registry())
        await import_image(docker)
        stack.push_async_callback(_clean, docker, prefix)
        yield DockerWorld(engine, docker, owner, prefix, IMAGE, f"127.0.0.1:{port}/absent:1")


async def remove_all(docker: aiodocker.Docker, filters: dict[str, list[str]]) -> None:
    """Remove containers and networks; the engine may still be doing what somebody has asked for who was killed."""
    async with asyncio.timeout(REMOVAL_SECONDS):
        while found := [
            *(f"containers/{each.id}" for each in await docker.containers.list(all=True, filters=json.dumps(filters))),
            *(f"networks/{each['Id']}" for each in await docker.networks.list(filters=filters)),
        ]:
            for path in found:
                with suppress(aiodocker.DockerError):  # gone meanwhile, or in use until a container is gone
                    params = {"force": "true", "v": "true"} if path.startswith("containers") else None
                    await docker._query_json(path, "DELETE", params=params)
            await asyncio.sleep(0.1)


async def _clean(docker: aiodocker.Docker, prefix: str) -> None:
    filters = {"label": [f"moorage.test={prefix}"]}
    await remove_all(docker, filters)
    for volume in (await docker._query_json("volumes", params={"filters": json.dumps(filters)}))["Volumes"] or ():
        await docker._query_json(f"volumes/{volume['Name']}", "DELETE")


@asynccontextmanager
async def _empty_registry() -> AsyncIterator[int]:
    """Serve a registry (OCI distribution API 1.1) that knows no image; engines talk to loopback without TLS."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v2/":
            return web.json_response({})
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, status=404)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def import_image(docker: aiodocker.Docker) -> None:
    try:
        await docker.images.inspect(IMAGE)
    except aiodocker.DockerError:
        repository, tag = IMAGE.split(":")
        await docker._query_json(
            "images/create", "POST", params={"fromSrc": "-", "repo": repository, "tag": tag}, data=_root_file_system()
        )


def _root_file_system() -> bytes:
    """Return a tar of a few programs of this machine with the libraries that they load."""
    files = {Path(program) for program in PROGRAMS}
    for program in PROGRAMS:
        listing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        files |= {Path(found) for found in re.findall(r"(/\S+)", listing)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in sorted(files):
            archive.add(file.resolve(), arcname=str(file).lstrip("/"))
    return buffer.getvalue()
