"""`moorage logs` and `moorage exec` against an agent with real containers, from a terminal and from none."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.failures import ExitStatus
from moorage.types import DeploymentId, Lease
from tests.cli_runner import Person, person
from tests.datacenters import ROOT, Site, make_manifest, open_site

pytestmark = pytest.mark.timeout(400)
PATIENCE_SECONDS = 60
TALK = 'echo "started \033[31mred\033[0m"; echo problem >&2; trap "exit 7" USR1; while :; do /bin/sleep 0.05; done'


@dataclass(frozen=True)
class World:
    site: Site
    tenant: Person
    deployment: DeploymentId
    lease: Lease

    @property
    def which(self) -> tuple[str, ...]:
        return ("--deployment", self.deployment.hex())

    async def container(self) -> str:
        (found,) = await self.site.running(self.lease.id)
        return str(found["Id"])

    async def processes(self) -> str:
        listed = await self.site.docker._query_json(f"containers/{await self.container()}/top")
        return "\n".join(" ".join(each) for each in listed["Processes"])

    async def until_runs(self, words: str, *, is_there: bool = True) -> None:
        for _ in range(600):
            if (words in await self.processes()) is is_there:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{words}: {await self.processes()}")

    async def until_written(self, lines: int) -> list[str]:
        """Return what `logs` shows, sorted, once it is that much; first a container runs, then it writes."""
        for _ in range(600):
            shown = await self.tenant.does("logs", *self.which)
            assert shown.status == 0, shown
            if len(written := sorted(shown.out.splitlines())) >= lines:
                break
            await asyncio.sleep(0.1)
        return written

    def start(self, *arguments: str, **files: int) -> subprocess.Popen[bytes]:
        """Start the program in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **{k: v for k, v in self.tenant.variables.items() if v}},
            **files,
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_site(tmp_path) as site:
        site.start_facilitator()
        site.start_agent()
        body = make_manifest(command=("/bin/sh", "-c", TALK))
        deployment = await site.submit(body)
        lease = await site.lease(deployment)
        await site.deliver(lease.id, body)
        await site.running(lease.id)
        key, market = site.write_key("tenant", 1), site.folder / "market.json"
        tenant = person(tmp_path, RPC=site.chain.url, KEY_FILE=str(key), MARKET=str(market))
        yield World(site, tenant, deployment, lease)


async def test_h18_streams__on_a_real_provider__are_the_workloads_own(world: World) -> None:
    which = world.which

    assert await world.until_written(2) == ["problem", "started red"]
    (told,) = (await world.tenant.does("logs", "--tail", "1", "-o", "json", *which)).events
    assert (told["workload"], told["replica"], told["datacenter"]) == ("web", 0, "dock")
    raw = (await world.tenant.does("logs", "--since", "1h", "-o", "json", *which)).events
    assert "started \x1b[31mred\x1b[0m" in [each["text"] for each in raw]

    absent = await world.tenant.does("logs", "--replica", "3", *which)
    assert (absent.status, absent.out) == (ExitStatus.AGENT, "")
    assert absent.err.endswith(": there is no replica 3 now, but 0\n")

    # exec: streams apart, input to its end, exit codes
    done = world.start("exec", *which, "web", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 42", **PIPES)
    assert await asyncio.to_thread(done.communicate) == (b"out\n", b"err\n")
    assert done.returncode == 42
    done = world.start("exec", "-i", *which, "web", "/bin/cat", **PIPES)
    data = bytes(range(256)) * 2_000
    assert await asyncio.to_thread(done.communicate, data) == (data, b"")
    assert done.returncode == 0
    done = world.start("exec", *which, "web", "nosuch", **PIPES)
    said = b"moorage: the command nosuch was not found in the container\n"
    assert (await asyncio.to_thread(done.communicate), done.returncode) == ((b"", said), 127)
    absent = await world.tenant.does("exec", *which, "--replica", "3", "web", "/bin/cat")
    assert (absent.status, absent.err.count("\n")) == (ExitStatus.NOT_RUN, 1)
    assert "no replica 3" in absent.err

    # Ctrl-C, and the container has nothing left of it
    command = world.start("exec", *which, "web", "/bin/sleep", "4321", **PIPES)
    await world.until_runs("4321")
    command.send_signal(signal.SIGINT)
    _, error = await asyncio.to_thread(command.communicate)
    assert (command.returncode, error.strip()) == (ExitStatus.ABORTED, b"moorage: aborted")
    await world.until_runs("4321", is_there=False)

    await terminal(world)


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


async def terminal(world: World) -> None:
    """A shell on a terminal: keys go there, sizes too, and the terminal is as it was at every end."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (33, 101))
    before = termios.tcgetattr(theirs)
    files = {"stdin": theirs, "stdout": theirs, "stderr": theirs}

    shell = world.start("exec", "-it", *world.which, "web", "/bin/sh", **files)
    await answer(ours, b"# ")
    os.write(ours, b"echo a\x1b[0mb $((40+2))\n")
    assert b"\x1b[0mb 42" in await answer(ours, b"b 42\r\n")  # as it is: this is a terminal's business
    os.write(ours, b"exit 5\n")
    assert await asyncio.to_thread(shell.wait, PATIENCE_SECONDS) == 5
    assert termios.tcgetattr(theirs) == before

    script = "trap 'echo larger' WINCH; echo begun; while :; do /bin/sleep 0.05; done; : 4322"
    shell = world.start("exec", "-it", *world.which, "web", "/bin/sh", "-c", script, **files)
    await answer(ours, b"begun")
    termios.tcsetwinsize(theirs, (20, 70))
    shell.send_signal(signal.SIGWINCH)
    await answer(ours, b"larger")
    shell.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(shell.wait, PATIENCE_SECONDS) == ExitStatus.ABORTED
    assert termios.tcgetattr(theirs) == before
    await world.until_runs("4322", is_there=False)

    plain = world.start("exec", *world.which, "web", "/bin/sh", "-c", "printf 'x\\033]0;t\\007\\033[2Jy\\n'", **files)
    assert (await answer(ours, b"y\r\n")).endswith(b"aborted\r\nxy\r\n")
    assert await asyncio.to_thread(plain.wait, PATIENCE_SECONDS) == 0
    os.close(ours)
    os.close(theirs)


async def answer(terminal: int, end: bytes) -> bytes:
    written = b""
    while end not in written:
        written += await asyncio.wait_for(asyncio.to_thread(os.read, terminal, 65_536), PATIENCE_SECONDS)
    return written


@pytest.mark.long
async def test_logs__followed_over_crashes_of_container_and_agent__goes_on_to_the_end(world: World) -> None:
    following = world.start("logs", "-f", "--tail", "1", *world.which, "-o", "json", **PIPES)
    try:
        assert (await told(following))["workload"] == "web"
        await crash(world)
        assert {(await told(following))["text"] for _ in range(2)} == {"started \x1b[31mred\x1b[0m", "problem"}

        agent = world.site.processes[1]
        agent.kill()
        agent.wait()
        await crash(world)
        world.site.start_agent()
        assert (await told(following))["workload"] == "web"
        assert await world.until_written(6) == ["problem"] * 3 + ["started red"] * 3  # of those that crashed, too
        assert len(await world.until_written(6)) == 6

        await world.site.closed(world.deployment)
        _, error = await asyncio.to_thread(following.communicate, timeout=30)
    finally:
        following.kill()
    assert following.returncode == 0, error
    for words in ("is away, trying again", "is there again", "the deployment has ended"):
        assert words in error.decode()


async def crash(world: World) -> None:
    await (await world.site.docker.containers.get(await world.container())).kill(signal="SIGUSR1")


async def told(following: subprocess.Popen[bytes]) -> Any:
    assert following.stdout is not None
    reading = asyncio.create_task(asyncio.to_thread(following.stdout.readline))
    await asyncio.wait([reading], timeout=60)
    if not reading.done():
        following.kill()
    return json.loads(await reading)
