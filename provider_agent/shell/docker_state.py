"""Reads the engine's JSON about containers (Docker Engine API 1.41)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from provider_agent.core.containers import (
    DIGEST_LABEL,
    RESTARTS_LABEL,
    ContainerSpec,
    ContainerState,
    ObservedContainer,
    PublishedPort,
    sorted_labels,
)
from provider_agent.shell.docker_config import Json

STATES = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "exited": ContainerState.EXITED,
    "dead": ContainerState.EXITED,
}


def observed_container(listed: Json, inspected: Json | None) -> ObservedContainer:
    """Return a container from its entry in the list and, if it is not running, from what inspecting it says."""
    state = inspected["State"] if inspected is not None else {}
    has_exited = STATES.get(listed["State"]) is ContainerState.EXITED
    return ObservedContainer(
        name=listed["Names"][0].removeprefix("/"),
        labels=sorted_labels(listed["Labels"]),
        state=STATES.get(listed["State"], ContainerState.OTHER),
        networks=network_names(listed),
        published=tuple(sorted(_published(listed), key=lambda port: (port.container_port, port.address))),
        exit_code=state["ExitCode"] if has_exited else None,
        is_out_of_memory=has_exited and state["OOMKilled"],
        started_seconds=_unix_time(state["StartedAt"]) if has_exited else 0,
        finished_seconds=_unix_time(state["FinishedAt"]) if has_exited else 0,
    )


def is_as_specified(inspected: Json, spec: ContainerSpec) -> bool:
    """Return whether a container was made from this specification, for this start."""
    labels = inspected["Config"]["Labels"]
    return bool(labels.get(DIGEST_LABEL) == spec.digest and labels.get(RESTARTS_LABEL) == str(spec.restarts))


def network_names(container: Json) -> frozenset[str]:
    """Return the networks that a container is on, from the list or from inspecting it."""
    return frozenset(container["NetworkSettings"]["Networks"]) - {"none"}


def _published(listed: Json) -> Iterator[PublishedPort]:
    for port in listed["Ports"]:
        if "PublicPort" in port:
            yield PublishedPort(port["PrivatePort"], port["IP"], port["PublicPort"])


def _unix_time(text: str) -> int:
    """Return seconds; the engine writes nanoseconds, and year 1 for never."""
    moment = datetime.fromisoformat(text[:19] + "+00:00")
    return max(0, int(moment.timestamp()))
