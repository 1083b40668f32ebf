"""What an update changes: in services, in groups, and what becomes of the money."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.core.changes import GroupChange, Sign, compare, refund_now
from cli.core.service_changes import ServiceChange, service_changes
from moorage.manifest import Manifest
from moorage.types import OrderState, ResourceGroup
from moorage.workload_health import Health, HttpCheck
from moorage.workload_secrets import Credentials, Secret
from tests.factories.deployments import HOURLY, MONEY, ONE, TIP, attempt, event, group, lease, view
from tests.factories.workloads import GROUP, connection, manifest, workload

NOTHING = manifest(workload("web"))
HEALTH = Health(
    http=HttpCheck(path="/up", port=80),
    tcp_port=None,
    command=None,
    interval_seconds=10,
    timeout_seconds=5,
    retries=3,
    start_seconds=0,
)
SECRET_WORDS = ("hunter2", "opensesame", "s3cr3t")


# ------------------------------------------------------------------ services


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"image": "nginx:2"}, "image example/web:1 -> nginx:2"),
        ({}, {"count": 3}, "nodes 1 -> 3"),
        ({"user": "web"}, {}, "user web -> none"),
        ({}, {"resource_group": 1}, "profile changed"),
        ({}, {"read_only": True}, "read-only false -> true"),
        ({}, {"restart": "on-failure"}, "restart always -> on-failure"),
        ({"restart": "on-failure"}, {}, "restart on-failure -> always"),
        ({"args": ("-v",)}, {"args": ("hunter2",)}, "args changed"),
        ({}, {"args": ("-v",)}, "args added"),
        ({"command": ("/bin/sh",)}, {}, "command removed"),
        (
            {"env": {"A": "1", "B": "hunter2", "C": "3"}},
            {"env": {"B": "opensesame", "C": "3", "D": "4"}},
            "env +D -A ~B",
        ),
        ({}, {"secrets": {"key": Secret(value="s3cr3t")}}, "secrets +key"),
        (
            {"credentials": Credentials(user="u", password="hunter2")},
            {"credentials": Credentials(user="u", password="s3cr3t")},
            "credentials changed",
        ),
        ({}, {"storage": {"/data": 10**9}}, "storage none -> /data 1GB"),
        ({}, {"host": ("a.example",)}, "host none -> a.example"),
        ({}, {"depends_on": ("db",)}, "depends-on none -> db"),
        ({}, {"health": HEALTH}, "health none -> http 80/up every 10s, within 5s, 3 retries, start 0s"),
        (
            {"connections": (connection(80),)},
            {"connections": (connection(5432, "db"), connection(81, "db", everywhere=True))},
            "exposes 80/http to everybody -> 5432/tcp to db, 81/tcp to db everywhere",
        ),
    ],
)
def test_services__one_field_changes__is_said_in_words_without_anything_private(before, after, words):
    old, new = manifest(workload("web", **before)), manifest(workload("web", **after))

    (change,) = service_changes(old, new)

    assert change == ServiceChange(GROUP, "web", "~", (words,))
    assert not any(secret in words for secret in SECRET_WORDS)


def test_services__added_removed_moved__are_told_by_group():
    old = manifest(workload("web"), workload("db"))
    new = manifest(workload("web"), workload("cache"), east=(workload("db"),))

    assert service_changes(old, new) == (
        ServiceChange(GROUP, "cache", "+", ("image example/cache:1", "nodes 1")),
        ServiceChange("east", "db", "+", ("image example/db:1", "nodes 1")),
        ServiceChange(GROUP, "db", "-"),
    )


def test_services__another_salt__is_no_change():
    assert service_changes(NOTHING, Manifest(format="0.1", salt="ef" * 32, groups=NOTHING.groups)) == ()


def test_services__nothing_on_chain_yet__all_are_added():
    assert [change.sign for change in service_changes(None, NOTHING)] == ["+"]


# ------------------------------------------------------------------ groups


def changes(here, *groups, wait=6, running=NOTHING):
    return compare(here, running, groups, wait, NOTHING, MONEY)


def test_changes__same_terms__keep_order_and_lease():
    leased, waiting = attempt(), attempt(OrderState.OPEN, 1, name="east")

    found = changes(view(leased, waiting), group("west"), group("east"))

    assert [(each.name, each.sign) for each in found.groups] == [("west", Sign.SAME), ("east", Sign.SAME)]
    assert found.is_empty
    assert (found.added, found.ended) == ((), ())


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (replace(group(), regions=1), "region local -> us-west"),
        (replace(group(), persist=False), "persist true -> false"),
        (group(count=3), "1 -> 3 x 500m cpu, 256MiB memory, 1GB disk"),
        (group(price=2 * HOURLY), "max-price 1 MOOR/h -> 2 MOOR/h"),
        (group(collateral=ONE), "collateral 24 MOOR -> 1 MOOR each"),
        (
            replace(group(), resources=(*group().resources, *group(count=2).resources)),
            "+ 2 x 500m cpu, 256MiB memory, 1GB disk",
        ),
    ],
)
def test_changes__other_terms__end_the_lease_and_order_anew(after, words):
    leased = attempt()

    found = changes(view(leased), after)

    assert found.groups == (GroupChange("west", Sign.CHANGED, leased, after, (words,)),)
    assert (found.added, found.removed_keys) == ((after,), (leased.key,))


def test_changes__smaller_size__says_from_what_to_what():
    resource = group().resources[0]
    bigger: ResourceGroup = replace(resource, compute=replace(resource.compute, milli_cpu=1_000))

    found = changes(view(attempt()), replace(group(), resources=(bigger,)))

    (words,) = found.groups[0].details
    assert words == "500m cpu, 256MiB memory, 1GB disk -> 1 cpu, 256MiB memory, 1GB disk"


def test_changes__groups_added_and_removed__are_ordered_and_ended():
    leased = attempt()

    found = changes(view(leased), group("east"))

    assert found.groups == (
        GroupChange("east", Sign.ADDED, None, group("east")),
        GroupChange("west", Sign.REMOVED, leased),
    )
    assert not found.is_empty


def test_changes__lease_that_was_replaced__counts_as_it_is_now():
    stale, again = attempt(OrderState.LEASE_STALE), attempt(nonce=attempt().id, replaced=attempt().id)

    assert changes(view(stale, again), group()).groups[0].before == again


@pytest.mark.parametrize("state", [OrderState.LEASE_STALE, OrderState.LEASE_CLOSED])
def test_changes__lease_has_ended__is_ordered_again(state):
    found = changes(view(attempt(state)), group())

    assert found.groups[0].sign is Sign.ADDED
    assert found.groups[0].details == (f"its lease has ended ({state.value}): it is ordered again",)
    assert found.added == (group(),)


def test_changes__group_removed_by_an_update_before__is_neither_there_nor_ordered_again():
    gone = attempt(OrderState.LEASE_CLOSING)
    here = view(gone, attempt(nonce=1, name="east"), story=(closing(gone),))

    found = changes(here, group("east"))

    assert [each.name for each in found.groups] == ["east"]
    assert found.is_empty


def closing(one):
    return event(99, "LeaseClosing", lease=one.id)


def test_changes__two_live_under_one_name__the_one_with_other_terms_ends():
    wrong, right = attempt(group=group(count=2)), attempt(nonce=1)

    found = changes(view(wrong, right), group())

    assert [(each.sign, each.before) for each in found.groups] == [(Sign.SAME, right), (Sign.REMOVED, wrong)]


def test_changes__group_removed_and_named_again__is_added_beside_the_closing_one():
    gone = attempt(OrderState.LEASE_CLOSING)

    found = changes(view(gone, story=(closing(gone),)), group())

    assert found.groups == (GroupChange("west", Sign.ADDED, None, group()),)
    assert found.removed_keys == ()


def test_changes__service_alone__makes_no_order():
    found = changes(view(attempt()), group(), running=manifest(workload("web", image="old:1")))

    assert not found.is_empty
    assert (found.added, found.ended) == ((), ())


def test_changes__manifest_on_chain_is_not_here__are_not_said_to_be_none():
    found = changes(view(attempt()), group(), running=None)

    assert found.services is None and not found.is_empty


def test_changes__wait_duration__is_told_and_changes_nothing():
    found = changes(view(attempt()), group(), wait=9)

    assert found.wait_duration == (6, 9)
    assert found.is_empty
    assert changes(view(attempt()), group(), wait=6).wait_duration is None


@pytest.mark.parametrize(
    ("there", "wanted", "excess"),
    [
        ([OrderState.LEASE_ACTIVE] * 8, 8, 8),
        ([OrderState.OPEN] * 8, 8, 0),
        ([OrderState.LEASE_ACTIVE] * 4, 4, 0),
        ([OrderState.LEASE_ACTIVE] * 4, 5, 1),
    ],
)
def test_changes__all_groups_anew__leases_count_until_their_providers_confirm(there, wanted, excess):
    names = "abcdefgh"
    old = [attempt(state, number, name=names[number]) for number, state in enumerate(there)]
    new = [replace(group(names[number]), persist=False) for number in range(wanted)]

    assert changes(view(*old), *new).excess_groups == excess


# ------------------------------------------------------------------ money


@pytest.mark.parametrize(
    ("one", "block", "refund"),
    [
        (attempt(OrderState.OPEN, deposit=5_000), 100, 5_000 + TIP),
        (attempt(lease=lease(charge_per_block=10, claimed_block=50, remainder=3)), 200, 3_500 * 10 + 3 + TIP),
        (attempt(lease=lease(charge_per_block=10)), 4_000, TIP),
        (attempt(lease=lease(charge_per_block=10, is_awaiting=True)), 105, 3_600 * 10 + TIP),
    ],
)
def test_refund__order_or_lease__is_what_nobody_has_earned_and_the_tip(one, block, refund):
    assert refund_now(view(one, block=block), one) == refund


# ------------------------------------------------------------------ what a view has after updates


def test_view__group_removed_by_an_update__is_shown_until_it_ends_and_is_not_wanted():
    gone, kept = attempt(OrderState.LEASE_CLOSING), attempt(nonce=1, name="east")
    ended = replace(gone, state=OrderState.LEASE_CLOSED)

    before = view(gone, kept, story=(closing(gone),))
    after = view(ended, kept, story=(closing(gone),))

    assert (before.current, before.wanted) == ((gone, kept), (kept,))
    assert after.current == after.wanted == (kept,)


def test_view__group_ordered_anew_under_its_name__the_ended_order_is_not_shown():
    closed, again = attempt(OrderState.CLOSED), attempt(OrderState.OPEN, 1)

    assert view(closed, again, story=(event(95, "OrderClosed", order=closed.id),)).current == (again,)


def test_view__lease_ended_by_itself_and_ordered_again__is_not_shown_twice():
    used_up, again = attempt(OrderState.LEASE_CLOSED), attempt(OrderState.OPEN, 1)

    assert view(used_up, again).current == (again,)


def test_view__deployment_deleted__shows_all_groups():
    gone = attempt(OrderState.LEASE_CLOSED)
    story = (event(98, "DeploymentClosing"), closing(gone))

    assert view(gone, story=story).current == (gone,)
