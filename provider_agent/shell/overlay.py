"""Keeps the tunnels of our leases: asks the other agents of each deployment about theirs, and tells them about ours.

Everything is derived anew from the leases on chain, the manifests, the roots at a final block and what the peers say;
nothing is agreed, so that whoever restarts or comes later just asks. A peer that lies or is slow costs the tunnels
to its own lease.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from moorage import pki
from moorage.agent_client import Agent
from moorage.crash import crash_point
from moorage.leased_workload import MAX_ANSWER_BYTES, workloads_path
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import Edge, Participant, Tunnel, TunnelEnd, TunnelState, tunnels_of
from provider_agent.shell.peer_answers import Pair, PeerAnswers
from provider_agent.shell.peer_client import Limits, PeerClient, PeerError, PeerRefused
from provider_agent.shell.peer_link import PeerLink
from provider_agent.shell.peer_questions import PeerQuestions
from provider_agent.shell.tunnel_keys import TunnelKeys

BUSY_SECONDS = 2.0
"""Between questions to a peer as long as something is not up."""
IDLE_SECONDS = 30.0
"""Between questions otherwise; certificates of ours are renewed as often."""
SETTLING_SECONDS = 120.0
"""After a restart no tunnel is given up for so long because a peer's roots could not be read yet."""
ASKED_AT_ONCE = 2
"""Of one provider: a slow one holds nobody else up."""
ANSWER = Limits(MAX_ANSWER_BYTES, 10)
REFUSALS = {
    403: "its agent does not see our lease in the deployment yet",
    404: "its agent has no manifest yet",
    429: "its agent is asked too often",
    503: "its agent cannot read the chain at the moment",
}

log = structlog.get_logger(__name__)


class Agents(Protocol):
    """Who the other providers' agents are, see shell.peer_roots."""

    def find(self, provider: ProviderNumber) -> Agent | None: ...

    def problem(self, provider: ProviderNumber) -> str | None: ...


@dataclass(slots=True)
class _Lease:
    edges: tuple[Edge, ...]
    since_seconds: float
    links: dict[OrderId, PeerLink] = field(default_factory=dict)
    ends: tuple[TunnelEnd, ...] | None = None
    states: tuple[TunnelState, ...] = ()


class Overlay:
    """The tunnels of this provider's leases."""

    def __init__(
        self,
        provider: ProviderNumber,
        exchange: Address,
        directory: PeerDirectory,
        agents: Agents,
        client: PeerClient,
        keys: TunnelKeys,
        own_roots: Callable[[], tuple[bytes, ...]],
        address: Callable[[OrderId, Participant], tuple[str, int] | None],
        answers: PeerAnswers,
        tell: Callable[[OrderId], None],
        clock: Callable[[], datetime],
    ) -> None:
        """
        Args:
            own_roots: returns our roots on chain, in DER, for two leases of ours in one deployment.
            address: returns the numeric address where the gateway of a lease of ours takes tunnels of another lease.
            tell: is called with each lease whose tunnels have changed.
            clock: returns the time, with its zone.
        """
        self._provider = provider
        self._exchange = exchange
        self._directory = directory
        self._agents = agents
        self._client = client
        self._keys = keys
        self._own_roots = own_roots
        self._address = address
        self._answers = answers
        self._tell = tell
        self._clock = clock
        self._leases: dict[OrderId, _Lease] = {}
        self._questions = PeerQuestions(self._ask)
        self._gates: defaultdict[ProviderNumber, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(ASKED_AT_ONCE)
        )
        self._is_stale = True

    def want(self, lease: OrderId, edges: tuple[Edge, ...]) -> None:
        """Take in what the manifest of a lease that runs connects with other datacenters."""
        known = self._leases.get(lease)
        if edges == (known.edges if known is not None else ()):
            return
        if not edges:
            del self._leases[lease]
            self._tell(lease)
        elif known is None:
            self._leases[lease] = _Lease(edges, time.monotonic())
        else:
            known.edges = edges
        self.wake()

    def forget(self, lease: OrderId) -> None:
        """Stop looking after a lease. Nothing is told: what its gateway has is not for this to end."""
        if self._leases.pop(lease, None) is not None:
            self.wake()

    def wake(self) -> None:
        """Note that participants or roots may have changed."""
        self._is_stale = True
        self._questions.changed.set()

    def ends(self, lease: OrderId) -> tuple[TunnelEnd, ...] | None:
        """Return the tunnels that a gateway may have now; None: it is not known yet, so it keeps what it has."""
        known = self._leases.get(lease)
        return known.ends if known is not None else ()

    def states(self, lease: OrderId) -> tuple[TunnelState, ...]:
        """Return how a lease's tunnels are, as far as agents and certificates go."""
        known = self._leases.get(lease)
        return known.states if known is not None else ()

    def siblings(self, lease: OrderId, edges: tuple[Edge, ...]) -> tuple[Tunnel, ...]:
        """Return the tunnels that a lease of ours has with others of ours, whatever has become of them."""
        ours = (each for each in self._directory.participants(lease) if each.provider == self._provider)
        return tunnels_of(edges, lease, ours)

    def all_states(self) -> Iterable[TunnelState]:
        """Return how all tunnels are."""
        return (state for lease in self._leases.values() for state in lease.states)

    @property
    def keys_expire(self) -> datetime | None:
        """When the first of our certificates for tunnels expires; None if there are none."""
        return self._keys.earliest_expiry

    def workloads_for(self, lease: OrderId, peer: OrderId) -> bytes | None:
        """Return what the agent of another lease may know of one of ours; None as long as it is not known here."""
        known = self._leases.get(lease)
        link = known.links.get(peer) if known is not None else None
        if link is None:
            return None
        try:
            return link.ours(self._keys, self._address(lease, link.peer))
        except pki.PkiError as error:
            log.error("no certificates for tunnels", lease=lease.hex(), reason=str(error))
            return None

    async def run(self, stop: asyncio.Event) -> None:
        """Look after the tunnels until `stop` is set."""
        looked_seconds = 0.0
        try:
            while not stop.is_set():
                self._questions.changed.clear()
                if self._is_stale or time.monotonic() - looked_seconds >= IDLE_SECONDS:
                    await self._try_to_look()
                    looked_seconds = time.monotonic()
                with suppress(TimeoutError):
                    pause_seconds = min(self._questions.begin(), IDLE_SECONDS)
                    await asyncio.wait_for(self._questions.changed.wait(), pause_seconds)
        finally:
            self._questions.close()

    async def look(self) -> None:
        """Bring everything up to what is known now. Disk errors are OSError."""
        self._is_stale = False
        pairs = {pair for lease in list(self._leases) for pair in await self._connect(lease)}
        if self._questions.keep(pairs):
            await self._answers.keep(pairs)
        links = (link for lease in self._leases.values() for link in lease.links.values())
        self._keys.keep({tunnel.id for link in links for tunnel in link.tunnels})
        for lease in list(self._leases):
            await asyncio.sleep(0)  # many tunnels take a while: others have their turn in between
            try:
                self._judge(lease)
            except Exception:  # an odd one holds no other up
                log.exception("tunnels of a lease not judged", lease=lease.hex())

    async def _try_to_look(self) -> None:
        try:
            await self.look()
            return
        except OSError as error:
            log.warning("tunnels not looked after in this pass", reason=str(error))
        except Exception:  # whatever it is, the next pass makes good for it
            log.exception("pass over the tunnels failed")
        self._is_stale = True

    async def _connect(self, lease: OrderId) -> list[Pair]:
        """Give each other lease with which there are tunnels its link."""
        known = self._leases.get(lease)
        if known is None:  # it has ended while another was looked after
            return []
        tunnels = tunnels_of(known.edges, lease, self._directory.participants(lease))
        links = {}
        for peer in self._directory.others(lease):
            between = tuple(each for each in tunnels if peer.lease in (each.server_lease, each.consumer_lease))
            if not between:
                continue
            link = known.links.get(peer.lease) or await self._linked(lease, peer)
            if link.tunnels != between:
                link.connect(between)
                self._questions.hurry((lease, peer.lease))
            links[peer.lease] = link
        known.links = links
        return [(lease, peer) for peer in links]

    async def _linked(self, lease: OrderId, peer: Participant) -> PeerLink:
        link = PeerLink(lease, peer, pki.provider_name(peer.provider, self._exchange))
        kept = await self._answers.get((lease, peer.lease))
        if kept is not None:
            with suppress(ValueError):
                link.take(kept)
        return link

    def _judge(self, lease: OrderId) -> None:
        """Work out which tunnels may be used, and tell if that has changed."""
        known = self._leases.get(lease)
        if known is None:  # it has ended meanwhile
            return
        ends: list[TunnelEnd] = []
        states: list[TunnelState] = []
        unread = 0
        for link in known.links.values():
            roots = self._roots(link.peer.provider)
            if roots is None:
                unread += 1
                reason = self._agents.problem(link.peer.provider) or "its provider's certificates are not read yet"
                states += link.unusable(reason)
                continue
            usable, all_states = link.look(self._keys, roots, self._clock())
            ends += usable
            states += all_states
        known.states = tuple(states)
        age = time.monotonic() - known.since_seconds
        if unread and known.ends is None and (unread == len(known.links) or age < SETTLING_SECONDS):
            return
        before, known.ends = known.ends, tuple(sorted(ends, key=lambda end: end.tunnel.id))
        if known.ends != before:
            self._tell(lease)

    def _roots(self, provider: ProviderNumber) -> tuple[bytes, ...] | None:
        if provider == self._provider:
            return self._own_roots()
        agent = self._agents.find(provider)
        return agent.roots_der if agent is not None else None

    async def _ask(self, pair: Pair) -> float:
        """Ask a peer once; return after how many seconds to ask it again."""
        lease, peer = pair
        known = self._leases.get(lease)
        link = known.links.get(peer) if known is not None else None
        if link is None:  # it has just ended, and the next look drops the question
            return IDLE_SECONDS
        wait_seconds = BUSY_SECONDS
        try:
            async with self._gates[link.peer.provider]:
                answer = await self._answer(pair, link.peer.provider)
            if answer != link.answer:
                crash_point("overlay-answered")
                link.take(answer)
                await self._answers.put(pair, answer)
                crash_point("overlay-kept")
            link.fault = None
        except PeerRefused as error:
            link.fault = REFUSALS.get(error.status, f"its agent refuses: {error}")
            wait_seconds = max(wait_seconds, min(error.retry_after_seconds or 0, IDLE_SECONDS))
        except (PeerError, ValueError) as error:
            link.fault = f"no usable answer of its agent: {error}"
        except OSError as error:
            log.warning("answer of a peer not kept", lease=lease.hex(), reason=str(error))
        if lease in self._leases:
            self._judge(lease)
            faults = (each.fault for each in self._leases[lease].states if each.peer == link.peer)
            if link.fault is None and not any(faults):
                return IDLE_SECONDS
        return wait_seconds

    async def _answer(self, pair: Pair, provider: ProviderNumber) -> bytes:
        """
        Raises:
            PeerError: there is none.
        """
        lease, peer = pair
        if provider == self._provider:
            ours = self.workloads_for(peer, lease)
            if ours is None:
                raise PeerError("it has no manifest yet")
            return ours
        agent = self._agents.find(provider)
        if agent is None:
            raise PeerError(self._agents.problem(provider) or "it is not known where it is")
        return await self._client.get(agent, workloads_path(peer, lease), ANSWER)
