"""Agents of several providers that keep the tunnels of one deployment, without a chain, an engine or a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moorage import pki
from moorage.agent_client import Agent
from moorage.leased_workload import workloads_path
from moorage.manifest import Manifest
from moorage.snapshot import Touched
from moorage.types import Lease, Order, OrderId, ProviderNumber
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import TunnelEnd, edges_of
from provider_agent.shell.overlay import Overlay
from provider_agent.shell.peer_answers import PeerAnswers
from provider_agent.shell.peer_client import PeerError
from provider_agent.shell.tunnel_keys import TunnelKeys
from tests.factories.workloads import IDENTITY
from tests.markets import make_group, make_lease, make_order, make_snapshot

EXCHANGE = IDENTITY.exchange
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Site:
    """One provider with one lease."""

    world: OverlayWorld
    number: ProviderNumber
    order: Order
    directory_path: Path
    told: list[OrderId] = field(default_factory=list)
    address: tuple[str, int] | None = None
    near: tuple[str, int] | None = ("10.224.0.2", 31_000)
    """For its own provider's leases."""
    answers: dict[OrderId, Callable[[bytes | None], bytes | None]] = field(default_factory=dict)
    """What it says of our lease in place of the truth, by whom it is asked for."""
    is_silent: bool = False

    def __post_init__(self) -> None:
        self.address = (f"203.0.113.{self.number}", 31_000 + self.number)
        self.new_root()
        self.roots = (self.root.der,)
        self.restart()

    def new_root(self) -> None:
        self.root = pki.create_root(self.number, EXCHANGE, self.world.now)
        self.issuer = pki.create_intermediate(self.root, self.world.now)

    @property
    def lease(self) -> OrderId:
        return self.order.id

    @property
    def ends(self) -> tuple[TunnelEnd, ...] | None:
        return self.overlay.ends(self.lease)

    @property
    def faults(self) -> dict[tuple[str, int, str], str | None]:
        """Why each tunnel is not up, by server, port and consumer."""
        states = self.overlay.states(self.lease)
        return {(each.tunnel.server, each.tunnel.port, each.tunnel.consumer): each.fault for each in states}

    def restart(self) -> None:
        """Begin with nothing but what is on the disk."""
        self.directory = PeerDirectory(self.number)
        self.keys = TunnelKeys(lambda: self.issuer, lambda: self.world.now)
        self.overlay = Overlay(
            self.number,
            EXCHANGE,
            self.directory,
            self.world,
            _Client(self),  # type: ignore[arg-type]
            self.keys,
            lambda: self.roots,
            lambda lease, peer: self.near if peer.provider == self.number else self.address,
            PeerAnswers(self.directory_path),
            self.told.append,
            lambda: self.world.now,
        )

    async def take(self, document: Manifest) -> None:
        """Take in the newest snapshot and the manifest, as an agent's loop does."""
        self.directory.take(self.world.snapshot())
        self.overlay.want(self.lease, edges_of(document, self.order.group.name))
        await self.overlay.look()

    async def ask(self, peer: Site) -> float:
        """Ask another agent once; return after how many seconds it would be asked again."""
        return await self.overlay._ask((self.lease, peer.lease))


@dataclass
class _Client:
    asking: Site

    async def get(self, peer: Agent, path: str, limits: Any) -> bytes:
        world = self.asking.world
        site = next(each for each in world.sites if each.number == peer.provider)
        if site.is_silent:
            raise PeerError("no answer in time")
        assert path == workloads_path(site.lease, self.asking.lease)
        truth = site.overlay.workloads_for(site.lease, self.asking.lease)
        answer = site.answers.get(self.asking.lease, lambda body: body)(truth)
        if answer is None:
            raise PeerError("it answers 503")
        assert len(answer) <= limits.max_bytes
        return answer


@dataclass
class OverlayWorld:
    """Stands in for the chain too: who has a lease, and which roots count."""

    path: Path
    now: datetime = START
    sites: list[Site] = field(default_factory=list)
    unread: set[ProviderNumber] = field(default_factory=set)
    """Providers that no node has told about yet."""
    gone: set[OrderId] = field(default_factory=set)

    def site(self, number: int, group: str) -> Site:
        order = make_order(number, group=make_group(name=group))
        self.sites.append(Site(self, ProviderNumber(number), order, self.path / str(number)))
        return self.sites[-1]

    def snapshot(self) -> Any:
        leases: Iterable[tuple[Order, Lease]] = [
            (each.order, make_lease(each.order, provider=each.number))
            for each in self.sites
            if each.lease not in self.gone
        ]
        found = make_snapshot(leases=leases)
        assert found.touched is None or isinstance(found.touched, Touched)
        return replace(found, touched=None)

    def find(self, provider: ProviderNumber) -> Agent | None:
        site = next(each for each in self.sites if each.number == provider)
        return None if provider in self.unread else Agent(provider, "https://198.51.100.1:8443", site.roots)

    def problem(self, provider: ProviderNumber) -> str | None:
        return None

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    async def settle(self, document: Manifest) -> None:
        """Let everybody take everything in and ask everybody else, twice."""
        for _ in range(2):
            for site in self.sites:
                await site.take(document)
            for site in self.sites:
                for other in self.sites:
                    if other is not site:
                        await site.ask(other)
