"""Whatever a file holds, it is read or refused with a position; nothing else is ever raised."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage import deployment_file, manifest
from moorage.deployment_file import DeploymentFileError, dump, load_whole
from moorage.deployment_file.lock import read_lock
from tests.property.written_yaml import token_texts, written_files

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FILES = Path(__file__).parents[1] / "unit" / "deployment_files"
TEXTS = [(FILES / name).read_text("utf-8") for name in ("complete.yml", "second_names.yml", "first_draft.yml")]
WORDS = [
    *("web", "db", "pool", "front", "store", "west-coast", "europe", "0.1", "nginx", "5", "0", "-1", "80", "1h", "30d"),
    *(
        "3GB",
        "0.5B",
        "500m",
        "true",
        "null",
        "",
        "~",
        "[]",
        "{}",
        "&a x",
        "*a",
        "!!str x",
        "|",
        "'",
        '"',
        "- ",
        "? ",
        ": ",
    ),
    *(
        "services",
        "deployment",
        "datacenters",
        "infrastructure",
        "profiles",
        "expose",
        "to",
        "service",
        "global",
        "port",
    ),
    *("1e400", "9" * 90, "%YAML 1.1", "---", "...", "\t", "\x85", "\u2028", "\ufeff", "\x00", "\U0001f30a", "\u202e"),
]
NUMBERS = st.sampled_from([0, -1, 1, 80, 0.5, 1e400, 2**32, 2**53, 2**64, 10**90])
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(WORDS), values, max_size=3)
)
COMPLETE: dict[str, Any] = {
    "version": "0.1",
    "services": {
        "web": {
            "image": "nginx:1.22",
            "command": ["nginx"],
            "args": ["-g", 5],
            "env": {"A": "b"},
            "user": 1000,
            "read-only": True,
            "storage": {"/data": "1GB"},
            "depends-on": ["db", {"service": "pool"}],
            "expose": [{"port": 80, "proto": "http", "to": {"global": True}}, {"port": 1, "to": [{"service": "db"}]}],
        },
        "pool": {"image": "pool"},
        "db": {"image": "postgres"},
    },
    "deployment": {
        "wait-duration": 10,
        "datacenters": {
            "west": {
                "region": "us-west",
                "persist": False,
                "profiles": {
                    "small": {
                        "compute": {"cpu": 1, "memory": "1GB"},
                        "qos": {"disk": "2GB"},
                        "pricing": {"max-price": 5, "collateral": "1h"},
                    }
                },
            },
            "east": {
                "region": "us-east",
                "profiles": {"big": {"qos": {"lifetime": "long"}, "pricing": {"max-price": 9}}},
            },
        },
        "services": {
            "web": {"west": {"profile": "small", "nodes": 2}},
            "pool": {"west": {"profile": "small"}},
            "db": {"west": {"profile": "small"}, "east": {"profile": "big", "nodes": 2}},
        },
    },
    "notifications": [{"name": "a", "type": "email", "to": "a@b", "events": ["deploy.begin"]}],
}


def read(text: str) -> str:
    """Read and compile a text; check that what comes out is whole. Return `valid` or `refused`."""
    try:
        spec = deployment_file.load_text(text, FILES / "moorage.yml")
        compiled = deployment_file.compile(spec, seconds_per_block=Fraction(12), salt=bytes(32))
    except DeploymentFileError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.position.line is not None
            assert 0 <= problem.position.line < len(problem.position.source.lines)
            assert 0 <= problem.position.column <= len(problem.position.source.lines[problem.position.line])
        assert all(line.isprintable() for line in str(error).split("\n"))
        return "refused"
    assert manifest.decode(manifest.encode(compiled.manifest)) == compiled.manifest
    for group in compiled.groups:
        assert 1 <= len(group.resources) <= 8
        manifest.check_against_lease(compiled.manifest, group)
    return "valid"


@st.composite
def edited_texts(draw: st.DrawFn) -> str:
    """A valid or nearly valid file with a few edits of lines and characters."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(0, 4))):
        lines = text.split("\n")
        index = draw(st.integers(0, len(lines) - 1))
        column = draw(st.integers(0, len(lines[index])))
        word = draw(st.sampled_from(WORDS) | st.text(max_size=3))
        match draw(st.sampled_from(["drop", "repeat", "move", "insert", "overwrite", "value"])):
            case "drop":
                del lines[index]
            case "repeat":
                lines.insert(index, lines[index])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(index))
            case "insert":
                lines[index] = lines[index][:column] + word + lines[index][column:]
            case "overwrite":
                lines[index] = lines[index][:column] + word + lines[index][column + len(word) :]
            case _:
                lines[index] = lines[index].split(":")[0] + ": " + word
        text = "\n".join(lines) or "x"
    return text


@st.composite
def edited_documents(draw: st.DrawFn) -> str:
    """A valid document with a few values replaced, removed or added anywhere, as JSON, which is YAML."""
    document = copy.deepcopy(COMPLETE)
    for _ in range(draw(st.integers(0, 4))):
        parent: Any = document
        while True:
            key = draw(st.sampled_from(list(parent) if isinstance(parent, dict) else range(len(parent))))
            if not isinstance(parent[key], dict | list) or not parent[key] or draw(st.integers(0, 3)) == 0:
                break
            parent = parent[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if len(document) > 1 or parent is not document:
                del parent[key]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(WORDS))] = draw(VALUES)
            case _:
                parent[key] = draw(VALUES)
    return json.dumps(document, indent=1, ensure_ascii=draw(st.booleans()))


@SLOW
@given(st.text() | st.lists(st.sampled_from([*WORDS, "\n", " ", ": "])).map("".join))
def test_deployment_file__any_text__is_read_or_refused_with_a_position(text: str) -> None:
    assert read(text) in ("valid", "refused")


@SLOW
@given(edited_texts())
def test_deployment_file__a_file_with_edits__is_read_or_refused_with_a_position(text: str) -> None:
    assert read(text) in ("valid", "refused")


@SLOW
@given(edited_documents())
def test_deployment_file__a_document_with_edits__is_read_or_refused_with_a_position(text: str) -> None:
    assert read(text) in ("valid", "refused")


@SLOW
@given(written_files() | token_texts())
def test_h04_deployment_file__any_form_of_yaml__is_read_or_refused_with_a_position(text: str) -> None:
    assert read(text) in ("valid", "refused")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


ENCODED = st.binary() | edited_texts().map(lambda text: text.encode("utf-8", "surrogatepass"))


@SLOW
@given(data=ENCODED, cut=st.integers(0, 50))
def test_deployment_file__any_bytes__are_read_or_refused(directory: Path, data: bytes, cut: int) -> None:
    for name in ("moorage.yml", "moorage.lock"):
        (directory / name).write_bytes(data[cut:])
    for attempt in (deployment_file.load, read_lock):
        try:
            attempt(directory / "moorage.yml")
        except DeploymentFileError as error:
            assert all(line.isprintable() for line in str(error).split("\n"))


def escaped(text: str) -> str:
    """Return text as YAML with every character escaped."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
LONG_TEXT = st.builds(lambda text, times: (text * times)[:1_900], TEXT, st.sampled_from([60, 1_900]))
AMBIGUOUS_TEXT = st.sampled_from(
    [
        "-",
        "--",
        "---",
        "...",
        "-:",
        "?",
        "5",
        "0x10",
        "1.10",
        "true",
        "~",
        "no",
        "22:22",
        "2018-03-01",
        "-x",
        "a: b",
        "a #b",
        "#",
        "- a",
        "",
        " ",
        "a:",
        "<<",
    ]
)
TEXTS_AS_YAML = st.lists((TEXT | LONG_TEXT | AMBIGUOUS_TEXT).map(escaped), min_size=1, max_size=3)


@st.composite
def files_with_any_text(draw: st.DrawFn) -> str:
    """A valid file in which what may be any text is some text."""
    arguments = "".join(f"      - {text}\n" for text in draw(TEXTS_AS_YAML))
    variables = "".join(f"      V{index}: {text}\n" for index, text in enumerate(draw(TEXTS_AS_YAML)))
    return TEXTS[1].replace("  web:\n", f"  web:\n    args:\n{arguments}    env:\n{variables}", 1)


def is_dumped_and_read_again(text: str) -> bool:
    """Return whether a text is valid, and check that it is the same after it was written and read."""
    try:
        whole = load_whole(text, FILES / "moorage.yml")
    except DeploymentFileError:
        return False
    written = dump(whole.root, FILES)
    again = load_whole(written, FILES / "moorage.yml")
    assert again.spec == whole.spec
    assert dump(again.root, FILES) == written
    return True


@SLOW
@given(files_with_any_text())
def test_dump__of_a_file_with_any_text__loads_as_the_same(text: str) -> None:
    assert is_dumped_and_read_again(text)


@SLOW
@given(edited_texts() | edited_documents() | written_files())
def test_dump__of_a_file_with_edits__loads_as_the_same(text: str) -> None:
    is_dumped_and_read_again(text)


@pytest.mark.parametrize("character", [" ", "\t", "a", '"', "\\", "\U0001f30a"])
def test_dump__of_text_that_takes_several_lines__loads_as_the_same(character: str) -> None:
    text = f"x{escaped(character * 1_900)[1:-1]}"

    assert is_dumped_and_read_again(TEXTS[1].replace("  web:\n", f'  web:\n    args: ["{text}"]\n', 1))


@pytest.mark.parametrize(
    "text", ["-", "--", "---", "...", "-:", ":", "?", "-a", "--a", "-:a", "---a", "....", "~", "<<", "="]
)
def test_dump__of_text_that_looks_like_syntax__loads_as_the_same(text: str) -> None:
    assert is_dumped_and_read_again(TEXTS[1].replace("  web:\n", f'  web:\n    args: ["{text}"]\n', 1))


def test_dump__of_more_text_than_a_line_may_have__loads_as_the_same() -> None:
    lines = "".join(f"        {'x' * 1_000}\n" for _ in range(30))

    assert is_dumped_and_read_again(TEXTS[1].replace("  web:\n", f"  web:\n    env:\n      V: |\n{lines}", 1))


def test_deployment_file__the_files_to_edit__are_valid_before() -> None:
    assert [read(text) for text in TEXTS] == ["valid", "valid", "refused"]
    assert [is_dumped_and_read_again(text) for text in (*TEXTS, json.dumps(COMPLETE))] == [True, True, False, True]
    assert read(json.dumps(COMPLETE)) == "valid"
