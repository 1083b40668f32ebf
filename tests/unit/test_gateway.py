"""What a gateway offers to whom: the meanings of the connections of a manifest."""

from __future__ import annotations

from hypothesis import given

from moorage.manifest import Manifest
from provider_agent.core.gateway import Door, GatewayPlan, Publication, Service, plan_gateway
from tests.factories.workloads import GROUP, connection, manifest, workload
from tests.property.test_manifest_properties import manifests

NOTHING = GatewayPlan((), (), (), takes_tunnels=False)


def test_plan__service_alone__is_for_consumers_in_the_same_datacenter_only() -> None:
    both = manifest(
        workload("db", connection(5432, "api")), workload("api"), east=(workload("api"),), north=(workload("db"),)
    )

    here = plan_gateway(both, GROUP)

    assert here == GatewayPlan((Door("api", "db", 5432, True, ()),), (Service("db", 5432, 1),), (), False)
    assert not here.gives_tunnels
    assert plan_gateway(both, "east") == NOTHING


def test_plan__service_and_global__is_also_for_consumers_in_all_other_datacenters() -> None:
    database = workload("db", connection(5432, "api", everywhere=True), count=2)
    all_three = manifest(database, workload("api"), east=(workload("api"),), north=(database, workload("api")))

    here, east, north = (plan_gateway(all_three, group) for group in (GROUP, "east", "north"))

    services = (Service("db", 5432, 2),)
    assert here == GatewayPlan((Door("api", "db", 5432, True, ("north",)),), services, (), True)
    assert east == GatewayPlan((Door("api", "db", 5432, False, ("north", GROUP)),), (), (), False)
    assert north == GatewayPlan((Door("api", "db", 5432, True, (GROUP,)),), services, (), True)
    assert east.is_needed and east.gives_tunnels


def test_plan__global_with_a_datacenter__is_for_consumers_there_alone() -> None:
    database = workload("db", connection(5432, "api", everywhere=True, datacenter="east"))
    api = workload("api")
    three = manifest(database, api, east=(api,), north=(api,))

    assert plan_gateway(three, GROUP) == GatewayPlan((), (Service("db", 5432, 1),), (), True)
    assert plan_gateway(three, "east").doors == (Door("api", "db", 5432, False, (GROUP,)),)
    assert plan_gateway(three, "north") == NOTHING


def test_plan__global_alone__is_for_everybody_and_for_no_workload_by_name() -> None:
    plan = plan_gateway(manifest(workload("web", connection(80)), workload("api")), GROUP)

    assert plan == GatewayPlan((), (Service("web", 80, 1),), (Publication("web", 80, "http"),), False)


def test_plan__own_replicas__are_found_by_their_name() -> None:
    plan = plan_gateway(manifest(workload("node", connection(7000, "node"), count=3)), GROUP)

    assert plan.doors == (Door("node", "node", 7000, True, ()),)


@given(manifests())
def test_i09_plan__any_manifest__opens_what_a_connection_says_and_nothing_else(given_manifest: Manifest) -> None:
    for group in given_manifest.groups:
        plan = plan_gateway(given_manifest, group.name)

        for door in plan.doors:
            origins = [other for other in given_manifest.groups if _opens(other, group.name, door)]
            assert {each.name for each in origins} == {*door.datacenters, *([group.name] if door.is_local else [])}
            assert door.consumer in {each.name for each in group.workloads}
        allowed = {
            (door.consumer, door.server, door.port)
            for other in given_manifest.groups
            for server in other.workloads
            for each in server.connections
            for consumer in group.workloads
            if (door := Door(consumer.name, server.name, each.port, True, ())) and _opens(other, group.name, door)
        }
        assert {(door.consumer, door.server, door.port) for door in plan.doors} == allowed
        assert {(each.workload, each.port) for each in plan.publications} == {
            (each.name, one.port) for each in group.workloads for one in each.connections if one.workload is None
        }


def _opens(server_group: object, origin: str, door: Door) -> bool:
    """Say it once more in other words: does a group let in what a door leads to?"""
    workloads = {each.name: each for each in server_group.workloads}  # type: ignore[attr-defined]
    is_here = server_group.name == origin  # type: ignore[attr-defined]
    return door.server in workloads and any(
        each.port == door.port
        and each.workload == door.consumer
        and (is_here or each.is_global)
        and each.datacenter in (None, origin)
        for each in workloads[door.server].connections
    )
