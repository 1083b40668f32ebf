"""Finds what an example has for its reader to change and nobody has changed: the file is valid, and would not work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from moorage.deployment_file.problems import Position, Problem, Source, quoted
from moorage.deployment_file.reader import Reader

MARK = "# <-"
"""Stands in an example beside what everybody has to change."""
MAX_LISTED_LINES = 10

_MARKED = re.compile(rf"^\s*[^\s#].*\s{MARK}(?=\s|$)")
"""A comment beside something; one that has a line of its own only talks of the mark."""
_OWNER = re.compile(r"(?:^|/)(your-name)/")
_RESERVED = re.compile(r"(?:^|[@./])(example\.(?:com|net|org))(?=[:/]|$)")
"""Names that are kept for examples (RFC 2606) and will never be anybody's."""


def warn_of_placeholders(reader: Reader) -> None:
    """Note in the reader which images, names and addresses are still those of an example."""
    for service in reader.map("services"):
        _look(reader, ("services", service, "image"), _OWNER)
        for index, _ in enumerate(reader.list("services", service, "host")):
            _look(reader, ("services", service, "host", index), _RESERVED)
    for index, _ in enumerate(reader.list("notifications")):
        _look(reader, ("notifications", index, "url"), _RESERVED)
        to = reader.get("notifications", index, "to")
        paths = [("to",)] if isinstance(to, str) else [("to", entry) for entry, _ in enumerate(to or ())]
        for path in paths:
            _look(reader, ("notifications", index, *path), _RESERVED)


def marks(sources: Iterable[Source]) -> list[Problem]:
    """Return a warning for each file with marks, at the first of them. A mark goes when its line has been looked at."""
    return [warning for source in sources for warning in _marks_of(source)]


def _look(reader: Reader, path: tuple[str | int, ...], placeholder: re.Pattern[str]) -> None:
    value = reader.get(*path)
    if isinstance(value, str) and (found := placeholder.search(value)):
        reader.warn(path, f"{quoted(found[1])} stands for what is yours: put your own in its place")


def _marks_of(source: Source) -> list[Problem]:
    lines = [number for number, line in enumerate(source.lines) if _MARKED.match(line)]
    if source.is_remote or not lines:
        return []
    shown = ", ".join(str(number + 1) for number in lines[:MAX_LISTED_LINES])
    more = ", ..." if len(lines) > MAX_LISTED_LINES else ""
    where = f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
    message = f"marked with '{MARK}' in {where}: change or agree to what stands there, then take the mark away"
    position = Position(source, lines[0], source.lines[lines[0]].rindex(MARK))
    return [Problem(position, message, is_warning=True)]
