"""What a gateway is told about its tunnels."""

from __future__ import annotations

import pytest

from moorage.types import OrderId
from provider_agent.core.tunnel_config import (
    check_section,
    inbound_frontend,
    inbound_list,
    inbound_section,
    replica_followers,
    replicas_section,
    tunnel_files,
    tunnel_server,
)
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Tunnel

TUNNEL = Tunnel(OrderId(b"\x01" * 32), "db", 5432, OrderId(b"\x02" * 32), "web")
OUTBOUND = OutboundTunnel(TUNNEL, ("203.0.113.9", 31000), "db.example", b"key", b"roots")
INBOUND = InboundTunnel(TUNNEL, "db.example", b"key", b"roots")
SECURITY = (
    f"203.0.113.9:31000 ssl verify required ca-file /etc/gateway/{TUNNEL.id}.ca"
    f" crt /etc/gateway/{TUNNEL.id}.pem verifyhost db.example"
)


@pytest.mark.parametrize("is_backup", [True, False])
def test_tunnel_server__of_a_consumer__trusts_the_peers_roots_and_asks_for_the_tunnels_name(is_backup: bool) -> None:
    line = tunnel_server(OUTBOUND, "/etc/gateway", is_backup=is_backup)

    end = " backup" if is_backup else ""
    assert line == f"  server t_{TUNNEL.id} {SECURITY} sni str(db.example) track check_{TUNNEL.id}/end{end}\n"


def test_check_section__of_a_consumer__goes_the_way_of_a_connection() -> None:
    lines = check_section(OUTBOUND, "/etc/gateway").splitlines()

    assert lines[0] == f"backend check_{TUNNEL.id}"
    assert lines[2].startswith(f"  server end {SECURITY} check ")


def test_h24_inbound_section__of_a_tunnel__rejects_other_subjects_for_connections_and_for_health() -> None:
    text = inbound_section(INBOUND, replica_followers("db", 5432, ["10.224.0.3", "10.224.0.4"]))

    unit = "02" * 32
    rule = (
        "  tcp-request content reject unless { ssl_c_used } { ssl_c_verify 0 }"
        f" {{ ssl_c_s_dn(O) -m str {TUNNEL.id} }} {{ ssl_c_s_dn(OU) -m str {unit} }} {{ ssl_c_s_dn(CN) -m str web }}"
    )
    assert text.splitlines() == [
        f"backend in_{TUNNEL.id}",
        rule,
        "  server r0 10.224.0.3:5432 track replicas_db_5432/r0",
        "  server r1 10.224.0.4:5432 track replicas_db_5432/r1",
        f"backend health_{TUNNEL.id}",
        "  mode http",
        rule,
        f"  http-request return status 200 if {{ nbsrv(in_{TUNNEL.id}) gt 0 }}",
        "  http-request return status 503",
    ]


def test_inbound_frontend__of_a_lease__takes_the_listed_names_alone() -> None:
    assert inbound_frontend(["10.224.0.2:4433"], "/etc/gateway/tunnels.list", 500).splitlines()[:4] == [
        "frontend tunnels",
        "  bind 10.224.0.2:4433 ssl crt-list /etc/gateway/tunnels.list strict-sni",
        "  timeout client 5s",
        "  maxconn 500",
    ]
    assert inbound_list([INBOUND], "/etc/gateway") == (
        f"/etc/gateway/{TUNNEL.id}.pem [ca-file /etc/gateway/{TUNNEL.id}.ca verify required alpn moorage-health]"
        " db.example\n"
    )


def test_replicas_section__of_a_server__checks_each() -> None:
    assert replicas_section("db", 5432, {0: "10.224.0.3"}) == (
        "backend replicas_db_5432\n  server r0 10.224.0.3:5432 check inter 2s\n"
    )


def test_tunnel_files__of_both_directions__are_what_the_text_names() -> None:
    assert (
        tunnel_files([OUTBOUND]) == tunnel_files([INBOUND]) == {f"{TUNNEL.id}.pem": b"key", f"{TUNNEL.id}.ca": b"roots"}
    )


def test_tunnel_server__address_of_version_6__is_in_brackets() -> None:
    outbound = OutboundTunnel(TUNNEL, ("2001:db8::1", 1), "n", b"", b"")

    assert " [2001:db8::1]:1 ssl " in tunnel_server(outbound, "/e", is_backup=False)


@pytest.mark.parametrize("host", ["example.org", "203.0.113.9\n  server x", "203.0.113.9 x", ""])
def test_tunnel_server__host_that_is_no_address__is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="IP"):
        tunnel_server(OutboundTunnel(TUNNEL, (host, 1), "n", b"", b""), "/e", is_backup=False)
