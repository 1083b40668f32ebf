"""YAML as a deployment file reads it: version 1.2, positions, and limits before anything grows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from moorage.deployment_file import DeploymentFileError, yaml_tree
from moorage.deployment_file.document import Document
from moorage.deployment_file.problems import Source

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
NESTED_BOMB = "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [[[*a{level - 1}]]]\n" for level in range(1, 90))


def value_of(text: str) -> object:
    return Document(yaml_tree.parse(Source("moorage.yml", text))).value


def problem_of(text: str) -> str:
    """Return the one thing that is wrong as `line:column: message`."""
    with pytest.raises(DeploymentFileError) as caught:
        value_of(text)
    (problem,) = caught.value.problems
    return f"{(problem.position.line or 0) + 1}:{problem.position.column + 1}: {problem.message}"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("22:22", "22:22"),
        ("2018-03-01", "2018-03-01"),
        ("2018-03-01T00:00:00Z", "2018-03-01T00:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("<<", "<<"),
        ("=", "="),
        ("012", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("0.10", Decimal("0.10")),
        ("1e3", Decimal(1000)),
        ("1e400", Decimal("1e400")),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("9" * 81, "9" * 81),
        ("٣", "٣"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('"true"', "true"),
        ("'5'", "5"),
        ('"5"', "5"),
        ('""', ""),
        ("|\n  5", "5\n"),
        ("[1, x, [null]]", [1, "x", [None]]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_h05_value__in_yaml_1_2__is_what_it_looks_like(written: str, value: object) -> None:
    found = value_of(f"key: {written}\n")

    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_value__floats__do_not_exist() -> None:
    assert isinstance(value_of("1.5"), Decimal)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("a: 1\na: 2\n", "2:1: the key 'a' stands twice, first in line 1"),
        ("a: 1\nb: {c: 1, c: 2}\n", "2:11: the key 'c' stands twice, first in line 2"),
        ("80: x\n", "1:1: a key has to be text; put a number, true, false or null in quotes"),
        ("true: x\n", "1:1: a key has to be text; put a number, true, false or null in quotes"),
        ("? [a]\n: x\n", "1:3: a key has to be text; put a number, true, false or null in quotes"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document: a deployment file is one document"),
        ("%YAML 1.1\n---\na: 1\n", "2:1: only YAML 1.2 is supported"),
        ("%YAML 1.0\n---\na: 1\n", "1:1: only YAML 1.2 is supported"),
        ("%YAML 1.3", "1:1: only YAML 1.2 is supported"),
        (
            "a: !!python/object:os.system {}\n",
            "1:4: tags such as 'tag:yaml.org,2002:python/object:os.system' are not supported",
        ),
        ("a: !!str 5\n", "1:4: tags such as 'tag:yaml.org,2002:str' are not supported"),
        ("a: !mine 5\n", "1:4: tags such as '!mine' are not supported"),
        ("a: *b\n", "1:4: the alias 'b' has no anchor before it"),
        ("a: &a [*a]\n", "1:8: the alias 'a' has no anchor before it"),
        ("a: [1\n", "2:1: not YAML: a ',' or ']' is missing here"),
        (
            "a: b: c\n",
            "1:5: not YAML: a ':' that is out of place: put text with ': ' in it in quotes, or indent otherwise",
        ),
        ("a:\n\t- b\n", "2:1: not YAML: a tab: indent with spaces"),
        ("a: @b\n", "1:4: not YAML: text that begins with @ has to be in quotes"),
        ("a: %b\n", "1:4: not YAML: text that begins with % has to be in quotes"),
        ("a: ? b\n", "1:4: not YAML: a '?' that is out of place: put text that begins with '? ' in quotes"),
        ("a: - b\n", "1:4: not YAML: a '-' that is out of place: a list begins on a line of its own"),
        ("a: {b: c\nd: e}\n", "2:2: not YAML: a ',' or '}' is missing here"),
        ("a: [}\n", "1:5: not YAML: a value is missing here"),
        ("a: 'b' c\n", "1:8: not YAML: text after closing quotes: put all of it in quotes"),
        ("a:\n  b: c\n  d\ne: f\n", "3:3: not YAML: there is no ':' after this key"),
        ("a:\n  b: c\n d: e\n", "3:2: not YAML: this is indented otherwise than what it stands below"),
        ("a:\n  - b\n  c: d\n", "3:3: not YAML: this is indented otherwise than what it stands below"),
        ("a:\n  b: c\n  - d\n", "3:3: not YAML: a '-' that is out of place: indent it as the entry before"),
        ('a: "b\nc: d\n', "1:4: not YAML: the quotes that begin here do not end"),
        ("a: 'b\n---\nc: d\n", "1:4: not YAML: the quotes that begin here do not end"),
        ('a: "\\q"\n', "1:6: not YAML: '\\q' means nothing in double quotes: write '\\\\' for one \\"),
        ('a: "\\x1"\n', "1:7: not YAML: an escape of 2 hexadecimal digits is not complete"),
        ("a: |b\n", "1:5: not YAML: the rest of this line is out of place: what belongs to it begins on the next"),
        ("a: | b\n", "1:6: not YAML: the rest of this line is out of place: what belongs to it begins on the next"),
        ("  a: b\nc: d\n", "2:1: not YAML: this is indented less than what stands before it, or does not belong to it"),
        ("a: 1\nb: \x07\n", "2:4: not YAML: the character U+0007"),
        ("a: \ud800\n", "1:4: not YAML: the character U+D800"),
        ('a: "\\uD800"\n', "1:4: a NUL or half a character (a surrogate) in the text"),
        ("a: 1\nb: x\x85y\n", "2:5: the character U+0085 has to be an escape in double quotes"),
        ('a: "\u2028"\n', "1:5: the character U+2028 has to be an escape in double quotes"),
        ("a: \ufeff1\n", "1:4: the character U+FEFF has to be an escape in double quotes"),
        ('a: "\\0"\n', "1:4: a NUL or half a character (a surrogate) in the text"),
        ('a: "\\UFFFFFFFF"\n', "1:1: not YAML from here on: 'Python int too large to convert to C int'"),
        ('a: "\\U00110000"\n', "1:1: not YAML from here on: 'chr() arg not in range(0x110000)'"),
    ],
)
def test_value__not_one_document_of_plain_yaml_1_2__is_refused_at_its_place(text: str, problem: str) -> None:
    assert problem_of(text) == problem


@pytest.mark.parametrize("character", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_j11_value__text_that_editors_show_in_another_order__is_refused(character: str) -> None:
    shown = f"U+{ord(character):04X}"

    assert (
        problem_of(f"a: 1\nb: x{character}y # z\n")
        == f"2:5: the character {shown} has to be an escape in double quotes"
    )
    assert value_of(f'"\\u{ord(character):04X}"') == character


def test_h04_value__a_bomb_of_aliases__is_refused_where_it_grows() -> None:
    assert len(BOMB) < 600
    assert problem_of(BOMB) == "5:10: more than 10000 values in all files together, aliases written out"


def test_h04_value__aliases_that_nest__are_refused_by_their_depth() -> None:
    assert problem_of(NESTED_BOMB).endswith(": nested deeper than 40 levels")


def test_h04_value__a_hundred_aliases__are_the_most() -> None:
    text = "- &a x\n" + "- *a\n" * 100

    assert value_of(text) == ["x"] * 101
    assert problem_of(text + "- *a\n") == "102:3: more than 100 aliases"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_h04_value__nested_2000_times__is_refused(opening: str) -> None:
    assert problem_of(opening * 2_000).endswith(": nested deeper than 40 levels")


def test_h04_value__40_levels__are_the_most() -> None:
    value_of("[" * 39 + "x" + "]" * 39)

    assert problem_of("[" * 40 + "x" + "]" * 40) == "1:41: nested deeper than 40 levels"


def test_h04_value__10000_values__are_the_most() -> None:
    value_of("- x\n" * 9_999)

    assert problem_of("- x\n" * 10_000) == "10000:3: more than 10000 values in all files together, aliases written out"


def test_h04_value__a_quarter_of_a_megabyte__is_the_most() -> None:
    line = "# " + "x" * 997 + "\n"

    assert problem_of(line * 250) == "1:1: the file is empty"
    assert problem_of(line * 250 + "#") == "1:1: the file is larger than 250000 bytes"


def test_h04_value__a_very_long_line__is_refused() -> None:
    assert problem_of("a: 1\n# " + "x" * 20_000) == "2:1: a line of more than 20000 characters"


def test_h04_value__fifty_thousand_lines__are_the_most() -> None:
    assert problem_of("\n" * 49_999) == "1:1: the file is empty"
    assert problem_of("\n" * 50_000) == "1:1: the file has more than 50000 lines"


def test_h04_value__a_hundred_anchors__are_the_most() -> None:
    text = "".join(f"- &a{number} x\n" for number in range(100))

    assert value_of(text) == ["x"] * 100
    assert problem_of(text + "- &b x\n") == "101:3: more than 100 anchors"
