"""Says in words for people what the parser says in words about itself, and where to look."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError, StringMark

_UNCLOSED = re.compile("quoted scalar")
_NEXT_LINE = "the rest of this line is out of place: what belongs to it begins on the next"
_WORDS = (
    (r"found character '\\t' that", "a tab: indent with spaces"),
    (r"found character '(?P<a>.)' that", "text that begins with {a} has to be in quotes"),
    ("mapping values are not", "a ':' that is out of place: put text with ': ' in it in quotes, or indent otherwise"),
    ("mapping keys are not", "a '?' that is out of place: put text that begins with '? ' in quotes"),
    ("sequence entries are not", "a '-' that is out of place: a list begins on a line of its own"),
    ("could not find expected ':'", "there is no ':' after this key"),
    ("expected <block end>, but found '-'", "a '-' that is out of place: indent it as the entry before"),
    ("expected <block end>, but found '<scalar>'", "text after closing quotes: put all of it in quotes"),
    ("expected <block end>", "this is indented otherwise than what it stands below"),
    (r"expected ',' or '(?P<a>[]}])'", "a ',' or '{a}' is missing here"),
    ("expected the node content", "a value is missing here"),
    ("found unexpected end of stream", "the quotes that begin here do not end"),
    ("found unexpected document separator", "the quotes that begin here do not end"),
    (r"found unknown escape character '(?P<a>.+)'", "'\\{a}' means nothing in double quotes: write '\\\\' for one \\"),
    (r"expected escape sequence of (?P<a>\d+)", "an escape of {a} hexadecimal digits is not complete"),
    ("expected a comment or a line break", _NEXT_LINE),
    ("expected chomping", _NEXT_LINE),
    ("expected '<document start>'", "this is indented less than what stands before it, or does not belong to it"),
)  # fmt: skip
"""What the parser says -> what that means."""


def explained(error: MarkedYAMLError) -> tuple[str, StringMark | None]:
    """Return what is wrong with a text that is not YAML, and where to look."""
    said = str(error.problem or error.context)
    mark = error.problem_mark or error.context_mark
    if "could not find" in said or (_UNCLOSED.search(error.context or "") and "unexpected" in said):
        mark = error.context_mark or mark  # where it begins, not where the file ends
    for pattern, words in _WORDS:
        if found := re.match(pattern, said):
            return words.format(**found.groupdict()), mark
    return said, mark
