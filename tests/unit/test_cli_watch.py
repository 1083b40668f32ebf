"""The loop of deploy over a chain and agents that are in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cli.core.agents import Answer, AskStatus, Delivered, DeliverManifest, Failed, Report, Step, Workload
from cli.core.story import Line
from cli.core.view import DeploymentView, full
from cli.failures import ExitStatus, Failure
from cli.following import farewell
from cli.watch import Watch
from moorage.chain.rpc import NodeUnavailable
from moorage.types import DeploymentId, DeploymentState, OrderState, Version
from tests.factories.deployments import (
    DEPLOYMENT,
    FACILITATOR,
    MONEY,
    ORDER,
    VERSION,
    attempt,
    event,
    lease,
    view,
)

SUBMITTED = event(90, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION)
MATCHED = event(96, "LeaseCreated", lease=ORDER, provider=1, charge=40, blocks=100)
STALE = event(120, "LeaseStale", lease=ORDER, provider=1, facilitator=FACILITATOR, earned=0, slashed=5, refund=0)
OPEN = view(attempt(OrderState.OPEN), block=90, story=(SUBMITTED,))
LEASED = view(attempt(), block=97, story=(SUBMITTED, MATCHED))
REORGANISED = view(block=98, live_groups=1)


def healed() -> DeploymentView:
    stale = attempt(OrderState.LEASE_STALE)
    new = attempt(nonce=ORDER, replaced=ORDER)
    renewed = event(120, "OrderRecreated", order=new.id, replaced=ORDER, deposit=1, excluded_provider=1)
    matched = event(126, "LeaseCreated", lease=new.id, provider=2, charge=40, blocks=100)
    again = replace(new, lease=lease(new.id, provider=2))
    return view(stale, again, block=127, story=(SUBMITTED, MATCHED, STALE, renewed, matched))


class MemoryViews:
    """Gives one view after the other, the last one for ever; None is no such deployment, errors are raised."""

    def __init__(self, *views: DeploymentView | Exception | None, repeats: int = 3) -> None:
        self._left = [each for each in views for _ in range(repeats)]

    async def block_number(self) -> int:
        current = self._next()
        return current.block_number if isinstance(current, DeploymentView) else 0

    async def view(self, deployment: DeploymentId) -> DeploymentView | None:
        current = self._left[0] if isinstance(self._left[0], DeploymentView) else self._next()
        if isinstance(current, Exception):
            raise current
        return current

    def _next(self) -> DeploymentView | Exception | None:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


class MemoryAgents:
    """Agents that run what they are given; answers that come first can be told."""

    def __init__(self, *first: Answer) -> None:
        self.steps: list[Step] = []
        self._first = list(first)
        self._versions: dict[bytes, Version] = {}

    async def ask(self, step: Step) -> Answer:
        self.steps.append(step)
        if self._first:
            return self._first.pop(0)
        if isinstance(step, DeliverManifest):
            self._versions[step.lease] = VERSION
            return Delivered()
        version = self._versions.get(step.lease)
        web = Workload("web", "running", None, (f"http://203.0.113.{step.provider}:80",))
        return Report(version, (web,) if version else ())


class SlowAgents(MemoryAgents):
    """The first answer takes a while."""

    async def ask(self, step: Step) -> Answer:
        if not self.steps:
            self.steps.append(step)
            for _ in range(60):
                await asyncio.sleep(0)
            return Failed("connection refused", True)
        return await super().ask(step)


class Recorder:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, line: Line) -> None:
        self.lines.append(line)

    def show(self, heading: str, rows: object) -> None:
        pass

    @property
    def events(self) -> list[str]:
        return [line.event for line in self.lines]


class Clock:
    """Each look is 1 s later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("cli.watch.RETRY_SECONDS", 0)


async def follow(views: MemoryViews, agents: MemoryAgents, *, is_detached: bool = True) -> Recorder:
    screen = Recorder()
    watch = Watch(views, agents, screen, MONEY, VERSION, Clock(), 0)
    await asyncio.wait_for(watch.run(DEPLOYMENT, is_detached=is_detached), 20)
    return screen


async def test_watch__order_becomes_lease__delivers_and_ends_when_all_runs():
    agents = MemoryAgents()

    screen = await follow(MemoryViews(OPEN, LEASED), agents)

    assert screen.events == [
        "submitted",
        "no-bids",
        "matched",
        "delivered",
        "workload",
        "running",
    ] or screen.events == [
        "submitted",
        "matched",
        "delivered",
        "workload",
        "running",
    ]
    assert agents.steps[:2] == [AskStatus(ORDER, 1), DeliverManifest(ORDER, 1)]


async def test_watch__agent_unreachable__tries_again_until_it_answers():
    gone = Failed("connection refused", True)

    screen = await follow(MemoryViews(LEASED), MemoryAgents(gone, gone, gone))

    assert screen.events == ["submitted", "matched", "agent-problem", "delivered", "workload", "running"]


async def test_watch__agent_refuses_for_good__detached_run_fails_and_says_why():
    with pytest.raises(Failure) as caught:
        await follow(MemoryViews(LEASED), MemoryAgents(*[Failed("409: asks more", False)] * 5))

    assert caught.value.status is ExitStatus.AGENT
    assert "provider 1 refuses" in caught.value.message and "409: asks more" in caught.value.message


async def test_watch__provider_fails__delivers_to_the_next_and_tells_addresses_again():
    agents = MemoryAgents()
    ended = replace(healed(), block_number=200, state=DeploymentState.CLOSING)

    screen = Recorder()
    watch = Watch(MemoryViews(LEASED, healed(), ended, repeats=40), agents, screen, MONEY, VERSION, Clock(), 0)
    with pytest.raises(Failure):
        await asyncio.wait_for(watch.run(DEPLOYMENT, is_detached=False), 20)

    assert [line.event for line in screen.lines if line.event in ("stale", "matched", "delivered", "running")] == [
        "matched",
        "delivered",
        "running",
        "stale",
        "matched",
        "delivered",
        "running",
    ]
    assert screen.lines[-1].fields["addresses"] == "http://203.0.113.2:80"


async def test_watch__node_is_silent__waits_and_says_so_once():
    silent = NodeUnavailable("no answer from the node")

    screen = await follow(MemoryViews(silent, LEASED), MemoryAgents())

    assert screen.events[0] == "node" and screen.events.count("node") == screen.events.count("node-back") == 1
    assert screen.events[-1] == "running"


async def test_watch__reorganised_away_while_its_agent_answers__forgets_the_answer():
    agents = SlowAgents()
    screen = Recorder()
    views = MemoryViews(LEASED, REORGANISED, LEASED, repeats=40)
    watch = Watch(views, agents, screen, MONEY, VERSION, Clock(), 0)

    await asyncio.wait_for(watch.run(DEPLOYMENT, is_detached=True), 20)

    assert screen.events[-1] == "running"


async def test_watch__not_on_chain_yet__waits():
    screen = await follow(MemoryViews(None, LEASED), MemoryAgents())

    assert screen.events[0] == "absent" and screen.events[-1] == "running"


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (replace(LEASED, state=DeploymentState.CLOSING), "somebody has deleted it"),
        (view(attempt(OrderState.LEASE_CLOSED), story=(SUBMITTED,)), "no group lives any more"),
    ],
)
async def test_watch__nothing_left_to_watch__fails_with_the_reason(ended, text):
    with pytest.raises(Failure, match=text):
        await follow(MemoryViews(ended), MemoryAgents(), is_detached=False)


async def test_watch__agent_never_answers__detached_run_says_what_is_safe_and_ends():
    with pytest.raises(Failure) as caught:
        await follow(MemoryViews(LEASED), MemoryAgents(*[Failed("connection refused", True)] * 12))

    assert caught.value.status is ExitStatus.AGENT
    assert "provider 1 is not to be reached" in caught.value.message and "lives on" in caught.value.message


async def test_watch__nobody_bids__detached_run_says_where_the_money_is_and_ends():
    with pytest.raises(Failure) as caught:
        await follow(MemoryViews(OPEN, replace(OPEN, block_number=101)), MemoryAgents())

    assert caught.value.status is ExitStatus.UNMATCHED
    assert "no provider has bid for group west" in caught.value.message


async def test_watch__nobody_bids__one_that_stays_goes_on_waiting():
    late = replace(OPEN, block_number=101)

    screen = Recorder()
    watch = Watch(MemoryViews(OPEN, late, LEASED), MemoryAgents(), screen, MONEY, VERSION, Clock(), 0)
    watching = asyncio.create_task(watch.run(DEPLOYMENT, is_detached=False))
    async with asyncio.timeout(60):
        while screen.events[-1:] != ["running"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.wait([watching], timeout=0.3)

    assert screen.events[-1] == "running" and not watching.done()
    watching.cancel()


async def test_watch__from_a_block_on__does_not_tell_what_was_before():
    screen = Recorder()
    watch = Watch(MemoryViews(LEASED), MemoryAgents(), screen, MONEY, VERSION, Clock(), 0, since_block=96)

    await asyncio.wait_for(watch.run(DEPLOYMENT, is_detached=True), 20)

    assert screen.events == ["matched", "delivered", "workload", "running"]


def test_farewell__tenant_or_manager__says_what_each_can_do_next() -> None:
    tenants = farewell(DEPLOYMENT, Path("a.yml"), is_manager=False)
    managers = farewell(DEPLOYMENT, Path("a.yml"), is_manager=True)

    assert "`moorage deploy -f a.yml` takes it up again" in tenants and "`moorage delete -f a.yml`" in tenants
    assert f"`moorage update -f a.yml --deployment {full(DEPLOYMENT)}` delivers and watches again" in managers
    assert "delete" not in managers
