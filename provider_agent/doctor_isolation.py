"""Judges how workloads are kept apart: runtime, users, disk limits, and the host's firewall."""

from __future__ import annotations

from pathlib import Path

from moorage.doctor.finding import Finding, failure, ok, warning
from provider_agent.core.containers import Labels
from provider_agent.engine_room import check_runtime
from provider_agent.isolation_settings import Isolation
from provider_agent.settings import Settings, SettingsError
from provider_agent.shell.disk_usage import DiskLimits, try_limits
from provider_agent.shell.engine import EngineError
from provider_agent.shell.engine_probe import EngineFacts
from provider_agent.shell.firewall import Firewall

SANDBOXES = ("runsc", "kata", "kata-runtime", "io.containerd.kata.v2", "io.containerd.runsc.v1")
"""Runtimes with a kernel of their own, by their usual names."""


async def check_isolation(settings: Settings, facts: EngineFacts, owner: Labels | None) -> list[Finding]:
    """Judge an engine that answers and has the gateways' image.

    Args:
        owner: the labels of what is this provider's; None: it is not registered, and has no rules yet.
    """
    limits = await try_limits(settings.docker_url, settings.gateways.image)
    return [
        check_sandbox(settings.isolation.runtime, facts, settings.file),
        check_users(facts),
        check_disk(limits),
        await _check_firewall(settings, owner),
        *check_names(settings.isolation, settings.file),
    ]


def check_sandbox(runtime: str | None, facts: EngineFacts, file: Path) -> Finding:
    """Judge what stands between workloads and the host's kernel."""
    try:
        check_runtime(runtime, facts, file)
    except SettingsError as error:
        return failure("runtime", str(error), "install it and name it in Docker's daemon.json, or take runtime out")
    if runtime in SANDBOXES:
        return ok("runtime", f"workloads run in {runtime}, apart from this machine's kernel")
    present = [each for each in facts.runtimes if each in SANDBOXES]
    if present:
        remedy = f'put runtime = "{present[0]}" into {file}'
        return warning("runtime", f"{present[0]} is there, and workloads share this machine's kernel", remedy)
    return ok("runtime", "workloads share this machine's kernel; gVisor or Kata would part them")


def check_users(facts: EngineFacts) -> Finding:
    """Judge who root in a container is outside."""
    if facts.maps_users:
        return ok("users", "root in a container is an unprivileged user outside")
    return ok("users", "root in a container has no capability, and is root outside")


def check_disk(limits: DiskLimits) -> Finding:
    """Judge what keeps workloads from the disk of others, by what was tried."""
    if limits.of_layers and limits.of_volumes:
        return ok("disk limits", "the engine's storage keeps containers and volumes to their size")
    what = "containers" if limits.of_layers else "nobody"
    remedy = "put Docker's root on XFS mounted with pquota: a watch stops who has written too much, when it has"
    return warning("disk limits", f"the engine's storage keeps {what} to a size, volumes not: {limits.why_not}", remedy)


def judge_firewall(isolation: Isolation, is_there: bool, fault: str | None) -> Finding:
    """Judge whether the rules are there that this host needs.

    Args:
        fault: why it could not be found out.
    """
    what = "workloads may go out" if isolation.egress.is_allowed else "workloads may not go out"
    if not isolation.has_firewall:
        remedy = "take firewall out of [egress], unless rules of your own keep gateways from this host"
        return warning("firewall", f"{what}; the agent keeps no rules", remedy)
    if fault is not None:
        remedy = "see that the gateways' image has nft and that the engine may use the host's network"
        return failure("firewall", f"{what}; its rules can't be looked at: {fault}", remedy)
    there = "its rules are in place" if is_there else "its rules are put in place when the agent starts"
    return ok("firewall", f"{what}; {there}")


def check_names(isolation: Isolation, file: Path) -> list[Finding]:
    """Judge whether workloads that may go out can ask for names."""
    if not isolation.egress.is_allowed or isolation.egress.name_servers:
        return []
    remedy = f'name servers in {file}, such as name_servers = ["9.9.9.9"] in [egress]'
    return [warning("name servers", "workloads may go out, and get no answers to names", remedy)]


async def _check_firewall(settings: Settings, owner: Labels | None) -> Finding:
    isolation, is_there, fault = settings.isolation, False, None
    if owner is not None and isolation.has_firewall:
        rules = Firewall(settings.docker_url, owner, settings.gateways.image, isolation.egress)
        try:
            is_there = await rules.is_there()
        except EngineError as error:
            fault = str(error)
    return judge_firewall(isolation, is_there, fault)
