"""The tenant's terminal while a remote command has it, on a real terminal of the kernel's."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest

from cli.console import Console
from moorage.streams import Channel, TerminalSize

EVIL = b"a\x1b]0;title\x07\x1b[31mb\xc3"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read(terminal: int, size: int) -> bytes:
    """Return what a terminal shows next; it may come in pieces."""
    shown = b""
    while len(shown) < size:
        shown += os.read(terminal, 100)
    return shown


async def test_h18_console__terminal__gets_plain_text_and_what_it_likes_only_while_raw(
    terminal: tuple[int, int],
) -> None:
    ours, theirs = terminal
    console = Console(theirs, theirs, theirs)
    before = termios.tcgetattr(theirs)

    await console.write(Channel.STDOUT, EVIL)
    await console.write(Channel.STDOUT, b"\xa9")
    assert read(ours, 4) == "abé".encode()
    with pytest.raises(RuntimeError), console.raw():
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        await console.write(Channel.STDOUT, EVIL)
        assert read(ours, len(EVIL)) == EVIL
        raise RuntimeError

    assert termios.tcgetattr(theirs) == before
    await console.write(Channel.STDERR, EVIL)
    await console.finish()
    assert read(ours, 5) == "ab\N{REPLACEMENT CHARACTER}".encode()


async def test_console__pipe__gets_every_byte() -> None:
    there, here = os.pipe()
    console = Console(0, here, here)

    await console.write(Channel.STDOUT, EVIL)

    assert os.read(there, 100) == EVIL
    assert not console.has_terminal
    os.close(here)
    os.close(there)


async def test_console__size__is_the_terminals_or_the_usual(terminal: tuple[int, int]) -> None:
    _, theirs = terminal
    assert Console(theirs, theirs, theirs).size() == TerminalSize(80, 24)

    termios.tcsetwinsize(theirs, (33, 101))

    assert Console(theirs, theirs, theirs).size() == TerminalSize(101, 33)
    assert Console(theirs, theirs, theirs).has_terminal


async def test_console__input__comes_to_its_end_and_can_be_left() -> None:
    there, here = os.pipe()
    pieces = Console(there, 1, 2).pieces()
    os.write(here, b"one")
    assert await anext(pieces) == b"one"

    waiting = asyncio.create_task(anext(pieces, None))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.done()

    os.write(here, b"two")
    os.close(here)
    assert [each async for each in Console(there, 1, 2).pieces()] == [b"two"]
    os.close(there)
