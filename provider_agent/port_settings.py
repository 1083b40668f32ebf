"""Refuses settings that would have two listen on one port: agent, metrics, edge and leases' gateways."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations

from moorage.settings_file import SettingsError, SettingsFile
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.gateway_settings import EDGE_TABLE, TABLE

Place = tuple[str, int]
"""An address of a host and a port."""


def check_ports(
    file: SettingsFile, listen: Place, metrics: Place | None, gateways: GatewaySite, is_one_host: bool
) -> None:
    """See that everything has a port of its own.

    Args:
        is_one_host: whether the engine is on the agent's host, as far as that is known.

    Raises:
        SettingsError: two keys name one port; it says which.
    """
    own = [("listen", listen), *([("metrics", metrics)] if metrics else [])]
    published = list(_of_the_edge(gateways))
    for group in [[*own, *published]] if is_one_host else [own, published]:
        for (first, place), (second, other) in combinations(group, 2):
            if place[1] == other[1] and _meet(place[0], other[0]):
                raise _clash(file, second, first, place)
    for key, (host, port) in [*own, *published] if is_one_host else published:
        if port in gateways.ports and _meet(host, gateways.publish_address):
            raise _clash(file, f"{TABLE}.ports", key, (host, port))


def _of_the_edge(gateways: GatewaySite) -> Iterator[tuple[str, Place]]:
    if gateways.edge is not None:
        yield f"{EDGE_TABLE}.http", gateways.edge.http
        yield f"{EDGE_TABLE}.https", gateways.edge.https


def _meet(one: str, other: str) -> bool:
    first, second = ip_address(one), ip_address(other)
    if first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def _clash(file: SettingsFile, key: str, other: str, place: Place) -> SettingsError:
    shown = f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"
    return file.error(key, f"has the port of {other}, {shown}: each needs one of its own")
