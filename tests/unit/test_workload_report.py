"""What a tenant is told about its workloads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    Observed,
    ObservedContainer,
    PublishedPort,
    sorted_labels,
)
from provider_agent.core.workload_plan import StartFailure
from provider_agent.core.workload_report import WorkloadReport, WorkloadState, reports
from provider_agent.core.workloads import DesiredLease, desired_lease
from tests.factories.workloads import (
    GROUP,
    IDENTITY,
    LEASE,
    OTHER_LEASE,
    VERSION,
    connection,
    lease_of,
    manifest,
    workload,
)

NOW = 1_000_000
WEB = lease_of(workload("web", connection(80)))


def container(spec: ContainerSpec, state: ContainerState = ContainerState.RUNNING) -> ObservedContainer:
    return ObservedContainer(spec.name, sorted_labels(spec.all_labels), state)


def report(
    *containers: ObservedContainer, lease: DesiredLease = WEB, failures: dict[str, StartFailure] | None = None
) -> WorkloadReport:
    return reports(lease, Observed(containers), failures or {}, NOW, "203.0.113.9")[0]


@pytest.mark.parametrize(
    ("bound", "address"),
    [("127.0.0.1", "http://127.0.0.1:32768"), ("0.0.0.0", "http://203.0.113.9:32768"), ("::1", "http://[::1]:32768")],
)
def test_report__runs_with_a_published_port__tells_the_address(bound: str, address: str) -> None:
    observed = replace(container(WEB.containers[0]), published=(PublishedPort(80, bound, 32768),))

    assert report(observed) == WorkloadReport("web", WorkloadState.RUNNING, None, (address,))


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


def test_report__connection_to_another_datacenter__is_told_as_not_up() -> None:
    both = manifest(workload("db", connection(5432, "api", everywhere=True)), east=(workload("api"),))
    lease = desired_lease(IDENTITY, LEASE, both, GROUP, VERSION)

    told = report(container(lease.containers[0]), lease=lease)

    assert told.state is WorkloadState.RUNNING
    assert told.reason == "not up: port 5432 from api in east needs a tunnel"
