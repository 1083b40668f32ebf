"""How connections are, by a proxy's statistics."""

from __future__ import annotations

import pytest

from moorage.types import OrderId
from provider_agent.core.gateway import Door, GatewayPlan
from provider_agent.core.gateway_config import LeaseTunnels
from provider_agent.core.gateway_state import (
    ConnectionReport,
    ConnectionState,
    Statistics,
    TunnelReport,
    connection_reports,
    read_statistics,
    tunnel_reports,
)
from provider_agent.core.tunnels import OutboundTunnel, Tunnel
from tests.factories.workloads import LEASE

LOCAL = Door("api", "db", 5432, True, ())
AFAR = Door("api", "db", 5432, False, ("east",))
TUNNEL = OutboundTunnel(
    Tunnel(OrderId(b"\x0e" * 32), "db", 5432, LEASE, "api"), ("203.0.113.9", 31_000), "db.east", b"", b""
)
OUTBOUND = LeaseTunnels((TUNNEL,))
END = f"check_{TUNNEL.tunnel.id},end"
HERE = "in this datacenter"
UP, DOWN, WAITING = ConnectionState.UP, ConnectionState.DOWN, ConnectionState.WAITING


def told(*rows: str) -> str:
    """Return an answer to `show stat` with these servers: section,name,status,check_status,check_desc."""
    head = "# pxname,svname,status,check_status,check_desc"
    return "\n".join((head, "to_api_db_5432,FRONTEND,OPEN,,", *rows, ""))


def report(door: Door, answer: str | None, tunnels: LeaseTunnels = OUTBOUND) -> tuple[ConnectionState, str | None]:
    plan = GatewayPlan((door,), (), (), False)
    statistics = read_statistics(answer) if answer is not None else None
    (found,) = connection_reports(plan, tunnels, statistics)
    assert found == ConnectionReport("api", "db", 5432, found.state, found.reason)
    return found.state, found.reason


@pytest.mark.parametrize(
    ("rows", "state", "reason"),
    [
        (("replicas_db_5432,r0,UP,L4OK,",), UP, None),
        (("replicas_db_5432,r0,DOWN,L4CON,", "replicas_db_5432,r1,UP,L4OK,"), UP, None),
        (("replicas_db_5432,r0,UP 1/3,INI,",), WAITING, "not looked at yet"),
        (("replicas_db_5432,r1,DOWN,L4CON,", "replicas_db_5432_r0,r0,UP,L4OK,"), UP, None),
        (
            ("replicas_db_5432,r0,DOWN,L4CON,", "replicas_db_54321,r0,UP,L4OK,"),
            DOWN,
            f"{HERE}: the connection is refused",
        ),
        (("replicas_db_5432,r0,DOWN,L4CON,",), DOWN, "in this datacenter: the connection is refused"),
        (("replicas_db_5432,r0,DOWN,* L4TOUT,",), DOWN, "in this datacenter: no answer"),
        (("replicas_db_5432,r0,DOWN,NEWS,words",), DOWN, "in this datacenter: words"),
    ],
)
def test_connection__within_a_datacenter__is_as_its_best_replica(
    rows: tuple[str, ...], state: ConnectionState, reason: str | None
) -> None:
    assert report(LOCAL, told(*rows, "replicas_db_5432,BACKEND,UP,,"), LeaseTunnels()) == (state, reason)


@pytest.mark.parametrize(
    ("row", "state", "reason"),
    [
        ("UP,L7OK,", UP, None),
        ("UP,INI,", WAITING, "not looked at yet"),
        ("DOWN,L4CON,", DOWN, "through the tunnel to 203.0.113.9:31000: the connection is refused"),
        ("DOWN,L6RSP,", DOWN, "through the tunnel to 203.0.113.9:31000: TLS fails"),
        ("DOWN,L7STS,", DOWN, "through the tunnel to 203.0.113.9:31000: no replica of it is up there"),
    ],
)
def test_connection__to_another_datacenter__is_as_its_tunnel(
    row: str, state: ConnectionState, reason: str | None
) -> None:
    answer = told(f"{END},{row}")

    assert report(AFAR, answer) == (state, reason)
    assert tunnel_reports(OUTBOUND, read_statistics(answer)) == (TunnelReport(TUNNEL.tunnel.id, state, reason),)


def test_tunnel_reports__other_provider_s_gateway_is_on_this_host__say_so_when_it_is_not_reached() -> None:
    rows = ("DOWN,L4TOUT,", "DOWN,L7STS,", "UP,L7OK,")
    down, empty, up = (read_statistics(told(f"{END},{row}")) for row in rows)

    def reason(statistics: Statistics, here: str) -> str | None:
        return tunnel_reports(OUTBOUND, statistics, here)[0].reason

    assert "is on this host, too" in (reason(down, "203.0.113.9") or "")
    assert "on this host" not in (reason(down, "203.0.113.8") or "")
    assert "on this host" not in (reason(empty, "203.0.113.9") or "")
    assert reason(up, "203.0.113.9") is None


def test_connection__local_replica_is_down_and_a_tunnel_is_up__is_up() -> None:
    both = Door("api", "db", 5432, True, ("east",))

    assert report(both, told("replicas_db_5432,r0,DOWN,L4CON,", f"{END},UP,L7OK,")) == (UP, None)


def test_connection__gateway_does_not_answer_or_does_not_have_it__waits() -> None:
    waiting = (WAITING, "the gateway is not up yet")

    assert report(LOCAL, None) == waiting
    assert report(LOCAL, "# pxname,svname,status,check_status,check_desc\n") == waiting
    assert report(AFAR, told(), LeaseTunnels()) == (WAITING, "no tunnel yet to east")
    assert report(AFAR, told()) == (WAITING, "the gateway does not have the tunnel yet")
