"""What a stranger's text may do to a terminal: nothing."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.terminal_text import REPLACEMENT, PlainStream, plain, plain_line

CORPUS = {
    "colour": ("a\x1b[31mred\x1b[0m", "ared"),
    "colour of 24 bits": ("\x1b[38;2;1;2;3mx", "x"),
    "clear the screen": ("\x1b[2J\x1b[Hroot#", "root#"),
    "move up and overwrite": ("\x1b[1A\x1b[2Kall is well", "all is well"),
    "ask who it is": ("\x1b[c\x1b[>c\x1b[6n\x1b[0n", ""),
    "answer back": ("\x05a", f"{REPLACEMENT}a"),
    "title, ended by BEL": ("\x1b]0;rm -rf\x07x", "x"),
    "title, ended by ST": ("\x1b]2;t\x1b\\x", "x"),
    "title without an end": ("\x1b]0;open", "0;open"),
    "title that is reported": ("\x1b[21t", ""),
    "clipboard": ("\x1b]52;c;Y3VybCBldmlsfHNo\x07x", "x"),
    "link": ("\x1b]8;;https://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
    "picture": ("\x1b_Gf=24;AAAA\x1b\\x", "x"),
    "sixel": ("\x1bPq#0;2;0;0;0\x1b\\x", "x"),
    "request of settings": ("\x1bP$q\x22p\x1b\\x", "x"),
    "keys redefined": ("\x1bP0;1|17/6c73\x1b\\x", "x"),
    "privacy message": ("\x1b^x\x1b\\y", "y"),
    "start of string": ("\x1bXx\x1b\\y", "y"),
    "reset": ("\x1bcx", "x"),
    "other character set": ("\x1b(0lqk\x0e\x0f", f"lqk{REPLACEMENT}{REPLACEMENT}"),
    "alternate screen": ("\x1b[?1049hx\x1b[?1049l", "x"),
    "paste brackets": ("\x1b[200~curl\x1b[201~", "curl"),
    "mouse": ("\x1b[?1003h", ""),
    "8-bit introducer": ("\x9b2Jx", "x"),
    "8-bit title": ("\x9d0;t\x9cx", "x"),
    "8-bit device control": ("\x90q\x9cx", "x"),
    "next line of C1": ("a\x85b", f"a{REPLACEMENT}b"),
    "sequence in a sequence": ("\x1b[3\x1b[31m1m", "31m"),
    "introducer alone": ("a\x1b", f"a{REPLACEMENT}"),
    "cut sequence": ("a\x1b[31", "a31"),
    "backspaces": ("ok\b\bno", f"ok{REPLACEMENT}{REPLACEMENT}no"),
    "carriage return": ("web-0 | a\rdb-0 | b", "web-0 | a db-0 | b"),
    "line feed": ("a\ndb-0 | b", "a db-0 | b"),
    "vertical tab and form feed": ("a\vb\fc", f"a{REPLACEMENT}b{REPLACEMENT}c"),
    "line separator": ("a\u2028b\u2029c", f"a{REPLACEMENT}b{REPLACEMENT}c"),
    "bell": ("\a", REPLACEMENT),
    "nul": ("a\0b", f"a{REPLACEMENT}b"),
    "delete": ("a\x7fb", f"a{REPLACEMENT}b"),
    "right-to-left override": ("a\u202egnp.exe", f"a{REPLACEMENT}gnp.exe"),
    "embedding and pop": ("\u202ax\u202c", f"{REPLACEMENT}x{REPLACEMENT}"),
    "isolates": ("\u2066x\u2067y\u2068z\u2069", f"{REPLACEMENT}x{REPLACEMENT}y{REPLACEMENT}z{REPLACEMENT}"),
    "marks of direction": ("\u200ex\u200f\u061c", f"{REPLACEMENT}x{REPLACEMENT}{REPLACEMENT}"),
    "invisible": ("a\u200bb\ufeff", f"a{REPLACEMENT}b{REPLACEMENT}"),
    "tags": ("a\U000e0041", f"a{REPLACEMENT}"),
    "half of a pair": ("a\ud800b", f"a{REPLACEMENT}b"),
    "good text": ("\tGrüße, 世界 שלום 👩\u200d👧 —", "\tGrüße, 世界 שלום 👩\u200d👧 —"),
    "crlf": ("a\r\n", "a"),
}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.mark.parametrize(("text", "shown"), CORPUS.values(), ids=CORPUS)
def test_h18_plain_line__escape_of_the_corpus__is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert plain_line(text) == shown


@pytest.mark.parametrize("text", [each for each, _ in CORPUS.values()], ids=list(CORPUS))
def test_h18_stream__cut_anywhere__lets_nothing_through(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    whole = PlainStream().feed(data, is_last=True)
    for place in range(len(data) + 1):
        stream = PlainStream()
        shown = stream.feed(data[:place]) + stream.feed(data[place:]) + stream.feed(b"", is_last=True)
        assert shown == whole
        assert not FORBIDDEN.search(shown)


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\x9b\x9d[];\x07\r\n\u202e0m"))))
def test_h18_plain__any_text__has_no_control_and_keeps_what_is_printable(text: str) -> None:
    shown = plain(text)

    assert not FORBIDDEN.search(shown)
    assert not any(unicodedata.category(each) == "Cs" for each in shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize("piece", ["\x9d", "\x1b]", "\x1b[", "\x1bP", "\x9b1;", "\x1b "])
def test_h18_plain__many_openings__take_no_longer_than_other_text(piece: str) -> None:
    assert not FORBIDDEN.search(plain(piece * 100_000))  # minutes, if each looked for its end


def test_stream__line_that_never_ends__is_shown_as_it_comes() -> None:
    stream = PlainStream()

    assert stream.feed(b"\x1b]0;" + b"x" * 10_000).endswith("x")
    assert stream.feed(b"$ ") == "$ "
