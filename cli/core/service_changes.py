"""What changes in the services of a deployment, in words: between the manifest on chain and the one of the file.

Values of variables, secrets and credentials are never in these words, only their names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moorage import units
from moorage.manifest import Compute, Connection, Manifest, Workload
from moorage.workload_health import Health

PLAIN = ("image", "user", "count", "compute", "health", "connections", "host", "storage", "depends_on")
"""Fields whose values are shown, in this order."""
PRIVATE = ("command", "args", "env", "secrets", "credentials")
"""Fields in which somebody may have written what is nobody else's."""
NAMES = {"count": "nodes", "connections": "exposes", "depends_on": "depends-on"}
"""What a field is called in the file, where that is another name."""


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """One service in one group."""

    group: str
    service: str
    sign: str
    """`+` is added, `-` is removed, `~` is changed."""
    details: tuple[str, ...] = ()


def service_changes(before: Manifest | None, after: Manifest) -> tuple[ServiceChange, ...]:
    """Return what is added, changed and removed, in the order of the file, what is removed last.

    Args:
        before: None if there is nothing on chain yet.
        after: of the file.
    """
    old, new = _workloads(before), _workloads(after)
    changes = [_change(*place, old.get(place), workload) for place, workload in new.items()]
    changes += [ServiceChange(*place, "-") for place in old if place not in new]
    return tuple(change for change in changes if change is not None)


def _workloads(manifest: Manifest | None) -> dict[tuple[str, str], Workload]:
    groups = manifest.groups if manifest is not None else ()
    return {(group.name, workload.name): workload for group in groups for workload in group.workloads}


def _change(group: str, service: str, before: Workload | None, after: Workload) -> ServiceChange | None:
    if before is None:
        return ServiceChange(group, service, "+", (f"image {after.image}", f"nodes {after.count}"))
    details = tuple(_details(before, after))
    return ServiceChange(group, service, "~", details) if details else None


def _details(before: Workload, after: Workload) -> Iterator[str]:
    for field in PLAIN:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{NAMES.get(field, field)} {_shown(old)} -> {_shown(new)}"
    if before.read_only != after.read_only:
        yield f"read-only {str(before.read_only).lower()} -> {str(after.read_only).lower()}"
    if before.restart != after.restart:
        yield f"restart {before.restart or 'always'} -> {after.restart or 'always'}"
    if before.resource_group != after.resource_group:
        yield "profile changed"
    for field in PRIVATE:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield f"{field} {_named(old, new)}"


def _named(before: Any, after: Any) -> str:
    """Return what changes in something whose content is not shown."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        parts = [f"+{name}" for name in after if name not in before]
        parts += [f"-{name}" for name in before if name not in after]
        parts += [f"~{name}" for name in after if name in before and after[name] != before[name]]
        return " ".join(parts)
    if not before:
        return "added"
    return "changed" if after else "removed"


def _shown(value: Any) -> str:
    if value in (None, (), {}):
        return "none"
    match value:
        case Compute():
            cpu, memory = units.format_cpu(value.milli_cpu), units.format_size(value.memory_bytes)
            return f"{cpu} cpu, {memory} memory, {units.format_size(value.disk_bytes)} disk"
        case Health():
            return _shown_health(value)
        case dict():
            return ", ".join(f"{path} {units.format_size(size)}" for path, size in value.items())
        case tuple():
            return _shown_all(value)
        case _:
            return str(value)


def _shown_all(values: Sequence[Any]) -> str:
    return ", ".join(_shown_connection(each) if isinstance(each, Connection) else str(each) for each in values)


def _shown_connection(connection: Connection) -> str:
    port = f"{connection.port}/{connection.protocol}"
    if connection.workload is None:
        return f"{port} to everybody"
    reach = f" in {connection.datacenter}" if connection.datacenter else " everywhere" if connection.is_global else ""
    return f"{port} to {connection.workload}{reach}"


def _shown_health(health: Health) -> str:
    if health.http is not None:
        way = f"http {health.http.port}{health.http.path}"
    elif health.tcp_port is not None:
        way = f"tcp {health.tcp_port}"
    else:
        way = f"command {json.dumps(list(health.command or ())[:1])}"
    times = f"every {health.interval_seconds}s, within {health.timeout_seconds}s, {health.retries} retries"
    return f"{way} {times}, start {health.start_seconds}s"
