"""Turns specifications into the engine's JSON (Docker Engine API 1.41). Nothing here is for a tenant to choose.

A container has no capability at all, not even to change its user: a server that starts as root and then steps down
(the stock images of nginx, redis, postgres) needs `user` in the deployment file, or an image that runs without root.
Docker's default set would let root in a container write other users' files, forge packets and make device nodes.

Limited: CPU, memory with swap, processes, logs, and /tmp of a read-only container. Not limited yet: what a container
writes to its own file system when that is not read-only, and its volumes. Not closed yet: the addresses of the host,
which every bridge of the engine can reach; the bridges are named `mw-*` for the rules that will close them.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network
from typing import Any

from provider_agent.core.containers import ContainerSpec, NetworkSpec, VolumeMount

Json = dict[str, Any]

PIDS_LIMIT = 512
LOG_OPTIONS = {"max-size": "5m", "max-file": "2"}
MAX_TMP_BYTES = 64 * 1024 * 1024
NANO_CPUS_PER_MILLI_CPU = 1_000_000
OOM_SCORE_ADJUSTMENT = 500  # when the host runs out of memory a workload goes before a daemon
DEAD_NAME_SERVER = "127.0.0.1"
"""Nobody answers there. With the host's own name server an internal network can send queries out (CVE-2024-29018)."""


def container_config(spec: ContainerSpec, publish_address: str, stop_seconds: int) -> Json:
    """Return the body of `POST /containers/create`, with the first of the networks; the others are connected later."""
    ports: Json = {f"{port}/tcp": {} for port in spec.published_ports}
    config: Json = {
        "Image": spec.image,
        "Hostname": spec.hostname,
        "Labels": spec.all_labels,
        "Env": [f"{key}={value}" for key, value in spec.env],
        "ExposedPorts": ports,
        "StopTimeout": stop_seconds,
        "HostConfig": _host_config(spec, publish_address),
    }
    if spec.command is not None:
        config["Entrypoint"] = list(spec.command)
    if spec.args:
        config["Cmd"] = list(spec.args)
    if spec.user is not None:
        config["User"] = spec.user
    if spec.attachments:
        first = spec.attachments[0]
        config["NetworkingConfig"] = {"EndpointsConfig": {first.network: endpoint_config(first.alias)}}
    return config


def endpoint_config(alias: str | None) -> Json:
    """Return a container's place on a network."""
    return {"Aliases": [alias] if alias is not None else []}


def network_config(spec: NetworkSpec, subnet: IPv4Network) -> Json:
    """Return the body of `POST /networks/create`."""
    options = {"com.docker.network.bridge.name": bridge_name(spec.name)}
    if not spec.is_internal:
        options["com.docker.network.bridge.enable_icc"] = "false"
        options["com.docker.network.bridge.enable_ip_masquerade"] = "false"
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": spec.is_internal,
        "EnableIPv6": False,
        "Labels": dict(spec.labels),
        "Options": options,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet)}]},
    }


def bridge_name(network: str) -> str:
    """Return the interface of a network: Linux allows 15 characters."""
    return "mw-" + hashlib.sha256(network.encode()).hexdigest()[:12]


def _host_config(spec: ContainerSpec, publish_address: str) -> Json:
    return {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": False,
        "IpcMode": "private",
        "Init": True,
        "PidsLimit": PIDS_LIMIT,
        "NanoCpus": spec.milli_cpu * NANO_CPUS_PER_MILLI_CPU,
        "Memory": spec.memory_bytes,
        "MemorySwap": spec.memory_bytes,
        "OomScoreAdj": OOM_SCORE_ADJUSTMENT,
        "ReadonlyRootfs": spec.is_read_only,
        "Tmpfs": {"/tmp": _tmp_options(spec)} if spec.is_read_only else {},
        "Mounts": [_mount(mount, spec) for mount in spec.mounts],
        "LogConfig": {"Type": "json-file", "Config": LOG_OPTIONS},
        "RestartPolicy": {"Name": "no"},  # the agent decides: a lease may be over when an engine comes back
        "NetworkMode": spec.attachments[0].network if spec.attachments else "none",
        "PortBindings": {f"{port}/tcp": [{"HostIp": publish_address, "HostPort": ""}] for port in spec.published_ports},
        "PublishAllPorts": False,
        "Dns": [DEAD_NAME_SERVER],
        "DnsOptions": ["timeout:1", "attempts:1"],  # a name that does not exist takes a second instead of ten
        "DnsSearch": ["."],
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
    }


def _tmp_options(spec: ContainerSpec) -> str:
    """Return the mount options of /tmp; what is in it counts as the container's memory."""
    size_bytes = min(MAX_TMP_BYTES, spec.memory_bytes // 2)
    return f"size={size_bytes},mode=1777,noexec,nosuid,nodev"


def _mount(mount: VolumeMount, spec: ContainerSpec) -> Json:
    """Return a volume; the engine makes a new one of it that belongs to the owner of this path in the image."""
    return {
        "Type": "volume",
        "Source": mount.volume,
        "Target": mount.path,
        "VolumeOptions": {"Labels": dict(spec.mount_labels)},
    }
