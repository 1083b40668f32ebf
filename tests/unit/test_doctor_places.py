"""What an operator is told about the places at which gateways and edge are to listen."""

from __future__ import annotations

import socket

import pytest

from provider_agent.core.gateway_container import EdgeSite, GatewaySite
from provider_agent.doctor_places import check_edge, check_publish_address
from tests.free_ports import free_port

FILE = "provider.toml"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_check_publish_address__of_this_host__is_in_order(address: str) -> None:
    assert check_publish_address(GatewaySite("/g", publish_address=address), FILE) == []


def test_check_publish_address__of_no_host_here__is_a_failure() -> None:
    (found,) = check_publish_address(GatewaySite("/g", publish_address="192.0.2.77"), FILE)

    assert (found.level.value, found.where) == ("failure", "publish_address")
    assert "192.0.2.77" in found.what
    assert FILE in (found.remedy or "")


async def test_check_edge__there_is_none__says_nothing() -> None:
    assert await check_edge(GatewaySite("/g"), FILE) == []


async def test_check_edge__places__are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = ("127.0.0.1", server.getsockname()[1])
        one = GatewaySite("/g", edge=EdgeSite("a.org", taken, ("127.0.0.1", free_port())))
        other = GatewaySite("/g", edge=EdgeSite("a.org", ("192.0.2.77", 80), taken))

        found = [*await check_edge(one, FILE), *await check_edge(other, FILE)]

    assert [(each.level.value, each.where) for each in found] == [
        ("ok", "edge.http"),
        ("ok", "edge.https"),
        ("failure", "edge.http"),
        ("ok", "edge.https"),
    ]
    assert "is taken and answers" in found[0].what
    assert "is not taken" in found[1].what
    assert "192.0.2.77:80 can't be bound" in found[2].what
