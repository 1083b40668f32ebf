"""Both sides of a tunnel derive it alone; together the tunnels are the declared connections and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.manifest import Connection, Manifest, Workload
from moorage.types import OrderId, ProviderNumber
from provider_agent.core.tunnels import Participant, Tunnel, edges_of, tunnels_of
from tests.factories.workloads import GROUP, manifest, workload

GROUPS = (GROUP, "east", "europe")
NAMES = ("web", "cache", "db")
PORTS = (80, 5432)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    runs = {group: draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)) for group in GROUPS}
    everywhere = sorted({name for names in runs.values() for name in names})
    connections = st.builds(
        Connection,
        port=st.sampled_from(PORTS),
        protocol=st.just("tcp"),
        workload=st.sampled_from(everywhere) | st.none(),
        datacenter=st.sampled_from(GROUPS) | st.none(),
        is_global=st.booleans(),
    )
    groups: dict[str, tuple[Workload, ...]] = {
        group: tuple(workload(name, *draw(st.lists(connections, max_size=3))) for name in names)
        for group, names in runs.items()
    }
    return manifest(*groups.pop(GROUP), **groups)


def leases(groups: tuple[str, ...]) -> st.SearchStrategy[list[Participant]]:
    """Return participants: some groups have none, and a group may have two leases while one of them ends."""
    one = st.builds(
        Participant,
        lease=st.binary(min_size=32, max_size=32).map(OrderId),
        provider=st.integers(1, 3).map(ProviderNumber),
        group=st.sampled_from((*groups, "elsewhere")),
    )
    return st.lists(one, max_size=5, unique_by=lambda each: each.lease)


def declared(document: Manifest, participants: list[Participant]) -> set[Tunnel]:
    """Ask for every pair of workloads whether the manifest lets the one reach the other from another datacenter."""
    found = set()
    workloads = {(group.name, each.name): each for group in document.groups for each in group.workloads}
    for server in participants:
        for consumer in participants:
            for (group, name), there in workloads.items():
                for port in PORTS:
                    for caller in NAMES:
                        is_declared = any(
                            rule.port == port and rule.workload == caller and rule.is_global
                            and rule.datacenter in (None, consumer.group)
                            for rule in there.connections
                        )  # fmt: skip
                        is_between = group == server.group != consumer.group and (consumer.group, caller) in workloads
                        if is_declared and is_between:
                            found.add(Tunnel(server.lease, name, port, consumer.lease, caller))
    return found


@given(manifests(), leases(GROUPS))
@settings(max_examples=150, deadline=None)
def test_h24_tunnels__of_all_participants_together__are_the_declared_connections(
    document: Manifest, participants: list[Participant]
) -> None:
    known = {group.name: edges_of(document, group.name) for group in document.groups}
    derived = {each.lease: tunnels_of(known.get(each.group, ()), each.lease, participants) for each in participants}

    together = {tunnel for tunnels in derived.values() for tunnel in tunnels}
    assert together == declared(document, participants)
    for lease, tunnels in derived.items():
        assert set(tunnels) == {each for each in together if lease in (each.server_lease, each.consumer_lease)}
    assert len({tunnel.id for tunnel in together}) == len(together)


@given(manifests(), leases(GROUPS))
@settings(max_examples=50, deadline=None)
def test_tunnels__participants_in_another_order__are_the_same(
    document: Manifest, participants: list[Participant]
) -> None:
    turned = participants[::-1]

    for each in participants:
        edges = edges_of(document, each.group)
        assert tunnels_of(edges, each.lease, participants) == tunnels_of(edges[::-1], each.lease, turned)
