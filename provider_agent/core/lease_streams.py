"""Decides from its labels which container of a lease is meant by a workload and a replica."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from moorage.streams import ExecRequest, LogQuery
from provider_agent.core.containers import ROLE_LABEL, ContainerState, ObservedContainer, sorted_labels
from provider_agent.core.lease_names import Replica, replica_of

WORKLOAD_LABEL = "moorage.workload"
REPLICA_LABEL = "moorage.replica"
NOT_STARTED = b"OCI runtime exec failed: "
"""What the engine writes into a command's output when it could not start it."""
ABSENT = (b"executable file not found", b"no such file or directory")
CANNOT_EXECUTE, NOT_FOUND = 126, 127
"""Exit codes of a shell for what it cannot start; the engine has only one for both."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A container whose output is wanted."""

    container: str
    """Its name: it stays the same when the container is made anew."""
    workload: str
    replica: int
    is_running: bool


def log_sources(containers: Iterable[ObservedContainer], query: LogQuery) -> tuple[LogSource, ...]:
    """Return the containers of workloads whose output is wanted; those that are the agent's own are never shown."""
    return tuple(
        LogSource(each.name, each.label(WORKLOAD_LABEL), _replica(each), _is_running(each))
        for each in containers
        if _is_replica(each) and query.wants(each.label(WORKLOAD_LABEL), _replica(each))
    )


def with_gone(containers: Iterable[ObservedContainer], names: Collection[str]) -> tuple[ObservedContainer, ...]:
    """Return containers, and those of which only the end of their output is kept.

    Args:
        names: of all of which something is kept.
    """
    there = tuple(containers)
    gone = sorted(set(names) - {each.name for each in there})
    found = ((name, replica) for name in gone if (replica := replica_of(name)) is not None)
    return (*there, *(_gone(name, replica) for name, replica in found))


def _gone(name: str, replica: Replica) -> ObservedContainer:
    labels = {WORKLOAD_LABEL: replica.workload, REPLICA_LABEL: str(replica.number)}
    return ObservedContainer(name, sorted_labels(labels), ContainerState.OTHER)


def no_source(containers: Iterable[ObservedContainer], query: LogQuery) -> str | None:
    """Return why nothing can be told of the replica that is asked for; None: there is something, or all are wanted."""
    every = replace(query, replica=None)
    ours = [
        each for each in containers if _is_replica(each) and every.wants(each.label(WORKLOAD_LABEL), _replica(each))
    ]
    if query.replica is None or not ours or any(_replica(each) == query.replica for each in ours):
        return None
    whose = f"workload {query.workload} has" if query.workload is not None else "there is"
    return _no_replica(whose, query.replica, ours)


def exec_target(containers: Iterable[ObservedContainer], request: ExecRequest) -> ObservedContainer | str:
    """Return the container in which a command is to run, or why there is none.

    Where a new version is tried beside the old one the command runs in the one that serves.
    """
    ours = [each for each in containers if _is_replica(each) and each.label(WORKLOAD_LABEL) == request.workload]
    if not ours:
        return f"nothing of a workload {request.workload!r} is on the engine"
    replicas = [each for each in ours if _replica(each) == request.replica]
    if not replicas:
        return _no_replica(f"workload {request.workload} has", request.replica, ours)
    running = sorted((each for each in replicas if _is_running(each)), key=lambda each: len(each.name))
    return running[0] if running else f"replica {request.replica} of {request.workload} {_why_not(replicas)}"


def _no_replica(whose: str, wanted: int, ours: Iterable[ObservedContainer]) -> str:
    there = ", ".join(map(str, sorted({_replica(each) for each in ours})))
    return f"{whose} no replica {wanted} now, but {there}"


def not_started(said: bytes, command: str) -> tuple[int, str]:
    """Return the exit code of a command that never began, and why it did not.

    Args:
        said: what the engine has written in its place.
    """
    about = said.partition(b': exec: "')[2]
    if any(each in about for each in ABSENT):
        return NOT_FOUND, f"the command {command} was not found in the container"
    if about:
        return CANNOT_EXECUTE, f"the command {command} cannot be executed in the container"
    cause = said.removeprefix(NOT_STARTED).decode("utf-8", "replace").strip().removesuffix(": unknown")
    return CANNOT_EXECUTE, f"the engine could not start the command {command}: {cause}"


def _why_not(replicas: Iterable[ObservedContainer]) -> str:
    codes = [each.exit_code for each in replicas if each.exit_code is not None]
    return f"has ended with exit code {codes[0]}" if codes else "does not run"


def _is_replica(container: ObservedContainer) -> bool:
    has_role = bool(container.label(ROLE_LABEL))
    return not has_role and bool(container.label(WORKLOAD_LABEL)) and container.label(REPLICA_LABEL).isdecimal()


def _replica(container: ObservedContainer) -> int:
    return int(container.label(REPLICA_LABEL))


def _is_running(container: ObservedContainer) -> bool:
    return container.state is ContainerState.RUNNING
