"""What a container gets of its host: everything the engine could be told is said here, and nothing is left to defaults.

A container has no capability at all, not even to change its user: a server that starts as root and then steps down
(the stock images of nginx, redis, postgres) needs `user` in the deployment file, or an image that runs without root.
Docker's default set would let root in a container write other users' files, forge packets and make device nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provider_agent.core.containers import ROLE_LABEL, Bind, ContainerSpec, PublishedPort, VolumeMount
from provider_agent.core.seccomp import profile

Json = dict[str, Any]

PIDS_LIMIT = 512
OPEN_FILES = 16_384
LOG_OPTIONS = {"max-size": "5m", "max-file": "2"}
MAX_TMP_BYTES = 64 * 1024 * 1024
MAX_SHARED_BYTES = 64 * 1024 * 1024
NANO_CPUS_PER_MILLI_CPU = 1_000_000
OOM_SCORE_ADJUSTMENT = 500  # when the host runs out of memory a workload goes before a daemon
DEAD_NAME_SERVER = "127.0.0.1"
"""Nobody answers there. With the host's own name server an internal network can send queries out (CVE-2024-29018)."""
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/cmdline",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sys/kernel/random/boot_id",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/dmi",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
"""The engine's own, what newer engines hide, and what tells machines apart or helps who attacks the kernel."""
SMALLEST_BYTES = 1024 * 1024
"""Of a limit on disk: an engine takes 0 for none."""
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What depends on the host, found out by trying, and on its provider's policy."""

    runtime: str | None = None
    """The runtime of tenants' containers, not of those of the agent's own; None: the engine's."""
    open_files: int = OPEN_FILES
    """Of each process; not above the host's own hard limit."""
    limits_layers: bool = False
    """Whether the engine's storage can limit what a container writes beside its volumes."""
    limits_volumes: bool = False


USUAL = Confinement()
"""On a host of which nothing is known."""


def host_config(spec: ContainerSpec, confinement: Confinement) -> Json:
    """Return HostConfig of `POST /containers/create`."""
    config: Json = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={profile()}"],
        "Privileged": False,
        "CgroupnsMode": "private",
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "MaskedPaths": list(MASKED_PATHS),
        "ReadonlyPaths": list(READ_ONLY_PATHS),
        "Devices": [],
        "Init": True,
        "PidsLimit": PIDS_LIMIT,
        "Ulimits": [_limit("core", 0), _limit("fsize", _largest_file(spec)), _limit("nofile", confinement.open_files)],
        "NanoCpus": spec.milli_cpu * NANO_CPUS_PER_MILLI_CPU,
        "Memory": spec.memory_bytes,
        "MemorySwap": spec.memory_bytes,
        "ShmSize": min(MAX_SHARED_BYTES, spec.memory_bytes // 2),
        "OomScoreAdj": OOM_SCORE_ADJUSTMENT,
        "OomKillDisable": False,
        "ReadonlyRootfs": spec.is_read_only,
        "Tmpfs": {"/tmp": _tmp_options(spec)} if spec.is_read_only else {},
        "Mounts": [*(_mount(mount, spec, confinement) for mount in spec.mounts), *map(bind_mount, spec.binds)],
        "LogConfig": {"Type": "json-file", "Config": LOG_OPTIONS},
        "RestartPolicy": {"Name": "no"},  # the agent decides: a lease may be over when an engine comes back
        "NetworkMode": spec.attachments[0].network if spec.attachments else "none",
        "PortBindings": {f"{each.container_port}/tcp": [_binding(each)] for each in spec.published_ports},
        "PublishAllPorts": False,
        "Dns": list(spec.name_servers) or [DEAD_NAME_SERVER],
        "DnsOptions": ["timeout:1", "attempts:1"],  # a name that does not exist takes a second instead of ten
        "DnsSearch": ["."],
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0", **dict(spec.sysctls)},
    }
    if confinement.runtime is not None and ROLE_LABEL not in dict(spec.labels):
        config["Runtime"] = confinement.runtime
    if confinement.limits_layers and not spec.is_read_only:
        config["StorageOpt"] = {"size": str(max(spec.layer_bytes, SMALLEST_BYTES))}
    return config


def _limit(name: str, value: int) -> Json:
    return {"Name": name, "Soft": value, "Hard": value}


def _largest_file(spec: ContainerSpec) -> int:
    """Return what no file can be larger than, also one that is deleted while it is open; files in memory count too."""
    disk_bytes = spec.layer_bytes + sum(mount.size_bytes for mount in spec.mounts)
    return max(disk_bytes, spec.memory_bytes, SMALLEST_BYTES)


def _tmp_options(spec: ContainerSpec) -> str:
    """Return the mount options of /tmp; what is in it counts as the container's memory."""
    size_bytes = min(MAX_TMP_BYTES, spec.memory_bytes // 2)
    return f"size={size_bytes},mode=1777,noexec,nosuid,nodev"


def _binding(published: PublishedPort) -> Json:
    return {"HostIp": published.address, "HostPort": str(published.port or "")}


def bind_mount(bind: Bind) -> Json:
    """Return a directory of the agent's own as the engine takes it."""
    return {"Type": "bind", "Source": bind.source, "Target": bind.path, "ReadOnly": bind.is_read_only}


def _mount(mount: VolumeMount, spec: ContainerSpec, confinement: Confinement) -> Json:
    """Return a volume; the engine makes a new one of it that belongs to the owner of this path in the image."""
    options: Json = {"Labels": dict(spec.mount_labels)}
    if confinement.limits_volumes:
        size = str(max(mount.size_bytes, SMALLEST_BYTES))
        options["DriverConfig"] = {"Name": "local", "Options": {"size": size}}
    return {"Type": "volume", "Source": mount.volume, "Target": mount.path, "VolumeOptions": options}
