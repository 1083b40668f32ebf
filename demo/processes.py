"""Programs that run beside the demo: each in a session of its own, its output in a file, ended by pid."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

END_SECONDS = 10.0


class DemoFailed(Exception):
    """The demo cannot go on; the message says what happened and where to look."""


@dataclass(slots=True)
class Processes:
    """Everything that was started, by name."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start a program that goes on beside us."""
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(part) for part in command],
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

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.running.items()}

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


def end_pids(pids: Mapping[str, int]) -> None:
    """End programs of an earlier run."""
    for pid in pids.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


async def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None, what: str = ""
) -> str:
    """Run a program to its end and return its output.

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
    )
    output = (await process.communicate())[0].decode(errors="replace")
    if process.returncode != 0:
        raise DemoFailed(f"{what or command[0]} failed with code {process.returncode}:\n{output.strip()[-2000:]}")
    return output
