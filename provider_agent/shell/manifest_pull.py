"""Fetches one version of a manifest from the agents of the deployment's other leases, whichever have it.

What breaks off goes on from there, with another agent if need be. Only the hash on chain decides what is true: who
gives other bytes, too many or too few is left alone for a while, and costs one attempt.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

import structlog

from moorage import manifest
from moorage.agent_api import peer_manifest_path
from moorage.agent_client import Agent
from moorage.types import OrderId, ProviderNumber, Version
from provider_agent.core.tunnels import Participant
from provider_agent.shell.peer_client import Limits, PeerClient, PeerError, PeerRefused

ATTEMPT_SECONDS = 25.0
"""Below the life of a connection at the other end."""
LEAST_BYTES = 65_536
"""What an attempt that uses up its time must have brought: slower ones are not worth their place."""
AVOIDED_SECONDS = 600.0
ASKED_IN_A_ROUND = 4
"""Each costs both sides some milliseconds for the certificates; where one has it, it is found in a few rounds."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,7})-[0-9]{1,7}/[0-9]{1,7}")

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """How a round of questions has ended."""

    WHOLE = auto()
    BUSY = auto()
    """Somebody has it and is serving others, or a part has come: it is worth asking again soon."""
    NOBODY = auto()


class Agents(Protocol):
    """Who the other providers' agents are; shell.peer_roots.PeerRoots is the real one."""

    def find(self, provider: ProviderNumber) -> Agent | None: ...

    def problem(self, provider: ProviderNumber) -> str | None: ...


@dataclass(slots=True)
class Pull:
    """What has come of one version for one lease."""

    lease: OrderId
    version: Version
    body: bytearray = field(default_factory=bytearray)
    givers: set[ProviderNumber] = field(default_factory=set)
    """Who has given parts of it."""
    may_mix: bool = True
    """Whether parts of several givers may be put together: not after that has once given something else."""
    source: str | None = None
    """Who has given it, once it is whole."""
    reason: str = "no other agent was asked yet"
    hint: str = ""
    """The lease, in hex, whose agent has it by the word of another one that was busy."""

    def clear(self) -> None:
        """Drop what has come."""
        self.body.clear()
        self.givers.clear()


class ManifestPeers:
    """Asks the other agents; remembers whom to leave alone."""

    def __init__(
        self,
        agents: Agents,
        client: PeerClient,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._agents = agents
        self._client = client
        self._clock = clock
        self._chance = chance or random.Random()
        self._avoided: dict[ProviderNumber, float] = {}

    async def ask_all(self, pull: Pull, others: Sequence[Participant]) -> Outcome:
        """Ask some others in random order until one has given the rest of the manifest."""
        outcome = Outcome.NOBODY
        if not others:
            pull.reason = "no other lease of the deployment is active"
        now = self._clock()
        asked = {each.lease.hex(): each for each in others if self._avoided.get(each.provider, 0.0) <= now}
        queue = self._chance.sample(list(asked), min(len(asked), ASKED_IN_A_ROUND))
        hints = ASKED_IN_A_ROUND
        while queue:
            pull.hint = ""
            found = await self._ask(pull, asked[queue.pop()], waits=not queue)
            if found is Outcome.WHOLE:
                return found
            outcome = found if outcome is Outcome.NOBODY else outcome
            if pull.hint in asked and hints > 0:  # likely to be free; at worst it costs a question
                hints -= 1
                queue.append(pull.hint)
        return outcome

    async def _ask(self, pull: Pull, peer: Participant, *, waits: bool) -> Outcome:
        agent = self._agents.find(peer.provider)
        if agent is None or not agent.roots_der:
            known = self._agents.problem(peer.provider)
            pull.reason = f"provider {peer.provider}: {known or 'no certificate of it is known to be on chain'}"
            return Outcome.NOBODY
        if not pull.may_mix and pull.givers - {peer.provider}:
            pull.clear()
        before, began = len(pull.body), self._clock()
        try:
            await self._receive(pull, peer, agent, waits=waits)
        except PeerRefused as error:
            return self._refused(pull, peer, error)
        except PeerError as error:
            pull.reason = f"provider {peer.provider}: {error}"
            came = len(pull.body) - before
            if came < LEAST_BYTES and self._clock() - began >= ATTEMPT_SECONDS / 2:
                self._avoid(peer, pull.reason)
            return Outcome.BUSY if came else Outcome.NOBODY
        if manifest.version_of(bytes(pull.body)) == pull.version:
            pull.source = f"provider {peer.provider}"
            return Outcome.WHOLE
        return self._disbelieve(pull, peer)

    async def _receive(self, pull: Pull, peer: Participant, agent: Agent, *, waits: bool) -> None:
        start = len(pull.body)
        path = peer_manifest_path(peer.lease, pull.lease, pull.version)
        headers = {"Range": f"bytes={start}-"} if start else {}
        if waits:  # RFC 7240; the others of a round may be free at once
            headers["Prefer"] = "wait"
        limits = Limits(2 * manifest.MAX_BYTES, ATTEMPT_SECONDS)  # so that too much is seen here
        async with self._client.stream(agent, path, limits, headers) as (response, chunks):
            found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status != 206 or not found or int(found[1]) != start:
                pull.clear()
            async for chunk in chunks:
                pull.body += chunk
                pull.givers.add(peer.provider)
                if len(pull.body) > manifest.MAX_BYTES:
                    self._disbelieve(pull, peer)
                    raise PeerError("it gives more than a manifest can have")

    def _refused(self, pull: Pull, peer: Participant, error: PeerRefused) -> Outcome:
        if error.status in (429, 503):
            pull.reason = f"provider {peer.provider} is serving others"
            pull.hint = error.holder
            return Outcome.BUSY
        if error.status == 404:
            pull.reason = f"provider {peer.provider} does not have it"
        else:
            pull.reason = f"provider {peer.provider}: {error}"
        if error.status == 416:  # what has come is longer than what it has
            self._disbelieve(pull, peer)
        return Outcome.NOBODY

    def _disbelieve(self, pull: Pull, peer: Participant) -> Outcome:
        """Drop bytes that are not the manifest's; blame who has given them, if it can be only one."""
        if pull.givers == {peer.provider}:
            self._avoid(peer, "what it gives is not the manifest")
        else:
            pull.may_mix = False
        pull.reason = f"provider {peer.provider}: what has come is not the manifest"
        pull.clear()
        return Outcome.BUSY

    def _avoid(self, peer: Participant, reason: str) -> None:
        log.warning("peer avoided for a while", provider=peer.provider, reason=reason)
        self._avoided[peer.provider] = self._clock() + AVOIDED_SECONDS
