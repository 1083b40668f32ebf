"""Reads the engine's JSON about containers and networks (Docker Engine API 1.41)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network

from provider_agent.core.containers import (
    DIGEST_LABEL,
    RESTARTS_LABEL,
    ContainerSpec,
    ContainerState,
    HealthState,
    ObservedContainer,
    ObservedNetwork,
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


HEALTH = {each.value: each for each in HealthState}
"""In the engine's own words, which are ours."""


def observed_container(listed: Json, inspected: Json | None) -> ObservedContainer:
    """Return a container from its entry in the list and from what inspecting it says.

    Args:
        inspected: None: nothing is known beside the list, which does not say how one has ended.
    """
    state = inspected["State"] if inspected is not None else {}
    known = STATES.get(listed["State"], ContainerState.OTHER)
    is_running, has_exited = known is ContainerState.RUNNING, known is ContainerState.EXITED and inspected is not None
    return ObservedContainer(
        name=listed["Names"][0].removeprefix("/"),
        labels=sorted_labels(listed["Labels"]),
        state=known if has_exited or known is not ContainerState.EXITED else ContainerState.OTHER,
        networks=network_names(listed),
        published=tuple(sorted(_published(listed), key=lambda port: (port.container_port, port.address))),
        exit_code=state["ExitCode"] if has_exited else None,
        is_out_of_memory=has_exited and state["OOMKilled"],
        started_seconds=_started(listed, state) if has_exited or is_running else 0,
        finished_seconds=_unix_time(state["FinishedAt"]) if has_exited else 0,
        health=HEALTH.get((state.get("Health") or {}).get("Status", "")) if is_running else None,
    )


def _started(listed: Json, state: Json) -> int:
    """Return when a container was started; it is made for each start, so that the list, too, tells it closely."""
    return _unix_time(state["StartedAt"]) if state else int(listed["Created"])


def observed_network(listed: Json) -> ObservedNetwork | None:
    """Return a network from its entry in the list, or from inspecting it; None: it is not as we make them."""
    subnets = network_subnets(listed)
    return ObservedNetwork(listed["Name"], sorted_labels(listed["Labels"]), subnets[0]) if subnets else None


def network_subnets(listed: Json) -> tuple[IPv4Network, ...]:
    """Return the IPv4 subnets of any network; one that leaves addresses to others says 0.0.0.0/0, which takes none."""
    written = (each.get("Subnet") or "" for each in listed["IPAM"]["Config"] or ())
    subnets = (IPv4Network(each, strict=False) for each in written if each and ":" not in each)
    return tuple(each for each in subnets if each.prefixlen > 0)


def is_as_specified(inspected: Json, spec: ContainerSpec) -> bool:
    """Return whether a container was made from this specification, for this start.

    One that was never started is not: what made it was killed, and its age would count from then.
    """
    labels = inspected["Config"]["Labels"]
    is_same = bool(labels.get(DIGEST_LABEL) == spec.digest and labels.get(RESTARTS_LABEL) == str(spec.restarts))
    return is_same and inspected["State"]["Status"] != "created"


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
