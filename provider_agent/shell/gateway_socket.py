"""Talks to a gateway's HAProxy through the sockets that it keeps in the lease's directory."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from provider_agent.core.gateway_container import ADMIN_SOCKET, MASTER_SOCKET

ANSWER_SECONDS = 5
ASK_AGAIN_SECONDS = 0.02
MAX_ANSWER_BYTES = 1 << 24


class GatewaySilent(Exception):
    """The gateway does not run, or does not answer in time."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection through a worker."""

    address: str
    """By which HAProxy knows it."""
    section: str
    server: str
    """Both as the configuration calls them; empty: none yet."""


@dataclass(frozen=True, slots=True)
class GatewaySocket:
    directory: Path
    """Where the sockets are, on this host."""

    async def digest(self) -> str:
        """Return what the worker that takes new connections says that it runs.

        Raises:
            GatewaySilent
        """
        found = re.search("^description: (.*)$", await self.ask("show info"), re.MULTILINE)
        return found[1].strip() if found is not None else ""

    async def statistics(self) -> str:
        return await self.ask("show stat")

    async def replace(self, kind: str, path: str, content: bytes) -> None:
        """Exchange a credential that the worker has, without a reload.

        Args:
            kind: `cert` (key and chain) or `ca-file` (roots).
            path: as the configuration names it.

        Raises:
            GatewaySilent: also when it does not take it.
        """
        lines = [line for line in content.decode().splitlines() if line.strip()]  # an empty one ends the payload
        await self.ask(f"set ssl {kind} {path} <<\n" + "\n".join(lines) + "\n")
        answer = await self.ask(f"commit ssl {kind} {path}")
        if "Success" not in answer:
            await self.ask(f"abort ssl {kind} {path}")
            raise GatewaySilent(f"the gateway did not take {path}: {answer.strip()[:200]}")

    async def close_server(self, section: str, server: str) -> None:
        """Let no new connection go to a server; that it is not there is success."""
        await self.ask(f"set server {section}/{server} state maint")

    async def open_server(self, section: str, server: str) -> None:
        """Take back what `close_server` did."""
        await self.ask(f"set server {section}/{server} state ready")

    async def reload(self) -> None:
        """Have the configuration read anew; a worker that cannot be made with it leaves the one that is."""
        with suppress(GatewaySilent):  # the master goes away to come back as a new process
            await self._exchange("reload", MASTER_SOCKET)

    async def workers(self, *, old_only: bool = False) -> Sequence[str]:
        """Return the process ids of the workers; the old ones only keep connections of earlier configurations."""
        answer = await self._ask_master("show proc")
        listed = answer.partition("# old workers")[2] if old_only else answer
        return re.findall(r"^(\d+)\s+worker", listed, re.MULTILINE)

    async def sessions(self, worker: str) -> Sequence[Session]:
        answer = await self._ask_master(f"@!{worker} show sess")
        return list(map(_session, re.findall(r"^0x\S+: .*$", answer, re.MULTILINE)))

    async def cut(self, worker: str, session: Session) -> None:
        await self._ask_master(f"@!{worker} shutdown session {session.address}")

    async def ask(self, command: str) -> str:
        """Return a worker's answer to a command.

        Raises:
            GatewaySilent: there is none.
        """
        return await self._exchange(command, ADMIN_SOCKET)

    async def _ask_master(self, command: str) -> str:
        """Return the master's answer; after a start and a reload it goes away for a moment, as a new process."""
        deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while True:
            try:
                return await self._exchange(command, MASTER_SOCKET)
            except GatewaySilent:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _exchange(self, command: str, name: str) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                with _short_path(self.directory, name) as path:
                    reader, writer = await asyncio.open_unix_connection(path, limit=MAX_ANSWER_BYTES)
                try:
                    writer.write(command.encode() + b"\n")
                    writer.write_eof()
                    return (await reader.read(MAX_ANSWER_BYTES)).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise GatewaySilent(f"the gateway does not answer: {error}") from error


@contextmanager
def _short_path(directory: Path, name: str) -> Iterator[str]:
    """Give a path of a socket that is not longer than the 107 bytes that the kernel takes."""
    opened = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)


def _session(line: str) -> Session:
    fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
    section, server = (fields.get(key, "").removeprefix("<NONE>").removeprefix("<none>") for key in ("be", "srv"))
    return Session(line.split(":", 1)[0], section, server)
