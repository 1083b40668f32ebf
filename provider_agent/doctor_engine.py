"""Judges a container engine: holes, limits on disk, what happens when it restarts, whether there is enough of it."""

from __future__ import annotations

from pathlib import Path

from moorage import units
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.types import ComputeUnit
from provider_agent.core.engine_versions import describe, known_holes, parse
from provider_agent.shell.engine_probe import EngineFacts

SIZED_DRIVERS = ("btrfs", "zfs", "devicemapper")
"""They limit what a container writes by themselves."""
QUOTAS = ("prjquota", "pquota")
"""Options of a mounted XFS that let overlay2 do so."""
WHERE = "docker"
MOUNTS = Path("/proc/self/mounts")


def check_engine(facts: EngineFacts, mounts: str | None = None) -> list[Finding]:
    """Judge an engine by what it says of itself.

    Args:
        mounts: what /proc/self/mounts says; None: this machine's.
    """
    runc = f"runc {facts.runc}" if facts.runc else "a runc that it does not tell"
    findings = [*_versions(facts, runc), *_disk(facts, _read_mounts() if mounts is None else mounts)]
    if not facts.has_seccomp:
        remedy = "install an engine with seccomp: it keeps workloads from most system calls that break out"
        findings.append(failure(WHERE, "it filters no system calls", remedy))
    if not facts.survives_restart:
        remedy = 'put "live-restore": true into daemon.json: workloads then go on while the engine restarts'
        findings.append(warning(WHERE, "containers end when it is restarted", remedy))
    if not facts.has_swap_limit:
        remedy = "boot with swapaccount=1, or switch swap off"
        findings.append(warning(WHERE, "it can't keep workloads from using swap beyond their memory", remedy))
    return findings


def check_capacity(facts: EngineFacts, capacity: ComputeUnit) -> list[Finding]:
    """Compare what is sold with what the engine's machine has."""
    findings = []
    if capacity.milli_cpu > facts.cpus * 1_000:
        what = f"{units.format_cpu(capacity.milli_cpu)} cores are offered, the machine has {facts.cpus}"
        findings.append(warning("capacity.cpu", what, "offer less: tenants would get less than they pay for"))
    if capacity.memory_bytes > facts.memory_bytes:
        offered, there = units.format_size(capacity.memory_bytes), units.format_size(facts.memory_bytes)
        what = f"{offered} are offered, the machine has {there}"
        findings.append(failure("capacity.memory", what, "offer less: workloads would be killed for want of memory"))
    return findings or [ok("capacity", "the machine has what is offered")]


def _versions(facts: EngineFacts, runc: str) -> list[Finding]:
    if parse(facts.version) is None:
        what = f"its version {facts.version[:40]!r} can't be read"
        return [warning(WHERE, what, "see by hand whether it has known holes")]
    holes = known_holes(facts.version, facts.runc)
    if not holes:
        return [ok(WHERE, f"Docker {facts.version} with {runc}: no holes known")]
    remedy = "install newer ones; the agent starts on these only with --accept-known-holes"
    return [failure(WHERE, f"Docker {facts.version} with {runc}: {describe(holes)}", remedy)]


def _disk(facts: EngineFacts, mounts: str) -> list[Finding]:
    if enforces_size(facts, mounts):
        return [ok("disk limits", f"{facts.storage_driver} on {facts.backing_filesystem or 'its own'} can limit sizes")]
    backing = f" on {facts.backing_filesystem}" if facts.backing_filesystem else ""
    remedy = "put Docker's root on XFS mounted with pquota; until then a workload can fill the disk of all"
    return [warning("disk limits", f"{facts.storage_driver}{backing} can't limit what a workload writes", remedy)]


def enforces_size(facts: EngineFacts, mounts: str) -> bool:
    """Return whether the engine can limit the size of a container's writable layer."""
    if facts.storage_driver in SIZED_DRIVERS:
        return True
    if facts.storage_driver not in ("overlay2", "overlayfs") or facts.backing_filesystem != "xfs":
        return False
    return any(option in QUOTAS for option in _options_of(facts.root, mounts))


def _options_of(folder: str, mounts: str) -> list[str]:
    """Return the options of the mount that a folder is on (proc_pid_mounts(5))."""
    rows = [fields for line in mounts.splitlines() if len(fields := line.split()) >= 4]
    holding = [fields for fields in rows if f"{folder}/".startswith(fields[1].rstrip("/") + "/")]
    return max(holding, key=lambda fields: len(fields[1]))[3].split(",") if holding else []


def _read_mounts() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
