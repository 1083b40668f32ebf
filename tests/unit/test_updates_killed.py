"""An agent that is killed before any step of an update, or of taking it back, ends as one that lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from moorage.manifest import Workload
from moorage.workload_health import Health, HttpCheck
from provider_agent.core.workloads import DesiredLease
from tests.factories.workloads import NEXT_VERSION, connection, lease_of, workload
from tests.update_site import ENDS_AFTER, UpdateSite

Story = Sequence[tuple[DesiredLease, int]]
"""What is wanted, and for how many passes; at first OLD or what the first part of a story says."""


def web(version: int, *others: Workload, **changes: Any) -> DesiredLease:
    made = workload("web", connection(80), image=f"example/web:{version}", **changes)
    return lease_of(made, *others, version=NEXT_VERSION)


def ending(seconds: int) -> DesiredLease:
    """Return a version that ends so long after its start."""
    return web(2, command=(*ENDS_AFTER, str(seconds)))


def checked(version: int, asked: str, answered: str) -> DesiredLease:
    """Return a version that is asked for a path over HTTP, and answers one."""
    check = Health(
        http=HttpCheck(path=asked, port=80),
        tcp_port=None,
        command=None,
        interval_seconds=1,
        timeout_seconds=1,
        retries=1,
        start_seconds=60,
    )
    return web(version, health=check, command=("serve", answered))


OLD, NEW, NEXT = web(1), web(2), web(3)
OLD_CHECKED, NEW_CHECKED = checked(1, "/one", "/one"), checked(2, "/two", "/two")
BAD_CHECK, SAME_BUT_BAD_CHECK = checked(2, "/missing", "/two"), checked(1, "/missing", "/one")
WITH_DB = web(2, workload("db", connection(5432, "web")), depends_on=("db",))
STORED = {"storage": {"/data": 1}}

SHORT: dict[str, Story] = {
    "update": ((OLD, 8), (NEW, 18)),
    "ends at once, and is taken back": ((OLD, 8), (ending(0), 8), (OLD, 6)),
    "ends soon, and is taken back": ((OLD, 8), (ending(4), 8), (OLD, 6)),
    "taken back in the middle": ((OLD, 8), (NEW, 5), (OLD, 16)),
    "another check": ((OLD_CHECKED, 8), (NEW_CHECKED, 18)),
    "a check that fails, and is taken back": ((OLD, 8), (BAD_CHECK, 8), (OLD, 6)),
}
LONG: dict[str, Story] = {
    "with another workload": ((OLD, 8), (WITH_DB, 22)),
    "with another workload, and taken back": ((OLD, 8), (WITH_DB, 12), (OLD, 16)),
    "three replicas": ((web(1, count=3), 12), (web(2, count=3), 42)),
    "three replicas, taken back": ((web(1, count=3), 12), (web(2, count=3), 11), (web(1, count=3), 42)),
    **{f"taken back after {count}": ((OLD, 8), (NEW, count), (OLD, 16)) for count in range(1, 13) if count != 5},
    "another check that fails, and is taken back": ((OLD_CHECKED, 8), (BAD_CHECK, 8), (OLD_CHECKED, 6)),
    "the check alone fails, and is taken back": ((OLD_CHECKED, 8), (SAME_BUT_BAD_CHECK, 8), (OLD_CHECKED, 6)),
    **{
        f"{told}, taken back after {count}": ((old, 8), (new, count), (old, 18))
        for told, old, new in (
            ("a check", OLD, NEW_CHECKED),
            ("another check", OLD_CHECKED, NEW_CHECKED),
            ("no check any more", OLD_CHECKED, NEW),
        )
        for count in (2, 5, 8, 11)
    },
    **{f"followed after {count}": ((OLD, 8), (NEW, count), (NEXT, 18)) for count in range(1, 13)},
}
WITH_A_BREAK: dict[str, Story] = {
    "storage": ((web(1, **STORED), 8), (web(2, **STORED), 8)),
    "storage, taken back": ((web(1, **STORED), 8), (web(2, **STORED), 3), (web(1, **STORED), 8)),
}
"""What has storage can't be there twice: nobody serves while it is replaced."""


async def played(story: Story, dies_at: int | None = None) -> tuple[UpdateSite, list[str]]:
    """Return how a story ends, and the steps that the agent has taken from the second part on, until its death."""
    site = UpdateSite([wanted for wanted, _ in story])
    (first, count), *rest = story
    await site.passes(first, count)
    agent = site.agent
    agent.begin(dies_at)
    site.is_asked = True
    with capture_logs():  # a death is told with all that led to it
        for wanted, count in rest:
            await site.passes(wanted, count)
    return site, agent.taken


async def killed_before_each_step(story: Story) -> list[UpdateSite]:
    """Check that a story ends the same however its agent dies; return how it went, first without a death."""
    alive, steps = await played(story)
    replicas = len(alive.names)
    sites = [alive]
    for number, step in enumerate(steps):
        site, _ = await played(story, number)
        assert site.agent.dies_at is None, f"not killed before step {number}, {step}"
        assert site.state() == alive.state(), f"killed before step {number}, {step}"
        assert site.most <= replicas + 1, f"killed before step {number}, {step}"
        sites.append(site)
    assert len(steps) >= 3
    return sites


@pytest.mark.parametrize("name", [*SHORT, *(pytest.param(each, marks=pytest.mark.long) for each in LONG)])
async def test_i18_i22_update__agent_is_killed_before_any_step__ends_the_same_and_somebody_serves_all_the_time(
    name: str,
) -> None:
    sites = await killed_before_each_step((SHORT | LONG)[name])

    assert [(number, site.unserved) for number, site in enumerate(sites, -1) if site.unserved] == []


@pytest.mark.parametrize("story", LONG.values(), ids=LONG)
async def test_i22_update__taken_back_or_followed_at_any_moment__somebody_serves_all_the_time(story: Story) -> None:
    site, _ = await played(story)

    assert site.unserved == []


@pytest.mark.parametrize("story", WITH_A_BREAK.values(), ids=WITH_A_BREAK)
async def test_i18_i22_update__agent_is_killed_before_any_step_and_there_is_storage__ends_the_same_with_one_container(
    story: Story,
) -> None:
    sites = await killed_before_each_step(story)

    assert {site.most for site in sites} == {1}
