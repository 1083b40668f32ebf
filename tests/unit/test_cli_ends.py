"""How following a deployment ends: what happened, what is safe, what to do next."""

from __future__ import annotations

import pytest

from cli.core.agents import NOTHING_KNOWN, REFUSALS_THAT_COUNT, Knowledge, Report, Workload
from cli.core.ends import BIDDING_BLOCKS, FAILURES_THAT_COUNT, Why, end_of, end_of_waiting
from moorage.told import BEING_TRIED, VERSION_BEFORE
from moorage.types import DeploymentState, OrderState
from tests.factories.deployments import MONEY, ONE, ORDER, OTHER_VERSION, VERSION, attempt, bid, event, view

MATCH = 96


def waiting(*attempts, block=100, story=(), **known):
    knowledge = {ORDER: Knowledge(**known)} if known else {ORDER: NOTHING_KNOWN}
    return end_of_waiting(view(*attempts, block=block, story=story), knowledge, MONEY)


@pytest.mark.parametrize("blocks", [BIDDING_BLOCKS - 1, BIDDING_BLOCKS])
def test_end__nobody_bids__is_over_some_blocks_after_the_match_was_possible(blocks):
    end = waiting(attempt(OrderState.OPEN, deposit=ONE), block=MATCH + blocks)

    assert (end is not None) == (blocks == BIDDING_BLOCKS)
    if end is not None:
        assert end.why is Why.NO_BIDS
        assert end.text == (
            "no provider has bid for group west at up to 1 MOOR/h since block 90; its order stays open with 1 MOOR "
            "that come back when it ends: `moorage search` says who would bid, `moorage update` orders anew with "
            "another max-price, `moorage delete` ends it"
        )


def test_end__somebody_has_bid__is_waited_for():
    assert waiting(attempt(OrderState.OPEN, bids=(bid(1),)), block=MATCH + 99) is None


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"problem": "409: asks more", "refusals": REFUSALS_THAT_COUNT}, "provider 1 refuses (lease 0x"),
        (
            {"problem": "connection refused", "failures": FAILURES_THAT_COUNT},
            "provider 1 is not to be reached (lease 0x",
        ),
    ],
)
def test_end__agent_does_not_take_the_manifest__says_what_is_safe_and_what_next(known, words):
    end = waiting(attempt(), **known)

    assert end is not None and end.why is Why.AGENT
    assert end.text.startswith(words) and known["problem"] in end.text
    for part in ("paid only for what it confirms", "lives on", "`moorage deploy` tries again", "`moorage delete` ends"):
        assert part in end.text


@pytest.mark.parametrize(
    "known",
    [
        {"problem": "409", "refusals": REFUSALS_THAT_COUNT - 1},
        {"problem": "409", "failures": FAILURES_THAT_COUNT - 1},
        {},
    ],
)
def test_end__agent_may_still_come__is_waited_for(known):
    assert waiting(attempt(), **known) is None


@pytest.mark.parametrize(
    ("said", "version", "is_over"),
    [("is restarting: exited with 1", VERSION, True), (BEING_TRIED, VERSION, False), ("failed", OTHER_VERSION, False)],
)
def test_end__new_version_does_not_work__says_that_the_one_before_goes_on(said, version, is_over):
    reason = f"{VERSION_BEFORE}; the new one {said}"

    end = waiting(attempt(), report=Report(version, (Workload("web", "running", reason, ()),)))

    assert (end is not None) == is_over
    if end is not None:
        assert end.why is Why.AGENT
        assert end.text.startswith(f"workload web: {reason}; its provider goes on trying: `moorage logs web`")


def test_end__group_that_an_update_has_removed__is_not_waited_for():
    gone = attempt(OrderState.LEASE_CLOSING)
    story = (event(99, "LeaseClosing", lease=gone.id),)

    assert waiting(gone, story=story, problem="gone", refusals=99) is None


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (view(attempt(), state=DeploymentState.CLOSING), "closing, somebody has deleted it: `moorage delete`"),
        (view(attempt(OrderState.LEASE_CLOSED)), "no group lives any more: `moorage update` orders them again"),
    ],
)
def test_end__nothing_left__says_so(here, words):
    end = end_of(here)

    assert end is not None and end.why is Why.GONE and words in end.text


def test_end__something_lives__is_none():
    assert end_of(view(attempt())) is None
