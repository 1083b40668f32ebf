"""What containers write, and commands in them, on a Docker engine (Docker Engine API 1.41)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from http import HTTPStatus

import aiodocker
import aiohttp
import structlog
from aiodocker.execs import Exec as DockerExec
from aiodocker.stream import Stream

from moorage.streams import Source, TerminalSize
from provider_agent.core.lease_streams import NOT_STARTED, not_started
from provider_agent.core.log_frames import SOURCES, BrokenFrames, FrameReader, OutputLine
from provider_agent.shell.docker_calls import answering, why_no_engine
from provider_agent.shell.docker_config import Json
from provider_agent.shell.engine import EngineRefused, EngineUnavailable, ExecSpec, LogRange

MARK = "MOORAGE_EXEC"
"""In the environment of a command and of all that it starts: by it they are found again."""
SIGNAL_SCRIPT = """
for process in /proc/[0-9]*; do
  while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in *"$2"*) kill -s "$1" "${process#/proc/}"; break ;; esac
  done <"$process/environ"
  line=
done 2>/dev/null
"""
"""Sends a signal to all processes with a mark, in words that every shell knows; the engine has no call for it."""
HANG_UP_SECONDS = 2.0
"""What a command has to finish when nobody is there any more, and what it may take to end when it is killed."""
KILLS = 10
"""How often a command is killed that goes on: a busy engine may start it only after it was killed."""
LOOK_SECONDS = 0.1
EXIT_LOOKS = 50
"""How often it is asked how a command has ended; the engine knows it a little later than the end of its output."""

log = structlog.get_logger(__name__)


async def read_logs(
    docker: aiodocker.Docker, container: str, wanted: LogRange, seconds: int, reader: FrameReader
) -> AsyncGenerator[OutputLine, None]:
    """Yield the lines of a container's log; a reader who is slow slows the engine down, and nobody else.

    Args:
        seconds: the engine has to answer.
        reader: a new one.

    Raises:
        EngineUnavailable: it does not, or breaks off.
    """
    params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": str(int(wanted.is_following))}
    if wanted.tail is not None:
        params["tail"] = str(wanted.tail)
    if wanted.since is not None:
        params["since"] = _unix_time(wanted.since)
    response = None
    try:
        async with answering(seconds):
            response = await docker._do_query(
                f"containers/{container}/logs", "GET", params=params, timeout=aiohttp.ClientTimeout(total=None)
            )
        async for chunk in response.content.iter_any():
            for line in reader.feed(chunk):
                yield line
    except (aiohttp.ClientError, OSError, BrokenFrames) as error:
        raise EngineUnavailable(f"the engine's log broke off: {why_no_engine(error)}") from error
    finally:
        if response is not None:
            response.close()


@asynccontextmanager
async def running_exec(
    docker: aiodocker.Docker, container: str, spec: ExecSpec, seconds: int
) -> AsyncIterator[RunningExec]:
    """Run a command in a container while the block runs.

    Args:
        container: its id.
        seconds: the engine has to answer.

    Raises:
        EngineUnavailable
        aiodocker.DockerError: the engine does not start it.
    """
    mark = f"{MARK}={secrets.token_hex(16)}"
    async with answering(seconds):
        created = await docker.containers.container(container).exec(
            list(spec.command),
            stdin=spec.has_input,
            tty=spec.terminal is not None,
            environment=[mark],
        )
    running = RunningExec(docker, container, created, mark, seconds, spec.command[0])
    try:
        await running.begin()
        if spec.terminal is not None:
            await running.resize(spec.terminal)
        yield running
    finally:
        await asyncio.shield(asyncio.ensure_future(running.end()))


class RunningExec:
    """See engine.Exec."""

    def __init__(
        self, docker: aiodocker.Docker, container: str, created: DockerExec, mark: str, seconds: int, command: str
    ) -> None:
        self._docker = docker
        self._container = container
        self._exec = created
        self._stream: Stream = created.start(detach=False)
        self._mark = mark
        self._seconds = seconds
        self._command = command
        self._not_started: tuple[int, str] | None = None
        self._held: tuple[Source, bytes] | None = None

    @property
    def problem(self) -> str | None:
        return self._not_started[1] if self._not_started is not None else None

    async def begin(self) -> None:
        """Start it. Whether the engine does so is not known before it has answered, which nobody may wait for.

        Raises:
            EngineUnavailable
            aiodocker.DockerError: the engine does not start it.
        """
        async with answering(self._seconds):
            await self._stream._init()

    async def read(self) -> tuple[Source, bytes] | None:
        """Return the next output; None at its end. What the engine says of a command that never ran is no output.

        A command's first words may be here before the engine knows its number, so whether it ran is certain only when
        it has ended and the engine has nothing more to say.

        Raises:
            EngineUnavailable
        """
        if self._held is not None:
            held, self._held = self._held, None
            return held
        output = await self._next()
        if output is None or not output[1].startswith(NOT_STARTED) or await self._may_have_run():
            return output
        self._held = await self._next()
        if self._held is not None or await self._may_have_run():
            return output
        self._not_started = not_started(output[1], self._command)
        return None

    async def write(self, data: bytes) -> None:
        with suppress(RuntimeError, AssertionError, aiohttp.ClientError, OSError):  # it has ended; `read` tells how
            await self._stream.write_in(data)

    async def end_input(self) -> None:
        connection = self._stream._resp.connection if self._stream._resp is not None else None
        if connection is not None and connection.transport is not None and connection.transport.can_write_eof():
            with suppress(OSError):
                connection.transport.write_eof()

    async def resize(self, size: TerminalSize) -> None:
        with suppress(aiodocker.DockerError):  # it has ended, or has not begun
            async with answering(self._seconds):
                await self._exec.resize(h=size.rows, w=size.columns)

    async def exit_code(self) -> int:
        for _ in range(EXIT_LOOKS):
            code = await self._code()
            if code is not None:
                return self._not_started[0] if self._not_started is not None else code
            await asyncio.sleep(LOOK_SECONDS)
        raise EngineUnavailable("the engine does not tell how the command has ended")

    async def end(self) -> None:
        """Hang up as a terminal does, and end what does not end by that; failures are ours to know alone."""
        try:
            if await self._code() is None:
                await self._signal("HUP")
                for _ in range(KILLS):
                    if await self._ends():
                        break
                    await self._signal("KILL")
        except (EngineUnavailable, EngineRefused, aiodocker.DockerError) as error:
            log.warning("command in a container not ended", container=self._container, reason=str(error))
        finally:
            with suppress(AssertionError, aiohttp.ClientError, OSError):
                await self._stream.close()

    async def _ends(self) -> bool:
        """Return whether the command ends soon."""
        for _ in range(int(HANG_UP_SECONDS / LOOK_SECONDS)):
            if await self._code() is not None:
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def _next(self) -> tuple[Source, bytes] | None:
        try:
            message = await self._stream.read_out()
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailable(f"the engine broke off: {why_no_engine(error)}") from error
        return (SOURCES.get(message.stream, Source.STDOUT), message.data) if message is not None else None

    async def _may_have_run(self) -> bool:
        found = await self._inspect()
        return bool(found["Running"]) or found.get("Pid") != NEVER_RAN

    async def _code(self) -> int | None:
        """Return how it has ended; None: it runs, or is about to."""
        found = await self._inspect()
        return int(found["ExitCode"]) if not found["Running"] and found["ExitCode"] is not None else None

    async def _signal(self, name: str) -> None:
        """Send a signal to the command and to all that it has started, and wait until it is sent."""
        async with answering(self._seconds):
            sender = await self._docker.containers.container(self._container).exec(
                ["/bin/sh", "-c", SIGNAL_SCRIPT, "sh", name, self._mark]
            )
            async with sender.start(detach=False) as sending:
                while await sending.read_out() is not None:
                    pass

    async def _inspect(self) -> Json:
        try:
            async with answering(self._seconds):
                return dict(await self._exec.inspect())
        except aiodocker.DockerError as error:
            if error.status == HTTPStatus.NOT_FOUND:  # the container has gone, and the command with it
                return {"Running": False, "ExitCode": KILLED}
            raise EngineUnavailable(error.message) from error


NEVER_RAN = 0
"""The number of the process of a command that the engine could not start; whatever else wrote has had another."""
KILLED = 137
"""The exit code of what SIGKILL has ended, by convention."""


def _unix_time(text: str) -> str:
    """Return a moorage.streams.TIME as the engine wants it: seconds and nanoseconds."""
    moment = datetime.fromisoformat(text[:19] + "+00:00")
    return f"{int(moment.timestamp())}.{text[20:29]}"
