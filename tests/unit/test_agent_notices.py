"""What agents say of workloads, as recipients are told it: no blinks, nothing twice, also after a new start."""

from __future__ import annotations

from dataclasses import replace

from cli.core.agent_memory import Memory, kept
from cli.core.agent_notices import agent_notices
from cli.core.agents import Knowledge, ManifestNews, Report, Workload
from cli.core.lasting import Patience
from cli.core.notices import Kind, Notice
from cli.core.view import DeploymentView
from moorage.told import BEING_TRIED, VERSION_BEFORE
from moorage.types import OrderState
from tests.factories.deployments import DEPLOYMENT, ORDER, OTHER_VERSION, VERSION, attempt, event, view

SUBMITTED = event(90, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION)
UPDATED = event(150, "DeploymentUpdated", deployment=DEPLOYMENT, version=OTHER_VERSION, update_number=2)
SEEN = view(attempt(), block=100, story=(SUBMITTED,))
PATIENCE = Patience(again_seconds=60, complete_seconds=10, failing_seconds=60, absent_seconds=300, down_seconds=30)


def says(state: str, reason: str | None = None, version: bytes | None = VERSION) -> Knowledge:
    workloads = (Workload("web", state, reason, ("http://203.0.113.1:80",)),) if version is not None else ()
    return Knowledge(Report(version, workloads))


class Story:
    """Looks one after the other; the memory goes from one to the next."""

    def __init__(self, seen: DeploymentView = SEEN) -> None:
        self.seen = seen
        self.memory = Memory()

    def at(self, seconds: float, known: Knowledge) -> list[Notice]:
        """Return what is told at a time."""
        self.memory, notices = agent_notices(self.seen, {ORDER: known}, self.memory, seconds, PATIENCE)
        return list(notices)

    def kinds(self, seconds: float, known: Knowledge) -> list[str]:
        return [notice.kind.value for notice in self.at(seconds, known)]


def running() -> Story:
    """Return a deployment of which everything was told."""
    story = Story()
    story.at(0, says("running"))
    story.at(10, says("running"))
    return story


def came_up(story: Story, second: int) -> list[Notice]:
    """Let the workload run from a second on, and return what is told a minute later."""
    story.at(second, says("running"))
    return story.at(second + 60, says("running"))


def goes_down(story: Story, second: int) -> list[Notice]:
    """Let the workload be down from a second on, and return what is told when that has lasted."""
    story.at(second, says("failed"))
    return story.at(second + 30, says("failed"))


def test_agent_notices__workload_comes_up__is_told_with_the_completion_when_it_lasts():
    story = Story()

    assert story.at(0, says("starting")) == []
    assert story.at(5, says("running")) == []
    assert story.at(14, says("running")) == []
    created, complete = story.at(15, says("running"))
    assert story.at(16, says("running")) == []

    assert created.kind is Kind.CLUSTER_NODE_CREATED and created.fields["workload"] == "web"
    assert complete.kind is Kind.DEPLOY_COMPLETE and complete.fields["addresses"] == "http://203.0.113.1:80"


def test_agent_notices__job_is_done__has_come_up_and_is_complete_and_never_down():
    story = Story()

    assert story.at(0, says("done", "exit code 0 at 2026-05-01T10:00:00Z")) == []
    created, complete = story.at(10, says("done"))

    assert created.kind is Kind.CLUSTER_NODE_CREATED and "workload web of group west is done" in created.text
    assert complete.kind is Kind.DEPLOY_COMPLETE and complete.text.startswith("all workloads run or are done")
    ran = running()
    assert ran.kinds(20, says("done")) == ran.kinds(400, says("done")) == []


def test_agent_notices__runs_for_a_moment_only__is_not_complete():
    story = Story()

    told = [kind for second in range(60) for kind in story.kinds(second, says("failed" if second % 9 else "running"))]

    assert told == []


def test_agent_notices__workload_goes_down_and_comes_up_again__is_told_when_it_stays_so():
    story = running()

    assert story.kinds(20, says("restarting")) == story.kinds(49, says("restarting")) == []
    (down,) = story.at(50, says("restarting", "exited with code 3"))
    assert story.kinds(51, says("restarting")) == []
    assert story.kinds(60, says("running")) == []
    assert story.kinds(119, says("running")) == []
    (up,) = story.at(120, says("running"))

    assert down.kind is Kind.CLUSTER_NODE_DOWN and down.fields["reason"] == "exited with code 3"
    assert up.kind is Kind.CLUSTER_NODE_CREATED and "again" in up.text


def test_agent_notices__short_interruption__is_not_told():
    story = running()

    told = [story.kinds(second, says("restarting" if second < 49 else "running")) for second in range(20, 200)]

    assert told == [[]] * 180


def test_agent_notices__crash_loop__is_told_once():
    story = running()

    told = [
        kind for second in range(20, 600) for kind in story.kinds(second, says("running" if second % 30 else "failed"))
    ]

    assert told == ["cluster.node.down"]


def test_agent_notices__starting_after_running__says_nothing():
    story = running()

    assert story.kinds(20, says("starting")) == [] and story.kinds(30, says("running")) == []


def test_h33_agent_notices__down_twice__are_two_facts():
    story = running()
    (created, _), (first,) = came_up(Story(), 0), goes_down(story, 20)
    (again,), (second,) = came_up(story, 60), goes_down(story, 130)

    assert len({each.id for each in (created, first, again, second)}) == 4


def test_h33_agent_notices__watcher_started_again__repeats_nothing_and_goes_on():
    story = running()
    story.memory = kept(story.memory)

    assert story.at(0, says("running")) == [] and story.at(10, says("running")) == []
    assert [each.kind.value for each in goes_down(story, 20)] == ["cluster.node.down"]


def test_h33_agent_notices__crash_before_it_was_written_down__derives_the_same_again():
    one, other = Story(), Story()

    assert came_up(one, 0) == came_up(other, 1_000) != []


def test_agent_notices__new_version__is_complete_when_nothing_of_the_old_one_runs():
    story = running()
    story.seen = view(attempt(), block=151, story=(SUBMITTED, UPDATED), version=OTHER_VERSION)
    tried = says("running", f"{VERSION_BEFORE}; the new one {BEING_TRIED}", OTHER_VERSION)

    told = [kind for second in (20, 40, 200) for kind in story.kinds(second, tried)]
    told += [kind for second in (210, 220, 230) for kind in story.kinds(second, says("running", None, OTHER_VERSION))]

    assert told == ["deploy.complete"]


def test_agent_notices__new_version_does_not_work__is_a_failure_though_the_old_one_runs():
    story = running()
    story.seen = view(attempt(), block=151, story=(SUBMITTED, UPDATED), version=OTHER_VERSION)
    broken = says("running", f"replica 0: {VERSION_BEFORE}; the new one failed: image not found", OTHER_VERSION)

    assert story.kinds(20, broken) == [] and story.kinds(79, broken) == []
    (failure,) = story.at(80, broken)

    assert failure.kind is Kind.DEPLOY_FAILURE and "image not found" in failure.text


def test_agent_notices__first_version_fails_then_works__is_failure_and_completion():
    story = Story()
    broken = says("failed", "image not found")

    assert story.kinds(0, broken) == []
    failures = [story.at(60, broken), story.at(70, broken)]
    told = story.kinds(80, says("running")) + story.kinds(90, says("running"))

    assert [each.id for each in failures[0]] == [each.id for each in failures[1]]  # the journal has it once
    assert told == ["cluster.node.created", "deploy.complete"]


def test_agent_notices__new_version_never_runs_for_long__is_a_failure():
    story = Story()

    told = [kind for second in range(62) for kind in story.kinds(second, says("running" if second % 9 else "failed"))]

    assert told == []
    assert story.kinds(63, says("failed")) == ["deploy.failure"]


def test_agent_notices__next_version_fails__has_its_own_time_to_come_up():
    story = Story()
    story.at(0, says("failed"))
    story.seen = view(attempt(), block=151, story=(SUBMITTED, UPDATED), version=OTHER_VERSION)

    assert story.kinds(60, says("failed", None, OTHER_VERSION)) == []
    assert story.kinds(120, says("failed", None, OTHER_VERSION)) == ["deploy.failure"]


def test_agent_notices__manifest_never_arrives__is_a_failure_with_advice():
    story = Story()
    lacking = Knowledge(Report(None, (), ManifestNews("waiting", None, "nobody has it")))

    assert story.kinds(0, lacking) == [] and story.kinds(299, lacking) == []
    (failure,) = story.at(300, lacking)

    assert "nobody has it" in failure.text and "`moorage deploy`" in failure.text


def test_agent_notices__agent_unreachable__is_a_failure_if_it_never_came_up_and_no_node_goes_down():
    silent = Knowledge(problem="connection refused", failures=9)
    story = Story()
    up = running()
    lost = replace(says("running"), problem="connection refused", failures=9)

    assert story.kinds(0, silent) == []
    (failure,) = story.at(300, silent)

    assert "connection refused" in failure.text
    assert [up.kinds(second, lost) for second in (20, 400, 800)] == [[], [], []]


def test_agent_notices__agent_silent_after_one_good_word__is_not_complete():
    story = Story()
    lost = replace(says("running"), problem="connection refused", failures=1)

    story.at(0, lost)

    assert story.kinds(20, lost) == ["cluster.node.created"]


def test_agent_notices__lease_has_ended__its_workloads_are_forgotten_silently():
    story = running()
    story.seen = view(attempt(OrderState.LEASE_CLOSING), block=120, story=(SUBMITTED,))

    assert story.kinds(20, says("failed")) == []
    assert story.memory.nodes == {} and story.memory.came_up == {}


def test_agent_notices__workload_taken_out_by_the_tenant__is_no_node_that_is_down():
    story = running()

    assert story.kinds(20, Knowledge(Report(VERSION, ()))) == []


def test_h33_agent_notices__workload_taken_out_and_put_in_again__are_new_facts():
    story = running()
    (first,), (up,) = goes_down(story, 20), came_up(story, 60)
    story.at(130, Knowledge(Report(VERSION, ())))

    (again,), (second,) = came_up(story, 200), goes_down(story, 300)

    assert (again.kind, second.kind) == (Kind.CLUSTER_NODE_CREATED, Kind.CLUSTER_NODE_DOWN)
    assert len({each.id for each in (first, up, again, second)}) == 4


def test_h33_agent_notices__agent_started_again_without_a_manifest_yet__repeats_nothing_and_loses_nothing():
    story = running()
    (first,), (up,) = goes_down(story, 20), came_up(story, 60)

    lacking = Knowledge(Report(None, (), ManifestNews("waiting", None, "it has just started")))
    assert [story.at(second, lacking) for second in (130, 131, 500)] == [[], [], []]
    assert [story.at(second, says("running")) for second in (510, 580)] == [[], []]
    (second,) = goes_down(story, 600)

    assert second.kind is Kind.CLUSTER_NODE_DOWN and second.id not in (first.id, up.id)


def test_agent_notices__one_of_two_groups_runs__is_not_complete():
    east = attempt(OrderState.OPEN, 1, name="east")
    story = Story(view(attempt(), east, block=100, story=(SUBMITTED,)))

    assert "deploy.complete" not in story.kinds(0, says("running")) + story.kinds(20, says("running"))
