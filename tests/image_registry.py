"""A registry on loopback that can be good, private, or hostile (OCI distribution API 1.1)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import tarfile
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass
class ImageRegistry:
    """What is served, and what was asked. Everything may be changed at any time."""

    authority: str = ""
    tags: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Tag or digest -> media type and manifest."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    """Digest of a blob -> where it is said to be."""
    login: tuple[str, str] | None = None
    """User and password; None: everybody may pull."""
    realm: str | None = None
    """Where a token is said to be given; None: here."""
    status: int | None = None
    """What everything is answered with; None: what was asked for."""
    asked: list[str] = field(default_factory=list)
    """Paths in order."""
    authorizations: list[str] = field(default_factory=list)
    """What was shown, of those who showed something."""

    def name(self, tag: str = "1") -> str:
        return f"{self.authority}/team/app:{tag}"

    def put(self, tag: str, contents: list[bytes], **changes: Any) -> str:
        """Serve an image of layers with these contents under a tag; returns the id that an engine gives it."""
        packed = [gzip.compress(layer, 1) for layer in contents]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"mark": secrets.token_hex(8)}},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in contents]},
            }
        ).encode()
        self.blobs.update({digest_of(blob): blob for blob in (config, *packed)})
        described = [descriptor(LAYER_TYPE, blob) for blob in packed]
        manifest = {"schemaVersion": 2, "config": descriptor(CONFIG_TYPE, config), "layers": described, **changes}
        self.put_manifest(tag, MANIFEST_TYPE, manifest)
        return digest_of(config)

    def put_manifest(self, tag: str, kind: str, manifest: object) -> str:
        body = json.dumps(manifest).encode()
        self.tags[tag] = self.tags[digest_of(body)] = (kind, body)
        return digest_of(body)

    def put_index(self, tag: str, *choices: tuple[str, str]) -> None:
        """Serve a list of images: architecture and the tag of each."""
        entries = [
            {**descriptor(*self.tags[of]), "platform": {"os": "linux", "architecture": architecture}}
            for architecture, of in choices
        ]
        self.put_manifest(tag, INDEX_TYPE, {"schemaVersion": 2, "manifests": entries})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(path)
        shown = request.headers.get("Authorization")
        if shown is not None:
            self.authorizations.append(shown)
        if self.status is not None:
            return web.Response(status=self.status)
        if path == "/token":
            return self._token(request, shown)
        if self.login is not None and shown != "Bearer good":
            realm = self.realm or f"http://{self.authority}/token"
            challenge = f'Bearer realm="{realm}",service="tests",scope="repository:team/app:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        reference = path.rpartition("/")[2]
        if "/manifests/" in path and reference in self.tags:
            kind, body = self.tags[reference]
            return web.Response(body=body, content_type=kind)
        if "/blobs/" in path and reference in self.redirects:
            return web.Response(status=307, headers={"Location": self.redirects[reference]})
        if "/blobs/" in path and reference in self.blobs:
            return web.Response(body=self.blobs[reference])
        return web.json_response({"errors": [{"code": "UNKNOWN"}]}, status=404)

    def _token(self, request: web.Request, shown: str | None) -> web.Response:
        good = "Basic " + b64encode(":".join(self.login or ("", "")).encode()).decode()
        if shown != good or request.query.get("scope") != "repository:team/app:pull":
            return web.Response(status=401)
        return web.json_response({"token": "good"})


@asynccontextmanager
async def image_registry() -> AsyncIterator[ImageRegistry]:
    """Serve on a free port of loopback while the block runs."""
    registry = ImageRegistry()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", registry.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        registry.authority = f"127.0.0.1:{runner.addresses[0][1]}"
        yield registry
    finally:
        await runner.cleanup()


def descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": digest_of(blob)}


def digest_of(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def layer_of(files: dict[str, bytes]) -> bytes:
    """Return a tar of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def sparse_layer(size: int) -> bytes:
    """Return a tar of a few KB with a file that is so large when it is unpacked (GNU's sparse format 1.0 in PAX)."""
    places = f"1\n{size}\n0\n".encode().ljust(512, b"\0")
    entry = tarfile.TarInfo("GNUSparseFile.0/large")
    entry.size = len(places)
    sparse = {"major": "1", "minor": "0", "name": "large", "realsize": str(size)}
    entry.pax_headers = {f"GNU.sparse.{key}": value for key, value in sparse.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(places))
    return buffer.getvalue()
