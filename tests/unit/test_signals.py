"""What a daemon does on signals, as a process of its own: a loop that waits, and one that hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
DAEMON = """
import asyncio, sys, threading, time
from moorage import log
from moorage.signals import stop_on_signals, tell_on_signal

async def confirm_leases(secret):
    await asyncio.sleep(3600)

async def cycle(stop):
    asyncio.create_task(confirm_leases("canary-5e0f"), name="confirming")
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print("up", flush=True)
    if sys.argv[1] == "hangs":
        time.sleep(3600)
    await stop.wait()
    if sys.argv[1] == "lingers":
        await asyncio.sleep(3600)
    print("done", flush=True)

async def main():
    tell_on_signal()
    await cycle(stop_on_signals())

log.configure()
asyncio.run(main())
"""


@contextmanager
def daemon(how: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", DAEMON, how]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read what a process logs, up to a line with a word."""
    assert process.stderr is not None
    lines = []
    while not lines or word not in lines[-1]:
        line = process.stderr.readline()
        assert line, "".join(lines)
        lines.append(line)
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals__first_to_end__ends_in_good_order(number: signal.Signals) -> None:
    with daemon("waits") as process:
        process.send_signal(number)

        code, out, err = ended(process)

    assert (code, out) == (0, "done\n")
    assert "a second signal ends it at once" in err


def test_signals__second_to_end__ends_at_once() -> None:
    with daemon("lingers") as process:
        process.send_signal(signal.SIGTERM)
        read_until(process, "ending")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)

        code, out, _ = ended(process)

    assert (code, out) == (-signal.SIGTERM, "")


def test_g26_signals__usr1__tells_where_threads_and_tasks_stand_and_goes_on() -> None:
    with daemon("waits") as process:
        process.send_signal(signal.SIGUSR1)
        told = read_until(process, "tasks told")
        process.send_signal(signal.SIGTERM)
        code, out, _ = ended(process)

    tasks = {
        each["name"]: each["at"]
        for line in told.splitlines()
        if "task" in (each := parsed(line)).get("event", "") and "name" in each
    }
    assert any(place.endswith(" confirm_leases") for place in tasks["confirming"])
    assert any(place.endswith(" cycle") for places in tasks.values() for place in places)
    assert told.count("Thread 0x") + told.count("Current thread 0x") >= 2
    assert "canary" not in told
    assert (code, out) == (0, "done\n")


def test_g24_signals__usr1_while_the_loop_hangs__threads_are_told_all_the_same() -> None:
    with daemon("hangs") as process:
        process.send_signal(signal.SIGUSR1)
        told = read_until(process, "in <module>")
        os.kill(process.pid, 0)

    assert "in cycle" in told


def parsed(line: str) -> dict[str, object]:
    return dict(json.loads(line)) if line.startswith("{") else {}
