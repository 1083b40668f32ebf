"""Where the provider's edge leads to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from provider_agent.core.containers import ContainerSpec, NetworkSpec, ObservedNetwork
from provider_agent.core.edge import (
    DIRECTORY,
    OF_A_LEASE,
    OF_A_SOURCE,
    Route,
    edge_container,
    owners_of,
    render_edge,
    routes_of,
    without_rivals,
)
from provider_agent.core.gateway_config import MAX_CONNECTIONS
from provider_agent.core.gateway_container import CONFIG_FILE, EdgeSite, GatewaySite, with_gateway
from provider_agent.shell.edge import EdgeKeeper
from provider_agent.shell.engine import EngineRefused
from provider_agent.shell.gateway_files import GatewayFiles
from tests.factories.workloads import IDENTITY, LEASE, connection, lease_of, workload

EDGE = EdgeSite("apps.example.org", ("192.0.2.1", 80), ("192.0.2.1", 8443))
SITE = GatewaySite("/gateways", edge=EDGE)
WEB = workload("web", connection(80), connection(9000), host=("shop.example", "evil.apps.example.org"))
HERE = IPv4Address("10.224.0.2")


def route(host: str, network: str) -> Route:
    return Route(host, "http", network, HERE, 1_024)


def test_routes_of__a_lease__are_its_own_name_and_the_tenants_names_outside_of_our_domain() -> None:
    lease = with_gateway(lease_of(WEB), SITE, {})
    assert lease.gateway is not None
    name = lease.gateway.names.edge()
    network = ObservedNetwork(name, (), IPv4Network("10.224.0.0/28"))

    routes = tuple(routes_of(lease, [network], SITE))

    ours = f"web.{LEASE.hex()[:32]}.apps.example.org"
    assert [(each.host, each.network, each.address) for each in routes] == [
        (ours, name, HERE),
        ("shop.example", name, HERE),
    ]
    assert lease.addresses == (("web", f"http://{ours}"), ("web", "http://shop.example"))
    assert tuple(routes_of(lease, [], SITE)) == ()


def test_without_rivals__two_leases_want_a_name__has_it_who_had_it() -> None:
    routes = (route("shop.example", "b"), route("shop.example", "a"), route("other.example", "b"))

    assert without_rivals(routes, {"shop.example": "b"}) == (routes[0], routes[2])
    assert without_rivals(routes, {"shop.example": "gone"}) == (routes[1], routes[2])
    assert owners_of(render_edge(routes[1:])) == {"shop.example": "a", "other.example": "b"}


def test_render_edge__names__lead_to_one_gateway_each_and_unknown_ones_nowhere() -> None:
    config = render_edge([route("shop.example", "a")])

    assert config.files["http.map"] == f"shop.example {route('shop.example', 'a').name}\n".encode()
    assert config.files["https.map"] == b""
    text = config.files[CONFIG_FILE].decode()
    assert text.count("server gateway 10.224.0.2:1024\n") == 1
    assert "default_backend" not in text
    assert config.digest != render_edge([route("shop.example", "b"), route("x.example", "b")]).digest


def test_h16_render_edge__one_source_or_one_lease__cannot_have_the_connections_of_all() -> None:
    names = ("a.example", "b.example")
    routes = [Route(name, protocol, name[0], HERE, 1_024) for name in names for protocol in ("http", "https")]

    parts = render_edge(routes).files[CONFIG_FILE].decode().split("\n\n")

    sections = {part.split()[1]: part for part in parts[2:]}
    for frontend in ("http", "https"):
        assert "  tcp-request connection track-sc0 src table sources\n" in sections[frontend]
        assert f"  tcp-request connection reject if {{ sc0_conn_cur gt {OF_A_SOURCE} }}\n" in sections[frontend]
        assert "  timeout client " in sections[frontend]
    for each in routes:
        assert f" track-sc1 str({each.network}) table leases\n" in sections[each.name]
        assert f" if {{ sc1_conn_cur gt {OF_A_LEASE} }}\n" in sections[each.name]
    assert OF_A_SOURCE < OF_A_LEASE < MAX_CONNECTIONS


def test_i08_edge_container__its_ports__are_on_the_configured_addresses() -> None:
    spec = edge_container(IDENTITY, SITE, EDGE, [route("shop.example", "a"), route("x.example", "a")])

    assert [(each.container_port, each.address, each.port) for each in spec.published_ports] == [
        (80, "192.0.2.1", 80),
        (443, "192.0.2.1", 8443),
    ]
    assert [each.network for each in spec.attachments] == [f"mn-{IDENTITY.tag}-edge", "a"]


@pytest.mark.parametrize("listen", [("0.0.0.0", 8080), ("0.0.0.0", 80)])
def test_address__other_port_than_the_usual__is_told(listen: tuple[str, int]) -> None:
    port = "" if listen[1] == 80 else ":8080"

    assert EdgeSite("a.org", listen, listen).address("http", "b.org") == f"http://b.org{port}"


@pytest.mark.parametrize(("routes", "asked"), [(None, []), ((), ["has_image"])])
async def test_i24_edge__agent_starts_anew__leaves_it_alone_until_it_is_known_where_it_leads(
    routes: tuple[Route, ...] | None, asked: list[str]
) -> None:
    stop, engine = asyncio.Event(), Asked()
    told: Any = engine

    def tell() -> tuple[Route, ...] | None:
        stop.set()
        return routes

    keeper = EdgeKeeper(told, IDENTITY, SITE, EDGE, None, tell)

    await keeper.run(stop)

    assert engine.asked == asked
    assert (keeper.fault is None) == (routes is None)


async def test_edge__something_odd_happens__is_a_fault_and_it_goes_on() -> None:
    told: Any = object()
    stop = asyncio.Event()

    def tell() -> tuple[Route, ...]:
        stop.set()
        return ()

    keeper = EdgeKeeper(told, IDENTITY, SITE, EDGE, None, tell)

    await keeper.run(stop)

    assert keeper.fault is not None and keeper.fault.startswith("AttributeError: ")


async def test_edge__two_leases_want_a_name_and_the_agent_starts_anew__has_it_who_had_it(tmp_path: Path) -> None:
    first, second = route("shop.example", "mn-1"), route("shop.example", "mn-2")
    engine = Refusing()
    told: Any = engine
    keeper = EdgeKeeper(told, IDENTITY, replace(SITE, directory=str(tmp_path)), EDGE, None, lambda: None)
    GatewayFiles(tmp_path / DIRECTORY, None).use(render_edge([second]).files)

    with pytest.raises(EngineRefused):
        await keeper.keep((first, second))

    assert engine.networks[1:] == ["mn-2"]


class Refusing:
    """An engine that makes no container, and notes on which networks it was to be."""

    def __init__(self) -> None:
        self.networks: list[str] = []

    async def has_image(self, _: str) -> bool:
        return True

    async def ensure_network(self, _: NetworkSpec) -> None: ...

    async def ensure_container(self, spec: ContainerSpec) -> None:
        self.networks = [each.network for each in spec.attachments]
        raise EngineRefused("no")


class Asked:
    """An engine that has nothing, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def has_image(self, _: str) -> bool:
        self.asked.append("has_image")
        return False
