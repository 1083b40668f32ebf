"""Who waits for whom, and what becomes of a workload that runs and does not work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replace_struct

from moorage.workload_health import Health, HttpCheck, written
from provider_agent.core.containers import (
    HEALTH_LABEL,
    ContainerSpec,
    ContainerState,
    HealthState,
    Observed,
    ObservedContainer,
)
from provider_agent.core.containers import sorted_labels as sorted_labels_of
from provider_agent.core.gateway import Service, plan_gateway
from provider_agent.core.gateway_state import read_statistics, replica_health
from provider_agent.core.tunnel_config import replicas_section
from provider_agent.core.updates import name_beside
from provider_agent.core.workload_health import with_health
from provider_agent.core.workload_plan import Intent, StartWorkload, next_attempt, plan
from provider_agent.core.workload_report import reports
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.docker_config import container_config
from tests.factories.workloads import connection, lease_of, manifest, workload

NOW = 1_000_000
COMMAND = Health(
    http=None,
    tcp_port=None,
    command=("/bin/check", "$(id)"),
    interval_seconds=10,
    timeout_seconds=3,
    retries=4,
    start_seconds=30,
)
HTTP = Health(
    http=HttpCheck(path="/up", port=8080),
    tcp_port=None,
    command=None,
    interval_seconds=10,
    timeout_seconds=3,
    retries=4,
    start_seconds=30,
)


OTHER_HTTP = replace_struct(HTTP, start_seconds=40)


def chain(health: Health | None = None) -> DesiredLease:
    """Return web, which waits for app, which waits for db."""
    return lease_of(
        workload("app", depends_on=("db",), health=health),
        workload("db", health=health),
        workload("web", depends_on=("app",), health=health),
    )


def seen(spec: ContainerSpec, **changes: Any) -> ObservedContainer:
    usual = ObservedContainer(
        spec.name,
        sorted_labels_of(spec.all_labels),
        ContainerState.RUNNING,
        frozenset(each.network for each in spec.attachments),
        started_seconds=NOW - 60,
    )
    return replace(usual, **changes)


def starts(wanted: DesiredLease, *containers: ObservedContainer, now_seconds: int = NOW) -> list[str]:
    """Return the host names of the containers that a plan starts, in order."""
    return [intent.spec.hostname for intent in _starts(wanted, containers, now_seconds)]


def _starts(
    wanted: DesiredLease, containers: tuple[ObservedContainer, ...], now_seconds: int = NOW
) -> list[StartWorkload]:
    intents: tuple[Intent, ...] = plan([wanted], Observed(containers), (), now_seconds, {})
    return [each for each in intents if isinstance(each, StartWorkload)]


def test_i15_plan__three_in_a_chain__start_one_after_the_other_when_each_is_healthy() -> None:
    wanted = chain(COMMAND)
    db, app, web = wanted.workload_containers
    healthy = {"health": HealthState.HEALTHY}

    assert (db.hostname, app.hostname, web.hostname) == ("db-0", "app-0", "web-0")
    assert starts(wanted) == ["db-0"]
    assert starts(wanted, seen(db, health=HealthState.STARTING)) == []
    assert starts(wanted, seen(db)) == []
    assert starts(wanted, seen(db, **healthy)) == ["app-0"]
    assert starts(wanted, seen(db, **healthy), seen(app, **healthy)) == ["web-0"]


def test_i15_plan__dependency_without_health__is_enough_when_it_is_started_before() -> None:
    wanted = chain()
    db, app, web = wanted.workload_containers

    intents = _starts(wanted, ())

    assert [(each.spec, each.after) for each in intents] == [
        (db, frozenset()),
        (app, frozenset({db.name})),
        (web, frozenset({app.name})),
    ]
    assert starts(wanted, seen(db, state=ContainerState.EXITED, finished_seconds=NOW)) == []


def test_i15_plan__dependency_falls_later__what_runs_goes_on() -> None:
    wanted = chain(COMMAND)
    db, app, web = wanted.workload_containers
    running = [seen(app, health=HealthState.HEALTHY), seen(web, health=HealthState.HEALTHY)]

    assert starts(wanted, seen(db, health=HealthState.UNHEALTHY, started_seconds=NOW), *running) == []


def test_i15_report__waits__says_for_whom() -> None:
    wanted = chain(COMMAND)
    db = wanted.workload_containers[0]

    found = reports(wanted, Observed((seen(db, health=HealthState.STARTING),)), {}, NOW)

    assert [(each.name, each.state.value, each.reason) for each in found] == [
        ("db", "starting", "not healthy yet"),
        ("app", "starting", "waits for db"),
        ("web", "starting", "waits for app"),
    ]


@pytest.mark.parametrize(("restarts", "wait"), [(0, 1), (1, 2), (5, 32), (20, 300)])
def test_i16_plan__unhealthy__is_started_anew_with_longer_and_longer_pauses(restarts: int, wait: int) -> None:
    wanted = lease_of(workload("web", health=COMMAND))
    (web,) = wanted.workload_containers
    sick = seen(replace(web, restarts=restarts), health=HealthState.UNHEALTHY, started_seconds=NOW)

    assert starts(wanted, sick, now_seconds=NOW + wait - 1) == []
    (again,) = _starts(wanted, (sick,), NOW + wait)
    assert again.spec == replace(web, restarts=restarts + 1)
    (report,) = reports(wanted, Observed((sick,)), {}, NOW)
    assert (report.state.value, report.reason) == ("restarting", f"not healthy; restart {restarts + 1} in {wait} s")


def test_i16_plan__unhealthy_after_a_long_time__is_a_first_time() -> None:
    wanted = lease_of(workload("web", health=COMMAND))
    (web,) = wanted.workload_containers
    sick = seen(replace(web, restarts=9), health=HealthState.UNHEALTHY, started_seconds=NOW - 600)

    (again,) = _starts(wanted, (sick,))

    assert again.spec.restarts == 1


def test_i16_plan__gateway_finds_it_down__is_patient_for_as_long_as_was_asked() -> None:
    wanted = lease_of(workload("web", connection(80), health=HTTP))
    (web,) = wanted.workload_containers
    sick = seen(web, health=HealthState.UNHEALTHY, started_seconds=NOW)

    assert starts(wanted, sick, now_seconds=NOW + 69) == []
    assert starts(wanted, sick, now_seconds=NOW + 70) == ["web-0"]


def test_next_attempt__health_that_nobody_tells__is_looked_at_again() -> None:
    wanted = lease_of(workload("web", connection(80), health=HTTP))
    (web,) = wanted.workload_containers

    def wait(health: HealthState, age: int) -> int:
        found = Observed((seen(web, health=health, started_seconds=NOW - age),))
        due = next_attempt(wanted, found, {}, NOW)
        assert due is not None
        return due - NOW

    assert wait(HealthState.STARTING, 0) == 2
    assert wait(HealthState.HEALTHY, 100) == 10


def test_with_health__what_the_gateway_tells__is_its_replicas_alone() -> None:
    wanted = lease_of(workload("web", connection(80), health=HTTP, count=2), workload("db", health=COMMAND))
    observed = Observed(tuple(seen(spec, health=HealthState.HEALTHY) for spec in wanted.workload_containers))

    found = with_health(observed, wanted, {("web", 0): HealthState.UNHEALTHY})

    states = {
        each.name.rpartition("-")[0].rpartition("-")[2] + each.name[-2:]: each.health for each in found.containers
    }
    assert states == {
        "db-0": HealthState.HEALTHY,
        "web-0": HealthState.UNHEALTHY,
        "web-1": HealthState.STARTING,
    }


@pytest.mark.parametrize("there", [0, 1], ids=["of the first", "of the second; the first one's is not there yet"])
def test_i22_with_health__new_version_is_tried__is_told_of_it_too(there: int) -> None:
    lease = lease_of(workload("web", connection(80), health=HTTP, count=2))
    (web,) = lease.workloads
    trials = tuple(replace(each, name=name_beside(each)) for each in web.replicas)
    wanted = replace(lease, workloads=(replace(web, beside=trials),))

    found = with_health(Observed((seen(trials[there]),)), wanted, {("web", 2): HealthState.HEALTHY})

    assert [each.health for each in found.containers] == [HealthState.HEALTHY]


@pytest.mark.parametrize(
    ("runs", "is_apart", "expected"),
    [
        (HTTP, False, HealthState.HEALTHY),
        (HTTP, True, HealthState.STARTING),
        (OTHER_HTTP, True, HealthState.HEALTHY),
        (OTHER_HTTP, False, HealthState.STARTING),
        (COMMAND, True, HealthState.UNHEALTHY),
        (None, True, HealthState.UNHEALTHY),
    ],
)
def test_i22_with_health__told_by_another_check_than_the_containers_own__is_not_its_health(
    runs: Health | None, is_apart: bool, expected: HealthState
) -> None:
    wanted, there = (lease_of(workload("web", connection(80), health=check)) for check in (HTTP, runs))
    assert wanted.gateway is not None
    gateway = replace(wanted.gateway, others=(("web", 0, None),) if is_apart else ())
    observed = Observed((seen(there.workload_containers[0], health=HealthState.UNHEALTHY),))

    found = with_health(observed, replace(wanted, gateway=gateway), {("web", 0): HealthState.HEALTHY})

    assert [each.health for each in found.containers] == [expected]


def test_gateway__what_it_says_of_one_that_is_checked_apart__is_taken_from_there_alone() -> None:
    planned = plan_gateway(manifest(workload("web", health=HTTP)), "westcoast")
    head = "# pxname,svname,status,check_status\n"
    told = read_statistics(f"{head}replicas_web_8080,r0,UP,L7OK\nreplicas_web_8080_r1,r1,DOWN,L7STS\n")
    first, second = ("web", 0), ("web", 1)

    assert replica_health(planned, told, {second}) == {first: HealthState.HEALTHY, second: HealthState.UNHEALTHY}
    assert replica_health(planned, told, {first, second}) == {
        first: HealthState.STARTING,
        second: HealthState.UNHEALTHY,
    }
    assert replica_health(planned, told) == {first: HealthState.HEALTHY}


@pytest.mark.parametrize(
    ("label", "expected"), [(written(HTTP), HTTP), (written(COMMAND), None), ("yes", None), ("", None), ("{}", None)]
)
def test_i22_container__label_of_its_health__says_what_a_gateway_asks(label: str, expected: Health | None) -> None:
    found = ObservedContainer("web", ((HEALTH_LABEL, label),), ContainerState.RUNNING)

    assert found.asked == expected


def test_i22_container__another_check__is_another_version() -> None:
    digests = {
        spec.digest
        for check in (None, COMMAND, HTTP, OTHER_HTTP)
        for spec in lease_of(workload("web", health=check)).workload_containers
    }

    assert len(digests) == 4


def test_gateway__health_over_http__is_asked_on_its_own_port_also_if_nobody_connects() -> None:
    planned = plan_gateway(manifest(workload("web", health=HTTP)), "westcoast")

    assert planned.services == (Service("web", 8080, 1, HTTP),)
    assert planned.is_needed
    assert replicas_section("web", 80, {0: "10.0.0.3"}, HTTP) == (
        "backend replicas_web_80\n"
        "  timeout check 3s\n"
        "  option httpchk GET /up\n"
        "  http-check expect status 200-399\n"
        "  server r0 10.0.0.3:80 check port 8080 inter 10s fall 4\n"
    )


@pytest.mark.parametrize(
    ("status", "check", "expected"),
    [
        ("UP", "L7OK", "healthy"),
        ("UP 2/4", "L7STS", "healthy"),
        ("DOWN", "L7STS", "unhealthy"),
        ("UP", "INI", "starting"),
    ],
)
def test_gateway__what_it_says_of_a_check__is_the_replicas_health(status: str, check: str, expected: str) -> None:
    planned = plan_gateway(manifest(workload("web", health=HTTP)), "westcoast")
    told = f"# pxname,svname,status,check_status\nreplicas_web_8080,r0,{status},{check}\n"

    assert replica_health(planned, read_statistics(told)) == {("web", 0): HealthState(expected)}
    assert replica_health(planned, None) == {("web", 0): HealthState.STARTING}


def test_i14_container__command_of_a_check__is_not_for_a_shell() -> None:
    (web,) = lease_of(workload("web", health=COMMAND)).workload_containers
    (plain,) = lease_of(workload("web")).workload_containers

    assert container_config(web, None, 10)["Healthcheck"] == {
        "Test": ["CMD", "/bin/check", "$(id)"],
        "Interval": 10 * 10**9,
        "Timeout": 3 * 10**9,
        "StartPeriod": 30 * 10**9,
        "Retries": 4,
    }
    assert container_config(plain, None, 10)["Healthcheck"] == {"Test": ["NONE"]}
    assert web.digest != plain.digest
