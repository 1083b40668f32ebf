"""What is told of workloads that come and go, honestly or not: so much in an interval, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import pytest

from cli.core.agent_memory import Memory, kept
from cli.core.agent_notices import agent_notices
from cli.core.agents import Knowledge, Report, Workload
from cli.core.lasting import Patience
from cli.core.node_notices import MOST_NODES, MOST_TOLD
from cli.core.notices import Kind, Notice
from moorage.types import OrderId
from tests.factories.deployments import DEPLOYMENT, ORDER, VERSION, attempt, event, view

INTERVAL_BLOCKS = 900
SUBMITTED = event(90, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION)
EAST = attempt(nonce=1, name="east")
SEEN = view(attempt(), EAST, block=100, story=(SUBMITTED,))
NODES = (Kind.CLUSTER_NODE_CREATED, Kind.CLUSTER_NODE_DOWN)


class Damped:
    """A watcher that looks every second, which is what a block takes."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("web",)
        self.patience = Patience(interval_blocks=INTERVAL_BLOCKS)
        self.memory = Memory()
        self.now = 0
        self.step = 1
        self.told: list[Notice] = []

    def says(self, state: str, seconds: int = 1, names: Iterable[str] | None = None, lease: OrderId = ORDER) -> None:
        """Let an agent say the same of its workloads for so long."""
        workloads = tuple(Workload(name, state, None, ()) for name in names or self.names)
        knowledge = {lease: Knowledge(Report(VERSION, workloads))}
        for _ in range(0, seconds, self.step):
            seen = replace(SEEN, block_number=100 + self.now)
            self.memory, told = agent_notices(seen, knowledge, self.memory, self.now, self.patience)
            self.told += [notice for notice in told if notice.kind in NODES]
            self.now += self.step

    def news(self) -> list[tuple[int, str, object]]:
        """Return what was told since it was asked last: when, what, and how much is left out."""
        told, self.told = self.told, []
        words = {Kind.CLUSTER_NODE_CREATED: "up", Kind.CLUSTER_NODE_DOWN: "down"}
        return [(each.block_number - 100, words[each.kind], each.fields.get("left_out", 0)) for each in told]


def test_h33_node_notices__workload_flaps__each_event_once_in_the_interval_with_what_was_left_out():
    watcher = Damped()
    for _ in range(15):
        watcher.says("running", 61)
        watcher.says("failed", 31)

    assert watcher.news() == [(10, "up", 0), (91, "down", 0), (910, "up", 16), (1011, "down", 2)]
    assert len({node.changes for node in watcher.memory.nodes.values()}) == 1


def test_h33_node_notices__flapping_has_ended__how_it_is_in_the_end_is_told():
    watcher = Damped()
    watcher.says("running", 11)
    watcher.says("failed", 31)
    watcher.says("running", 61)
    watcher.says("failed", 31)
    assert watcher.news() == [(10, "up", 0), (41, "down", 0)]

    watcher.says("failed", 1_000)

    assert watcher.news() == [(941, "down", 1)]
    watcher.says("failed", 2_000)
    assert watcher.news() == []


def test_h33_node_notices__went_down_and_came_back_within_the_interval__is_told_as_it_is():
    watcher = Damped()
    watcher.says("running", 11)
    watcher.says("failed", 31)
    watcher.says("running", 1_000)

    *_, up = watcher.told
    assert watcher.news() == [(10, "up", 0), (41, "down", 0), (910, "up", 0)]
    assert "left out" not in up.text and "left_out" not in up.fields


@pytest.mark.parametrize(("flaps", "words"), [(1, "1 change before this one is"), (2, "3 changes before this one are")])
def test_node_notices__something_was_left_out__is_said_for_people_too(flaps, words):
    watcher = Damped()
    watcher.says("running", 11)
    for _ in range(flaps):
        watcher.says("failed", 31)
        watcher.says("running", 61)
    watcher.says("failed", 1_000)

    assert watcher.told[-1].text.endswith(f"its provider does not say why; {words} left out")


def test_h33_node_notices__watcher_started_again__the_interval_goes_on():
    watcher = Damped()
    watcher.says("running", 11)
    watcher.says("failed", 31)
    watcher.memory = msgspec.json.decode(msgspec.json.encode(kept(watcher.memory)), type=Memory)
    watcher.says("running", 61)
    watcher.says("failed", 31)

    assert watcher.news() == [(10, "up", 0), (41, "down", 0)]
    watcher.says("failed", 1_000)
    assert watcher.news() == [(941, "down", 1)]


def test_node_notices__no_interval__everything_that_holds_is_told():
    watcher = Damped()
    watcher.patience = Patience()
    for _ in range(3):
        watcher.says("running", 61)
        watcher.says("failed", 31)

    assert [word for _, word, _ in watcher.news()] == ["up", "down"] * 3


def test_h33_node_notices__many_change_at_once__the_last_notice_speaks_for_the_rest():
    watcher = Damped(*(f"web-{number}" for number in range(50)))
    watcher.says("running", 11)

    *_, rest = watcher.told
    assert watcher.news() == [(10, "up", 0)] * (MOST_TOLD - 1) + [(10, "up", 50 - MOST_TOLD + 1)]
    assert rest.text.startswith("31 more workloads of group west run; ") and "workload" not in rest.fields
    watcher.says("running", 2_000)
    assert watcher.news() == []


def test_node_notices__just_as_many_as_are_told__each_has_its_own():
    watcher = Damped(*(f"web-{number}" for number in range(MOST_TOLD)))
    watcher.says("running", 11)

    assert watcher.news() == [(10, "up", 0)] * MOST_TOLD
    watcher.says("failed", 31)
    assert watcher.news() == [(41, "down", 0)] * MOST_TOLD


def test_h33_node_notices__agent_lies_for_long__so_many_notices_with_ids_of_their_own_and_no_more():
    watcher, spans = Damped(), 2
    watcher.step = 5
    for look in range(spans * INTERVAL_BLOCKS // 100):
        names = [f"made-up-{look % 7}-{number}" for number in range(60)]
        watcher.says("running", 65, names)
        watcher.says("failed", 35, names)

    for kind in NODES:
        assert 0 < sum(each.kind is kind for each in watcher.told) <= MOST_TOLD * (spans + 1)
    assert len({each.id for each in watcher.told}) == len(watcher.told)
    assert len(watcher.memory.nodes) == MOST_NODES and len(watcher.memory.rations) == 2


def test_h33_node_notices__one_agent_has_said_too_much__the_other_lease_is_told_as_ever():
    watcher = Damped()
    watcher.says("running", 11, [f"made-up-{number}" for number in range(MOST_NODES)])
    watcher.news()

    watcher.says("running", 11, ["db"], EAST.id)

    (told,) = watcher.told
    assert told.fields["workload"] == "db" and told.fields["group"] == "east"


def test_h33_node_notices__waits_for_the_next_interval__is_told_then():
    watcher = Damped(*(f"web-{number}" for number in range(MOST_TOLD + 5)))
    watcher.says("running", 11)
    watcher.news()
    late = (*watcher.names, "late")
    watcher.says("running", 800, late)
    assert watcher.news() == []

    watcher.says("running", 200, late)

    (told,) = watcher.told
    assert told.fields["workload"] == "late" and watcher.news() == [(910, "up", 0)]


def test_node_notices__two_short_interruptions_with_a_good_while_between__are_not_told():
    watcher = Damped()
    for _ in range(2):
        watcher.says("running", 62)
        watcher.says("failed", 20)

    assert watcher.news() == [(10, "up", 0)]


def test_node_notices__taken_out_before_it_was_told__is_not_told_when_it_is_put_in_again():
    watcher = Damped()
    watcher.says("running", 11)
    watcher.says("failed", 31)
    watcher.says("running", 61)
    watcher.says("running", 1, ["other"])
    watcher.news()

    watcher.says("failed", 1_000)

    assert watcher.news() == []
