"""How connections are told to a tenant: each from the side that is here."""

from __future__ import annotations

from dataclasses import replace

from moorage.types import OrderId, ProviderNumber
from provider_agent.core.connection_view import ConnectionView, connection_views
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState, TunnelReport
from provider_agent.core.tunnels import Participant, Tunnel, TunnelState
from provider_agent.core.workloads import DesiredLease, desired_lease
from tests.factories.workloads import GROUP, IDENTITY, LEASE, OTHER_LEASE, VERSION, connection, manifest, workload

UP, DOWN, WAITING = ConnectionState.UP, ConnectionState.DOWN, ConnectionState.WAITING
EAST = Participant(OTHER_LEASE, ProviderNumber(2), "east")
OUT = Tunnel(OTHER_LEASE, "db", 5432, LEASE, "web")
INTO = Tunnel(LEASE, "cache", 6379, OTHER_LEASE, "web")


def lease(group: str = GROUP, lease_id: OrderId = LEASE) -> DesiredLease:
    web = workload("web")
    cache = workload("cache", connection(6379, "web", everywhere=True))
    db = workload("db", connection(5432, "web", everywhere=True))
    return desired_lease(IDENTITY, lease_id, manifest(web, cache, east=(web, db)), group, VERSION)


def views(
    *tunnels: TunnelState, reports: tuple[TunnelReport, ...] = (), here: DesiredLease | None = None
) -> set[tuple[object, ...]]:
    local = (ConnectionReport("web", "cache", 6379, UP, None),)
    found = connection_views(here or lease(), GROUP, local, tunnels, reports)
    return {(each.workload, each.is_out, each.name, each.datacenter, each.state, each.reason) for each in found}


LOCAL = {("web", True, "cache:6379", GROUP, UP, None), ("cache", False, "cache:6379", GROUP, UP, None)}


def test_views__tunnels_that_are_up__are_seen_from_both_directions() -> None:
    states = TunnelState(OUT, False, EAST, None), TunnelState(INTO, True, EAST, None)

    assert views(*states, reports=(TunnelReport(OUT.id, UP, None),)) == LOCAL | {
        ("web", True, "db:5432", "east", UP, None),
        ("cache", False, "cache:6379", "east", UP, None),
    }


def test_views__tunnels_that_are_not_up__say_why() -> None:
    states = TunnelState(OUT, False, EAST, None), TunnelState(INTO, True, EAST, "no answer")

    assert views(*states, reports=(TunnelReport(OUT.id, DOWN, "refused"),)) == LOCAL | {
        ("web", True, "db:5432", "east", DOWN, "refused"),
        ("cache", False, "cache:6379", "east", WAITING, "no answer"),
    }
    assert ("web", True, "db:5432", "east", WAITING, "the gateway does not have the tunnel yet") in views(*states)
    assert ("web", True, "db:5432", "east", WAITING, "odd") in views(replace(states[0], fault="odd"))


def test_views__no_port_is_left__is_why_nobody_comes_in() -> None:
    here = replace(lease(), portless=("tunnels",))

    reason = "no port of the host is left for tunnels"
    assert ("cache", False, "cache:6379", "east", WAITING, reason) in views(
        TunnelState(INTO, True, EAST, None), here=here
    )


def test_views__nobody_has_a_lease_for_the_other_datacenter__are_waiting() -> None:
    reason = "nobody has a lease for east at the moment"

    assert views() == LOCAL | {
        ("web", True, "db:5432", "east", WAITING, reason),
        ("cache", False, "cache:6379", "east", WAITING, reason),
    }


def test_views__of_a_lease__name_the_workload_at_the_other_side() -> None:
    found = connection_views(lease(), GROUP, (), [TunnelState(INTO, True, EAST, None)], ())

    assert found == (ConnectionView("cache", False, "cache:6379", "web", "east", UP, None),)
