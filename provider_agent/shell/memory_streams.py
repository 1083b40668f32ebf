"""What containers write, and commands in them, without an engine: see memory_engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from moorage.streams import Source, TerminalSize
from provider_agent.core.log_frames import OutputLine
from provider_agent.shell.engine import EngineRefused, ExecSpec, LogRange

FIRST_TIME = 1_000_000_000


class Output:
    """All that one container has written."""

    def __init__(self, first: int = 0) -> None:
        """
        Args:
            first: how many lines others of its name have written before.
        """
        self._first = first
        self._lines: list[OutputLine] = []
        self._has_ended = False
        self._changed = asyncio.Event()

    def write(self, text: str, stream: Source) -> None:
        """Add a line; each is a nanosecond later than the one before."""
        number = FIRST_TIME + self._first + len(self._lines)
        self._lines.append(OutputLine(f"2026-01-01T00:00:00.{number % 10**9:09}Z", stream, text))
        self._change()

    @property
    def count(self) -> int:
        """How many lines it has."""
        return len(self._lines)

    def add(self, other: Output) -> None:
        """Add the lines of a container that came after it."""
        self._lines += other._lines

    def begin(self) -> None:
        self._has_ended = False

    def end(self) -> None:
        self._has_ended = True
        self._change()

    async def read(self, wanted: LogRange) -> AsyncGenerator[OutputLine, None]:
        """Yield what is wanted of it."""
        place = max(0, len(self._lines) - wanted.tail) if wanted.tail is not None else 0
        while True:
            changed = self._changed
            for line in self._lines[place:]:
                if wanted.since is None or line.time >= wanted.since:
                    yield line
                place += 1
            if place == len(self._lines):
                if self._has_ended or not wanted.is_following:
                    return
                await changed.wait()

    def _change(self) -> None:
        before, self._changed = self._changed, asyncio.Event()
        before.set()


def ended() -> Output:
    """Return what nobody writes to."""
    output = Output()
    output.end()
    return output


NOTHING = ended()


class MemoryExec:
    """A command that is a coroutine; see engine.Exec."""

    def __init__(self, spec: ExecSpec) -> None:
        self.spec = spec
        self.size: TerminalSize | None = spec.terminal
        self.problem: str | None = None
        self._input: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._output: asyncio.Queue[tuple[Source, bytes] | None] = asyncio.Queue(1)
        self._code: int | None = None

    async def run(self, program: Program) -> None:
        self._code = await program(self)
        await self._output.put(None)

    async def say(self, data: bytes, stream: Source = Source.STDOUT) -> None:
        """Write, as the command."""
        await self._output.put((stream, data))

    async def hear(self) -> bytes:
        """Return input, as the command; empty is its end."""
        return await self._input.get()

    async def read(self) -> tuple[Source, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        if self._code is None:
            await self._input.put(data)

    async def end_input(self) -> None:
        await self.write(b"")

    async def resize(self, size: TerminalSize) -> None:
        self.size = size

    async def exit_code(self) -> int:
        assert self._code is not None
        return self._code


Program = Callable[[MemoryExec], Awaitable[int]]


async def cat(exec_: MemoryExec) -> int:
    """Write what is read."""
    while data := await exec_.hear():
        await exec_.say(data)
    return 0


@asynccontextmanager
async def running_exec(programs: Mapping[str, Program], spec: ExecSpec) -> AsyncIterator[MemoryExec]:
    """Run a command while the block runs.

    Raises:
        EngineRefused: there is no such program.
    """
    program = programs.get(spec.command[0])
    if program is None:
        raise EngineRefused(f"{spec.command[0]}: not found")
    running = MemoryExec(spec)
    task = asyncio.create_task(running.run(program))
    try:
        yield running
    finally:
        task.cancel()
