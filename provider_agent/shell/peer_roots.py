"""Who other providers' agents are and where: endpoint and root certificates, from the registry at final blocks.

A node that does not answer says nothing: what was read before counts on. A root that is removed on chain stops counting
at the next reading, one that is added begins to count when it is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

import structlog

from moorage import chains, pki
from moorage.agent_client import Agent
from moorage.agent_lookup import read_agent
from moorage.chain.contracts import Registry
from moorage.chain.index import read_block
from moorage.chain.rpc import ChainError, NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import Address, ProviderNumber

REFRESH_SECONDS = 30.0
"""How often everybody is read again: far below the five minutes in which a removed root has to stop counting."""
RETRY_SECONDS = 5.0
READ_SECONDS = 20.0
"""For one provider. Whoever cannot be read holds nobody else up."""
AT_ONCE = 8
"""Providers that are read together: slow answers about many do not add up to minutes."""
ODD = "not read from the registry: what is there is odd"

log = structlog.get_logger(__name__)


class PeerRoots:
    """Keeps what is known of the providers that `wanted` names; `on_change` is called when any of it has changed."""

    def __init__(
        self,
        rpc: Rpc,
        registry: Registry,
        exchange: Address,
        wanted: Callable[[], Collection[ProviderNumber]],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._rpc = rpc
        self._registry = registry
        self._exchange = exchange
        self._wanted = wanted
        self._on_change = on_change
        self._count = len(rpc.nodes)
        self._turn = 0
        self._final = 0
        """Height of the newest final block that was read."""
        self._known: dict[ProviderNumber, Agent] = {}
        self._complaints: dict[ProviderNumber, str] = {}
        self._is_told = True
        self._wake = asyncio.Event()

    def find(self, provider: ProviderNumber) -> Agent | None:
        """Return a provider's agent with the roots that count; None as long as nothing is known of it.

        An agent without roots is one that has none on chain: nothing may be believed that seems to come from it.
        """
        return self._known.get(provider)

    def problem(self, provider: ProviderNumber) -> str | None:
        """Return why a provider could not be read the last time, or why a root of it does not count."""
        return self._complaints.get(provider)

    def all(self) -> tuple[bytes, ...]:
        """Return the roots of all known providers."""
        return tuple(root for agent in self._known.values() for root in agent.roots_der)

    def wake(self) -> None:
        """Ask for a reading of providers that are not known yet."""
        if not set(self._wanted()) <= self._known.keys():
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set."""
        while not stop.is_set():
            self._wake.clear()
            is_whole = await self.refresh()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._pause(stop), REFRESH_SECONDS if is_whole else RETRY_SECONDS)

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(each.wait()) for each in (stop, self._wake)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def refresh(self) -> bool:
        """Read all wanted providers once, each refresh at another node; return whether all of them could be."""
        wanted = set(self._wanted())
        before = dict(self._known)
        for number in self._known.keys() - wanted:
            self._known.pop(number)
            self._complaints.pop(number, None)
        try:
            is_whole = await self._read(wanted) if wanted else True
        except NodeUnavailable as error:
            log.warning("peers' certificates not read, those known count on", reason=str(error))
            is_whole = False
        if self._known != before or not self._is_told:
            self._tell()
        return is_whole

    def _tell(self) -> None:
        try:
            self._on_change()
        except (pki.PkiError, OSError) as error:
            log.error("peers' certificates not put to use", reason=str(error))
            self._is_told = False
        else:
            self._is_told = True

    async def _read(self, wanted: Collection[ProviderNumber]) -> bool:
        node, final, newest = await self._node()
        places = asyncio.Semaphore(AT_ONCE)

        async def read(number: ProviderNumber) -> bool:
            async with places:
                return await self._try_to_read(node, final, newest, number)

        return all(await asyncio.gather(*map(read, sorted(wanted))))

    async def _try_to_read(self, node: Rpc, final: Block, newest: Block, number: ProviderNumber) -> bool:
        try:
            async with asyncio.timeout(READ_SECONDS):
                self._known[number] = await self._agent(node, final, newest, number)
        except (ChainError, TimeoutError) as error:
            self._complain(number, f"not read from the registry: {str(error) or 'no answer in time'}")
            return False
        except Exception:  # what one provider has registered ends nobody else's tunnels
            if self._complaints.get(number) != ODD:
                log.exception("peer not read", provider=number)
            self._complaints[number] = ODD
            return False
        return True

    async def _node(self) -> tuple[Rpc, Block, Block]:
        """Choose a node: the next whose final block is not behind one that was read before, else the best there is."""
        failures: list[str] = []
        found: list[tuple[Block, Rpc]] = []
        for _ in range(self._count):
            turn, self._turn = self._turn, (self._turn + 1) % self._count
            try:
                node = await self._rpc.checked(turn)
                final = await read_block(node, "finalized")
            except ChainError as error:
                failures.append(str(error))
                continue
            found.append((final, node))
            if final.number >= self._final:
                break
        if not found:
            raise NodeUnavailable("; ".join(dict.fromkeys(failures)))
        final, node = max(found, key=lambda each: each[0].number)
        self._final = final.number
        return node, final, await read_block(node)

    async def _agent(self, node: Rpc, final: Block, newest: Block, number: ProviderNumber) -> Agent:
        """Read an agent without the roots that are no use; which these are is told."""
        agent = await read_agent(self._registry.through(node), number, final, newest)
        if agent is None:
            raise NodeUnavailable(f"provider {number} is not in the final block {final.number}")
        self._complaints.pop(number, None)
        return replace(agent, roots_der=tuple(root for root in agent.roots_der if self._counts(root, number)))

    def _counts(self, root: bytes, number: ProviderNumber) -> bool:
        try:
            chains.check_root(root, number, self._exchange)
        except pki.PkiError as error:
            self._complain(number, str(error))
            return False
        return True

    def _complain(self, number: ProviderNumber, reason: str) -> None:
        if self._complaints.get(number) != reason:
            log.warning("peer not usable", provider=number, reason=reason)
        self._complaints[number] = reason
