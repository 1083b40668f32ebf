"""What a tenant lets other keys do, as it is typed and shown."""

from __future__ import annotations

import pytest

from cli.core.permissions import NotAPermission, describe_manager, ever_named, parse_permissions, written
from moorage.types import Manager, Permission
from tests.factories.deployments import FACILITATOR, MONEY, ONE, TENANT, event, view


@pytest.mark.parametrize(
    ("typed", "permissions"),
    [
        ("update", Permission.UPDATE),
        ("fund, scale", Permission.FUND | Permission.SCALE),
        ("UPDATE,fund,update", Permission.UPDATE | Permission.FUND),
    ],
)
def test_permissions__words__are_the_bits_of_the_exchange(typed: str, permissions: Permission) -> None:
    assert parse_permissions(typed) == permissions


@pytest.mark.parametrize("typed", ["close", "update,withdraw", "", " , ", "update;fund"])
def test_e03_permissions__what_nobody_can_be_let_do__says_what_there_is(typed: str) -> None:
    with pytest.raises(NotAPermission, match="update, fund, scale; delete, withdraw and manager stay with the tenant"):
        parse_permissions(typed)


def test_permissions__written__are_read_back() -> None:
    everything = Permission.UPDATE | Permission.FUND | Permission.SCALE

    assert written(everything) == "update,fund,scale" and parse_permissions(written(everything)) == everything


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        (None, "nothing"),
        (
            Manager(Permission.FUND, 160, ONE),
            "fund, until block 160 (in 1m), may spend 1 MOOR",
        ),
        (Manager(Permission.UPDATE, 100, 0), "update, expired at block 100, may spend 0 MOOR"),
    ],
)
def test_manager__described__says_what_until_when_and_how_much(manager: Manager | None, words: str) -> None:
    assert describe_manager(manager, view(), MONEY) == words


def test_ever_named__set_twice_and_revoked__each_key_once() -> None:
    story = (
        event(1, "ManagerSet", manager=TENANT.lower()),
        event(2, "ManagerSet", manager=FACILITATOR.lower()),
        event(3, "ManagerSpent", manager=FACILITATOR.lower()),
        event(4, "ManagerSet", manager=TENANT.lower()),
    )

    assert ever_named(story) == (TENANT, FACILITATOR)
