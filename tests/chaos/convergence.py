"""One scenario on a real chain, with the real daemons behind proxies: it is run block by block, with or without faults.

with open_stage() as stage:
    usual = stage.play()
    assert stage.play(Spoil("agent", "hang", Schedule(...))).differences(usual, late_blocks=8) == []
"""

from __future__ import annotations

import asyncio
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from moorage.chain import abi
from moorage.chain.contracts import Exchange
from moorage.chain.logs import EventLog
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.crash import crash_hook
from moorage.types import Address, ProviderNumber
from provider_agent.core.lease_names import Identity
from tests.chain import ONE_TOKEN, Chain, deploy_market, deposit, register_provider, start_chain
from tests.chaos.actors import Actors
from tests.chaos.daemons import Machine, run_agent, run_facilitator
from tests.chaos.outcome import Outcome
from tests.chaos.processes import Process, owned_task, running
from tests.chaos.proxy import Proxy
from tests.chaos.runs import BeforeBlock, Run, Spoil
from tests.chaos.schedule import Rule
from tests.chaos.virtual_time import VirtualLoop
from tests.chaos.witness import Record, Witness

PERIOD = 12
GRACE = 12
BLOCK_SECONDS = 2.0
MOST_BLOCKS = 120
OFFSET_SECONDS = 0.05
"""Blocks come between the moments at which daemons look for them, not at the same: runs are equal then."""
EPILOGUE_BLOCKS = 3
"""In which what lives on is still looked after."""
Hook = Callable[[Process, str], None]


@dataclass
class Stage:
    """A chain with a market, which every run finds as it was made."""

    runner: asyncio.Runner
    stack: AsyncExitStack
    seed: int = 0
    chain: Chain = field(init=False)
    market: Market = field(init=False)
    rpc: Rpc = field(init=False)
    """Straight to the node."""
    exchange: Exchange = field(init=False)
    log: EventLog = field(init=False)
    us: ProviderNumber = field(init=False)
    rival: ProviderNumber = field(init=False)
    rules: list[Rule] = field(default_factory=list)
    """Of the last run."""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=100))
    """What the daemons have logged last; to render it as for people would take most of the time of a run."""

    @property
    def loop(self) -> VirtualLoop:
        loop = self.runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return loop

    def play(
        self,
        *spoils: Spoil,
        hook: Hook | None = None,
        before_block: BeforeBlock | None = None,
        block_seconds: float = BLOCK_SECONDS,
        nodes: int = 1,
        seed: int = 0,
        has_feed: bool = False,
    ) -> Outcome:
        """Run the scenario from its beginning to its end.

        Args:
            spoils: what stands between the daemons and their nodes.
            hook: is called with the daemon and the name of each crash point that it passes.
            before_block: is awaited before each block is mined, when all that goes into it has been sent.
            block_seconds: how long a block takes, for daemons that wait by the clock.
            nodes: how many each daemon has.
            seed: of what is left to chance.
            has_feed: whether the daemons subscribe to heads.
        """
        print(f"chaos seed {seed}")
        self.seed = seed
        return self.runner.run(self._play(spoils, hook, before_block, block_seconds, nodes, has_feed))

    async def open(self) -> None:
        """Start the chain and deploy the market."""
        self.chain = await self.stack.enter_async_context(start_chain(is_manual=True))
        self.market = await deploy_market(self.chain, period=PERIOD, grace=GRACE)
        await deposit(self.chain, self.market, self.chain.tenant.address, 100 * ONE_TOKEN)
        self.us = await register_provider(self.chain, self.market, 0)
        self.rival = await register_provider(self.chain, self.market, 1)
        await self.chain.rpc.call("anvil_setBlockTimestampInterval", 1)
        self.rpc = await self.stack.enter_async_context(_WaitingRpc(self.chain.url, self.loop))
        self.exchange = Exchange(self.rpc, self.market)
        self.log = EventLog(self.rpc, self.market.exchange, abi.load("Exchange"))

    async def _play(
        self,
        spoils: Sequence[Spoil],
        hook: Hook | None,
        before_block: BeforeBlock | None,
        block_seconds: float,
        nodes: int,
        has_feed: bool,
    ) -> Outcome:
        self.said.clear()
        structlog.configure(processors=[self._note])
        before = await self.rpc.call("evm_snapshot")
        try:
            async with AsyncExitStack() as stack:
                run = await self._prepare(stack, spoils, block_seconds, nodes, has_feed)
                if hook is not None:
                    stack.enter_context(crash_hook(partial(_called_back, hook)))
                stack.enter_context(self.loop.jumping())
                self.loop.set_task_factory(owned_task)
                tasks = [asyncio.create_task(process.supervise()) for process in run.processes.values()]
                try:
                    return await self._until_over(run, before_block)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    for process in run.processes.values():
                        assert [proxy.mistakes for proxy in process.proxies if proxy.mistakes] == []
                        assert process.mistakes == [], _told(process.mistakes)
        finally:
            await self.rpc.call("anvil_dropAllTransactions")
            await self.rpc.call("evm_revert", before)

    async def _prepare(
        self, stack: AsyncExitStack, spoils: Sequence[Spoil], block_seconds: float, nodes: int, has_feed: bool
    ) -> Run:
        height = int(await self.rpc.call("eth_blockNumber"), 16)
        machine = Machine.of(Identity(self.market.chain_id, self.market.exchange, self.us))
        operator = self.chain.operators[self.us - 1]
        programs = {
            "facilitator": partial(run_facilitator, account=self.chain.facilitator),
            "agent": partial(run_agent, operator=operator, provider=self.us, machine=machine),
        }
        processes = {}
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.rules = []
        for name, program in programs.items():
            mine = [spoil for spoil in spoils if spoil.daemon == name]
            proxies = [Proxy(self.chain.url, self.seed + index, self.loop.waiting) for index in range(nodes)]
            for proxy in proxies:
                await stack.enter_async_context(proxy.running())
                proxy.height = height
            # schedules count from the beginning of the run
            self.rules += [proxies[each.node].add(each.fault, each.schedule.later(height)) for each in mine]
            (disk / name).mkdir()
            processes[name] = Process(name, program, proxies, self.market, disk / name, has_feed)
        rival = self.chain.operators[self.rival - 1]
        actors = Actors(self.market, self.exchange, self.chain.tenant, rival, self.us, self.rival, machine.store)
        addresses = {
            self.chain.facilitator.address.lower(): "facilitator",
            self.chain.operators[self.us - 1].address.lower(): "agent",
        }
        things = (self.rpc, self.log, self.loop, addresses, machine, actors, processes)
        return Run(*things, Record(height), height, block_seconds)

    async def _until_over(self, run: Run, before_block: BeforeBlock | None) -> Outcome:
        began = run.height
        await asyncio.sleep(OFFSET_SECONDS)
        while not run.actors.is_over and run.height < began + MOST_BLOCKS:
            await run.block(before_block)
        blocks = run.height - began
        for _ in range(EPILOGUE_BLOCKS):
            await run.block()
        accounts = {"tenant": self.chain.tenant, "facilitator": self.chain.facilitator}
        wallets = {role: Address(account.address) for role, account in accounts.items()}
        witness = Witness(self.exchange, run.actors, run.machine, run.record, wallets)
        return await witness.outcome(run.processes, blocks)

    def _note(self, _: object, level: str, event: MutableMapping[str, Any]) -> str:
        process = running.get(None)
        self.said.append(f"{process.name if process else 'test'} {level}: {dict(event)}")
        raise structlog.DropEvent


class _WaitingRpc(Rpc):
    """Straight to the node, with the clock standing still meanwhile."""

    def __init__(self, url: str, loop: VirtualLoop) -> None:
        super().__init__(url)
        self._loop = loop

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        with self._loop.waiting():
            return await super().call(method, *params, kind=kind)

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        with self._loop.waiting():
            return await super().batch(calls, kind)


def _told(mistakes: Sequence[BaseException]) -> str:
    return "".join(line for mistake in mistakes for line in traceback.format_exception(mistake))


def _called_back(hook: Hook, point: str) -> None:
    process = running.get(None)
    if process is not None:
        hook(process, point)


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Run a chain for any number of runs, until the end of the block."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=VirtualLoop))
        things = AsyncExitStack()
        stage = Stage(runner, things)
        stack.callback(lambda: runner.run(things.aclose()))
        runner.run(stage.open())
        yield stage
