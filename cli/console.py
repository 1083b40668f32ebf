"""The terminal or files between which and a remote command bytes pass: as they are, or made plain for a terminal."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress

from moorage.streams import Channel, TerminalSize
from moorage.terminal_text import PlainStream

PIECE_BYTES = 16_384


class Console:
    """Standard input, output and error of this process, or what stands for them."""

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self._stdin = stdin
        self._outputs = {Channel.STDOUT: stdout, Channel.STDERR: stderr}
        self._plain = {channel: PlainStream() for channel, file in self._outputs.items() if os.isatty(file)}

    @property
    def has_terminal(self) -> bool:
        """Whether somebody types and reads here."""
        return os.isatty(self._stdin) and os.isatty(self._outputs[Channel.STDOUT])

    def size(self) -> TerminalSize:
        """Return how large the terminal is, or what a terminal usually has."""
        with suppress(OSError, ValueError):
            found = os.get_terminal_size(self._outputs[Channel.STDOUT])
            if found.columns and found.lines:
                return TerminalSize(min(found.columns, 10_000), min(found.lines, 10_000))
        return TerminalSize(80, 24)

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Let the remote side have every key and write what it likes; the terminal is as before when the block ends."""
        before = termios.tcgetattr(self._stdin)
        plain, self._plain = self._plain, {}
        try:
            tty.setraw(self._stdin)
            yield
        finally:
            self._plain = plain
            termios.tcsetattr(self._stdin, termios.TCSADRAIN, before)

    @contextmanager
    def telling_size(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell` whenever the terminal has another size."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, tell)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGWINCH)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the input to its end; nothing is taken before it is asked for.

        Raises:
            OSError: it can't be read, for instance as it is a directory.
        """
        os.fstat(self._stdin)  # where one that is closed would be waited for, not refused
        woken, wake = os.pipe()
        reading: asyncio.Future[bytes] | None = None
        try:
            while True:
                reading = asyncio.get_running_loop().run_in_executor(None, _read, self._stdin, woken)
                data = await asyncio.shield(reading)
                if not data:
                    return
                yield data
        finally:
            os.close(wake)
            if reading is not None:
                await asyncio.wait([reading])
            os.close(woken)

    async def write(self, channel: Channel, data: bytes) -> None:
        """Write what the remote command has written.

        Raises:
            OSError: it cannot be, for instance as nobody reads any more.
        """
        if channel in self._plain:
            data = self._plain[channel].feed(data).encode("utf-8", "replace")
        await asyncio.to_thread(_write, self._outputs[channel], data)

    async def finish(self) -> None:
        """Write what was held back of a character or sequence that never came to its end."""
        for channel, stream in self._plain.items():
            rest = stream.feed(b"", is_last=True).encode("utf-8", "replace")
            await asyncio.to_thread(_write, self._outputs[channel], rest)


def _read(file: int, woken: int) -> bytes:
    ready, _, _ = select.select([file, woken], [], [])
    if woken in ready:
        return b""
    try:
        return os.read(file, PIECE_BYTES)
    except OSError as error:
        if error.errno != errno.EIO:  # a terminal that is gone
            raise
        return b""


def _write(file: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(file, data) :]
        except BlockingIOError:  # somebody has made it so for a file that we share
            select.select([], [file], [])
