"""Which agents are trusted, and for how long, over a registry that is in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cli.agents import REREAD_SECONDS, Interpreter
from cli.core.agents import Answer, AskStatus, Failed, Report
from moorage.agent_api import LeaseStatus
from moorage.agent_client import Agent, AgentUnreachable
from moorage.chain.rpc import NodeUnavailable
from moorage.types import OrderId, ProviderNumber

LEASE = OrderId(b"\xaa" * 32)
PROVIDER = ProviderNumber(7)
OLD, NEW = b"old root", b"new root"


class World:
    """A registry, a clock and an agent that remembers as whom it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cli.agents.Registry", lambda rpc, market: self)
        monkeypatch.setattr("cli.agents.read_block", self.read_block)
        self.now = 1_000.0
        self.endpoint = "https://old.example:1"
        self.final: tuple[bytes, ...] = (OLD,)
        self.newest: tuple[bytes, ...] | None = None
        """None: the same as at the final block."""
        self.reads = 0
        self.is_silent = False
        self.is_unreachable = False
        self.asked: list[Agent] = []
        self.interpreter = Interpreter(self, None, self, None, lambda: self.now)  # type: ignore[arg-type]

    async def read_block(self, rpc: object, tag: str = "latest") -> SimpleNamespace:
        if self.is_silent:
            raise NodeUnavailable("no answer")
        return SimpleNamespace(number=5, tag=tag)

    async def provider(self, block: object, provider: ProviderNumber) -> SimpleNamespace:
        self.reads += 1
        return SimpleNamespace(endpoint=self.endpoint)

    async def roots(self, block: SimpleNamespace, provider: ProviderNumber) -> tuple[bytes, ...]:
        return self.final if block.tag == "finalized" or self.newest is None else self.newest

    async def status(self, agent: Agent, lease: OrderId) -> LeaseStatus:
        self.asked.append(agent)
        if self.is_unreachable:
            raise AgentUnreachable("gone")
        return LeaseStatus(lease, None, ())

    async def ask(self, after_seconds: float = 0.0) -> Answer:
        self.now += after_seconds
        return await self.interpreter.ask(AskStatus(LEASE, PROVIDER))


@pytest.fixture
def world(monkeypatch) -> World:
    return World(monkeypatch)


async def test_ask__again_soon__asks_the_registry_once(world):
    await world.ask()
    await world.ask(after_seconds=REREAD_SECONDS - 1)

    assert world.reads == 1 and len(world.asked) == 2


async def test_e10_ask__root_replaced_on_chain__is_not_trusted_after_five_minutes(world):
    await world.ask()
    world.final, world.endpoint = (NEW,), "https://new.example:1"

    for _ in range(5):
        await world.ask(after_seconds=60)

    assert REREAD_SECONDS <= 300
    assert world.asked[-1] == Agent(PROVIDER, "https://new.example:1", (NEW,))


async def test_e10_ask__only_root_removed_on_chain__agent_is_not_asked(world):
    await world.ask()
    world.final = ()

    answer = await world.ask(after_seconds=REREAD_SECONDS)

    assert isinstance(answer, Failed) and answer.is_retryable
    assert len(world.asked) == 1


async def test_e10_ask__removal_that_is_not_final_yet__counts(world):
    world.final, world.newest = (OLD, NEW), (NEW,)

    await world.ask()

    assert world.asked[-1].roots_der == (NEW,)


async def test_ask__addition_that_is_not_final_yet__does_not_count(world):
    world.newest = (OLD, NEW)

    await world.ask()

    assert world.asked[-1].roots_der == (OLD,)


async def test_e10_ask__registry_is_silent_when_it_is_due__old_root_is_not_trusted_on(world):
    await world.ask()
    world.is_silent = True

    answer = await world.ask(after_seconds=REREAD_SECONDS)

    assert answer == Failed("no answer", True)
    assert len(world.asked) == 1


async def test_ask__agent_unreachable__is_looked_up_again(world):
    world.is_unreachable = True
    await world.ask()
    world.is_unreachable = False

    answer = await world.ask()

    assert isinstance(answer, Report) and world.reads == 2
