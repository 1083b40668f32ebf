"""The steps between what leases need and what an engine has."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from moorage.types import OrderId
from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
    sorted_labels,
)
from provider_agent.core.gateway_container import GatewaySite, with_gateway
from provider_agent.core.workload_health import backoff_seconds
from provider_agent.core.workload_plan import (
    CreateNetwork,
    Intent,
    ReconnectWorkload,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartFailure,
    StartWorkload,
    by_lease,
    plan,
)
from provider_agent.core.workloads import DesiredLease
from tests.factories.proofs import over
from tests.factories.workloads import LEASE, NEXT_VERSION, OTHER_LEASE, connection, lease_of, workload

NOW = 1_000_000
SITE = GatewaySite("/gateways")
SUBNET = IPv4Network("10.224.0.0/28")
APP = lease_of(
    workload("app", connection(8000, "web"), depends_on=("cache",)),
    workload("cache", connection(6379, "app"), storage={"/data": 1}),
    workload("web", connection(80), depends_on=("app",)),
)
WEB = lease_of(workload("web", connection(80)))


def steps(
    *desired: DesiredLease,
    observed: Observed,
    ended: tuple[OrderId, ...] = (),
    failures: dict[str, StartFailure] | None = None,
) -> tuple[Intent, ...]:
    return plan(desired, observed, [over(lease) for lease in ended], NOW, failures or {})


def running(spec: ContainerSpec) -> ObservedContainer:
    networks = frozenset(attachment.network for attachment in spec.attachments)
    return ObservedContainer(spec.name, sorted_labels(spec.all_labels), ContainerState.RUNNING, networks)


def exited(spec: ContainerSpec, seconds_ago: int, ran_seconds: int = 5) -> ObservedContainer:
    return replace(
        running(spec),
        state=ContainerState.EXITED,
        exit_code=1,
        started_seconds=NOW - seconds_ago - ran_seconds,
        finished_seconds=NOW - seconds_ago,
    )


def all_of(lease: DesiredLease) -> Observed:
    return Observed(
        tuple(map(running, lease.containers)),
        tuple(ObservedNetwork(each.name, each.labels, SUBNET) for each in lease.networks),
        tuple(ObservedVolume(mount.volume, each.mount_labels) for each in lease.containers for mount in each.mounts),
    )


def with_containers(observed: Observed, *containers: ObservedContainer) -> Observed:
    return replace(observed, containers=containers)


def test_plan__empty_engine__creates_networks_and_starts_in_order_of_dependencies() -> None:
    networks = tuple(CreateNetwork(LEASE, network) for network in APP.networks)
    cache, app, web = APP.containers
    assert (cache.hostname, app.hostname, web.hostname) == ("cache-0", "app-0", "web-0")

    intents = steps(APP, observed=Observed())

    assert intents == (
        *networks,
        StartWorkload(LEASE, cache),
        StartWorkload(LEASE, app, after=frozenset({cache.name})),
        StartWorkload(LEASE, web, after=frozenset({app.name})),
    )


def test_plan__everything_runs__does_nothing() -> None:
    assert steps(APP, observed=all_of(APP)) == ()


@pytest.mark.parametrize("index", range(3))
def test_plan__one_container_is_gone__starts_it_and_no_other(index: int) -> None:
    observed = all_of(APP)
    left = tuple(each for each in observed.containers if each.name != APP.containers[index].name)

    assert steps(APP, observed=with_containers(observed, *left)) == (StartWorkload(LEASE, APP.containers[index]),)


def test_plan__created_but_not_started__starts_it() -> None:
    spec = replace(WEB.containers[0], restarts=3)
    created = replace(running(spec), state=ContainerState.CREATED)

    intents = steps(WEB, observed=with_containers(all_of(WEB), created))

    assert intents == (StartWorkload(LEASE, spec),)


def test_plan__on_its_way_between_states__waits() -> None:
    removing = replace(running(WEB.containers[0]), state=ContainerState.OTHER)

    assert steps(WEB, observed=with_containers(all_of(WEB), removing)) == ()


def test_plan__new_version_changes_one_workload__replaces_only_that() -> None:
    before = lease_of(workload("a"), workload("b"))
    after = lease_of(workload("a"), workload("b", image="example/b:2"), version=NEXT_VERSION)

    assert steps(after, observed=all_of(before)) == (StartWorkload(LEASE, after.containers[1]),)


def test_plan__new_version_without_a_workload__removes_its_container_and_keeps_its_volume() -> None:
    after = lease_of(workload("web", connection(80)), version=NEXT_VERSION)
    gone = [container for container in APP.containers if container.hostname != "web-0"]
    obsolete = [network.name for network in APP.networks if not network.name.endswith("own.web")]

    intents = steps(after, observed=all_of(APP))

    assert intents == (
        *(RemoveContainer(LEASE, name) for name in sorted(each.name for each in gone)),
        ReconnectWorkload(LEASE, after.containers[0]),
        *(RemoveNetwork(LEASE, name) for name in sorted(obsolete)),
    )


def test_i22_plan__new_network_and_one_container_less__network_is_first_as_the_gateway_cannot_change_without_it() -> (
    None
):
    before = lease_of(workload("a", connection(80), count=2), workload("b"))
    after = lease_of(workload("a", connection(80), connection(81, "b")), workload("b"))
    (new,) = [network for network in after.networks if network.name not in {each.name for each in before.networks}]
    (gone,) = {each.name for each in before.containers} - {each.name for each in after.containers}

    intents = steps(after, observed=all_of(before))

    assert intents[:2] == (CreateNetwork(LEASE, new), RemoveContainer(LEASE, gone))


def test_plan__fewer_replicas__removes_the_last() -> None:
    three, one = lease_of(workload("web", count=3)), lease_of(workload("web"))

    assert steps(one, observed=all_of(three)) == (
        RemoveContainer(LEASE, three.containers[1].name),
        RemoveContainer(LEASE, three.containers[2].name),
    )


def test_plan__new_connection__reconnects_what_runs_without_a_restart() -> None:
    before = lease_of(workload("a", connection(80)), workload("b", connection(80)))
    after = lease_of(workload("a", connection(80), connection(81, "b")), workload("b", connection(80)))
    (new,) = [network for network in after.networks if network not in before.networks]

    assert steps(after, observed=all_of(before)) == (
        CreateNetwork(LEASE, new),
        ReconnectWorkload(LEASE, after.containers[1]),
    )


def test_plan__gateway_is_to_be_replaced__comes_before_the_workloads_and_they_stay() -> None:
    before, after = with_gateway(WEB, SITE, {"web:80": 30_000}), with_gateway(WEB, SITE, {"web:80": 30_001})
    assert after.gateway_container is not None

    assert steps(after, observed=all_of(before)) == (StartWorkload(LEASE, after.gateway_container),)
    assert steps(after, observed=Observed())[-2:] == (
        StartWorkload(LEASE, after.gateway_container),
        StartWorkload(LEASE, WEB.containers[0]),
    )


def test_plan__reconnected_after_crashes__keeps_their_number() -> None:
    spec = replace(WEB.containers[0], restarts=4)
    off_network = replace(running(spec), networks=frozenset())

    assert steps(WEB, observed=with_containers(all_of(WEB), off_network)) == (ReconnectWorkload(LEASE, spec),)


@pytest.mark.parametrize(("restarts", "wait"), [(0, 1), (1, 2), (5, 32), (8, 256), (9, 300), (4000, 300)])
def test_plan__crashed__is_started_again_when_the_wait_is_over(restarts: int, wait: int) -> None:
    spec = replace(WEB.containers[0], restarts=restarts)
    too_early = with_containers(all_of(WEB), exited(spec, wait - 1))
    due = with_containers(all_of(WEB), exited(spec, wait))

    assert steps(WEB, observed=too_early) == ()
    assert steps(WEB, observed=due) == (StartWorkload(LEASE, replace(spec, restarts=restarts + 1)),)


def test_plan__crashed_after_a_long_healthy_run__counts_as_a_first_crash() -> None:
    spec = replace(WEB.containers[0], restarts=9)
    crashed = exited(spec, seconds_ago=1, ran_seconds=600)

    assert steps(WEB, observed=with_containers(all_of(WEB), crashed)) == (
        StartWorkload(LEASE, replace(spec, restarts=1)),
    )


def test_plan__engine_refused_to_start__waits_and_tries_again() -> None:
    spec = WEB.containers[0]
    observed = with_containers(all_of(WEB))
    failure = StartFailure(spec.digest, "image not found", 3, NOW - 7)

    assert steps(WEB, observed=observed, failures={spec.name: failure}) == ()
    overdue = replace(failure, failed_seconds=NOW - 8)
    assert steps(WEB, observed=observed, failures={spec.name: overdue}) == (StartWorkload(LEASE, spec),)


def test_plan__engine_refused_an_earlier_version__tries_the_new_one_at_once() -> None:
    spec = WEB.containers[0]
    failure = StartFailure("of another digest", "image not found", 9, NOW)

    intents = steps(WEB, observed=with_containers(all_of(WEB)), failures={spec.name: failure})

    assert intents == (StartWorkload(LEASE, spec),)


def test_plan__lease_has_ended__removes_all_that_it_has() -> None:
    observed = all_of(APP)

    intents = steps(observed=observed, ended=(LEASE,))

    assert intents == (
        *(RemoveContainer(LEASE, name) for name in sorted(each.name for each in observed.containers)),
        *(RemoveNetwork(LEASE, name) for name in sorted(each.name for each in observed.networks)),
        *(RemoveVolume(LEASE, each.name) for each in observed.volumes),
    )


def test_plan__lease_is_neither_wanted_nor_proved_to_be_over__is_not_touched() -> None:
    assert steps(observed=all_of(APP), ended=(OTHER_LEASE,)) == ()


def test_plan__lease_is_wanted_and_over__is_over() -> None:
    intents = steps(WEB, observed=Observed(), ended=(LEASE,))

    assert intents == ()


def test_plan__another_lease_with_a_colliding_name__is_not_taken_for_this_one() -> None:
    foreign = replace(
        running(WEB.containers[0]),
        labels=sorted_labels({**WEB.containers[0].all_labels, "moorage.lease": OTHER_LEASE.hex()}),
    )

    intents = steps(WEB, observed=with_containers(all_of(WEB), foreign))

    assert intents == (StartWorkload(LEASE, WEB.containers[0]),)


def test_backoff_seconds__more_failures__never_shrinks_and_stays_below_the_cap() -> None:
    waits = [backoff_seconds(failures) for failures in range(40)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1, 300)


@pytest.mark.parametrize("kind", ["containers", "networks", "volumes"])
def test_by_lease__one_object_is_left__is_that_leases(kind: str) -> None:
    full = all_of(APP)
    left = replace(Observed(), **{kind: getattr(full, kind)[:1]})

    assert by_lease(left) == {LEASE.hex(): left}
