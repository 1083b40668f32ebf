"""What a lease needs, from its manifest alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.manifest import Compute
from moorage.types import Address, ProviderNumber
from provider_agent.core.containers import (
    Attachment,
    ContainerSpec,
    NetworkKind,
    NetworkSpec,
    VolumeMount,
)
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import desired_lease
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


def test_desired_lease__one_public_workload__is_one_container_on_a_network_of_its_own() -> None:
    lease = lease_of(workload("web", connection(80), env={"A": "1"}, storage={"/data": 1000}))

    labels = tuple(sorted((*OWNER, ("moorage.lease", "ab" * 32))))
    mine = tuple(sorted((*labels, ("moorage.workload", "web"), ("moorage.replica", "0"))))
    assert lease.networks == (NetworkSpec(f"mn-{PREFIX}-own.web", labels, NetworkKind.INTERNAL, 16),)
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
            attachments=(Attachment(f"mn-{PREFIX}-own.web", None, 3),),
            published_ports=(),
            mounts=(VolumeMount(f"mv-{PREFIX}-web-0-bd47413b", "/data", 1000),),
            mount_labels=mine,
            restarts=0,
            layer_bytes=999_999_000,
        ),
    )
    assert lease.gateway is not None
    assert lease.gateway.attachments == (Attachment(f"mn-{PREFIX}-own.web", None, 2),)


def test_i09_desired_lease__a_connection__is_a_network_of_the_consumer_and_the_gateway_alone() -> None:
    lease = lease_of(
        workload("app", connection(8000, "front")), workload("front", count=2), workload("stranger"), workload("cache")
    )

    way = f"mn-{PREFIX}-to.app.front"
    assert {container.hostname: container.attachments for container in lease.containers} == {
        "app-0": (Attachment(f"mn-{PREFIX}-own.app", None, 3),),
        "cache-0": (Attachment(f"mn-{PREFIX}-own.cache", None, 3),),
        "front-0": (Attachment(f"mn-{PREFIX}-own.front", None, 3), Attachment(way, None, 3)),
        "front-1": (Attachment(f"mn-{PREFIX}-own.front", None, 4), Attachment(way, None, 4)),
        "stranger-0": (Attachment(f"mn-{PREFIX}-own.stranger", None, 3),),
    }
    assert lease.gateway is not None
    assert lease.gateway.attachments == (
        Attachment(f"mn-{PREFIX}-own.app", None, 2),
        Attachment(way, "app", 2),
    )
    assert {network.kind for network in lease.networks} == {NetworkKind.INTERNAL}


def test_desired_lease__nobody_may_connect_to_anybody__has_no_gateway() -> None:
    assert lease_of(workload("web")).gateway is None


def test_desired_lease__several_ports_of_a_server__are_one_network_for_each_consumer() -> None:
    lease = lease_of(workload("db", connection(1, "a"), connection(2, "a"), connection(1, "b")), *map(workload, "ab"))

    ways = [network.name for network in lease.networks if ".a" in network.name or ".b" in network.name]
    assert [name.removeprefix(f"mn-{PREFIX}-") for name in ways if "to." in name] == ["to.db.a", "to.db.b"]


def test_desired_lease__a_workload_that_may_connect_to_itself__finds_the_gateway_under_its_name() -> None:
    lease = lease_of(workload("node", connection(7000, "node"), count=3))

    networks = (f"mn-{PREFIX}-own.node", f"mn-{PREFIX}-to.node.node")
    assert [container.attachments for container in lease.containers] == [
        tuple(Attachment(network, None, place) for network in networks) for place in (3, 4, 5)
    ]
    assert lease.gateway is not None
    assert lease.gateway.attachments == (Attachment(networks[0], None, 2), Attachment(networks[1], "node", 2))


@pytest.mark.parametrize(("count", "size"), [(1, 16), (6, 16), (7, 32), (14, 32), (15, 64)])
def test_desired_lease__more_replicas__get_the_next_larger_subnet_with_room_for_their_next_version(
    count: int, size: int
) -> None:
    assert lease_of(workload("web", count=count)).networks[0].capacity == size


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

    assert len([network for network in lease.networks if "-to." in network.name]) == 2


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
        {"compute": Compute(milli_cpu=251, memory_bytes=64 << 20, disk_bytes=1_000_000_000)},
        {"compute": Compute(milli_cpu=250, memory_bytes=65 << 20, disk_bytes=1_000_000_000)},
    ],
)
def test_digest__anything_that_needs_a_new_container__is_another(changes: dict[str, object]) -> None:
    assert lease_of(workload("web")).containers[0].digest != lease_of(workload("web", **changes)).containers[0].digest


def test_identity__its_labels__are_sorted_and_complete() -> None:
    assert Identity(31337, IDENTITY.exchange, ProviderNumber(7)).labels == OWNER
