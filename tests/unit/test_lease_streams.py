"""Which containers a tenant's words mean."""

from __future__ import annotations

from dataclasses import replace

from moorage.streams import ExecRequest, LogQuery
from provider_agent.core.containers import ContainerState, ObservedContainer, sorted_labels
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.lease_streams import (
    NOT_STARTED,
    LogSource,
    exec_target,
    log_sources,
    no_source,
    not_started,
    with_gone,
)
from tests.factories.workloads import IDENTITY, LEASE, VERSION


def replica(
    name: str, workload: str = "web", number: str = "0", state: ContainerState = ContainerState.RUNNING, **more: str
) -> ObservedContainer:
    labels = {"moorage.workload": workload, "moorage.replica": number}
    return ObservedContainer(
        name, sorted_labels(labels | {f"moorage.{key}": value for key, value in more.items()}), state
    )


OLD = replica("mw-web-0")
NEW = replica("mw-web-0.next")
DEAD = replica("mw-web-1", number="1", state=ContainerState.EXITED)
DB = replica("mw-db-0", "db")
ENDED = replace(replica("mw-job-0", "job", state=ContainerState.EXITED), exit_code=0)
GATEWAY = ObservedContainer("mg", sorted_labels({"moorage.role": "gateway"}), ContainerState.RUNNING)
POSING = replica("mg-2", role="gateway")
BY_HAND = replica("x", number="-1")
ALL = (NEW, OLD, DEAD, DB, GATEWAY, POSING, BY_HAND)


def test_h12_log_sources__all__are_replicas_and_never_the_agents_own() -> None:
    found = log_sources(ALL, LogQuery())

    assert found == (
        LogSource("mw-web-0.next", "web", 0, True),
        LogSource("mw-web-0", "web", 0, True),
        LogSource("mw-web-1", "web", 1, False),
        LogSource("mw-db-0", "db", 0, True),
    )


def test_log_sources__workload_or_replica__are_those_alone() -> None:
    assert [each.container for each in log_sources(ALL, LogQuery(workload="db"))] == ["mw-db-0"]
    assert [each.container for each in log_sources(ALL, LogQuery(replica=1))] == ["mw-web-1"]


def test_with_gone__something_is_kept_of_what_is_not_there__is_a_source_that_does_not_run() -> None:
    names = LeaseNames(IDENTITY, LEASE, VERSION)
    there, gone = replica(names.container("web", 0)), names.container("my-db-2", 11)
    kept = {there.name, gone, f"{gone}.next", names.gateway(), "mw-by-hand-0"}

    found = with_gone([there], kept)

    assert log_sources(found, LogQuery()) == (
        LogSource(there.name, "web", 0, True),
        LogSource(gone, "my-db-2", 11, False),
        LogSource(f"{gone}.next", "my-db-2", 11, False),
    )
    assert no_source(found, LogQuery("my-db-2", 11)) is None
    assert exec_target(found, ExecRequest("my-db-2", ("a",), replica=11)) == "replica 11 of my-db-2 does not run"


def test_exec_target__new_version_is_tried__is_the_one_that_serves() -> None:
    assert exec_target(ALL, ExecRequest("web", ("a",))) == OLD
    assert exec_target((NEW,), ExecRequest("web", ("a",))) == NEW


def test_no_source__replica_that_is_not_there__names_those_that_are() -> None:
    assert no_source(ALL, LogQuery("web", 9)) == "workload web has no replica 9 now, but 0, 1"
    assert no_source(ALL, LogQuery(replica=9)) == "there is no replica 9 now, but 0, 1"
    assert no_source(ALL, LogQuery("web", 1)) is None
    assert no_source(ALL, LogQuery("web")) is None
    assert no_source([], LogQuery("web", 9)) is None


def test_not_started__what_the_engine_says__has_code_and_words() -> None:
    head = NOT_STARTED + b"exec failed: unable to start container process: "

    assert not_started(head + b'exec: "a": executable file not found in $PATH: unknown\r\n', "a")[0] == 127
    assert not_started(head + b'exec: "/a": stat /a: no such file or directory: unknown\r\n', "/a")[0] == 127
    assert not_started(head + b'exec: "/etc": permission denied: unknown\r\n', "/etc") == (
        126,
        "the command /etc cannot be executed in the container",
    )
    assert not_started(head + b"chdir to cwd: no such file or directory: unknown\r\n", "a") == (
        126,
        "the engine could not start the command a: exec failed: unable to start container process: chdir to cwd: "
        "no such file or directory",
    )


def test_exec_target__nothing_to_run_in__says_why() -> None:
    assert exec_target(ALL, ExecRequest("web", ("a",), replica=1)) == "replica 1 of web does not run"
    assert exec_target((ENDED,), ExecRequest("job", ("a",))) == "replica 0 of job has ended with exit code 0"
    assert exec_target(ALL, ExecRequest("web", ("a",), replica=7)) == "workload web has no replica 7 now, but 0, 1"
    assert exec_target(ALL, ExecRequest("gateway", ("a",))) == "nothing of a workload 'gateway' is on the engine"
    assert exec_target((POSING,), ExecRequest("web", ("a",))) == "nothing of a workload 'web' is on the engine"
