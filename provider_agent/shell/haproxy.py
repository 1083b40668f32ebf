"""Brings one HAProxy to what its configuration says: by a reload, or by its socket where that is enough.

What it runs is asked of itself. Connections that are still allowed go on; those that are not are cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from moorage.crash import crash_point
from provider_agent.core.gateway_config import DIRECTORY, GatewayConfig, lost_servers
from provider_agent.core.gateway_state import read_statistics
from provider_agent.shell.gateway_files import GatewayFiles
from provider_agent.shell.gateway_socket import GatewaySilent, GatewaySocket

ASK_EVERY_SECONDS = 0.02


class ConfigurationRefused(Exception):
    """It answers, and goes on with the configuration that it had."""


@dataclass(frozen=True, slots=True)
class Haproxy:
    files: GatewayFiles
    load_seconds: float
    """How long it may take to run what it was given."""

    @property
    def socket(self) -> GatewaySocket:
        return GatewaySocket(self.files.sockets)

    async def tune(self, config: GatewayConfig, known: GatewayConfig | None) -> bool:
        """Have it run a configuration, and return whether that took a reload.

        Args:
            known: what it was found to run, None: it is not known.

        Raises:
            GatewaySilent, ConfigurationRefused, OSError
        """
        runs = await self._digest()
        before = GatewayConfig(await asyncio.to_thread(self.files.current))
        await self._close(lost_servers(before, config))
        crash_point("gateway-closed")
        await asyncio.to_thread(self.files.use, config.files)
        crash_point("gateway-written")
        if runs != config.digest:
            await self._reload(config, before)
            crash_point("gateway-reloaded")
            await self._cut_old(config)
        else:
            await self._exchange(config, known.credentials if known is not None else {})
            if known is None:  # an agent before this one may have been killed before it cut, or after it closed
                await self._cut_old(config)
                await self._open(config)
        crash_point("gateway-tuned")
        await asyncio.to_thread(self.files.tidy)
        return runs != config.digest

    async def _close(self, lost: Collection[tuple[str, str]]) -> None:
        """End connections before the files change: they tell what is lost, also to the next agent."""
        for section, server in lost:
            await self.socket.close_server(section, server)
        if lost:
            await self._cut(await self.socket.workers(), lambda each: each in lost)

    async def _open(self, config: GatewayConfig) -> None:
        """Open what was closed and is allowed after all. A configuration that is loaded opens everything itself."""
        for place, row in read_statistics(await self.socket.statistics()).items():
            if row["status"].startswith("MAINT") and place in config.servers:  # also: because one that it tracks is
                await self.socket.open_server(*place)

    async def _reload(self, config: GatewayConfig, before: GatewayConfig) -> None:
        await self.socket.reload()
        try:
            await self._digest(config.digest)
        except (GatewaySilent, ConfigurationRefused):
            if before.files:  # so that it can start with this one, too
                await asyncio.to_thread(self.files.use, before.files)
            raise

    async def _exchange(self, config: GatewayConfig, known: dict[str, bytes]) -> None:
        """Give a worker the certificates that it may not have."""
        for name, content in config.credentials.items():
            if known.get(name) != content:
                await self.socket.replace("cert", f"{DIRECTORY}/{name}", content)

    async def _cut_old(self, config: GatewayConfig) -> None:
        """End what the workers of earlier configurations still carry and this one does not allow."""
        allowed = config.servers.keys()
        await self._cut(await self.socket.workers(old_only=True), lambda each: each not in allowed)

    async def _cut(self, workers: Collection[str], is_over: Callable[[tuple[str, str]], bool]) -> None:
        for worker in workers:
            for session in await self.socket.sessions(worker):
                if session.server and is_over((session.section, session.server)):
                    await self.socket.cut(worker, session)

    async def _digest(self, wanted: str | None = None) -> str:
        """Return what it says that it runs, as soon as it says so; with `wanted`: as soon as it is that."""
        deadline = asyncio.get_running_loop().time() + self.load_seconds
        while True:
            fault: GatewaySilent | ConfigurationRefused
            try:
                digest = await self.socket.digest()
                if wanted in (None, digest):
                    return digest
                fault = ConfigurationRefused("the gateway did not take its configuration")
            except GatewaySilent as error:
                fault = error
            if asyncio.get_running_loop().time() > deadline:
                raise fault
            await asyncio.sleep(ASK_EVERY_SECONDS)
