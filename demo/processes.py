"""Programs that run beside the demo: each in a session of its own, its output in a file, ended by pid."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""What stands before a command that is not to outlive us, not even if we are killed (setpriv(1))."""
END_SECONDS = 10.0
POLL_SECONDS = 0.1
MAX_SHOWN = 10_000
"""Characters of what a failed program has printed."""


class DemoFailed(Exception):
    """The demo cannot go on; the message says what happened and where to look."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A process that can be told from a later one with the same pid."""

    pid: int
    started_ticks: int
    """Clock ticks from the boot to its start: field 22 of /proc/<pid>/stat (proc(5))."""

    @property
    def is_running(self) -> bool:
        return started_ticks(self.pid) == self.started_ticks

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process, and never to another that has its pid now."""
        if self.is_running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(slots=True)
class Processes:
    """Everything that was started, by name."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    """What stands before each command."""

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start a program that goes on beside us."""
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*self.before, *(str(part) for part in command)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """Return where the output of a program is."""
        return self.folder / f"{name}.log"

    def check(self) -> None:
        """Raise if a program has ended that should not have.

        Raises:
            DemoFailed: one has.
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                tail = self.log(name).read_text(errors="replace").strip().splitlines()[-3:]
                raise DemoFailed(f"{name} has ended with code {process.returncode}: {' / '.join(tail)}")

    def kill(self, name: str) -> int:
        """End a program as a power cut would, and return its pid."""
        process = self.running.pop(name)
        process.kill()
        process.wait()
        return process.pid

    def remembered(self) -> dict[str, Remembered]:
        """Return by name what still runs, so that a later run can end it."""
        ticks = {name: (process.pid, started_ticks(process.pid)) for name, process in self.running.items()}
        return {name: Remembered(pid, started) for name, (pid, started) in ticks.items() if started is not None}

    async def end(self) -> None:
        """End all programs, the last first."""
        for name in reversed(list(self.running)):
            process = self.running.pop(name)
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(process.wait), END_SECONDS)
            if process.poll() is None:
                process.kill()
                process.wait()


def started_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the boot; None if there is none, or only its exit code."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name in field 2 may hold spaces and brackets: fields are counted from behind it, with the state as field 3
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


async def end_remembered(processes: Sequence[Remembered], seconds: float = END_SECONDS) -> None:
    """End processes of an earlier run and wait until they are gone.

    Args:
        seconds: how long they may take after SIGTERM, and again after SIGKILL.

    Raises:
        DemoFailed: one cannot be ended.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            process.signal(number)
        await _until_gone(processes, seconds)
    if left := [str(process.pid) for process in processes if process.is_running]:
        raise DemoFailed(f"still running after SIGKILL: pid {', '.join(left)}")


async def _until_gone(processes: Sequence[Remembered], seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(process.is_running for process in processes):
        if time.monotonic() > until:
            return
        await asyncio.sleep(POLL_SECONDS)


async def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None, what: str = ""
) -> str:
    """Run a program to its end and return its output; if we are interrupted, it ends with all that it has started.

    Raises:
        DemoFailed: it did not succeed.
    """
    process = await asyncio.create_subprocess_exec(
        *[str(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = (await process.communicate())[0].decode(errors="replace")
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode != 0:
        raise DemoFailed(f"{what or command[0]} failed with code {process.returncode}:\n{output.strip()[-MAX_SHOWN:]}")
    return output
