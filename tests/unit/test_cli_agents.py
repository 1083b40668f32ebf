"""Whom to ask what, and what the answers mean."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from cli.core.agents import (
    ALL_DONE,
    COMING_UP_SECONDS,
    MAX_RETRY_SECONDS,
    NOTHING_KNOWN,
    PASSING_ON_SECONDS,
    RUNNING_SECONDS,
    AskStatus,
    Delivered,
    DeliverManifest,
    Failed,
    Knowledge,
    Report,
    Workload,
    is_all_done,
    is_all_running,
    learn,
    next_steps,
    running_line,
    tell_change,
)
from moorage.told import BEING_TRIED, VERSION_BEFORE
from moorage.types import OrderState, ProviderNumber
from tests.factories.deployments import ORDER, OTHER_VERSION, VERSION, attempt, event, view

P1 = ProviderNumber(1)
WEB = Workload("web", "running", None, ("http://203.0.113.1:80",))
TRIED = replace(WEB, reason=f"{VERSION_BEFORE}; the new one {BEING_TRIED}: not healthy yet")
KEPT_BACK = replace(WEB, reason=f"{VERSION_BEFORE}; the new one is restarting: exited with 1")
RUNNING = Report(VERSION, (WEB,))
JOB = Workload("job", "done", "exit code 0 at 2026-05-01T10:00:00Z", ())
EMPTY = Report(None, ())
LEASED = view(attempt())


@pytest.mark.parametrize(
    ("knowledge", "steps"),
    [
        ({}, (AskStatus(ORDER, P1),)),
        ({ORDER: Knowledge(EMPTY)}, (DeliverManifest(ORDER, P1),)),
        ({ORDER: Knowledge(Report(OTHER_VERSION, ()))}, (DeliverManifest(ORDER, P1),)),
        ({ORDER: Knowledge(EMPTY, is_delivered=True)}, (AskStatus(ORDER, P1),)),
        ({ORDER: Knowledge(RUNNING)}, (AskStatus(ORDER, P1),)),
        ({ORDER: Knowledge(RUNNING, next_seconds=10.1)}, ()),
    ],
)
def test_next_steps__active_lease__asks_first_and_delivers_what_is_missing(knowledge, steps):
    assert next_steps(LEASED, VERSION, knowledge, 10.0) == steps


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.LEASE_ACTIVE])
def test_next_steps__no_active_lease__asks_nobody(state):
    assert next_steps(view(attempt(state)), VERSION, {}, 0.0) == ()


def test_next_steps__chain_wants_another_version__delivers_nothing():
    assert next_steps(LEASED, OTHER_VERSION, {ORDER: Knowledge(EMPTY)}, 0.0) == (AskStatus(ORDER, P1),)


THREE = [attempt(nonce=bytes([number]) * 32) for number in range(3)]
LACKS = Knowledge(EMPTY, lacking_seconds=10.0)


def delivered_to(knowledge, now_seconds=10.0, delivering=()):
    """Return the places of those of three agents to which the manifest is sent."""
    known = {each.id: what for each, what in zip(THREE, knowledge, strict=True) if what is not None}
    steps = next_steps(view(*THREE), VERSION, known, now_seconds, [THREE[place].id for place in delivering])
    sent = {step.lease for step in steps if isinstance(step, DeliverManifest)}
    return [place for place, each in enumerate(THREE) if each.id in sent]


@pytest.mark.parametrize(
    ("knowledge", "delivering", "places"),
    [
        ([LACKS, LACKS, LACKS], (), [0]),
        ([LACKS, LACKS, LACKS], (0,), []),
        ([LACKS, LACKS, LACKS], (1, 2), []),
        ([None, LACKS, LACKS], (), [1]),
        ([Knowledge(RUNNING), LACKS, LACKS], (), [1]),
        ([Knowledge(EMPTY, is_delivered=True), LACKS, LACKS], (), [1]),
        ([Knowledge(RUNNING), Knowledge(RUNNING), LACKS], (), []),
    ],
)
def test_next_steps__several_agents_lack_the_manifest__it_is_sent_to_two_one_after_the_other(
    knowledge, delivering, places
):
    assert delivered_to(knowledge, delivering=delivering) == places


@pytest.mark.parametrize(("late_seconds", "places"), [(PASSING_ON_SECONDS - 1, []), (PASSING_ON_SECONDS, [2])])
def test_next_steps__nobody_has_passed_it_on_for_a_while__it_is_sent_again_from_here(late_seconds, places):
    assert delivered_to([Knowledge(RUNNING), Knowledge(RUNNING), LACKS], 10.0 + late_seconds) == places


def test_next_steps__lease_was_replaced__asks_only_the_new_provider():
    stale = attempt(OrderState.LEASE_STALE)
    renewed = attempt(nonce=stale.id, replaced=stale.id)

    assert next_steps(view(stale, renewed), VERSION, {}, 0.0) == (AskStatus(renewed.id, P1),)


@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [
        (NOTHING_KNOWN, RUNNING, Knowledge(RUNNING, next_seconds=5 + RUNNING_SECONDS)),
        (NOTHING_KNOWN, EMPTY, Knowledge(EMPTY, next_seconds=5, lacking_seconds=5)),
        (
            Knowledge(EMPTY, lacking_seconds=4),
            EMPTY,
            Knowledge(EMPTY, next_seconds=5 + COMING_UP_SECONDS, lacking_seconds=4),
        ),
        (
            Knowledge(EMPTY, lacking_seconds=4),
            Delivered(),
            Knowledge(EMPTY, is_delivered=True, deliveries=1, next_seconds=5 + COMING_UP_SECONDS, lacking_seconds=5),
        ),
        (
            Knowledge(EMPTY, is_delivered=True, deliveries=1, lacking_seconds=4),
            EMPTY,
            Knowledge(EMPTY, is_delivered=True, deliveries=1, next_seconds=5 + COMING_UP_SECONDS, lacking_seconds=4),
        ),
        (
            Knowledge(EMPTY, is_delivered=True, deliveries=1, lacking_seconds=5 - PASSING_ON_SECONDS),
            EMPTY,
            Knowledge(
                EMPTY,
                deliveries=1,
                next_seconds=5 + COMING_UP_SECONDS,
                lacking_seconds=5 - PASSING_ON_SECONDS,
            ),
        ),
        (Knowledge(RUNNING), Failed("gone", True), Knowledge(RUNNING, problem="gone", failures=1, next_seconds=6)),
        (
            Knowledge(problem="no", failures=3, refusals=2),
            Failed("no", False),
            Knowledge(problem="no", failures=4, refusals=3, next_seconds=5 + 8),
        ),
        (
            Knowledge(problem="no", failures=90, refusals=2),
            Failed("gone", True),
            Knowledge(problem="gone", failures=91, next_seconds=5 + MAX_RETRY_SECONDS),
        ),
        (Knowledge(EMPTY, problem="gone", failures=9), RUNNING, Knowledge(RUNNING, next_seconds=5 + RUNNING_SECONDS)),
    ],
)
def test_learn__answer__says_when_to_ask_again(before, answer, after):
    assert learn(before, answer, VERSION, 5.0) == after


def texts(before, after):
    return [line.text for line in tell_change(LEASED, ORDER, before, after)]


def test_tell_change__first_delivery__is_told_once():
    once = Knowledge(EMPTY, is_delivered=True, deliveries=1)

    assert texts(NOTHING_KNOWN, once) == ["manifest delivered to provider 1"]
    assert texts(once, Knowledge(EMPTY, is_delivered=True, deliveries=2)) == []


def test_tell_change__problem_that_stays__is_told_once():
    gone = [Knowledge(problem="gone", failures=count) for count in range(1, 6)]
    pairs = zip([NOTHING_KNOWN, *gone], gone, strict=False)

    assert [texts(*pair) for pair in pairs] == [
        [],
        [],
        ["no use of provider 1's agent yet, trying again: gone"],
        [],
        [],
    ]


def test_tell_change__agent_goes_away_and_comes_back__both_are_told_once():
    gone = [Knowledge(RUNNING, problem="gone", failures=count) for count in (2, 3, 4, 8)]
    known = [Knowledge(RUNNING), *gone, Knowledge(RUNNING), Knowledge(RUNNING)]

    told = [line for before, after in pairwise(known) for line in tell_change(LEASED, ORDER, before, after)]

    assert [line.event for line in told] == ["agent-problem", "agent-away", "agent-back"]
    assert [line.text.partition(":")[0] for line in told] == [
        "no use of provider 1's agent any more, trying again",
        "provider 1's agent stays away",
        "provider 1's agent answers again",
    ]


def test_tell_change__agent_missed_a_question_or_two__is_not_worth_a_line():
    known = [Knowledge(RUNNING), Knowledge(RUNNING, problem="gone", failures=2), Knowledge(RUNNING)]

    assert [line for before, after in pairwise(known) for line in tell_change(LEASED, ORDER, before, after)] == []


def test_tell_change__another_problem__is_told_too():
    before, after = Knowledge(problem="gone", failures=3), Knowledge(problem="404: unknown", failures=4)

    assert texts(before, after) == ["no use of provider 1's agent yet, trying again: 404: unknown"]


def test_tell_change__new_version_is_tried_and_fails__both_are_told_once():
    reports = [TRIED, TRIED, KEPT_BACK, replace(KEPT_BACK, reason=f"{KEPT_BACK.reason} next attempt in 4 s")]
    known = [Knowledge(Report(VERSION, (each,))) for each in (WEB, *reports)]

    told = [text for before, after in pairwise(known) for text in texts(before, after)]

    assert told == [f"workload web running at {WEB.addresses[0]}: {each.reason}" for each in (TRIED, KEPT_BACK)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, WEB, ["workload web running at http://203.0.113.1:80"]),
        (WEB, WEB, []),
        (WEB, Workload("web", "restarting", "exited with code 3", ()), ["workload web restarting: exited with code 3"]),
        (
            Workload("web", "failed", "next attempt in 5 s", ()),
            Workload("web", "failed", "next attempt in 4 s", ()),
            [],
        ),
    ],
)
def test_tell_change__workload__is_told_when_state_or_addresses_differ(old, new, told):
    before = Knowledge(Report(VERSION, (old,))) if old else NOTHING_KNOWN

    assert texts(before, Knowledge(Report(VERSION, (new,)))) == told


@pytest.mark.parametrize(
    ("attempts", "report", "is_running"),
    [
        ((attempt(),), RUNNING, True),
        ((attempt(),), None, False),
        ((attempt(),), Report(VERSION, ()), False),
        ((attempt(),), Report(OTHER_VERSION, (WEB,)), False),
        ((attempt(),), Report(VERSION, (WEB, Workload("db", "starting", None, ()))), False),
        ((attempt(),), Report(VERSION, (WEB, TRIED)), False),
        ((attempt(),), Report(VERSION, (WEB, KEPT_BACK)), False),
        ((attempt(OrderState.LEASE_CLOSING),), RUNNING, False),
        ((attempt(), attempt(OrderState.OPEN, 1)), RUNNING, False),
        ((), RUNNING, False),
    ],
)
def test_all_running__every_group_has_to__on_the_newest_version(attempts, report, is_running):
    assert is_all_running(view(*attempts), {ORDER: Knowledge(report)}) is is_running


def test_running_line__addresses__are_told_with_their_workloads():
    knowledge = {ORDER: Knowledge(Report(VERSION, (WEB, Workload("db", "running", None, ()))))}

    line = running_line(LEASED, knowledge)

    assert line.text == "all workloads run: web at http://203.0.113.1:80"
    assert line.fields == {"addresses": "http://203.0.113.1:80"}


def test_all_running__group_that_an_update_removes_is_still_closing__does_not_count():
    gone = attempt(OrderState.LEASE_CLOSING, 1, name="east")
    here = view(attempt(), gone, story=(event(99, "LeaseClosing", lease=gone.id),))

    assert is_all_running(here, {ORDER: Knowledge(RUNNING)})
    assert running_line(here, {ORDER: Knowledge(RUNNING)}).text == "all workloads run: web at http://203.0.113.1:80"


def test_running_line__nothing_exposed__says_so():
    knowledge = {ORDER: Knowledge(Report(VERSION, (Workload("db", "running", None, ()),)))}

    assert running_line(LEASED, knowledge).text == "all workloads run: nothing is exposed to the outside"


def test_all_running__job_is_done__is_up_and_told_so():
    knowledge = {ORDER: Knowledge(Report(VERSION, (WEB, JOB)))}

    assert is_all_running(LEASED, knowledge) and not is_all_done(LEASED, knowledge)
    assert running_line(LEASED, knowledge).text == "all workloads run or are done: web at http://203.0.113.1:80"


def test_all_done__every_workload_of_every_group__says_that_it_is_paid_for_all_the_same():
    other = attempt(nonce=1, name="east")
    both = view(attempt(), other)
    done, running = Knowledge(Report(VERSION, (JOB,))), Knowledge(RUNNING)

    assert is_all_done(both, {ORDER: done, other.id: done})
    assert not is_all_done(both, {ORDER: done, other.id: running})
    assert not is_all_done(both, {ORDER: done})
    assert not is_all_done(view(attempt()), {ORDER: Knowledge(Report(OTHER_VERSION, (JOB,)))})
    assert running_line(LEASED, {ORDER: done}).text == ALL_DONE
    assert "`moorage delete`" in ALL_DONE


def test_tell__agent_fails_for_long__says_once_what_becomes_of_the_lease():
    failures = [Knowledge(problem="connection refused", failures=count) for count in range(12)]

    told = [line for before, after in pairwise(failures) for line in tell_change(LEASED, ORDER, before, after)]

    assert [line.event for line in told] == ["agent-problem", "agent-away"]
    assert told[1].text == (
        "provider 1 does not take the manifest: it is paid only for what it confirms, and if it does not confirm for "
        "10 blocks another provider is ordered and its collateral is yours; `moorage delete` ends it now"
    )
