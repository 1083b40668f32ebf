"""Who takes part: four providers on three hosts, two tenants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo.chain import ROOT
from demo.hosts import Host
from demo.providers import Site

EXAMPLE = ROOT / "examples/regions/moorage.yml"
PASSWORD_VARIABLE = "DATABASE_PASSWORD"
"""Where the example's deployment file reads its database's password."""
NEIGHBOUR_EXAMPLE = ROOT / "demo/regions/neighbour.yml"
IMAGES = tuple(f"moorage-example/{name}:1" for name in ("pages", "cache", "database"))
HOSTS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A provider before it has a machine."""

    region: str
    host: int
    port: int
    core_price: str
    ports: str
    """Of its host, for its leases."""


PLACES = {
    1: Place("us-east", 1, 8443, "0.40", "30000-30999"),
    2: Place("us-west", 2, 8443, "0.40", "30000-30999"),
    3: Place("europe-west", 3, 8443, "0.40", "30000-30999"),
    4: Place("europe-central", 2, 8444, "0.55", "31000-31999"),
}
"""The fourth is dearer than the third, so that it gets nothing as long as that one is there. It shares a host."""
PEOPLE = ("tenant", "neighbour", "facilitator", "deployer")
ACTORS = (*PEOPLE, *(f"{role}-{number}" for number in PLACES for role in ("owner", "operator")))
GIVEN = {"tenant": 200, "neighbour": 200, **{f"owner-{number}": 250 for number in PLACES}}
"""Whole tokens that the deployer hands out."""


def site(number: int, machines: Sequence[Host]) -> Site:
    """Return where a provider is."""
    place = PLACES[number]
    host = machines[place.host - 1]
    more = f'[gateway]\nports = "{place.ports}"\n'
    return Site(host.docker, place.core_price, place.region, host.address, place.port, host, more)
