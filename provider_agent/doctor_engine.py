"""Judges a container engine: holes, what happens when it restarts, whether there is enough of it."""

from __future__ import annotations

from pathlib import Path

from moorage import units
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.types import ComputeUnit
from provider_agent.core.engine_versions import describe, known_holes, parse
from provider_agent.shell.engine_probe import EngineFacts

WHERE = "docker"
GATEWAY_REMEDY = "make it with deploy/gateway/build-image.sh, or name another as gateway.image in {}"


def check_engine(facts: EngineFacts) -> list[Finding]:
    """Judge an engine by what it says of itself."""
    runc = f"runc {facts.runc}" if facts.runc else "a runc that it does not tell"
    findings = _versions(facts, runc)
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


def check_gateway_image(image: str, is_there: bool, file: Path) -> list[Finding]:
    """Judge whether leases can have gateways.

    Args:
        file: the settings.
    """
    if is_there:
        return [ok("gateway", f"the image {image} is there")]
    return [failure("gateway", f"the engine has no image {image}", GATEWAY_REMEDY.format(file))]


def _versions(facts: EngineFacts, runc: str) -> list[Finding]:
    if parse(facts.version) is None:
        what = f"its version {facts.version[:40]!r} can't be read"
        return [warning(WHERE, what, "see by hand whether it has known holes")]
    holes = known_holes(facts.version, facts.runc)
    if not holes:
        return [ok(WHERE, f"Docker {facts.version} with {runc}: no holes known")]
    remedy = "install newer ones; the agent starts on these only with --accept-known-holes"
    return [failure(WHERE, f"Docker {facts.version} with {runc}: {describe(holes)}", remedy)]
