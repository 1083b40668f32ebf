"""What systemd is told, and the end of a process that hangs."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.watchdog import Watchdog

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
HANGS = """
import asyncio
from moorage.watchdog import Watchdog

async def cycle(secret):
    await asyncio.sleep(3600)

with Watchdog(0.3, {}) as watchdog:
    watchdog.alive()
    asyncio.run(cycle("canary-5e0f"))
"""
CRASHES = """
import faulthandler
from moorage.watchdog import Watchdog

def native_code(secret):
    faulthandler._sigsegv()

with Watchdog(60, {}):
    native_code("canary-5e0f")
"""
TURNS = """
import time
from moorage.watchdog import Watchdog

with Watchdog(5, {}) as watchdog:
    for _ in range(12):
        time.sleep(0.5)
        watchdog.alive()
time.sleep(5.2)
print("done")
"""


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else "@moorage-test-" + tmp_path.name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.setblocking(False)
        yield listener, name


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def test_g24_watchdog__start_cycles_and_end__are_told_to_systemd(supervisor: tuple[socket.socket, str]) -> None:
    listener, name = supervisor

    with Watchdog(60, {"NOTIFY_SOCKET": name}) as watchdog:
        watchdog.ready("block 7\nREADY=0")
        watchdog.alive("block 8")

    told = [listener.recv(1_000).decode() for _ in range(4)]
    assert told == ["WATCHDOG=1", "READY=1\nSTATUS=block 7 READY=0", "WATCHDOG=1\nSTATUS=block 8", "STOPPING=1"]


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "/nowhere/notify"])
def test_watchdog__nobody_listens__goes_on(name: str) -> None:
    with Watchdog(60, {"NOTIFY_SOCKET": name}) as watchdog:
        watchdog.ready("block 7")


def test_g24_watchdog__cycle_never_ends__ends_the_process_and_says_where_it_hung() -> None:
    ended = run(HANGS)

    assert ended.returncode == 1
    assert "asyncio" in ended.stderr
    assert "canary" not in ended.stderr


def test_watchdog__native_code_crashes__says_where_before_the_process_ends() -> None:
    ended = run(CRASHES)

    assert ended.returncode == -signal.SIGSEGV
    assert "native_code" in ended.stderr
    assert "canary" not in ended.stderr


def test_g24_watchdog__loop_turns_and_then_is_left__ends_nothing() -> None:
    ended = run(TURNS)

    assert (ended.returncode, ended.stdout) == (0, "done\n")
