"""What the chain alone tells recipients: each fact once, with an id that does not depend on when one looks."""

from __future__ import annotations

from dataclasses import replace

from cli.core.chain_notices import chain_notices
from cli.core.notices import Kind, Notice, document, notice_id
from cli.core.view import DeploymentView, Event, full
from moorage.deployment_file import Event as FileEvent
from moorage.types import DeploymentId, DeploymentState, OrderState
from tests.factories.deployments import (
    DEPLOYMENT,
    MONEY,
    ONE,
    ORDER,
    RENEWED,
    VERSION,
    attempt,
    bid,
    event,
    lease,
    view,
)

LOW = 3_600
SUBMITTED = event(90, "DeploymentSubmitted", deployment=DEPLOYMENT, version=VERSION)
ORDERED = event(90, "OrderCreated", order=ORDER, wait_duration=6)
MATCHED = event(96, "LeaseCreated", lease=ORDER, provider=1, charge=40, blocks=10_000)
CONFIRMED = event(98, "LeaseConfirmed", lease=ORDER)
STALE = event(120, "LeaseStale", lease=ORDER, provider=1, earned=0, slashed=5 * ONE, refund=0)
RECREATED = event(120, "OrderRecreated", order=RENEWED, replaced=ORDER, deposit=1, excluded_provider=1)
REMATCHED = event(126, "LeaseCreated", lease=RENEWED, provider=2, charge=40, blocks=10_000)
RECONFIRMED = event(127, "LeaseConfirmed", lease=RENEWED)
LEASED = (SUBMITTED, ORDERED, MATCHED, CONFIRMED)
HEALED = (*LEASED, STALE, RECREATED, REMATCHED, RECONFIRMED)
RICH = lease(funded_block=1_000_000)
FAILED = attempt(OrderState.LEASE_STALE)
OPEN_AGAIN = attempt(OrderState.OPEN, ORDER, replaced=ORDER, bids=(bid(2),))
AGAIN = attempt(nonce=ORDER, replaced=ORDER, lease=lease(RENEWED, provider=2, funded_block=1_000_000))


def leased(*story: Event, block: int = 200, funded_block: int = 1_000_000, low: int = LOW) -> list[Notice]:
    """Return the notices of one lease."""
    seen = view(attempt(lease=lease(funded_block=funded_block)), block=block, story=story or LEASED)
    return list(chain_notices(seen, MONEY, low))


def kinds(notices: object) -> list[tuple[str, int]]:
    return [(notice.kind.value, notice.block_number) for notice in notices]


def of(kind: Kind, seen: DeploymentView) -> list[Notice]:
    return [notice for notice in chain_notices(seen, MONEY, LOW) if notice.kind is kind]


# ------------------------------------------------------------------ ids and documents


def test_kinds__deployment_file__has_the_same_events():
    assert [kind.value for kind in Kind] == [each.value for each in FileEvent]


def test_h33_notice_id__same_fact__is_the_same_and_others_differ():
    facts = [
        (DEPLOYMENT, Kind.LEASE_STALE, ORDER),
        (DEPLOYMENT, Kind.LEASE_STALE, RENEWED),
        (DEPLOYMENT, Kind.LEASE_HEALED, ORDER),
        (DeploymentId(b"\x01" * 32), Kind.LEASE_STALE, ORDER),
        (DEPLOYMENT, Kind.LEASE_STALE, ORDER, 1),
        (DEPLOYMENT, Kind.LEASE_STALE, ORDER, "1"),
    ]

    assert notice_id(*facts[0]) == notice_id(*facts[0]) == "evt_e58b8d1bc880d2b8421f55852a073569"
    assert len({notice_id(*fact) for fact in facts}) == len(facts)


def test_document__notice__has_every_field_and_none_that_hides_another():
    notice = Notice("evt_1", Kind.FUNDS_LOW, 7, "low", {"group": "west", "id": "forged", "hours_left": "1.5"})

    assert document(notice, DEPLOYMENT, 1_700_000_000) == {
        "id": "evt_1",
        "event": "funds.low",
        "deployment": full(DEPLOYMENT),
        "time": "2023-11-14T22:13:20Z",
        "block": 7,
        "text": "low",
        "test": False,
        "group": "west",
        "hours_left": "1.5",
    }


# ------------------------------------------------------------------ from the submission to a lease


def test_chain_notices__lease_confirmed__tells_the_beginning_and_the_cluster():
    notices = leased()

    assert kinds(notices) == [("deploy.begin", 90), ("cluster.created", 98)]
    assert notices[1].fields == {"lease": full(ORDER), "group": "west", "provider": 1}


def test_chain_notices__match_without_confirmation__is_no_cluster_yet():
    assert kinds(leased(SUBMITTED, ORDERED, MATCHED)) == [("deploy.begin", 90)]


def test_chain_notices__confirmed_again_and_again__is_told_once():
    again = [event(block, "LeaseConfirmed", lease=ORDER) for block in (103, 108)]

    assert leased(*LEASED, *again) == leased()


def test_chain_notices__updates__are_a_beginning_each():
    update = event(150, "DeploymentUpdated", deployment=DEPLOYMENT, version=VERSION, update_number=2)
    scaled = event(160, "OrderCreated", order=ORDER, wait_duration=6)

    begun = [each for each in leased(*LEASED, update, scaled) if each.kind is Kind.DEPLOY_BEGIN]

    assert [(each.block_number, each.fields["number"]) for each in begun] == [(90, 1), (150, 2), (160, 3)]
    assert len({each.id for each in begun}) == 3


def test_h33_chain_notices__moved_to_other_blocks_by_a_reorganisation__keep_their_ids():
    moved = [replace(each, block_number=each.block_number + 3) for each in HEALED]
    before, after = view(FAILED, AGAIN, story=HEALED), view(FAILED, AGAIN, story=tuple(moved))

    ids = [[notice.id for notice in chain_notices(each, MONEY, LOW)] for each in (before, after)]

    assert ids[0] == ids[1]


def test_h33_chain_notices__seen_earlier__begin_with_what_was_seen_then():
    whole = list(chain_notices(view(FAILED, AGAIN, block=200, story=HEALED), MONEY, LOW))

    states = [(attempt(OrderState.OPEN, bids=(bid(1),)),)] * 2 + [(attempt(lease=RICH),)] * 2
    states += [(FAILED, OPEN_AGAIN)] * 2 + [(FAILED, AGAIN)]
    for length, attempts in enumerate(states, 1):
        if HEALED[length - 1] is STALE:
            continue  # one transaction with the order that replaces it
        part = list(chain_notices(view(*attempts, block=199, story=HEALED[:length]), MONEY, LOW))
        assert [each.id for each in part] == [each.id for each in whole[: len(part)]]


# ------------------------------------------------------------------ stale and healed


def test_chain_notices__provider_fails_and_is_replaced__tells_each_step_with_both_providers():
    notices = list(chain_notices(view(FAILED, AGAIN, block=200, story=HEALED), MONEY, LOW))

    assert kinds(notices) == [
        ("deploy.begin", 90),
        ("cluster.created", 98),
        ("lease.stale", 120),
        ("cluster.down", 120),
        ("provider.changed", 126),
        ("cluster.created", 127),
        ("lease.healed", 127),
    ]
    by_kind = {notice.kind: notice for notice in notices}
    assert by_kind[Kind.LEASE_STALE].fields["collateral_received"] == "5"
    assert "did not confirm in time" in by_kind[Kind.CLUSTER_DOWN].text
    for kind in (Kind.PROVIDER_CHANGED, Kind.LEASE_HEALED):
        fields = by_kind[kind].fields
        assert (fields["lease"], fields["old_provider"], fields["new_provider"]) == (full(RENEWED), 1, 2)


def test_chain_notices__resigned_in_time__is_not_called_late():
    resigned = replace(STALE, block_number=105)
    seen = view(FAILED, OPEN_AGAIN, block=200, story=(*LEASED, resigned, RECREATED))

    (down,) = of(Kind.CLUSTER_DOWN, seen)

    assert down.fields["reason"] == "provider 1 has given it up"


def test_chain_notices__stale_before_the_first_confirmation__no_cluster_goes_down():
    seen = view(FAILED, OPEN_AGAIN, block=200, story=(SUBMITTED, ORDERED, MATCHED, STALE, RECREATED))

    assert kinds(chain_notices(seen, MONEY, LOW)) == [("deploy.begin", 90), ("lease.stale", 120)]


def test_chain_notices__stale_and_not_replaced__says_so():
    up = view(FAILED, block=200, story=(*LEASED, STALE), live_groups=0)
    never_up = view(FAILED, block=200, story=(SUBMITTED, ORDERED, MATCHED, STALE), live_groups=0)

    (stale,) = of(Kind.LEASE_STALE, up)
    (failure,) = of(Kind.DEPLOY_FAILURE, never_up)

    assert "it is not replaced" in stale.text and stale.fields["replaced"] == "no"
    assert of(Kind.DEPLOY_FAILURE, up) == [] and "never came up" in failure.text


def test_chain_notices__replacement_fails_too__is_told_of_both_leases():
    third = attempt(OrderState.OPEN, RENEWED, replaced=RENEWED)
    stale = event(140, "LeaseStale", lease=RENEWED, provider=2, earned=0, slashed=0, refund=0)
    seen = view(FAILED, replace(AGAIN, state=OrderState.LEASE_STALE), third, block=200, story=(*HEALED, stale))

    found = of(Kind.LEASE_STALE, seen)

    assert [each.fields["lease"] for each in found] == [full(ORDER), full(RENEWED)]


# ------------------------------------------------------------------ the end


def test_chain_notices__deleted__tells_who_and_each_cluster_once():
    closing = event(150, "LeaseClosing", lease=ORDER)
    closed = event(155, "LeaseClosed", lease=ORDER, provider=1, finisher="0x0", earned=0, refund=0)
    ended = event(156, "DeploymentClosed", deployment=DEPLOYMENT, facilitator="0x0")
    story = (*LEASED, event(150, "DeploymentClosing", deployment=DEPLOYMENT), closing, closed, ended)
    seen = view(attempt(OrderState.LEASE_CLOSED), block=200, story=story, state=DeploymentState.CLOSED)

    notices = list(chain_notices(seen, MONEY, LOW))

    assert kinds(notices)[2:] == [("deployment.closed", 150), ("cluster.down", 150)]
    assert notices[2].fields["reason"] == "deleted by its tenant"
    assert notices[3].fields["reason"] == "closed by its tenant or a manager"


def test_chain_notices__funds_ran_out__the_deployment_has_ended_for_that():
    closed = event(5_000, "LeaseClosed", lease=ORDER, provider=1, finisher="0x0", earned=0, refund=0)
    seen = view(attempt(OrderState.LEASE_CLOSED), block=5_001, story=(*LEASED, closed), live_groups=0)

    notices = list(chain_notices(seen, MONEY, LOW))

    assert kinds(notices)[2:] == [("cluster.down", 5_000), ("deployment.closed", 5_000)]
    assert notices[3].fields["reason"] == "west: its funds ran out"


def test_chain_notices__removed_while_it_ran__is_not_taken_for_lack_of_funds():
    closing = event(150, "LeaseClosing", lease=ORDER)
    closed = event(155, "LeaseClosed", lease=ORDER, provider=1, finisher="0x0", earned=0, refund=0)
    story = (*LEASED, closing, closed)

    (ended,) = of(Kind.DEPLOYMENT_CLOSED, view(attempt(OrderState.LEASE_CLOSED), block=200, story=story, live_groups=0))

    assert ended.fields["reason"] == "west: closed by its tenant or a manager" and ended.block_number == 155


def test_chain_notices__last_group_removed__names_who_did_it():
    removed = event(100, "OrderClosed", order=ORDER, refund=1)
    seen = view(attempt(OrderState.CLOSED), block=101, story=(SUBMITTED, ORDERED, removed), live_groups=0)

    (ended,) = of(Kind.DEPLOYMENT_CLOSED, seen)

    assert ended.fields["reason"] == "west: closed by its tenant or a manager"


# ------------------------------------------------------------------ funds


def low(*story: Event, block: int, funded_block: int) -> list[Notice]:
    return [each for each in leased(*story, block=block, funded_block=funded_block) if each.kind is Kind.FUNDS_LOW]


def test_funds_low__at_the_limit_and_below_it__is_told_with_the_hours_left():
    # confirmed in block 98 with 10,000 blocks ahead
    assert low(*LEASED, block=6_498, funded_block=10_098) == []

    (told,) = low(*LEASED, block=6_499, funded_block=10_098)

    assert told.fields["hours_left"] == "0.9" and "59m" in told.text and told.block_number == 6_499


def test_funds_low__block_after_block__is_one_notice():
    ids = {low(*LEASED, block=block, funded_block=10_098)[0].id for block in (6_499, 7_000, 10_097)}

    assert len(ids) == 1


def test_funds_low__refilled_above_the_limit__is_told_again_when_it_falls_again():
    refilled = event(7_000, "LeaseFunded", lease=ORDER, blocks=5_000)

    (first,) = low(*LEASED, block=6_999, funded_block=10_098)
    assert low(*LEASED, refilled, block=7_001, funded_block=15_098) == []
    (second,) = low(*LEASED, refilled, block=12_000, funded_block=15_098)

    assert first.id != second.id


def test_funds_low__refilled_a_little__is_not_told_again():
    little = event(7_000, "LeaseFunded", lease=ORDER, blocks=100)

    (first,) = low(*LEASED, block=6_999, funded_block=10_098)
    (second,) = low(*LEASED, little, block=7_001, funded_block=10_198)

    assert first.id == second.id


def test_funds_low__several_little_refills_together__count_as_one():
    refills = [event(7_000 + step, "LeaseFunded", lease=ORDER, blocks=400) for step in range(3)]

    (first,) = low(*LEASED, block=6_999, funded_block=10_098)
    (second,) = low(*LEASED, *refills, block=8_000, funded_block=11_298)

    assert first.id != second.id  # the third lifts it to more than an hour


def test_funds_low__used_up__is_told_once_more_and_again_after_a_revival():
    revived = event(10_200, "LeaseRevived", lease=ORDER, blocks=2_000)
    again = event(10_202, "LeaseConfirmed", lease=ORDER)

    (before,) = low(*LEASED, block=10_097, funded_block=10_098)
    (empty,) = low(*LEASED, block=10_098, funded_block=10_098)
    (still,) = low(*LEASED, block=10_150, funded_block=10_098)
    (revived_low,) = low(*LEASED, revived, again, block=10_300, funded_block=12_202)
    (empty_again,) = low(*LEASED, revived, again, block=12_202, funded_block=12_202)

    assert empty.id == still.id and "used up" in empty.text and empty.fields["hours_left"] == "0.0"
    assert len({each.id for each in (before, empty, revived_low, empty_again)}) == 4


def test_funds_low__from_the_start__is_told_before_the_first_confirmation():
    short = replace(MATCHED, arguments={**MATCHED.arguments, "blocks": 100})
    awaiting = lease(is_awaiting=True, confirmed_block=96, funded_block=196)
    seen = view(attempt(lease=awaiting), block=97, story=(SUBMITTED, ORDERED, short))

    (told,) = of(Kind.FUNDS_LOW, seen)

    assert "1m" in told.text


def test_funds_low__funded_while_awaiting__counts():
    short = replace(MATCHED, arguments={**MATCHED.arguments, "blocks": 100})
    more = event(97, "LeaseFunded", lease=ORDER, blocks=10_000)

    assert low(SUBMITTED, ORDERED, short, more, CONFIRMED, block=99, funded_block=10_198) == []
    (after,) = low(SUBMITTED, ORDERED, short, more, CONFIRMED, block=9_000, funded_block=10_198)
    (before,) = low(SUBMITTED, ORDERED, short, CONFIRMED, block=99, funded_block=198)

    assert after.id != before.id


def test_funds_low__lease_that_has_ended__is_not_told():
    seen = view(attempt(OrderState.LEASE_CLOSING, lease=lease(funded_block=201)), block=200, story=LEASED)

    assert of(Kind.FUNDS_LOW, seen) == []


# ------------------------------------------------------------------ nobody bids


def test_chain_notices__no_bids_for_a_while__is_a_failure_told_once_whenever_seen():
    ids = set()
    for block in (101, 150):
        (failure,) = of(Kind.DEPLOY_FAILURE, view(attempt(OrderState.OPEN), block=block, story=(SUBMITTED, ORDERED)))
        ids.add(failure.id)
        assert failure.block_number == 101 and failure.fields["reason"] == "no bids"

    assert len(ids) == 1


def test_chain_notices__bids_or_too_early__is_no_failure():
    early = view(attempt(OrderState.OPEN), block=100, story=(SUBMITTED, ORDERED))
    ending = view(attempt(OrderState.OPEN), block=150, story=(SUBMITTED, ORDERED), state=DeploymentState.CLOSING)
    with_bid = view(attempt(OrderState.OPEN, bids=(bid(1),)), block=150, story=(SUBMITTED, ORDERED))

    assert [of(Kind.DEPLOY_FAILURE, each) for each in (early, ending, with_bid)] == [[], [], []]
