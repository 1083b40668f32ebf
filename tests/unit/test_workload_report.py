"""What a tenant is told about its workloads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    Observed,
    ObservedContainer,
    sorted_labels,
)
from provider_agent.core.gateway_container import EdgeSite, GatewaySite, with_gateway
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState
from provider_agent.core.workload_plan import StartFailure
from provider_agent.core.workload_report import WorkloadReport, WorkloadState, reports
from provider_agent.core.workloads import DesiredLease
from tests.factories.workloads import (
    OTHER_LEASE,
    connection,
    lease_of,
    workload,
)

NOW = 1_000_000
WEB = lease_of(workload("web"))


def container(spec: ContainerSpec, state: ContainerState = ContainerState.RUNNING) -> ObservedContainer:
    return ObservedContainer(spec.name, sorted_labels(spec.all_labels), state)


def report(
    *containers: ObservedContainer,
    lease: DesiredLease = WEB,
    failures: dict[str, StartFailure] | None = None,
    connections: tuple[ConnectionReport, ...] = (),
) -> WorkloadReport:
    return reports(lease, Observed(containers), failures or {}, NOW, connections)[0]


def with_ports(bound: str, **ports: int) -> tuple[DesiredLease, ObservedContainer]:
    """Return a lease with a public service, and its gateway as it runs."""
    site = GatewaySite("/gateways", publish_address=bound, public_host="203.0.113.9")
    lease = with_gateway(lease_of(workload("web", connection(80))), site, {"web:80": 30_000, **ports})
    assert lease.gateway_container is not None
    return lease, container(lease.gateway_container)


@pytest.mark.parametrize(
    ("bound", "address"),
    [("127.0.0.1", "http://127.0.0.1:30000"), ("0.0.0.0", "http://203.0.113.9:30000"), ("::1", "http://[::1]:30000")],
)
def test_report__runs_with_a_published_port__tells_the_address(bound: str, address: str) -> None:
    lease, gateway = with_ports(bound)

    told = report(gateway, container(WEB.containers[0]), lease=lease)

    assert told == WorkloadReport("web", WorkloadState.RUNNING, None, (address,))


def test_report__its_gateway_has_crashed__tells_that_and_no_address() -> None:
    lease, gateway = with_ports("127.0.0.1")
    crashed = replace(gateway, state=ContainerState.EXITED, exit_code=137, finished_seconds=NOW)

    told = report(crashed, container(WEB.containers[0]), lease=lease)

    reason = "its gateway is restarting: exited with code 137; restart 1 in 1 s"
    assert told == WorkloadReport("web", WorkloadState.RUNNING, reason, ())


def test_i10_report__no_port_was_left__says_so() -> None:
    lease = with_gateway(lease_of(workload("web", connection(80))), GatewaySite("/gateways"), {})
    assert lease.gateway_container is not None

    told = report(container(lease.gateway_container), container(WEB.containers[0]), lease=lease)

    assert told == WorkloadReport(
        "web", WorkloadState.RUNNING, "not up: port 80: no port of the host is left for it", ()
    )


@pytest.mark.parametrize("edge", [None, EdgeSite("apps.example", ("0.0.0.0", 80), ("0.0.0.0", 443))])
def test_report__host_name_of_the_tenants_own__is_an_address_or_told_why_not(edge: EdgeSite | None) -> None:
    site = GatewaySite("/gateways", edge=edge)
    lease = with_gateway(lease_of(workload("web", connection(80), host=("a.example",))), site, {"web:80": 30_000})
    assert lease.gateway_container is not None

    told = report(container(lease.gateway_container), container(lease.workload_containers[0]), lease=lease)

    said = told.reason is not None and "not up: a.example: this provider does not serve that name" in told.reason
    assert (said, "http://a.example" in told.addresses) == (edge is None, edge is not None)


def test_report__connection_that_is_not_up__is_told_with_the_reason_to_its_consumer() -> None:
    down = ConnectionReport("web", "db", 5432, ConnectionState.DOWN, "no answer")
    others = ConnectionReport("api", "db", 5432, ConnectionState.DOWN, "no answer")
    up = ConnectionReport("web", "cache", 6379, ConnectionState.UP, None)

    told = report(container(WEB.containers[0]), lease=lease_of(workload("web")), connections=(down, others, up))

    assert told.reason == "not up: db:5432: no answer"


def test_report__nothing_there_yet__is_starting() -> None:
    assert report() == WorkloadReport("web", WorkloadState.STARTING, None, ())


def test_report__old_version_still_runs__is_starting() -> None:
    old = container(lease_of(workload("web", image="example/web:0")).containers[0])

    assert report(old).state is WorkloadState.STARTING


@pytest.mark.parametrize(
    ("is_out_of_memory", "words"), [(False, "exited with code 3"), (True, "killed: out of memory")]
)
def test_report__crashed__tells_why_and_when_it_starts_again(is_out_of_memory: bool, words: str) -> None:
    spec = replace(WEB.containers[0], restarts=2)
    crashed = replace(
        container(spec, ContainerState.EXITED),
        exit_code=3,
        is_out_of_memory=is_out_of_memory,
        started_seconds=NOW - 9,
        finished_seconds=NOW - 1,
    )

    assert report(crashed) == WorkloadReport("web", WorkloadState.RESTARTING, f"{words}; restart 3 in 3 s", ())


def test_report__runs_after_crashes__tells_how_many() -> None:
    observed = container(replace(WEB.containers[0], restarts=2))

    assert report(observed).reason == "restarts after crashes: 2"


def test_report__engine_refuses__tells_why_and_when_it_tries_again() -> None:
    spec = WEB.containers[0]
    failure = StartFailure(spec.digest, "image example/web:1 was not found", 3, NOW - 1)

    told = report(failures={spec.name: failure})

    assert told == WorkloadReport(
        "web", WorkloadState.FAILED, "image example/web:1 was not found; next attempt in 7 s", ()
    )


def test_report__engine_refused_an_earlier_version_only__is_not_told() -> None:
    failure = StartFailure("of another digest", "image not found", 3, NOW - 1)

    assert report(failures={WEB.containers[0].name: failure}).state is WorkloadState.STARTING


def test_report__container_of_another_lease_with_the_same_name__is_not_taken_for_it() -> None:
    spec = WEB.containers[0]
    foreign = replace(container(spec), labels=sorted_labels({**spec.all_labels, "moorage.lease": OTHER_LEASE.hex()}))

    assert report(foreign).state is WorkloadState.STARTING


def test_report__several_replicas__is_as_the_worst_and_names_it() -> None:
    lease = lease_of(workload("web", count=2))
    first, second = lease.containers
    crashed = replace(container(second, ContainerState.EXITED), exit_code=1, finished_seconds=NOW)

    told = report(container(first), crashed, lease=lease)

    assert told == WorkloadReport(
        "web", WorkloadState.RESTARTING, "replica 1: exited with code 1; restart 1 in 1 s", ()
    )
