"""Which tunnels a lease has, and whom their certificates are for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.manifest import Manifest
from moorage.types import OrderId, ProviderNumber
from provider_agent.core.tunnels import (
    InboundTunnel,
    Participant,
    Subject,
    Tunnel,
    edges_of,
    loses_a_root,
    tunnels_of,
)
from tests.factories.workloads import GROUP, connection, manifest, workload

HERE, THERE = OrderId(b"\x01" * 32), OrderId(b"\x02" * 32)
LEASES = (Participant(HERE, ProviderNumber(1), GROUP), Participant(THERE, ProviderNumber(2), "east"))
TUNNEL = Tunnel(HERE, "db", 5432, THERE, "web")


def derived(document: Manifest, lease: OrderId, leases: tuple[Participant, ...] = LEASES) -> tuple[Tunnel, ...]:
    group = next(each.group for each in leases if each.lease == lease)
    return tunnels_of(edges_of(document, group), lease, leases)


def test_tunnels_of__global_connection_to_a_workload_elsewhere__is_one() -> None:
    document = manifest(workload("db", connection(5432, "web", everywhere=True)), east=(workload("web"),))

    assert derived(document, HERE) == (TUNNEL,)
    assert derived(document, THERE) == (TUNNEL,)


def test_h24_tunnels_of__what_is_not_global_or_for_another_datacenter__is_none() -> None:
    rules = (connection(5432, "web"), connection(80), connection(443, "web", everywhere=True, datacenter=GROUP))

    assert derived(manifest(workload("db", *rules), east=(workload("web"),)), HERE) == ()


def test_tunnels_of__workload_that_both_datacenters_run__has_one_each_way() -> None:
    cache = workload("cache", connection(6379, "cache", everywhere=True))

    found = derived(manifest(cache, east=(cache,)), HERE)

    assert set(found) == {Tunnel(HERE, "cache", 6379, THERE, "cache"), Tunnel(THERE, "cache", 6379, HERE, "cache")}


def test_tunnels_of__group_without_a_lease__is_none() -> None:
    document = manifest(workload("db", connection(5432, "web", everywhere=True)), east=(workload("web"),))

    assert derived(document, HERE, LEASES[:1]) == ()


def test_tunnel_id__any_part_differs__is_another() -> None:
    changes = [{"server_lease": THERE}, {"server": "d"}, {"port": 5433}, {"consumer_lease": HERE}, {"consumer": "we"}]
    others = [replace(TUNNEL, **change) for change in changes]  # type: ignore[arg-type]

    assert len({each.id for each in (TUNNEL, *others)}) == 6
    assert replace(TUNNEL, server="db", consumer="web").id == TUNNEL.id
    assert Tunnel(HERE, "a", 1, THERE, "bc").id != Tunnel(HERE, "ab", 1, THERE, "c").id


def test_tunnel_id__written_down__stays_what_agents_of_any_version_derive() -> None:
    assert TUNNEL.id == "7a0550d6608a5f8e6bd55200d3985b57"


def test_h24_inbound_tunnel__of_a_consumer__expects_tunnel_lease_and_workload() -> None:
    expected = Subject(TUNNEL.id, THERE.hex(), "web")

    assert InboundTunnel(TUNNEL, "name", b"", b"").expected == expected


def test_tunnel_ends__shown__tell_no_key() -> None:
    assert "secret" not in repr(InboundTunnel(TUNNEL, "name", b"secret", b"secret"))


ROOT, OTHER_ROOT = (b"-----BEGIN CERTIFICATE-----\n%d\n-----END CERTIFICATE-----\n" % number for number in (1, 2))


@pytest.mark.parametrize(
    ("before", "after", "is_lost"),
    [
        (ROOT, ROOT, False),
        (ROOT, ROOT + OTHER_ROOT, False),
        (ROOT + OTHER_ROOT, OTHER_ROOT + ROOT, False),
        (ROOT + OTHER_ROOT, ROOT, True),
        (ROOT, OTHER_ROOT, True),
        (ROOT, b"", True),
    ],
)
def test_h23_loses_a_root__roots_of_a_tunnel_change__is_told(before: bytes, after: bytes, is_lost: bool) -> None:
    assert loses_a_root(before, after) is is_lost
