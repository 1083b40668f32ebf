"""One line for each event of a deployment."""

from __future__ import annotations

import pytest

from cli.core.story import TELLERS, Line, tell
from cli.core.view import full
from moorage.chain import abi
from moorage.types import OrderState
from tests.factories.deployments import DEPLOYMENT, HOURLY, MONEY, ONE, ORDER, RENEWED, VERSION, attempt, event, view

ATTEMPTS = (attempt(), attempt(OrderState.OPEN, ORDER, replaced=ORDER))
ABOUT = {"order": full(ORDER), "group": "west"}


def lines(*story, is_verbose=False, attempts=ATTEMPTS):
    return tell(view(*attempts, story=tuple(story)), MONEY, is_verbose=is_verbose)


@pytest.mark.parametrize(
    ("name", "arguments", "word", "text", "fields"),
    [
        (
            "OrderCreated",
            {"order": ORDER, "wait_duration": 6},
            "ordered",
            "order 0x{0}…: bids until block 46 (6s)",
            {"match_block": 46},
        ),
        (
            "FulfillmentSubmitted",
            {"order": ORDER, "provider": 2, "charge": HOURLY},
            "bid",
            "order 0x{0}…: provider 2 bids 1 MOOR/h",
            {"provider": 2, "price_per_hour": "0.9999999999999972"},
        ),
        (
            "FulfillmentCancelled",
            {"order": ORDER, "provider": 2},
            "bid-cancelled",
            "order 0x{0}…: provider 2 takes its bid back",
            {"provider": 2},
        ),
        (
            "FulfillmentEvicted",
            {"order": ORDER, "provider": 2},
            "bid-evicted",
            "order 0x{0}…: provider 2 is outbid, the book is full",
            {"provider": 2},
        ),
        (
            "LeaseCreated",
            {"lease": ORDER, "provider": 2, "charge": HOURLY, "blocks": 3_660},
            "matched",
            "lease 0x{0}… matched: provider 2 at 1 MOOR/h, prepaid for 1h 1m",
            {"provider": 2, "price_per_hour": "0.9999999999999972", "prepaid_blocks": 3_660},
        ),
        (
            "LeaseStale",
            {"lease": ORDER, "provider": 2, "earned": ONE, "slashed": 9 * ONE},
            "stale",
            "lease 0x{0}… is stale: provider 2 did not confirm; you receive its collateral of 9 MOOR, "
            "1 MOOR were still owed to it",
            {"provider": 2, "collateral_received": "9"},
        ),
        (
            "LeaseClosed",
            {"lease": ORDER, "provider": 2, "earned": ONE, "refund": 2 * ONE},
            "closed",
            "lease 0x{0}… closed: 1 MOOR to provider 2, 2 MOOR back",
            {"provider": 2, "refund": "2"},
        ),
        ("LeaseClosing", {"lease": ORDER}, "closing", "lease 0x{0}… is closing: nothing more is charged", {}),
        (
            "OrderClosed",
            {"order": ORDER, "refund": ONE},
            "order-closed",
            "order 0x{0}… closed: 1 MOOR back",
            {"refund": "1"},
        ),
        (
            "OrderFunded",
            {"order": ORDER, "amount": ONE},
            "order-funded",
            "order 0x{0}… funded with 1 MOOR",
            {"amount": "1"},
        ),
        ("LeaseFunded", {"lease": ORDER, "blocks": 60}, "funded", "lease 0x{0}… funded for 1m more", {"blocks": 60}),
        ("LeaseRevived", {"lease": ORDER, "blocks": 60}, "revived", "lease 0x{0}… revived for 1m", {"blocks": 60}),
    ],
)
def test_story__event_of_an_order__is_a_line(name, arguments, word, text, fields):
    told = lines(event(40, name, **arguments))

    assert told == (Line(40, word, text.format(ORDER[:4].hex()), {**ABOUT, **fields}),)


def test_story__submitted__gives_the_whole_id():
    told = lines(event(40, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION))

    fields = {"deployment": full(DEPLOYMENT), "version": full(VERSION)}
    assert told == (Line(40, "submitted", f"deployment {full(DEPLOYMENT)} submitted", fields),)


def test_story__recreated__names_the_lease_it_replaces():
    told = lines(event(50, "OrderRecreated", order=RENEWED, replaced=ORDER, excluded_provider=2))

    assert told[0].text == (
        f"order 0x{RENEWED[:4].hex()}… replaces lease 0x{ORDER[:4].hex()}…, without provider 2: "
        "bids until block 56 (6s)"
    )
    assert told[0].fields["replaced"] == full(ORDER)


def test_story__confirmations__only_the_first_after_match_and_revival_is_told():
    matched = event(40, "LeaseCreated", lease=ORDER, provider=2, charge=1, blocks=1)
    revived = event(60, "LeaseRevived", lease=ORDER, blocks=20)
    confirmations = [event(block, "LeaseConfirmed", lease=ORDER) for block in (41, 50, 61, 70)]
    story = (matched, confirmations[0], confirmations[1], revived, confirmations[2], confirmations[3])

    assert [line.event for line in lines(*story)] == ["matched", "started", "revived", "started"]
    assert [line.event for line in lines(*story, is_verbose=True)] == [
        "matched",
        "started",
        "confirmed",
        "revived",
        "started",
        "confirmed",
    ]


def test_story__claim__is_told_to_those_who_want_everything():
    claim = event(40, "LeaseClaimed", lease=ORDER, amount=ONE)

    assert lines(claim) == ()
    assert lines(claim, is_verbose=True)[0].text.endswith("1 MOOR paid to the provider")


def test_story__several_groups__each_line_names_its_own():
    both = (attempt(name="west"), attempt(nonce=1, name="east"))

    told = lines(event(40, "LeaseClosing", lease=both[1].id), attempts=both)

    assert told[0].text.endswith("(group east)")


def test_story__every_event_of_a_deployment__is_told_or_left_out_on_purpose():
    names = {entry.name for entry in abi.load("Exchange").events.values()}

    assert names - set(TELLERS) == {
        "Deposited",
        "Withdrawn",
        "ManagerSet",
        "ManagerSpent",
        "FulfillmentReleased",
    }
