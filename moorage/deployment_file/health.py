"""Reads how a service is checked."""

from __future__ import annotations

from moorage import units
from moorage.deployment_file.document import Path
from moorage.deployment_file.reader import Reader
from moorage.workload_health import MAX_SECONDS, Health, HttpCheck

WAYS = ("http", "tcp", "command")
DEFAULT_INTERVAL_SECONDS = 10
DEFAULT_TIMEOUT_SECONDS = 5
DEFAULT_RETRIES = 3


def read_health(reader: Reader, path: Path) -> Health | None:
    """Return the check of a service, None if it has none or one that is wrong, which is noted."""
    if reader.get(*path) is None:
        return None
    given = [way for way in WAYS if reader.has(*path, way)]
    if len(given) != 1:
        reader.refuse_key(path, f"give exactly one of {', '.join(WAYS)}; there are {len(given)}")
        return None
    found = Health(
        http=_http(reader, (*path, "http")),
        tcp_port=reader.get(*path, "tcp"),
        command=_command(reader, (*path, "command")),
        interval_seconds=_seconds(reader, (*path, "interval"), DEFAULT_INTERVAL_SECONDS, 1),
        timeout_seconds=_seconds(reader, (*path, "timeout"), DEFAULT_TIMEOUT_SECONDS, 1),
        retries=reader.get(*path, "retries") or DEFAULT_RETRIES,
        start_seconds=_seconds(reader, (*path, "start-period"), 0, 0),
    )
    return found if found.ways == 1 else None  # what is wrong has been reported


def _http(reader: Reader, path: Path) -> HttpCheck | None:
    port = reader.get(*path, "port") if reader.map(*path) else None
    return HttpCheck(path=reader.get(*path, "path") or "/", port=port) if port is not None else None


def _command(reader: Reader, path: Path) -> tuple[str, ...] | None:
    words = enumerate(reader.list(*path))
    return tuple(reader.document.text((*path, index)) for index, word in words if word is not None) or None


def _seconds(reader: Reader, path: Path, default: int, least: int) -> int:
    seconds = reader.number(path, units.parse_duration, default)
    if least <= seconds <= MAX_SECONDS:
        return seconds
    reader.refuse(path, f"has to be {least}s to {MAX_SECONDS}s")
    return default
