"""docs/for-programs.md names every command that writes documents, and what compares it with them can't be fooled."""

from __future__ import annotations

import json

import pytest

from cli.core.story import TELLERS
from tests.cli_runner import person
from tests.command_tree import LEAVES, options_of
from tests.json_fields import EVENTS, event_fields, fields_of, heading_of, problems, sections

TAKING = [words for words, command in LEAVES.items() if any("--output" in each.opts for each in options_of(command))]
WITHOUT = {("schema",), ("completion",), ("exec",)}


def test_page__commands_that_take_no_output_option__are_those_that_it_says():
    assert set(LEAVES) - set(TAKING) == WITHOUT
    assert all(f"`{' '.join(words)}`" in sections_before() for words in WITHOUT)


def sections_before() -> str:
    from tests.json_fields import PAGE

    return PAGE.read_text(encoding="utf-8").split("\n## ")[0]


@pytest.mark.parametrize("words", TAKING, ids=" ".join)
def test_page__command_with_documents__has_its_section_with_fields(words):
    heading = heading_of(words)

    assert heading is not None
    assert heading == EVENTS or fields_of(heading)


def test_page__sections__are_of_commands_that_there_are():
    named = {name for heading in sections() for name in heading.split(", ")} - {"Dry run"}

    assert named == {" ".join(words) for words in TAKING}


def test_page__events__are_at_least_those_of_the_story():
    assert len(event_fields()) >= len(TELLERS)


@pytest.mark.parametrize(
    ("words", "document", "found"),
    [
        (("wallet", "new"), {"address": "0x", "file": "w"}, []),
        (("wallet", "new"), {"address": "0x"}, ["the document: 'file' is missing"]),
        (("wallet", "new"), {"address": "0x", "file": "w", "x": 1}, ["the document: 'x' is not on the page"]),
        (("wallet", "list"), [{"address": "0x", "file": "w"}], ["list of: 'problem' is missing"]),
        (("send", "a"), [{"transaction": "0x", "block": 1, "y": 1}], ["list of: 'y' is not on the page"]),
        (
            ("doctor",),
            {"sound": True, "findings": [{"level": 1, "where": 1, "what": 1}]},
            ["findings[]: 'remedy' is missing"],
        ),
        (("context", "list"), {"current": None, "contexts": {"mine": {"rpc": "x"}}}, []),
    ],
)
def test_problems__document__is_compared_field_by_field(words, document, found):
    assert problems(words, json.dumps(document)) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"block": 1, "event": "closing", "text": "", "order": "0x", "group": "a"}, []),
        ({"event": "node", "text": ""}, ["node: without ['block']"]),
        ({"block": 1, "event": "moved", "text": ""}, ["event 'moved' is not on the page"]),
        ({"block": 1, "event": "created", "text": ""}, ["created: 'deployment' is missing"]),
        ({"block": 1, "event": "node", "text": "", "x": 1}, ["node: 'x' is not on the page"]),
    ],
)
def test_problems__event__is_compared_field_by_field(line, found):
    assert problems(("deploy",), json.dumps(line)) == found


def test_context__used_and_forgotten__is_said(tmp_path):
    somebody = person(tmp_path)
    somebody.moorage("context", "add", "home", "--rpc", "http://127.0.0.1:1")

    used, gone = somebody.moorage("context", "use", "home"), somebody.moorage("context", "remove", "home")

    assert "http://127.0.0.1:1" in used.out and "in use now: context home" in used.out
    assert "home is forgotten" in gone.out and "in use now: none" in gone.out


def test_doctor__as_yaml__is_yaml(tmp_path):
    result = person(tmp_path).moorage("doctor", "--rpc", "http://127.0.0.1:1", "-o", "yaml")

    assert result.out.startswith("sound: false")
