"""A run of the scenario that goes on: block by block, with what is true on chain noted past all proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from moorage.chain.logs import EventLog
from moorage.chain.rpc import Rpc
from tests.chaos.actors import Actors
from tests.chaos.daemons import Machine
from tests.chaos.fault import Fault
from tests.chaos.processes import Process
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Schedule
from tests.chaos.virtual_time import VirtualLoop
from tests.chaos.witness import Record

GAS = hex(3_000_000)
ALWAYS = Schedule()
BeforeBlock = Callable[["Run"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Spoil:
    """A fault between one daemon and its node."""

    daemon: str
    fault: str | Fault
    schedule: Schedule = ALWAYS
    node: int = 0
    """Which of the daemon's nodes: the one that it prefers, or a spare one."""


@dataclass
class Run:
    """A run that goes on: what is true on chain, read past all proxies."""

    rpc: Rpc
    """Straight to the node."""
    log: EventLog
    loop: VirtualLoop
    addresses: dict[str, str]
    """Of the daemons' keys, in small letters -> the daemon."""
    machine: Machine
    actors: Actors
    processes: dict[str, Process]
    record: Record
    height: int
    block_seconds: float

    @property
    def age(self) -> int:
        """How many blocks there have been."""
        return self.height - self.record.began

    async def block(self, before_block: BeforeBlock | None = None) -> None:
        """Let the daemons act for the time of a block, add what the actors send, and mine."""
        await asyncio.sleep(self.block_seconds)
        for act in self.actors.acts(self.height + 1):
            fields = {"from": act.sender.address, "to": act.call.to, "data": f"0x{act.call.data.hex()}", "gas": GAS}
            await self.rpc.call("eth_sendTransaction", fields)
        if before_block is not None:
            await before_block(self)
        self.height += 1
        self.machine.engine.height = self.height  # a daemon may see the block before this does
        await self.rpc.call("anvil_mine", "0x1")
        await self._see()

    async def _see(self) -> None:
        proxies = [proxy for process in self.processes.values() for proxy in process.proxies]
        for proxy in proxies:
            proxy.height = self.height
        happenings = await self.log.between(self.height, self.height)
        self.record.happenings += happenings
        await self.actors.see(happenings)
        for receipt in await self.rpc.call("eth_getBlockReceipts", hex(self.height)):
            sender = self.addresses.get(receipt["from"], "actors")
            self.record.sent[sender] += 1
            if receipt["status"] != "0x1":
                self.record.reverted.append(f"a transaction of {sender} in block {self.height}")
        await self._heads_delivered(proxies)

    async def _heads_delivered(self, proxies: Sequence[Proxy]) -> None:
        """Wait until the node has pushed the head to those who want heads: mining ends before that."""
        with self.loop.waiting():
            for subscriber in [each for proxy in proxies for each in proxy.subscribers]:
                await subscriber.delivered(self.height)
