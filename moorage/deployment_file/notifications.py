"""Reads who is told about events, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from moorage.deployment_file.addresses import webhook_objection
from moorage.deployment_file.document import Path
from moorage.deployment_file.private import read_private
from moorage.deployment_file.problems import quoted
from moorage.deployment_file.reader import Reader
from moorage.deployment_file.spec import Notification, NotificationType
from moorage.events import Event
from moorage.workload_secrets import Secret


def read_notifications(reader: Reader) -> tuple[Notification, ...]:
    """Return the notifications, and note in the reader what is wrong with them."""
    _check_names(reader)
    found = (_notification(reader, ("notifications", index)) for index, _ in enumerate(reader.list("notifications")))
    return tuple(each for each in found if each is not None)


def _notification(reader: Reader, path: Path) -> Notification | None:
    written = reader.map(*path)
    name, kind = written.get("name"), written.get("type")
    if name is None or kind is None:
        return None  # reported already
    return Notification(
        name=name,
        type=NotificationType(kind),
        url=_url(reader, (*path, "url")),
        to=tuple(_once(reader, (*path, "to"))),
        events=tuple(Event(event) for event in _once(reader, (*path, "events"))) or tuple(Event),
        secret=(secret := _secret(reader, (*path, "secret"))),
        missing_secret=_source(written.get("secret") or {}) if secret is None else None,
    )


def _url(reader: Reader, path: Path) -> str | None:
    url: str | None = reader.get(*path)
    objection = webhook_objection(url) if url is not None else None
    if objection is not None:
        reader.refuse(path, f"nothing can be sent to this address: {objection}")
    return url


def _check_names(reader: Reader) -> None:
    first_lines: dict[str, int] = {}
    for index, written in enumerate(reader.list("notifications")):
        path = ("notifications", index, "name")
        name = (written or {}).get("name")
        if name in first_lines:
            reader.refuse(path, f"the name {quoted(name)} is used twice, first in line {first_lines[name]}")
        elif name is not None:
            first_lines[name] = reader.line(path)


def _once(reader: Reader, path: Path) -> Iterator[str]:
    """Yield what is listed, a single text too, and note what is listed twice."""
    written = reader.get(*path)
    if isinstance(written, str):
        yield written
        return
    seen: set[str] = set()
    for index, item in enumerate(written or []):
        if item in seen:
            reader.refuse((*path, index), f"{quoted(item)} is listed twice")
        elif item is not None:
            seen.add(item)
            yield item


def _source(written: Mapping[str, str]) -> str | None:
    """Return where a secret was to be read; None if there was to be none."""
    words = {"file": "file", "env": "variable"}
    return next((f"{words[kind]} {quoted(name)}" for kind, name in written.items() if kind in words), None)


def _secret(reader: Reader, path: Path) -> Secret | None:
    value = read_private(reader, path)
    if value is None:
        return None
    value = value.removesuffix("\n").removesuffix("\r")  # an editor's
    if not value:
        reader.refuse(path, "there is nothing in this secret")
        return None
    return Secret(value=value)
