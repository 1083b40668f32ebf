"""Turns specifications into the engine's JSON (Docker Engine API 1.41). Nothing here is for a tenant to choose."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moorage.workload_health import Health
from provider_agent.core.containers import ContainerSpec, Labels, NetworkKind, NetworkSpec
from provider_agent.core.firewall import EGRESS, GATEWAYS, WORKLOADS, bridge_name
from provider_agent.shell.host_config import USUAL, Confinement, host_config

Json = dict[str, Any]
NANOSECONDS = 10**9

BRIDGES = {NetworkKind.INTERNAL: WORKLOADS, NetworkKind.FRONT: GATEWAYS, NetworkKind.EGRESS: EGRESS}
"""By which the host's firewall tells them apart."""


def container_config(
    spec: ContainerSpec, address: IPv4Address | None, stop_seconds: int, confinement: Confinement = USUAL
) -> Json:
    """Return the body of `POST /containers/create`, with the first of the networks; the others are connected later.

    Args:
        address: on the first of the networks, if there is one.
    """
    ports: Json = {f"{each.container_port}/tcp": {} for each in spec.published_ports}
    config: Json = {
        "Image": spec.image,
        "Hostname": spec.hostname,
        "Labels": spec.all_labels,
        "Env": [f"{key}={value}" for key, value in spec.env],
        "ExposedPorts": ports,
        "StopTimeout": stop_seconds,
        "Healthcheck": _health_check(spec.health),
        "HostConfig": host_config(spec, confinement),
    }
    if spec.command is not None:
        config["Entrypoint"] = list(spec.command)
    if spec.args:
        config["Cmd"] = list(spec.args)
    if spec.user is not None:
        config["User"] = spec.user
    if address is not None:
        first = spec.attachments[0]
        config["NetworkingConfig"] = {"EndpointsConfig": {first.network: endpoint_config(first.alias, address)}}
    return config


def _health_check(health: Health | None) -> Json:
    """Return what the engine checks itself; an image's own check is not used: nobody would know what it means."""
    if health is None or health.command is None:
        return {"Test": ["NONE"]}
    return {
        "Test": ["CMD", *health.command],
        "Interval": health.interval_seconds * NANOSECONDS,
        "Timeout": health.timeout_seconds * NANOSECONDS,
        "StartPeriod": health.start_seconds * NANOSECONDS,
        "Retries": health.retries,
    }


def endpoint_config(alias: str | None, address: IPv4Address) -> Json:
    """Return a container's place on a network."""
    return {"Aliases": [alias] if alias is not None else [], "IPAMConfig": {"IPv4Address": str(address)}}


def network_config(spec: NetworkSpec, subnet: IPv4Network, owner: Labels) -> Json:
    """Return the body of `POST /networks/create`."""
    options = {"com.docker.network.bridge.name": bridge_name(BRIDGES[spec.kind], owner, spec.name)}
    is_internal = spec.kind is NetworkKind.INTERNAL
    if is_internal:
        options["com.docker.network.bridge.inhibit_ipv4"] = "true"
    else:
        options["com.docker.network.bridge.enable_icc"] = "false"
        options["com.docker.network.bridge.enable_ip_masquerade"] = "true"
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": is_internal,
        "EnableIPv6": False,
        "Labels": dict(spec.labels),
        "Options": options,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet)}]},
    }
