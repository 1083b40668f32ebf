"""A registry on loopback that has one image and gives its layer only when it may (OCI distribution API 1.1)."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiodocker
from aiohttp import web

from tests.docker_world import IMAGE

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class SlowRegistry:
    image: str
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody waits for the layer."""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def slow_registry(docker: aiodocker.Docker) -> AsyncIterator[SlowRegistry]:
    """Serve the tests' image under a name of its own."""
    name = f"slow-{secrets.token_hex(4)}"
    layer = await _layer(docker)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer))]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": LAYER_TYPE, "size": len(layer), "digest": _digest(layer)}],
        }
    ).encode()
    registry = SlowRegistry("")

    async def answer(request: web.Request) -> web.Response:
        path = request.path
        if path == "/v2/":
            return web.json_response({})
        if "/manifests/" in path:
            return web.Response(
                body=manifest, content_type=MANIFEST_TYPE, headers={"Docker-Content-Digest": _digest(manifest)}
            )
        if path.endswith(_digest(config)):
            return web.Response(body=config)
        if path.endswith(_digest(layer)):
            registry.is_asked.set()
            await registry.may_answer.wait()
            return web.Response(body=layer)
        return web.Response(status=404)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        registry.image = f"127.0.0.1:{runner.addresses[0][1]}/{name}:1"
        yield registry
    finally:
        registry.may_answer.set()
        await runner.cleanup()
        with suppress(aiodocker.DockerError):
            await docker.images.delete(_digest(config), force=True)


async def _layer(docker: aiodocker.Docker) -> bytes:
    """Return the file system of the tests' image, with a file that makes it another one, compressed."""
    container = await docker.containers.create({"Image": IMAGE, "Cmd": ["/bin/sh"]})
    try:
        async with docker._query(f"containers/{container.id}/export") as response:
            exported = await response.read()
    finally:
        await container.delete(force=True)
    buffer = io.BytesIO(exported)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        mark = secrets.token_bytes(16)
        entry = tarfile.TarInfo("mark")
        entry.size = len(mark)
        archive.addfile(entry, io.BytesIO(mark))
    return gzip.compress(buffer.getvalue(), compresslevel=1)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
