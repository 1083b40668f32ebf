"""What the demo does to the Docker engine itself: cut a provider's power, and look whether anything is left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from moorage.types import ProviderNumber

DEFAULT = "unix:///var/run/docker.sock"
KINDS = ("containers", "networks", "volumes")


class Engine:
    """The objects of one chain's providers, by their labels."""

    def __init__(self, chain_id: int, url: str | None = None) -> None:
        self._chain_id = chain_id
        self.url = url or os.environ.get("DOCKER_HOST") or DEFAULT

    async def remove(self, provider: ProviderNumber | None = None) -> int:
        """Remove what a provider has, as if its machine were gone; all providers' if none is named.

        Returns:
            How many containers that were.
        """
        removed = 0
        async with self._session() as session:
            for kind in KINDS:
                for name in await self._names(session, kind, provider):
                    removed += kind == "containers"
                    force = {"force": "true", "v": "true"} if kind == "containers" else {}
                    async with session.delete(self._path(f"{kind}/{name}"), params=force):
                        pass
        return removed

    async def left(self) -> list[str]:
        """Return whatever any provider of this chain has on the engine."""
        async with self._session() as session:
            return [f"{kind}/{name}" for kind in KINDS for name in await self._names(session, kind, None)]

    async def inspect(self) -> list[dict[str, Any]]:
        """Return what the engine knows of each container of this chain that runs (Docker Engine API 1.41)."""
        async with self._session() as session:
            found = []
            for name in await self._names(session, "containers", None):
                async with session.get(self._path(f"containers/{name}/json")) as response:
                    if response.status == 200 and (details := await response.json())["State"]["Running"]:
                        found.append(details)
            return found

    async def _names(self, session: aiohttp.ClientSession, kind: str, provider: ProviderNumber | None) -> list[str]:
        labels = [f"moorage.chain={self._chain_id}"]
        if provider is not None:
            labels.append(f"moorage.provider={provider}")
        parameters = {"filters": json.dumps({"label": labels})} | ({"all": "true"} if kind == "containers" else {})
        path = self._path("containers/json" if kind == "containers" else kind)
        async with session.get(path, params=parameters) as response:
            response.raise_for_status()
            found: Any = await response.json()
        if kind == "volumes":
            return [volume["Name"] for volume in found["Volumes"] or ()]
        return [entry["Id"] for entry in found]

    def _session(self) -> aiohttp.ClientSession:
        url = URL(self.url)
        if url.scheme == "unix":
            return aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(Path(url.path))))
        return aiohttp.ClientSession()

    def _path(self, path: str) -> str:
        url = URL(self.url)
        base = "http://docker" if url.scheme == "unix" else f"http://{url.host}:{url.port or 2375}"
        return f"{base}/v1.41/{path}"
