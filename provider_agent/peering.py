"""An agent's dealings with other agents, built of their parts: who they are, what they may ask, and manifests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from moorage import pki
from moorage.chain.contracts import Registry
from moorage.chain.rpc import Rpc
from moorage.snapshot import Snapshot
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import Participant, TunnelEnd
from provider_agent.shell.manifest_intake import ManifestIntake
from provider_agent.shell.manifest_keeper import ManifestKeeper
from provider_agent.shell.manifest_pull import ManifestPeers
from provider_agent.shell.manifest_store import ManifestStore
from provider_agent.shell.overlay import Overlay
from provider_agent.shell.peer_access import PeerGate
from provider_agent.shell.peer_answers import PeerAnswers
from provider_agent.shell.peer_client import PeerClient
from provider_agent.shell.peer_roots import PeerRoots
from provider_agent.shell.peer_service import PeerService
from provider_agent.shell.tunnel_keys import TunnelKeys
from provider_agent.upkeep import Certificates

AGAIN_SECONDS = 5.0
"""Until what has failed begins again."""

log = structlog.get_logger(__name__)


class Peering:
    """What an agent knows of other agents and gives them. Feed it every snapshot."""

    def __init__(
        self,
        provider: ProviderNumber,
        exchange: Address,
        rpc: Rpc,
        registry: Registry,
        store: ManifestStore,
        images: ImagePolicy,
        certificates: Certificates,
        answers: PeerAnswers,
        address: Callable[[OrderId, Participant], tuple[str, int] | None],
        on_manifest: Callable[[OrderId], None],
        on_tunnels: Callable[[OrderId, tuple[TunnelEnd, ...]], None],
    ) -> None:
        """
        Args:
            certificates: the server's learns whose clients' certificates count.
            answers: keeps what other agents say of their ends of tunnels.
            address: returns the numeric address where the gateway of a lease of ours takes tunnels of another lease.
            on_manifest: is called with each lease whose manifest has come, from its tenant or from another agent.
            on_tunnels: is called with each lease whose tunnels have changed.
        """
        self.directory = PeerDirectory(provider)
        self.roots = PeerRoots(rpc, registry, exchange, self.directory.providers, self._roots_changed)
        self.client = PeerClient(exchange, lambda: certificates.client.path)
        self.intake = ManifestIntake(store, self._accepted, images)
        self.manifests = ManifestKeeper(self.directory, store, self.intake, ManifestPeers(self.roots, self.client))
        self.overlay = Overlay(
            provider,
            exchange,
            self.directory,
            self.roots,
            self.client,
            TunnelKeys(lambda: certificates.issuer(), _now),
            lambda: (pki.der_of(certificates.authority.root),),
            address,
            answers,
            lambda lease: self._tell_tunnels(lease),
            _now,
        )
        gate = PeerGate(provider, exchange, self.directory)
        self.service = PeerService(gate, store, self.overlay.workloads_for)
        self._certificates = certificates
        self._on_manifest = on_manifest
        self._on_tunnels = on_tunnels

    def take(self, snapshot: Snapshot) -> None:
        """Take in a new snapshot; every one has to come here, as each tells only what it has touched."""
        if self.directory.take(snapshot):
            self.roots.wake()
            self.overlay.wake()
        self.manifests.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep roots, manifests and tunnels up to date until `stop` is set."""
        async with asyncio.TaskGroup() as tasks:
            for each in (self.roots, self.manifests, self.overlay):
                tasks.create_task(_keep_running(each.run, stop))
            await stop.wait()
            # both wait for news for up to half a minute
            self.manifests.wake()
            self.overlay.wake()

    def _roots_changed(self) -> None:
        self._certificates.server.trust(self.roots.all())
        self.overlay.wake()

    def _tell_tunnels(self, lease: OrderId) -> None:
        ends = self.overlay.ends(lease)
        if ends is not None:
            self._on_tunnels(lease, ends)

    def _accepted(self, lease: OrderId) -> None:
        self.manifests.wake()
        self._on_manifest(lease)


async def _keep_running(run: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Begin again what ends by a fault before `stop` is set: it must not end the agent, which confirms leases."""
    while not stop.is_set():
        try:
            await run(stop)
        except Exception:
            log.exception("dealings with other agents have failed, and begin again")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
