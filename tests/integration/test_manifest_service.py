"""The agent's API over real TLS: every route against every sender, lease state and kind of bad manifest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from moorage import manifest
from moorage.request_auth import Action, Domain
from moorage.types import Address, OrderId, OrderState, Permission, ProviderNumber
from provider_agent.shell import lease_access
from provider_agent.shell.lease_access import LeaseGate, NoLease
from tests.fakes.agent_world import (
    CANARY,
    COMPUTE,
    DOMAIN,
    EXEC,
    GET,
    GOOD,
    LEASE,
    LOGS,
    OTHER_TENANT,
    PROVIDER,
    PUT,
    WEB,
    BrokenStore,
    World,
    assert_refused,
    lease_context,
    manifest_of,
    running,
    signed,
)

ROUTES = pytest.mark.parametrize("action", [PUT, GET, LOGS, EXEC], ids=["manifest", "status", "logs", "exec"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


def body_for(action: Action) -> bytes:
    return GOOD if action is PUT else b""


async def test_manifest__of_the_tenant__is_stored_and_wakes_the_agent(world: World) -> None:
    answer = await world.ask(PUT, GOOD)

    assert (answer.status, answer.json) == (202, {"state": "accepted"})
    assert await world.store.get(LEASE) == GOOD
    assert world.accepted == [LEASE]


async def test_manifest__delivered_twice__is_accepted_twice(world: World) -> None:
    for _ in range(2):
        assert (await world.ask(PUT, GOOD)).status == 202


async def test_status__of_the_tenant__tells_of_the_workloads(world: World) -> None:
    answer = await world.ask(GET)

    assert answer.status == 200
    assert answer.json == {
        "lease": LEASE.hex(),
        "version": manifest.version_of(GOOD).hex(),
        "workloads": [
            {
                "name": "web",
                "state": "running",
                "reason": "since\x1b[2J",
                "addresses": ["203.0.113.1:80"],
                "connections": [],
            },
        ],
        "manifest": None,
    }


async def test_healthz__anybody__is_ok(world: World) -> None:
    answer = await world.ask(Action("", PROVIDER, LEASE, "GET", "/healthz"), account=None)

    assert (answer.status, answer.json) == (200, {"state": "ok"})


async def test_h12_all_routes__without_a_signature__tell_nothing_but_health(world: World) -> None:
    for route in world.service.application().router.routes():
        path = (route.resource.canonical if route.resource else "").replace("{lease}", LEASE.hex())
        body = GOOD if route.method == "PUT" else b""
        answer = await world.ask(Action("", PROVIDER, LEASE, route.method, path), body, account=None)
        assert answer.status == (200 if path == "/healthz" else 401), path


@ROUTES
async def test_h12_routes__signed_by_another_tenant__are_forbidden(world: World, action: Action) -> None:
    answer = await world.ask(action, body_for(action), OTHER_TENANT)

    await assert_refused(world, answer, 403, "not the tenant")


@pytest.mark.parametrize("action", [PUT, GET], ids=["manifest", "status"])
async def test_e01_routes__manager_that_may_update__delivers_and_sees_how_it_is(world: World, action: Action) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = Permission.UPDATE

    with capture_logs() as lines:
        answer = await world.ask(action, body_for(action), OTHER_TENANT)

    assert answer.status == (202 if action is PUT else 200)
    assert world.accepted == ([LEASE] if action is PUT else [])
    assert [line["source"] for line in lines if "source" in line] == (["a manager"] if action is PUT else [])


@ROUTES
@pytest.mark.parametrize("permissions", [Permission(0), Permission.FUND, Permission.SCALE | Permission.FUND])
async def test_e01_routes__manager_that_may_not_update__are_forbidden(
    world: World, action: Action, permissions: Permission
) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = permissions

    answer = await world.ask(action, body_for(action), OTHER_TENANT)

    await assert_refused(world, answer, 403, "not the tenant")


async def test_h12_look_again__lease_that_is_another_tenants_by_now__may_not_stay(world: World) -> None:
    gate = LeaseGate(PROVIDER, DOMAIN, world.directory)
    before = replace(lease_context(), tenant=Address(OTHER_TENANT.address))

    assert await gate.look_again(lease_context()) is None
    refusal = await gate.look_again(before)
    assert refusal is not None and refusal.detail == lease_access.NOT_THE_TENANT


@pytest.mark.parametrize("action", [LOGS, EXEC], ids=["logs", "exec"])
async def test_e01_streams__manager_whatever_it_may__are_forbidden(world: World, action: Action) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = ~Permission(0)

    answer = await world.ask(action, b"", OTHER_TENANT)

    await assert_refused(world, answer, 403, "the signer is not the tenant of this lease")


async def test_e02_manifest__of_a_manager__is_held_against_the_chain_as_the_tenants(world: World) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = Permission.UPDATE
    other = manifest_of(msgspec.structs.replace(WEB, image="nginx:1.23"))

    assert (await world.ask(PUT, other, OTHER_TENANT)).status == 409
    header = signed(PUT, GOOD, OTHER_TENANT)
    assert [(await world.ask(PUT, GOOD, header=header)).status for _ in range(2)] == [202, 401]


async def test_e02_manifest__of_a_manager_of_another_state_or_provider__is_refused(world: World) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = Permission.UPDATE

    world.directory.lease_to_answer[LEASE] = lease_context(state=OrderState.LEASE_CLOSING)
    await assert_refused(world, await world.ask(PUT, GOOD, OTHER_TENANT), 403, "not active")
    world.directory.lease_to_answer[LEASE] = lease_context(number=8)
    await assert_refused(world, await world.ask(PUT, GOOD, OTHER_TENANT), 404, "no such lease")


async def test_e02_manifest__of_a_manager_while_the_chain_is_silent__is_unavailable(world: World) -> None:
    world.directory.key_to_permissions[OTHER_TENANT.address] = NoLease.UNAVAILABLE

    await assert_refused(world, await world.ask(PUT, GOOD, OTHER_TENANT), 503, "cannot be read")
    assert (await world.ask(PUT, GOOD)).status == 202


@ROUTES
async def test_h12_routes__signed_by_nobody__are_unauthorised(world: World, action: Action) -> None:
    answer = await world.ask(action, body_for(action), account=None)

    await assert_refused(world, answer, 401, "not signed")
    assert answer.headers["WWW-Authenticate"] == "Moorage"


@ROUTES
@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.LEASE_ACTIVE])
async def test_h12_routes__lease_that_is_not_active__are_forbidden(
    world: World, action: Action, state: OrderState
) -> None:
    world.directory.lease_to_answer[LEASE] = lease_context(state=state)

    answer = await world.ask(action, body_for(action))

    if action is LOGS and state is OrderState.LEASE_CLOSING:  # what was written is the tenant's to the last
        assert answer.status == 200
        return
    await assert_refused(world, answer, 403, "not active")


@ROUTES
async def test_h12_routes__lease_of_another_provider__are_not_found(world: World, action: Action) -> None:
    world.directory.lease_to_answer[LEASE] = lease_context(number=8)

    answer = await world.ask(action, body_for(action))

    await assert_refused(world, answer, 404, "no such lease")


@ROUTES
async def test_h12_routes__signed_for_another_lease__are_unauthorised(world: World, action: Action) -> None:
    header = signed(replace(action, lease=OrderId(b"\xbb" * 32)), body_for(action))

    answer = await world.ask(action, body_for(action), header=header)

    await assert_refused(world, answer, 401, "another lease")


@ROUTES
async def test_routes__unknown_lease__are_not_found(world: World, action: Action) -> None:
    world.directory.lease_to_answer.clear()

    answer = await world.ask(action, body_for(action))

    await assert_refused(world, answer, 404, "no such lease")


@ROUTES
async def test_routes__silent_node__are_unavailable(world: World, action: Action) -> None:
    world.directory.lease_to_answer[LEASE] = NoLease.UNAVAILABLE

    answer = await world.ask(action, body_for(action))

    await assert_refused(world, answer, 503, "cannot be read")
    assert int(answer.headers["Retry-After"]) > 0


@ROUTES
async def test_routes__node_that_hangs__are_unavailable(
    world: World, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_access, "LOOKUP_SECONDS", 0.01)
    world.directory.delay_seconds = 5

    answer = await world.ask(action, body_for(action))

    await assert_refused(world, answer, 503, "cannot be read")


@ROUTES
async def test_g26_routes__fault_inside__shows_nothing_of_it(world: World, action: Action) -> None:
    world.directory.lease_to_answer[LEASE] = RuntimeError(CANARY)

    answer = await world.ask(action, body_for(action))

    await assert_refused(world, answer, 500, "could not handle")
    assert not any(word in answer.body.decode() for word in (CANARY, "Traceback", "RuntimeError", ".py"))


async def test_g26_manifest__disk_is_full__shows_nothing_of_it_and_starts_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, store=BrokenStore()) as world:
        answer = await world.ask(PUT, GOOD)

        await assert_refused(world, answer, 500, "could not handle")
        assert CANARY not in answer.body.decode()


@ROUTES
async def test_h13_routes__replay__is_unauthorised(world: World, action: Action) -> None:
    header = signed(action, body_for(action))
    first = await world.ask(action, body_for(action), header=header)
    await world.store.remove(LEASE)
    world.accepted.clear()

    answer = await world.ask(action, body_for(action), header=header)

    assert first.status == (426 if action is EXEC else first.status) and first.status in (200, 202, 426)
    await assert_refused(world, answer, 401, "already used")


async def test_h13_manifest__two_replays_at_once__one_is_accepted(world: World) -> None:
    header = signed(PUT, GOOD)

    answers = await asyncio.gather(*(world.ask(PUT, GOOD, header=header) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [202, 401, 401, 401]


async def test_h13_manifest__refused_for_its_sender__does_not_spend_the_nonce(world: World) -> None:
    header = signed(PUT, GOOD)
    world.directory.lease_to_answer[LEASE] = NoLease.UNAVAILABLE
    await world.ask(PUT, GOOD, header=header)
    world.directory.lease_to_answer[LEASE] = lease_context()

    assert (await world.ask(PUT, GOOD, header=header)).status == 202


@ROUTES
async def test_h13_routes__signed_for_another_provider__are_unauthorised(world: World, action: Action) -> None:
    header = signed(replace(action, provider=ProviderNumber(8)), body_for(action))

    answer = await world.ask(action, body_for(action), header=header)

    await assert_refused(world, answer, 401, "another provider")


async def test_h13_manifest__after_the_lease_closed__is_forbidden(world: World) -> None:
    header = signed(PUT, GOOD)
    world.directory.lease_to_answer[LEASE] = lease_context(state=OrderState.LEASE_CLOSED)

    answer = await world.ask(PUT, GOOD, header=header)

    await assert_refused(world, answer, 403, "not active")


async def test_h13_manifest__other_body_than_signed__is_unauthorised(world: World) -> None:
    answer = await world.ask(PUT, GOOD, sent=GOOD[:-1] + b" ")

    await assert_refused(world, answer, 401, "another body")


async def test_h13_manifest__with_the_signature_for_a_status__is_unauthorised(world: World) -> None:
    answer = await world.ask(PUT, GOOD, header=signed(GET))

    await assert_refused(world, answer, 401, "another purpose")


@pytest.mark.parametrize("domain", [replace(DOMAIN, chain_id=1), replace(DOMAIN, exchange=Address("0x" + "11" * 20))])
async def test_h14_manifest__signed_for_another_market__is_forbidden(
    world: World, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fakes.agent_world.DOMAIN", domain)
    header = signed(PUT, GOOD)
    monkeypatch.undo()

    answer = await world.ask(PUT, GOOD, header=header)

    await assert_refused(world, answer, 403, "not the tenant")


async def test_manifest__other_version_than_on_chain__is_a_conflict(world: World) -> None:
    other = manifest_of(msgspec.structs.replace(WEB, count=1))

    answer = await world.ask(PUT, other)

    await assert_refused(world, answer, 409, manifest.version_of(GOOD).hex())


@pytest.mark.parametrize(
    "body",
    [
        GOOD + b"\n",
        GOOD.replace(b'":', b'": ', 1),
        GOOD.replace(b'"format":"0.1"', b'"extra":1,"format":"0.1"'),
        b"{}",
        b"[" * 10_000,
        b"\xff",
    ],
    ids=["line break", "space", "unknown key", "empty", "deep", "not utf-8"],
)
async def test_manifest__not_canonical_though_its_hash_is_on_chain__is_unprocessable(world: World, body: bytes) -> None:
    world.directory.lease_to_answer[LEASE] = lease_context(body)

    answer = await world.ask(PUT, body)

    await assert_refused(world, answer, 422, "")


@pytest.mark.parametrize(
    "body",
    [
        manifest_of(msgspec.structs.replace(WEB, count=3)),
        manifest_of(msgspec.structs.replace(WEB, resource_group=1)),
        manifest_of(msgspec.structs.replace(WEB, compute=msgspec.structs.replace(COMPUTE, milli_cpu=501))),
        manifest_of(msgspec.structs.replace(WEB, compute=msgspec.structs.replace(COMPUTE, memory_bytes=2**28 + 1))),
        manifest_of(msgspec.structs.replace(WEB, compute=msgspec.structs.replace(COMPUTE, disk_bytes=10**9 + 1))),
        manifest_of(group="eastcoast"),
    ],
    ids=["count", "resource group", "cpu", "memory", "disk", "group"],
)
async def test_h30_manifest__asks_one_more_than_leased__is_a_conflict(world: World, body: bytes) -> None:
    world.directory.lease_to_answer[LEASE] = lease_context(body)

    answer = await world.ask(PUT, body)

    await assert_refused(world, answer, 409, "")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/leases", 404),
        ("PUT", f"/v1/leases/{'A' * 64}/manifest", 404),
        ("PUT", f"/v1/leases/{'a' * 63}/manifest", 404),
        ("PUT", f"/v1/leases/../{'a' * 64}/manifest", 404),
        ("POST", PUT.path, 405),
        ("GET", PUT.path, 405),
        ("DELETE", GET.path, 405),
        ("HEAD", GET.path, 405),
    ],
)
async def test_h19_routes__not_of_the_api__are_problems(world: World, method: str, path: str, status: int) -> None:
    answer = await world.ask(Action("", PROVIDER, LEASE, method, path))

    assert (answer.status, answer.content_type) == (status, "application/problem+json")


@pytest.mark.parametrize("path", [PUT.path + "?x=1", PUT.path.replace("aaaa", "%61aaa", 1)])
async def test_h19_manifest__path_in_another_form__is_refused(world: World, path: str) -> None:
    answer = await world.ask(PUT, GOOD, path=path)

    await assert_refused(world, answer, 404, "")
