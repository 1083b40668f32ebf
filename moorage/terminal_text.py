"""Takes from a stranger's text what could drive a terminal: escape sequences, control characters, changes of direction.

ECMA-48 has the sequences; the introducers of C1 exist as single characters, too. Whatever is left of a sequence that
is not whole is text: without its introducer it does nothing.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from moorage.told import REPLACEMENT

LONGEST_SEQUENCE = 256
"""So much of the end of a text may be held back because a sequence may go on."""

_OPENED = r"(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\n\x1b\x80-\x9f]*"
"""DCS, OSC, SOS, PM and APC with what they say; never beyond a line, or into the next sequence."""
_STRING = rf"{_OPENED}(?:\x07|\x1b\\|\x9c)"
_CONTROL = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
_ESCAPE = r"\x1b[ -/]*[0-~]"
_SEQUENCE = re.compile(f"{_STRING}|{_CONTROL}|{_ESCAPE}")
_UNFINISHED = re.compile(rf"(?:{_OPENED}\x1b?|(?:\x1b\[|\x9b)[0-?]*[ -/]*|\x1b[ -/]*|\r)\Z")
_HARMLESS = frozenset("\t\n")
_NEVER = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, formats (all that changes direction among them), surrogates and separators."""
_JOINERS = frozenset("\u200c\u200d\u00ad")
"""Formats that words and pictures of many languages are made with."""


def plain(text: str) -> str:
    """Return text that a terminal shows and does not obey; tabs and line breaks stay, a lone \\r becomes a break."""
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return "".join(character if _is_harmless(character) else REPLACEMENT for character in text)


def plain_line(text: str) -> str:
    """Return one line of such text: it can neither begin another nor overwrite itself."""
    return plain(text.rstrip("\r\n")).replace("\n", " ")


def _is_harmless(character: str) -> bool:
    if character.isprintable() or character in _HARMLESS or character in _JOINERS:
        return True
    return unicodedata.category(character) not in _NEVER


class PlainStream:
    """Makes bytes plain as they come; a sequence or a character may begin in one piece and end in another."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, is_last: bool = False) -> str:
        """Return what can be shown now."""
        text = self._held + self._decoder.decode(data, is_last)
        found = None if is_last else _UNFINISHED.search(text, max(0, len(text) - LONGEST_SEQUENCE))
        end = found.start() if found is not None else len(text)
        self._held = text[end:]
        return plain(text[:end])
