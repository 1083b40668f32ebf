"""Keeps the provider's edge: one proxy on the ports for http and https, on the network of every lease it leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from provider_agent.core.edge import (
    DIRECTORY,
    Route,
    edge_container,
    edge_network,
    owners_of,
    render_edge,
    without_rivals,
)
from provider_agent.core.gateway_config import GatewayConfig
from provider_agent.core.gateway_container import EdgeSite, GatewaySite
from provider_agent.core.lease_names import Identity
from provider_agent.shell.engine import Engine, EngineError
from provider_agent.shell.gateway_files import GatewayFiles
from provider_agent.shell.gateway_socket import GatewaySilent
from provider_agent.shell.haproxy import ConfigurationRefused, Haproxy

LOOK_SECONDS = 2.0
VERIFY_SECONDS = 30.0
"""What is as it was is looked at again after so long."""
LOAD_SECONDS = 10.0

log = structlog.get_logger(__name__)


class EdgeKeeper:
    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        site: GatewaySite,
        edge: EdgeSite,
        owner: tuple[int, int] | None,
        routes: Callable[[], tuple[Route, ...] | None],
    ) -> None:
        """
        Args:
            owner: user and group of the proxy, if they are not the agent's.
            routes: tells what the edge has to lead to, by what was last seen; None: it is not known yet, so that it
                goes on as it is.
        """
        self._engine = engine
        self._identity = identity
        self._site = site
        self._edge = edge
        self._routes = routes
        self._proxy = Haproxy(GatewayFiles(Path(site.directory) / DIRECTORY, owner), LOAD_SECONDS)
        self._done: tuple[Route, ...] | None = None
        self._running: GatewayConfig | None = None
        self.fault: str | None = None
        """Why it is not as it should be."""

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it until `stop` is set."""
        verified = 0.0
        while not stop.is_set():
            now = asyncio.get_running_loop().time()
            routes = self._routes()
            if routes is not None:
                routes = tuple(sorted(routes, key=lambda route: (route.name, route.network)))
                if routes != self._done or now - verified > VERIFY_SECONDS:
                    verified = now
                    await self._try(routes)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def keep(self, routes: tuple[Route, ...]) -> None:
        """Bring it to where it leads to these and nowhere else.

        Raises:
            ConfigurationRefused, EngineError, GatewaySilent, OSError
        """
        before = GatewayConfig(await asyncio.to_thread(self._proxy.files.current))
        routes = without_rivals(routes, owners_of(before))
        config = render_edge(routes)
        spec = edge_container(self._identity, self._site, self._edge, routes)
        if not await self._engine.has_image(spec.image):
            raise EngineError(f"the image {spec.image} is missing")
        await self._engine.ensure_network(edge_network(self._identity))
        if not before.files:
            await asyncio.to_thread(self._proxy.files.use, config.files)
        await self._engine.ensure_container(spec)
        known, self._running = self._running, None
        if await self._proxy.tune(config, known):
            log.info("edge tuned", routes=len(routes))
        self._running = config

    async def _try(self, routes: tuple[Route, ...]) -> None:
        try:
            await self.keep(routes)
        except (ConfigurationRefused, EngineError, GatewaySilent, OSError) as error:
            if str(error) != self.fault:
                log.warning("edge not as it should be", reason=str(error))
            self.fault, self._done = str(error), None
        except Exception as error:  # whatever it is, leases without an edge go on
            log.exception("edge not looked after")
            self.fault, self._done = f"{type(error).__name__}: {error}", None
        else:
            self.fault, self._done = None, routes
