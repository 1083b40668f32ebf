"""What a lease needs, from its manifest alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.manifest import Compute
from moorage.types import Address, ProviderNumber
from provider_agent.core.containers import Attachment, ContainerSpec, NetworkSpec, VolumeMount
from provider_agent.core.workloads import Identity, desired_lease
from tests.factories.workloads import (
    GROUP,
    IDENTITY,
    LEASE,
    NEXT_VERSION,
    OTHER_LEASE,
    VERSION,
    connection,
    lease_of,
    manifest,
    workload,
)

TAG = IDENTITY.tag
PREFIX = f"{TAG}-{'ab' * 32}"
OWNER = (
    ("moorage.chain", "31337"),
    ("moorage.exchange", "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
    ("moorage.provider", "7"),
)


def test_desired_lease__one_public_workload__is_one_container_with_a_public_network() -> None:
    lease = lease_of(workload("web", connection(80), env={"A": "1"}, storage={"/data": 1000}))

    labels = tuple(sorted((*OWNER, ("moorage.lease", "ab" * 32))))
    mine = tuple(sorted((*labels, ("moorage.workload", "web"), ("moorage.replica", "0"))))
    assert lease.networks == (NetworkSpec(f"mn-{PREFIX}-public", labels, False, 16),)
    assert lease.containers == (
        ContainerSpec(
            name=f"mw-{PREFIX}-web-0",
            labels=tuple(sorted((*mine, ("moorage.version", "01" * 32)))),
            image="example/web:1",
            hostname="web-0",
            command=None,
            args=(),
            env=(
                ("A", "1"),
                ("MOORAGE_DATACENTER", GROUP),
                ("MOORAGE_LEASE", "ab" * 32),
                ("MOORAGE_PROVIDER", "7"),
                ("MOORAGE_REPLICA", "0"),
                ("MOORAGE_WORKLOAD", "web"),
            ),
            user=None,
            is_read_only=False,
            milli_cpu=250,
            memory_bytes=64 << 20,
            attachments=(Attachment(f"mn-{PREFIX}-public", None),),
            published_ports=(80,),
            mounts=(VolumeMount(f"mv-{PREFIX}-web-0-bd47413b", "/data"),),
            mount_labels=mine,
            restarts=0,
        ),
    )


def test_desired_lease__a_connection__has_only_its_two_ends_on_an_internal_network() -> None:
    lease = lease_of(
        workload("app", connection(8000, "front")), workload("front"), workload("stranger"), workload("cache")
    )

    name = f"mn-{PREFIX}-app.8000.front"
    assert [(network.name, network.is_internal) for network in lease.networks] == [(name, True)]
    assert {container.hostname: container.attachments for container in lease.containers} == {
        "app-0": (Attachment(name, "app"),),
        "cache-0": (),
        "front-0": (Attachment(name, None),),
        "stranger-0": (),
    }


def test_desired_lease__a_workload_that_may_connect_to_itself__is_on_the_network_under_its_name() -> None:
    lease = lease_of(workload("node", connection(7000, "node"), count=3))

    assert {container.attachments for container in lease.containers} == {
        (Attachment(f"mn-{PREFIX}-node.7000.node", "node"),)
    }


def test_desired_lease__several_replicas__share_alias_and_public_network_that_has_room_for_all() -> None:
    lease = lease_of(workload("app", connection(8000, "front"), count=20), workload("front", connection(80), count=9))

    assert [(network.name, network.capacity) for network in lease.networks] == [
        (f"mn-{PREFIX}-app.8000.front", 32),
        (f"mn-{PREFIX}-public", 16),
    ]
    assert len({container.name for container in lease.containers}) == 29


@pytest.mark.parametrize(("members", "size"), [(2, 16), (13, 16), (14, 32), (29, 32), (30, 64)])
def test_desired_lease__more_members__get_the_next_larger_subnet(members: int, size: int) -> None:
    lease = lease_of(workload("web", connection(80), count=members))

    assert lease.networks[0].capacity == size


def test_desired_lease__dependencies__come_first() -> None:
    lease = lease_of(workload("a", depends_on=("b",)), workload("b", depends_on=("d",)), workload("c"), workload("d"))

    assert [each.name for each in lease.workloads] == ["c", "d", "b", "a"]


def test_desired_lease__tenant_sets_a_variable_of_the_agent__the_agents_wins() -> None:
    lease = lease_of(workload("web", env={"MOORAGE_LEASE": "forged"}))

    assert dict(lease.containers[0].env)["MOORAGE_LEASE"] == LEASE.hex()


def test_desired_lease__names_that_run_together__stay_different() -> None:
    lease = lease_of(
        workload("a", connection(80, "b-90-c")),
        workload("b-90-c"),
        workload("a-80-b", connection(90, "c")),
        workload("c"),
    )

    assert len(lease.networks) == 2


def test_desired_lease__global_connections_between_datacenters__are_missing_on_both_sides() -> None:
    database = workload("db", connection(5432, "api", everywhere=True))
    api = workload("api")
    both = manifest(database, api, eastcoast=(api,))

    west = desired_lease(IDENTITY, LEASE, both, GROUP, VERSION)
    east = desired_lease(IDENTITY, LEASE, both, "eastcoast", VERSION)

    assert {each.name: each.missing for each in west.workloads} == {
        "api": (),
        "db": ("port 5432 from api in eastcoast needs a tunnel",),
    }
    assert {each.name: each.missing for each in east.workloads} == {"api": ("db:5432 in westcoast needs a tunnel",)}
    assert (len(west.networks), len(east.networks)) == (1, 0)


def test_desired_lease__connection_for_one_other_datacenter__is_not_up_within_its_own() -> None:
    database = workload("db", connection(5432, "api", everywhere=True, datacenter="eastcoast"))
    api = workload("api")

    lease = desired_lease(IDENTITY, LEASE, manifest(database, api, eastcoast=(api,), north=(api,)), GROUP, VERSION)

    assert lease.networks == ()
    assert lease.workloads[1].missing == ("port 5432 from api in eastcoast needs a tunnel",)


def test_desired_lease__connection_within_a_datacenter_only__crosses_to_no_other() -> None:
    lease = desired_lease(
        IDENTITY, LEASE, manifest(workload("db", connection(5432, "api")), east=(workload("api"),)), GROUP, VERSION
    )

    assert (lease.networks, lease.workloads[0].missing) == ((), ())


def test_desired_lease__another_lease_provider_or_exchange__shares_no_name() -> None:
    web = manifest(workload("web", connection(80), storage={"/data": 1}))
    identities = (
        IDENTITY,
        replace(IDENTITY, chain_id=1),
        replace(IDENTITY, provider=ProviderNumber(8)),
        replace(IDENTITY, exchange=Address("0x0000000000000000000000000000000000000001")),
    )
    leases = [desired_lease(identity, LEASE, web, GROUP, VERSION) for identity in identities]
    leases.append(desired_lease(IDENTITY, OTHER_LEASE, web, GROUP, VERSION))

    for names in (
        {lease.containers[0].name for lease in leases},
        {lease.networks[0].name for lease in leases},
        {lease.containers[0].mounts[0].volume for lease in leases},
    ):
        assert len(names) == len(leases)


def test_digest__another_version_or_network_only__is_the_same() -> None:
    before = lease_of(workload("app", connection(1, "web"), connection(2, "web")), workload("web"))
    after = lease_of(workload("app", connection(1, "web")), workload("web"), version=NEXT_VERSION)

    assert [each.digest for each in before.containers] == [each.digest for each in after.containers]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "example/web:2"},
        {"command": ("sh",)},
        {"args": ("-x",)},
        {"env": {"A": "1"}},
        {"user": "1000"},
        {"read_only": True},
        {"storage": {"/data": 1}},
        {"connections": (connection(80),)},
        {"connections": (connection(81, "web"),)},  # a container without any network cannot get one
        {"compute": Compute(milli_cpu=251, memory_bytes=64 << 20, disk_bytes=1_000_000_000)},
        {"compute": Compute(milli_cpu=250, memory_bytes=65 << 20, disk_bytes=1_000_000_000)},
    ],
)
def test_digest__anything_that_needs_a_new_container__is_another(changes: dict[str, object]) -> None:
    assert lease_of(workload("web")).containers[0].digest != lease_of(workload("web", **changes)).containers[0].digest


def test_identity__its_labels__are_sorted_and_complete() -> None:
    assert Identity(31337, IDENTITY.exchange, ProviderNumber(7)).labels == OWNER
