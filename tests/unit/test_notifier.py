"""The loop of `notify watch` over a chain in memory: at least once, the same id, whenever it is killed and started."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cli.core.agents import Answer, Report, Step, Workload
from cli.core.lasting import Patience
from cli.core.node_notices import MOST_TOLD
from cli.core.notices import Kind
from cli.core.retries import Arrived, DeliveryState, Outcome, Refused, Unanswered
from cli.core.story import Line
from cli.core.view import DeploymentView
from cli.courier import Courier, Post
from cli.failures import ExitStatus, Failure
from cli.followed import Rules, Surroundings
from cli.notification_journal import NotificationJournal
from cli.notifier import Notifier, journal_path, unfinished
from cli.recipients import Mailbox, Recipient, Webhook
from moorage.chain.rpc import NodeUnavailable
from moorage.types import DeploymentId, DeploymentState, OrderState
from tests.factories.deployments import DEPLOYMENT, MONEY, ORDER, RENEWED, VERSION, attempt, event, lease, view

SUBMITTED = event(90, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION)
MATCHED = event(96, "LeaseCreated", lease=ORDER, provider=1, charge=40, blocks=10_000)
CONFIRMED = event(98, "LeaseConfirmed", lease=ORDER)
STALE = event(120, "LeaseStale", lease=ORDER, provider=1, earned=0, slashed=5, refund=0)
RECREATED = event(120, "OrderRecreated", order=RENEWED, replaced=ORDER, deposit=1, excluded_provider=1)
REMATCHED = event(126, "LeaseCreated", lease=RENEWED, provider=2, charge=40, blocks=10_000)
RECONFIRMED = event(127, "LeaseConfirmed", lease=RENEWED)
CLOSING = event(130, "DeploymentClosing", deployment=DEPLOYMENT)
LEASED = (SUBMITTED, MATCHED, CONFIRMED)
HEALED = (*LEASED, STALE, RECREATED, REMATCHED, RECONFIRMED)
RICH = lease(funded_block=1_000_000)
FAILED = attempt(OrderState.LEASE_STALE)
AGAIN = attempt(nonce=ORDER, replaced=ORDER, lease=lease(RENEWED, provider=2, funded_block=1_000_000))
VIEWS = (
    view(attempt(OrderState.OPEN), block=90, story=(SUBMITTED,)),
    view(attempt(lease=RICH), block=99, story=LEASED),
    view(FAILED, AGAIN, block=127, story=HEALED),
    view(FAILED, AGAIN, block=140, story=(*HEALED, CLOSING), state=DeploymentState.CLOSED),
)
TOLD = [
    "deploy.begin",
    "cluster.created",
    "lease.stale",
    "cluster.down",
    "provider.changed",
    "cluster.created",
    "lease.healed",
    "deployment.closed",
]
ALL = frozenset(kind.value for kind in Kind)
OPS = Webhook("ops", "ops", ALL, "https://ops.example/", None)
ME = Mailbox("me", "me", frozenset({"lease.stale"}), "me@tenant.example")
FILE = Path("/srv/moorage.yml")
TORN = DeploymentId(bytes(32))
"""A deployment of which the node has no logs; it is looked at before the other."""
RULES = Rules(low_blocks=10, oldest_blocks=1_000, patience=Patience(0, 0, 0, 0, 0))


class Chain:
    """Shows one view until it is told to go on."""

    def __init__(self, *views: DeploymentView | Exception) -> None:
        self.views = list(views)
        self.torn = {TORN}

    @property
    def now(self) -> DeploymentView:
        if isinstance(self.views[0], Exception):
            raise self.views[0]
        return self.views[0]

    async def block_number(self) -> int:
        return self.now.block_number

    async def view(self, deployment: DeploymentId) -> DeploymentView | None:
        if deployment in self.torn:
            raise NodeUnavailable("the node has the deployment but not its logs")
        return self.now if deployment == DEPLOYMENT else None

    def go_on(self) -> bool:
        """Go to the next view, if there is one."""
        if len(self.views) > 1:
            self.views.pop(0)
            return True
        return False


class Closed(list[Line]):
    """An output whose reader has gone."""

    def append(self, line: Line) -> None:
        raise BrokenPipeError


class Killed(BaseException):
    """The process is gone: nothing is tidied up."""


class MemoryPost:
    """Keeps what is sent; can be killed before or after, and answer as it is told."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.outcomes = list(outcomes)
        self.kill_after = -1
        """Of how many more, the process ends before it can write that they have arrived."""

    async def send(self, recipient: Recipient, identity: str, body: bytes) -> Outcome:
        document = json.loads(body)
        assert document["id"] == identity
        self.sent.append((recipient.name, document))
        self.kill_after -= 1
        if self.kill_after == 0:
            raise Killed
        await asyncio.sleep(0)
        return self.outcomes.pop(0) if self.outcomes else Arrived()

    async def close(self) -> None:
        pass

    def kinds(self, recipient: str = "ops") -> list[str]:
        return [document["event"] for name, document in self.sent if name == recipient]

    @property
    def ids(self) -> list[str]:
        return [document["id"] for _, document in self.sent]


class Agents:
    """Says that everything is in one state."""

    state = "running"

    async def ask(self, step: Step) -> Answer:
        return Report(VERSION, (Workload("web", self.state, None, ()),))


class Flapping(Agents):
    """Says each time the contrary of what it has said before."""

    async def ask(self, step: Step) -> Answer:
        self.state = "failed" if self.state == "running" else "running"
        return Report(VERSION, tuple(Workload(f"web-{number}", self.state, None, ()) for number in range(99)))


class World:
    """One machine; watchers come and go."""

    def __init__(
        self, folder: Path, chain: Chain, post: MemoryPost, recipients: tuple[Recipient, ...] = (OPS,)
    ) -> None:
        self.folder, self.chain, self.post, self.recipients = folder, chain, post, recipients
        self.lines: list[Line] = []
        self.now = 1_700_000_000.0
        self.agents: Agents | None = None
        self.rules = RULES
        self.chosen = {DEPLOYMENT: FILE}

    @property
    def events(self) -> list[str]:
        return [line.event for line in self.lines]

    def notifier(self) -> Notifier:
        courier = Courier(self.post, lambda: self.now, lambda: 0.0, 86_400, self.lines.append)  # type: ignore[arg-type]
        here = Surroundings(
            views=self.chain,
            block_time=self._block_time,
            asker=self.agents,
            money=MONEY,
            courier=courier,
            tell=self.lines.append,
            clock=lambda: self.now,
            unix_time=lambda: self.now,
        )
        return Notifier(lambda: self.chosen, self.folder, lambda _: self.recipients, self.rules, here, 0)

    async def _block_time(self, number: int) -> int:
        return 1_600_000_000 + number

    async def once(self) -> None:
        await self.notifier().run(is_once=True, ends=False)

    async def until(self, is_enough: Callable[[], bool]) -> None:
        """Run a watcher until something is so, then stop it as Ctrl-C does."""
        task = asyncio.create_task(self.notifier().run(is_once=False, ends=True))
        for _ in range(2_000):
            if is_enough() or task.done():
                break
            await asyncio.sleep(0)
        assert is_enough(), self.lines
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def has_told_both_views(self) -> bool:
        """Show the second view when the first was told."""
        if self.post.kinds() == TOLD[:1]:
            self.chain.go_on()
        return self.post.kinds() == TOLD[:2]

    def deliveries(self) -> list[Any]:
        journal = NotificationJournal(journal_path(self.folder, DEPLOYMENT), is_shared=True)
        found = journal.deliveries()
        journal.close()
        return found


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("cli.notifier.RETRY_SECONDS", 0)
    yield


async def looked(world: World) -> None:
    """Have a new watcher look once at each view."""
    await world.once()
    while world.chain.go_on():
        await world.once()


async def test_watch__whole_life__tells_each_fact_once_in_order_and_ends(tmp_path):
    world = World(tmp_path, Chain(*VIEWS), MemoryPost())
    task = asyncio.create_task(world.notifier().run(is_once=False, ends=True))
    for _ in range(200):
        await asyncio.sleep(0)
        if world.chain.now.block_number == 90 or len(world.post.sent) >= 2:
            world.chain.go_on()
    await asyncio.wait_for(task, 60)

    assert world.post.kinds() == TOLD
    assert world.events[0] == "following" and world.events[-1] == "ended"
    assert world.post.sent[0][1]["time"] == "2020-09-13T12:28:10Z"


async def test_h33_watch__started_anew_at_each_block__tells_the_same_once(tmp_path):
    world = World(tmp_path, Chain(*VIEWS), MemoryPost())

    await looked(world)

    assert world.post.kinds() == TOLD


async def test_h33_watch__off_until_the_end__tells_everything_then(tmp_path):
    world = World(tmp_path, Chain(VIEWS[-1]), MemoryPost())

    await world.once()
    await world.once()

    assert world.post.kinds() == TOLD


@pytest.mark.parametrize("step", range(1, len(TOLD) + 1))
async def test_h33_watch__killed_after_each_sending__repeats_at_most_that_one_with_its_id(tmp_path, step):
    world = World(tmp_path, Chain(VIEWS[-1]), MemoryPost())
    world.post.kill_after = step

    with pytest.raises(Killed):
        await world.once()
    await world.once()

    assert sorted(set(world.post.kinds())) == sorted(set(TOLD)) and len(world.post.sent) == len(TOLD) + 1
    assert world.post.ids[step - 1] == world.post.ids[step] and len(set(world.post.ids)) == len(TOLD)


async def test_h33_watch__killed_before_anything_was_sent__loses_nothing(tmp_path, monkeypatch):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    with monkeypatch.context() as patched:
        patched.setattr(Courier, "start", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            await world.once()

    await world.once()

    assert world.post.kinds() == TOLD[:2]


async def test_watch__happened_too_long_ago__is_not_sent_but_known(tmp_path):
    world = World(tmp_path, Chain(view(attempt(lease=RICH), block=1_098, story=LEASED)), MemoryPost())

    await world.once()

    assert world.post.kinds() == ["cluster.created"]  # 1,000 blocks ago; the submission was 1,008
    assert [each.state for each in world.deliveries()] == [DeliveryState.TOO_OLD, DeliveryState.DELIVERED]


async def test_watch__recipient_wants_some_events__gets_those(tmp_path):
    world = World(tmp_path, Chain(VIEWS[2]), MemoryPost(), (OPS, ME))

    await world.once()

    assert world.post.kinds("me") == ["lease.stale"] and world.post.kinds("ops") == TOLD[:-1]


async def test_h33_watch__recipient_is_down__keeps_trying_without_holding_up_others(tmp_path):
    post = MemoryPost()

    async def send(recipient: Recipient, identity: str, body: bytes) -> Outcome:
        post.sent.append((recipient.name, json.loads(body)))
        return Unanswered("it answers 503") if recipient.name == "ops" and world.now < 1_700_000_100 else Arrived()

    post.send = send  # type: ignore[method-assign]
    world = World(tmp_path, Chain(VIEWS[2]), post, (OPS, ME))

    await world.once()
    assert (post.kinds("ops"), post.kinds("me")) == (["deploy.begin"], ["lease.stale"])
    assert "delivery-problem" in world.events
    world.now += 4
    await world.once()
    world.now += 200
    await world.once()

    assert [kind for kind in TOLD[:-1] if kind not in post.kinds("ops")] == []
    assert post.kinds("me") == ["lease.stale"]
    assert {each.state for each in world.deliveries()} == {DeliveryState.DELIVERED}


async def test_watch__recipient_refuses__is_final_and_told(tmp_path):
    world = World(tmp_path, Chain(VIEWS[0]), MemoryPost(Refused("it answers 404")))

    await world.once()
    world.now += 100_000
    await world.once()

    assert len(world.post.sent) == 1
    (line,) = [line for line in world.lines if line.event == "not-delivered"]
    assert line.text == "deploy.begin to ops: not delivered, it answers 404"


async def test_h33_watch__entry_is_mended_while_it_runs__what_waits_is_sent_at_once(tmp_path):
    post = MemoryPost()

    async def send(recipient: Recipient, identity: str, body: bytes) -> Outcome:
        post.sent.append((recipient.name, json.loads(body)))
        return Unanswered("its secret is missing") if recipient.obstacle else Arrived()

    post.send = send  # type: ignore[method-assign]
    broken = replace(OPS, obstacle="its secret is missing")
    world = World(tmp_path, Chain(VIEWS[0], VIEWS[1]), post, (broken,))

    def is_mended_and_told() -> bool:
        if len(post.sent) == 1:
            world.recipients = (OPS,)
            world.chain.go_on()
        return post.kinds()[1:] == TOLD[:2]

    await world.until(is_mended_and_told)

    assert world.now == 1_700_000_000.0 and "not-delivered" not in world.events
    assert {each.state for each in world.deliveries()} == {DeliveryState.DELIVERED}


async def test_h33_watch__entry_is_not_mended__waits_with_the_reason_and_is_given_up_at_last(tmp_path):
    world = World(tmp_path, Chain(VIEWS[0]), MemoryPost(*[Unanswered("its secret is missing")] * 50))

    await world.once()
    (waiting,) = world.deliveries()
    for _ in range(40):
        world.now += 3_600
        await world.once()

    (failed,) = world.deliveries()
    assert (waiting.state, waiting.problem) == (DeliveryState.WAITING, "its secret is missing")
    assert failed.state is DeliveryState.FAILED and "given up after" in (failed.problem or "")


async def test_watch__recipient_added_later__gets_what_is_not_too_old(tmp_path):
    world = World(tmp_path, Chain(VIEWS[2]), MemoryPost(), (ME,))
    await world.once()
    world.recipients = (ME, OPS)

    await world.once()

    assert world.post.kinds("ops") == TOLD[:-1] and world.post.kinds("me") == ["lease.stale"]


async def test_watch__node_fails__waits_says_so_once_and_goes_on(tmp_path):
    silent = NodeUnavailable("no answer from the node")
    world = World(tmp_path, Chain(silent, VIEWS[1]), MemoryPost())

    task = asyncio.create_task(world.notifier().run(is_once=False, ends=False))
    for _ in range(100):
        await asyncio.sleep(0)
    world.chain.go_on()
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert world.events.count("node") == 1 and world.post.kinds() == TOLD[:2]


async def test_watch__node_fails_in_the_only_look__is_the_failure(tmp_path):
    with pytest.raises(NodeUnavailable):
        await World(tmp_path, Chain(NodeUnavailable("no answer")), MemoryPost()).once()


async def test_watch__node_lacks_the_logs_of_one__others_are_told_and_it_is_said_once(tmp_path):
    world = World(tmp_path, Chain(VIEWS[0], VIEWS[1]), MemoryPost())
    world.chosen = {TORN: FILE, DEPLOYMENT: FILE}

    await world.until(world.has_told_both_views)

    (line,) = [line for line in world.lines if line.event == "node"]
    assert line.text == "the node has the deployment but not its logs; waiting"


async def test_watch__node_lacks_the_logs_of_one_in_the_only_look__others_are_told_and_it_is_a_failure(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    world.chosen = {TORN: FILE, DEPLOYMENT: FILE}

    with pytest.raises(NodeUnavailable, match="not its logs"):
        await world.once()

    assert world.post.kinds() == TOLD[:2]


async def test_h33_watch__ended_but_not_yet_looked_at__is_not_taken_for_told(tmp_path):
    world = World(tmp_path, Chain(VIEWS[-1]), MemoryPost(), (ME,))
    await world.once()
    world.recipients = (ME, OPS)
    world.chain.torn.add(DEPLOYMENT)
    task = asyncio.create_task(world.notifier().run(is_once=False, ends=True))
    for _ in range(100):
        await asyncio.sleep(0)

    world.chain.torn.clear()
    await asyncio.wait_for(task, 60)

    assert world.post.kinds("ops") == TOLD and world.events[-1] == "ended"


async def test_watch__journal_can_not_be_written_when_it_is_opened__is_opened_later(tmp_path, monkeypatch):
    begin, full_disks = NotificationJournal.begin, [True]

    def fails_once(self: NotificationJournal, file: Path | None) -> None:
        if full_disks:
            full_disks.pop()
            raise Failure(ExitStatus.ERROR, "database or disk is full")
        begin(self, file)

    monkeypatch.setattr(NotificationJournal, "begin", fails_once)
    world = World(tmp_path, Chain(VIEWS[0], VIEWS[1]), MemoryPost())

    await world.until(lambda: bool(world.lines) and not world.chain.go_on() and world.post.kinds() == TOLD[:2])

    assert world.events[:2] == ["problem", "following"]


async def test_watch__journal_of_one_is_broken__others_are_told_and_it_is_said_once(tmp_path):
    journal_path(tmp_path, TORN).write_bytes(b"no database at all, but long enough to be read as one" * 40)
    world = World(tmp_path, Chain(VIEWS[0], VIEWS[1]), MemoryPost())
    world.chosen = {TORN: FILE, DEPLOYMENT: FILE}

    await world.until(world.has_told_both_views)

    (line,) = [line for line in world.lines if line.event == "problem"]
    assert "put it aside" in line.text
    told: list[str] = []
    assert set(unfinished(tmp_path, told.append)) == {DEPLOYMENT} and "put it aside" in told[0]


async def test_watch__view_that_nobody_thought_of__is_told_and_does_not_end_it(tmp_path):
    world = World(tmp_path, Chain(RuntimeError("odd"), VIEWS[1]), MemoryPost())

    await world.until(lambda: len(world.lines) > 0 and not world.chain.go_on() and world.post.kinds() == TOLD[:2])

    assert "internal error, RuntimeError: odd" in world.lines[0].text


async def test_watch__nobody_reads_its_lines_any_more__ends(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    world.lines = Closed()  # type: ignore[assignment]

    with pytest.raises(BrokenPipeError):
        await world.notifier().run(is_once=False, ends=False)


async def test_h33_watch__round_fails__is_told_and_tried_again_later_and_later(tmp_path):
    world = World(tmp_path, Chain(VIEWS[0]), MemoryPost())
    tries: list[float] = []

    async def send(recipient: Recipient, identity: str, body: bytes) -> Outcome:
        tries.append(world.now - 1_700_000_000.0)
        if len(tries) < 4:
            raise RuntimeError("odd")
        return Arrived()

    world.post.send = send  # type: ignore[method-assign]
    task = asyncio.create_task(world.notifier().run(is_once=False, ends=True))
    while len(tries) < 4 and world.now < 1_700_001_000:
        world.now += 1
        for _ in range(20):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    waits = [round(after - before) for before, after in pairwise(tries)]
    assert waits == pytest.approx([5, 20, 80], abs=3)
    assert world.events.count("problem") == 3 and world.events[-1] == "delivered"


async def test_h33_post__recipient_brings_about_what_nobody_thought_of__is_a_value():
    class Odd:
        async def send(self, *_: object) -> Outcome:
            raise RuntimeError("https://hooks.example/secret-path")

    outcome = await Post(Odd(), None).send(OPS, "evt_1", b"{}")  # type: ignore[arg-type]

    assert outcome == Unanswered("internal error, RuntimeError; please report it")


async def test_h33_watch__two_at_once__only_one_sends_and_the_other_takes_over(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    first = asyncio.create_task(world.notifier().run(is_once=False, ends=False))
    second = asyncio.create_task(world.notifier().run(is_once=False, ends=False))
    for _ in range(100):
        await asyncio.sleep(0)

    assert world.post.kinds() == TOLD[:2] and world.events.count("held") == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    world.chain.views = [VIEWS[2]]
    for _ in range(100):
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)

    assert world.post.kinds() == TOLD[:-1]


async def test_watch__agents_are_asked__tells_workloads_and_completion_once_over_restarts(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    world.agents = Agents()

    for _ in range(2):
        followed = len(world.lines)
        await world.until(lambda start=followed: "deploy.complete" in world.post.kinds() and len(world.lines) > start)

    assert sorted(world.post.kinds()) == ["cluster.created", "cluster.node.created", "deploy.begin", "deploy.complete"]


async def test_h33_watch__started_again_between_down_and_up__tells_each_change(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    world.agents = Agents()

    def changes() -> list[str]:
        nodes = {each["id"]: each["event"] for _, each in world.post.sent if "node" in each["event"]}
        return list(nodes.values())

    for count, state in enumerate(("running", "failed", "running", "failed"), 1):
        world.agents.state = state
        await world.until(lambda count=count: len(changes()) == count)
        world.now += 60

    assert changes() == ["cluster.node.created", "cluster.node.down"] * 2


async def test_h33_watch__agent_has_said_too_much__all_that_the_chain_says_is_told(tmp_path):
    world = World(tmp_path, Chain(*VIEWS), MemoryPost())
    world.agents = Flapping()
    world.rules = replace(RULES, patience=Patience(0, 0, 0, 0, 0, interval_blocks=1_000_000))

    def is_told() -> bool:
        world.now += 1
        if world.post.kinds().count("cluster.node.down") == MOST_TOLD or world.chain.now.block_number != 99:
            world.chain.go_on()
        return "deployment.closed" in world.post.kinds()

    await world.until(is_told)

    kinds = world.post.kinds()
    assert {kind: kinds.count(kind) for kind in TOLD} == {kind: TOLD.count(kind) for kind in TOLD}


async def test_watch__started_again__shows_nothing_that_it_has_shown(tmp_path):
    world = World(tmp_path, Chain(VIEWS[2]), MemoryPost())
    await world.once()
    world.lines.clear()

    await world.once()

    assert world.events == ["following"]


async def test_watch__record_is_gone__goes_on_with_what_its_journal_says(tmp_path):
    world = World(tmp_path, Chain(VIEWS[1]), MemoryPost())
    await world.once()

    assert unfinished(tmp_path, print) == {DEPLOYMENT: FILE}
    world.chain.views = [VIEWS[-1]]
    await world.once()

    assert unfinished(tmp_path, print) == {}


async def test_h33_watch__deployment_has_ended_while_something_waits__is_sent_by_the_next(tmp_path):
    world = World(tmp_path, Chain(VIEWS[-1]), MemoryPost(*[Unanswered("it answers 503")] * len(TOLD)))
    world.recipients = (replace(OPS, events=frozenset({"deployment.closed"})),)
    await world.once()
    assert unfinished(tmp_path, print) == {DEPLOYMENT: FILE}
    world.post.outcomes.clear()
    world.now += 60

    await world.notifier().run(is_once=False, ends=True)

    assert world.post.kinds() == ["deployment.closed"] * 2 and world.events[-1] == "ended"
    assert unfinished(tmp_path, print) == {}


async def test_watch__recipient_is_taken_out_of_the_file__does_not_keep_an_ended_deployment(tmp_path):
    world = World(tmp_path, Chain(VIEWS[-1]), MemoryPost(Unanswered("it answers 503")), (ME,))
    await world.once()
    world.recipients = (OPS,)

    await world.notifier().run(is_once=False, ends=True)

    (mine,) = [each for each in world.deliveries() if each.recipient == ME.name]
    assert (mine.state, mine.problem) == (DeliveryState.FAILED, "it is no recipient any more")
    assert unfinished(tmp_path, print) == {} and world.post.kinds() == TOLD


async def test_watch__funds_fall__are_told_with_the_hours(tmp_path):
    poor = view(attempt(lease=lease(funded_block=104)), block=99, story=LEASED)
    world = World(tmp_path, Chain(poor), MemoryPost())

    await world.once()

    document = world.post.sent[-1][1]
    assert (document["event"], document["hours_left"], document["block"]) == ("funds.low", "0.0", 99)


async def test_watch__node_leaves_out_logs__is_taken_for_silent(tmp_path):
    torn = view(attempt(lease=RICH), block=99, story=(SUBMITTED, CONFIRMED))

    with pytest.raises(NodeUnavailable, match="not complete"):
        await World(tmp_path, Chain(torn), MemoryPost()).once()
