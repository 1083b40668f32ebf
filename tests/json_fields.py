"""docs/for-programs.md beside what commands write: every test that runs one with `-o json` compares both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from tests.bytecode import ROOT

PAGE = ROOT / "docs" / "for-programs.md"
WHOLE, LISTED, LINES = "the document", "list of", "a line each"
EVENTS = "create, deploy, update, delete, notify watch"
DRY_RUN = "Dry run"
ALWAYS = {"block", "event", "text"}
"""Of a line that tells an event."""

Fields = dict[str, dict[str, bool]]
"""Where -> field -> whether it is always there."""


@cache
def sections() -> dict[str, str]:
    """Return heading -> text."""
    parts = re.split(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def heading_of(words: Sequence[str]) -> str | None:
    """Return the heading that a command is told below, by the words behind `moorage`."""
    names = {name: heading for heading in sections() for name in heading.split(", ")}
    return next((names[name] for name in (" ".join(words[:length]) for length in (2, 1)) if name in names), None)


def fields_of(heading: str) -> Fields:
    """Return what a section tells; what a place of several forms has is told below its first word."""
    found: Fields = {}
    text = re.sub(r"\n +(?=\S)", " ", sections()[heading])
    for where, told in re.findall(r"^- (?:with `--list`, )?(?:a )?(.*?): (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\([^)]*\)", "", told)
        found[where.strip("`")] = {
            name.rstrip("?"): not name.endswith("?") for name in re.findall(r"`([\w?]+)`", plain)
        }
    return found


def problems(words: Sequence[str], printed: str) -> list[str]:
    """Return what is in the documents of a command and not on the page, or the other way round."""
    heading = heading_of(words)
    if heading is None:
        return [f"docs/for-programs.md has no section for `moorage {' '.join(words)}`"]
    found = _compared(heading, printed)
    # where nothing is to be signed, --dry-run changes nothing
    return _compared(DRY_RUN, printed) if found and "--dry-run" in words else found


def _compared(heading: str, printed: str) -> list[str]:
    if heading == EVENTS:
        return [problem for line in printed.splitlines() for problem in _event_problems(line)]
    fields = fields_of(heading)
    documents = map(json.loads, printed.splitlines()) if "line each" in fields else [json.loads(printed)]
    return [problem for each in documents for problem in _document_problems(fields, each)]


def _document_problems(fields: Fields, document: Any) -> Iterator[str]:
    if isinstance(document, list):
        for each in document:
            yield from _differences(fields, LISTED, "", each)
    else:
        yield from _differences(fields, WHOLE if WHOLE in fields else "line each", "", document)


def _differences(fields: Fields, told_as: str, path: str, value: dict[str, Any]) -> Iterator[str]:
    told = fields.get(told_as, {})
    if path and not told:
        return  # a text by a name that is somebody's own
    yield from (f"{told_as}: {name!r} is not on the page" for name in value if name not in told)
    yield from (f"{told_as}: {name!r} is missing" for name, always in told.items() if always and name not in value)
    for name, inner in value.items():
        below = f"{path}.{name}".strip(".")
        if isinstance(inner, dict):
            yield from _differences(fields, below, below, inner)
        elif isinstance(inner, list):
            for each in inner:
                if isinstance(each, dict):
                    yield from _differences(fields, f"{below}[]", f"{below}[]", each)


@cache
def event_fields() -> dict[str, dict[str, bool]]:
    """Return event -> field -> whether it is always there."""
    found: dict[str, dict[str, bool]] = {}
    for events, told in re.findall(r"^\| (`.*?) \|(.*)\|$", sections()[EVENTS], re.MULTILINE):
        names = {name.rstrip("?"): not name.endswith("?") for name in re.findall(r"`([\w?]+)`", told)}
        found |= dict.fromkeys(re.findall(r"`([\w-]+)`", events), names)
    return found


def _event_problems(line: str) -> Iterator[str]:
    document = json.loads(line)
    event, others = document.get("event"), set(document) - ALWAYS
    if ALWAYS - set(document):
        yield f"{event}: without {sorted(ALWAYS - set(document))}"
    if event in ("planned", "delivered") or "." in str(event):
        return  # of several forms, or told by docs/notifications.md
    told = event_fields().get(event)
    if told is None:
        yield f"event {event!r} is not on the page"
        return
    yield from (f"{event}: {name!r} is not on the page" for name in others - set(told))
    yield from (f"{event}: {name!r} is missing" for name, always in told.items() if always and name not in others)
