"""What a gateway's proxy is told. The whole text is in gateway.cfg: who changes it sees what changes."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given

from moorage.manifest import Manifest
from moorage.types import OrderId
from moorage.workload_health import Health
from provider_agent.core.containers import ObservedNetwork
from provider_agent.core.gateway_config import (
    CONFIG_FILE,
    MAX_CONNECTIONS,
    OUTSIDE_CONNECTIONS,
    AddressesMissing,
    GatewayConfig,
    LeaseTunnels,
    lost_servers,
    render,
)
from provider_agent.core.gateway_container import EdgeSite, GatewaySite, port_keys, routed, with_gateway
from provider_agent.core.ports import choose_ports
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Tunnel
from provider_agent.core.workloads import DesiredLease, desired_lease
from tests.factories.workloads import IDENTITY, LEASE, VERSION, connection, manifest, workload
from tests.property.test_manifest_properties import manifests

GOLDEN = Path(__file__).with_name("gateway.cfg")
SITE = GatewaySite("/gateways")
EDGE = GatewaySite("/gateways", edge=EdgeSite("apps.example.org", ("0.0.0.0", 80), ("0.0.0.0", 8443)))
EAST = OrderId(b"\x0e" * 32)
API = workload("api", connection(8000, "web"), count=2)
DB = workload("db", connection(5432, "api", everywhere=True))
SHOP = manifest(API, DB, workload("web", connection(80), connection(9000)), east=(DB, workload("api")))
OUT = OutboundTunnel(Tunnel(EAST, "db", 5432, LEASE, "api"), ("203.0.113.9", 31_000), "db.east", b"key", b"root")
IN = InboundTunnel(Tunnel(LEASE, "db", 5432, EAST, "api"), "db.west", b"key2", b"root2")
CONNECTED = {
    "http": None,
    "tcp_port": 80,
    "command": None,
    "interval_seconds": 10,
    "timeout_seconds": 3,
    "retries": 4,
    "start_seconds": 0,
}
TUNNELS, NONE = LeaseTunnels((OUT,), (IN,)), LeaseTunnels()


def lease_of(content: Manifest = SHOP, site: GatewaySite = SITE) -> tuple[DesiredLease, dict[str, int]]:
    lease = desired_lease(IDENTITY, LEASE, content, content.groups[0].name, VERSION)
    assert lease.gateway is not None
    ports = choose_ports(LEASE, port_keys(lease.gateway.plan, site), {}, (), site.ports)
    return with_gateway(lease, site, ports), ports


def networks_of(lease: DesiredLease) -> list[ObservedNetwork]:
    return [
        ObservedNetwork(each.name, each.labels, IPv4Network(f"10.224.{index}.0/24"))
        for index, each in enumerate(lease.networks)
    ]


def config_of(content: Manifest = SHOP, tunnels: LeaseTunnels = NONE, site: GatewaySite = SITE) -> GatewayConfig:
    lease, ports = lease_of(content, site)
    assert lease.gateway is not None
    return render(lease.gateway, site, networks_of(lease), ports, tunnels)


def test_render__lease_with_all_kinds_of_connections__is_the_golden_file() -> None:
    assert config_of(tunnels=TUNNELS).files[CONFIG_FILE].decode() == GOLDEN.read_text()


def test_render__any_lease__resumes_no_session_and_speaks_tls_1_3_alone() -> None:
    text = config_of().files[CONFIG_FILE].decode()

    assert "tune.ssl.cachesize 0\n" in text
    assert text.count("ssl-min-ver TLSv1.3 no-tls-tickets\n") == 2


def test_render__other_certificates__have_the_same_digest_and_other_roots_another() -> None:
    before = config_of(tunnels=TUNNELS)

    renewed = config_of(tunnels=LeaseTunnels((replace(OUT, credential_pem=b"new"),), (IN,)))
    distrusted = config_of(tunnels=LeaseTunnels((replace(OUT, roots_pem=b"new"),), (IN,)))

    assert (renewed.digest, renewed.files[CONFIG_FILE]) == (before.digest, before.files[CONFIG_FILE])
    assert renewed.credentials != before.credentials
    assert distrusted.digest != before.digest != ""


def test_h16_render__ports_that_strangers_can_reach__leave_connections_to_the_leases_own_workloads() -> None:
    parts = config_of(tunnels=TUNNELS).files[CONFIG_FILE].decode().split("\n\n")

    shares = {part.split()[1]: re.findall(r"^  maxconn (\d+)$", part, re.MULTILINE) for part in parts[2:]}
    outside = {name: int(found[0]) for name, found in shares.items() if found}
    assert outside.keys() == {"public_web_80", "public_web_9000", "tunnels"}
    assert 0 < sum(outside.values()) <= OUTSIDE_CONNECTIONS < MAX_CONNECTIONS


def test_h23_render__any_lease__opens_each_tunnel_with_a_handshake_of_its_own() -> None:
    assert "  default-server no-ssl-reuse " in config_of().files[CONFIG_FILE].decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"address": ("db.example.org", 31_000)},
        {"address": ("203.0.113.9 ssl verify none", 31_000)},
        {"address": ("203.0.113.9", 0)},
        {"address": ("203.0.113.9", 65_536)},
        {"server_name": "a b"},
        {"server_name": "a\n  server x 1.2.3.4:5"},
    ],
)
def test_h25_render__a_peer_tells_what_cannot_be_written__has_no_tunnel_and_the_others_are_there(
    changes: dict[str, object],
) -> None:
    told = config_of(tunnels=LeaseTunnels((replace(OUT, **changes),), (IN,)))  # type: ignore[arg-type]

    assert told.files == config_of(tunnels=LeaseTunnels((), (IN,))).files


@pytest.mark.parametrize("place", [2, 3])
def test_h25_render__a_peer_says_that_it_is_on_a_network_of_the_lease__has_no_tunnel(place: int) -> None:
    lease, _ = lease_of()
    without = config_of(tunnels=LeaseTunnels((), (IN,))).files

    for network in networks_of(lease):
        inside = replace(OUT, address=(str(network.subnet[place]), 5432))
        assert config_of(tunnels=LeaseTunnels((inside,), (IN,))).files == without


def test_render__tunnel_to_what_is_not_offered__is_not_let_in() -> None:
    other = replace(IN, tunnel=replace(IN.tunnel, server="web", port=22))

    assert config_of(tunnels=LeaseTunnels((), (other,))).files == config_of().files


def test_i22_render__new_version_is_tried__those_of_other_datacenters_find_the_same_replicas_as_those_here() -> None:
    lease, ports = lease_of()

    def found(*beside: tuple[str, int, bool], draining: tuple[tuple[str, int], ...] = ()) -> list[list[str]]:
        assert lease.gateway is not None
        gateway = replace(lease.gateway, beside=beside, draining=draining)
        servers = render(gateway, SITE, networks_of(lease), ports, TUNNELS).servers
        sections = (f"in_{IN.tunnel.id}", "to_api_db_5432")
        return [
            [
                f"{name} weight 0" if "weight 0" in line else name
                for (at, name), line in servers.items()
                if at == section
            ]
            for section in sections
        ]

    for beside, draining, expected in (
        (("db", 0, False), (), ["r0"]),
        (("db", 0, True), (("db", 0),), ["r0 weight 0", "r1"]),
        (("db", 0, True), (("db", 1),), ["r0", "r1 weight 0"]),
    ):
        outside, here = found(beside, draining=draining)
        assert (outside, [each for each in here if not each.startswith("t_")]) == (expected, expected)


def test_i22_render__old_version_was_checked_otherwise__is_checked_apart_and_nothing_is_closed_for_it() -> None:
    lease, ports = lease_of()
    assert lease.gateway is not None
    others = (("api", 1, Health(**{**CONNECTED, "tcp_port": 81})),)

    before, after = (
        render(replace(lease.gateway, others=each), SITE, networks_of(lease), ports) for each in ((), others)
    )

    text = after.files[CONFIG_FILE].decode()
    assert (
        "backend replicas_api_8000\n"
        "  server r0 10.224.0.3:8000 check inter 2s\n"
        "\n"
        "backend replicas_api_8000_r1\n"
        "  timeout check 3s\n"
        "  server r1 10.224.0.4:8000 check port 81 inter 10s fall 4\n"
    ) in text
    assert "  server r0 10.224.0.3:8000 track replicas_api_8000/r0\n" in text
    assert "  server r1 10.224.0.4:8000 track replicas_api_8000_r1/r1\n" in text
    assert lost_servers(before, after) == lost_servers(after, before) == ()


def test_render__network_is_missing__is_not_written_at_all() -> None:
    lease, ports = lease_of()
    assert lease.gateway is not None

    with pytest.raises(AddressesMissing):
        render(lease.gateway, SITE, networks_of(lease)[:-1], ports)


def test_render__edge__takes_http_by_name_and_gives_the_rest_ports() -> None:
    lease, ports = lease_of(site=EDGE)
    assert lease.gateway is not None

    assert [each.key for each in routed(lease.gateway.plan, EDGE)] == ["web:80"]
    assert ports.keys() == {"tunnels", "web:9000"}
    assert lease.addresses == (
        ("web", f"http://web.{LEASE.hex()[:32]}.apps.example.org"),
        ("web", f"tcp://127.0.0.1:{ports['web:9000']}"),
    )
    assert [each.name.rpartition("-")[2] for each in lease.networks[-2:]] == ["front", "edge"]


def test_lost_servers__tunnel_is_gone_or_a_root_of_it__are_told_and_no_others() -> None:
    before = config_of(tunnels=TUNNELS)
    without = config_of(tunnels=LeaseTunnels((), (IN,)))
    distrusted = config_of(tunnels=LeaseTunnels((OUT,), (replace(IN, roots_pem=b"other"),)))
    more = b"root2-----END CERTIFICATE-----\nmore-----END CERTIFICATE-----"
    both = config_of(tunnels=LeaseTunnels((OUT,), (replace(IN, roots_pem=more),)))

    out, into = OUT.tunnel.id, IN.tunnel.id
    assert set(lost_servers(before, without)) == {("to_api_db_5432", f"t_{out}"), (f"check_{out}", "end")}
    assert set(lost_servers(before, distrusted)) == {(f"in_{into}", "r0")}
    assert lost_servers(before, both) == lost_servers(GatewayConfig({}), before) == ()


@given(manifests())
def test_i09_render__any_manifest__listens_where_its_plan_says_and_nowhere_else(content: Manifest) -> None:
    lease = desired_lease(IDENTITY, LEASE, content, content.groups[0].name, VERSION)
    if lease.gateway is None:
        return
    plan = lease.gateway.plan
    placed, ports = lease_of(content)
    subnets = {each.name: each.subnet for each in networks_of(placed)}
    text = config_of(content).files[CONFIG_FILE].decode()

    names = lease.gateway.names
    expected = {f"{subnets[names.way(each.consumer, each.server)][2]}:{each.port}" for each in plan.doors}
    expected |= {f"{subnets[names.front()][2]}:{port}" for key, port in ports.items() if key != "tunnels"}
    bound = [line.split()[1] for line in text.splitlines() if line.startswith("  bind ")]
    assert set(bound) == expected
    assert len(bound) == len(expected)
