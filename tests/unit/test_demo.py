"""How the demo ends: early, interrupted, or left running and stopped later."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from demo import __main__ as program
from demo import world
from demo.chain import forget_in_brownie, make_actors
from demo.engine import Engine
from demo.processes import DemoFailed, Processes, Remembered, end_remembered, run, started_ticks
from demo.regions.stage import EXAMPLE, PASSWORD_VARIABLE
from demo.story import Story
from demo.tenant import make_tenant
from tests.bytecode import ROOT

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the demo a folder of its own for what it leaves, and an engine with nothing on it."""

    async def nothing(engine: Engine) -> list[str]:
        return []

    monkeypatch.setattr(world, "STATE", tmp_path / ".demo.json")
    monkeypatch.setattr(world, "_empty", nothing)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _wait_until(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return is_so()


def _remember(process: subprocess.Popen[bytes]) -> Remembered:
    ticks = started_ticks(process.pid)
    assert ticks is not None
    return Remembered(process.pid, ticks)


def test_processes__that_shall_not_outlive_us__end_when_we_are_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from demo.processes import *;"
        "started = Processes(Path(sys.argv[1]), before=ENDS_WITH_US); started.start('sleeper', ['sleep', '60']);"
        "print(started.running['sleeper'].pid, flush=True); sys.stdin.read()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    is_sleeping = _wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")

    starter.kill()
    starter.wait()

    assert is_sleeping
    assert _wait_until(lambda: started_ticks(pid) is None)


def test_started_ticks__process_that_has_ended__is_none() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    as_zombie = started_ticks(process.pid)
    process.wait()

    assert (as_zombie, started_ticks(process.pid)) == (None, None)


async def test_end_remembered__another_process_has_the_pid__leaves_it_alone() -> None:
    stranger = _start("sleep", "60")
    mine = _remember(stranger)

    await end_remembered([replace(mine, started_ticks=mine.started_ticks - 1)], seconds=0.3)
    is_alive = mine.is_running
    stranger.kill()
    stranger.wait()

    assert is_alive


async def test_end_remembered__does_not_listen__is_killed() -> None:
    process = _start(sys.executable, "-c", STUBBORN)
    assert process.stdout is not None
    process.stdout.readline()

    await end_remembered([_remember(process)], seconds=0.3)

    assert process.wait() == -signal.SIGKILL


async def test_stop_kept__agents_still_live__removes_only_when_they_are_gone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Processes(home / "demo")
    processes.folder.mkdir()
    processes.start("agent-1", ["sleep", "60"])
    agent = processes.remembered()["agent-1"]
    was_running: list[bool] = []

    async def look(engine: Engine) -> list[str]:
        was_running.append(agent.is_running)
        return []

    monkeypatch.setattr(world, "_empty", look)
    world.keep(processes, Engine(1), 1)

    said = await world.stop_kept()

    assert (said, was_running) == ("the demo has ended and nothing of it is left", [False])
    assert _files(home) == []
    processes.running["agent-1"].wait()


async def test_stop_kept__something_is_left__stays_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def one(engine: Engine) -> list[str]:
        return ["containers/ab"]

    monkeypatch.setattr(world, "_empty", one)
    world.keep(Processes(home / "demo"), Engine(1), 1)

    with pytest.raises(DemoFailed, match="still on the engine: containers/ab"):
        await world.stop_kept()

    assert world.STATE.exists()


async def test_stop_kept__state_of_an_older_version__is_one_clear_error(home: Path) -> None:
    world.STATE.write_text('{"folder": "/tmp/x", "chain_id": 1, "pids": {"anvil": 1}}')

    with pytest.raises(DemoFailed, match="not a demo that can be stopped"):
        await world.stop_kept()


def test_keep__second_one__does_not_forget_the_first(home: Path) -> None:
    world.keep(Processes(home / "first"), Engine(1), 1)
    first = world.STATE.read_bytes()

    with pytest.raises(DemoFailed, match="make demo-stop"):
        world.keep(Processes(home / "second"), Engine(2), 2)

    assert world.STATE.read_bytes() == first


async def test_play__second_one_to_be_kept__starts_nothing(home: Path) -> None:
    world.keep(Processes(home / "first"), Engine(1), 1)

    with pytest.raises(DemoFailed, match="stop it first with make demo-stop"):
        await program.play(must_keep=True)

    assert _files(home) == [".demo.json"]


@pytest.mark.parametrize("error", [DemoFailed("no images"), OSError("disk is full")])
async def test_play__fails_early__clears_up(home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(story: Story) -> None:
        story.processes.start("anvil", ["sleep", "60"])
        pids.append(story.processes.running["anvil"].pid)
        raise error

    pids: list[int] = []
    monkeypatch.setattr(Story, "tell", fail)

    outcome = (await asyncio.gather(program.play(must_keep=False), return_exceptions=True))[0]

    assert outcome == (1 if isinstance(error, DemoFailed) else error)
    assert _files(home) == []
    assert [started_ticks(pid) for pid in pids] == [None]


async def test_play__interrupted_again_and_again__still_clears_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def tell(story: Story) -> None:
        story.engine = Engine(1)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)

    async def slow(engine: Engine) -> list[str]:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.05)
        ended.append(True)
        return []

    ended: list[bool] = []
    monkeypatch.setattr(Story, "tell", tell)
    monkeypatch.setattr(world, "_empty", slow)

    code = await program.play(must_keep=False)

    assert (code, ended, _files(home)) == (130, [True], [])
    assert capfd.readouterr().err.count("clearing up, please wait") == 4


async def test_run__interrupted__ends_the_program_and_its_children(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > child; wait"
    task = asyncio.create_task(run(["bash", "-c", script], tmp_path))
    child = tmp_path / "child"
    assert await asyncio.to_thread(_wait_until, lambda: child.exists() and child.read_text() != "")

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await asyncio.to_thread(_wait_until, lambda: started_ticks(int(child.read_text())) is None)


def test_forget_in_brownie__two_chains__removes_one(tmp_path: Path) -> None:
    for chain_id in ("7", "8"):
        (tmp_path / chain_id).mkdir()
        (tmp_path / chain_id / "0xab.json").write_text("{}")
    (tmp_path / "map.json").write_text('{"7": {"Exchange": ["0xab"]}, "8": {"Exchange": ["0xab"]}}')

    forget_in_brownie(7, tmp_path)

    assert _files(tmp_path) == ["8", "map.json"]
    assert json.loads((tmp_path / "map.json").read_text()) == {"8": {"Exchange": ["0xab"]}}


def test_forget_in_brownie__nothing_was_built__is_no_fault(tmp_path: Path) -> None:
    forget_in_brownie(7, tmp_path / "deployments")

    assert _files(tmp_path) == []


async def test_h11_tenant__example_with_a_secret__reads_it_in_its_environment(tmp_path: Path) -> None:
    files = (tmp_path / "market.json", make_actors(tmp_path), tmp_path)
    with_it = make_tenant("http://127.0.0.1:1", *files, example=EXAMPLE, **{PASSWORD_VARIABLE: "a-secret"})
    without = make_tenant("http://127.0.0.1:1", *files, example=EXAMPLE)

    with pytest.raises(DemoFailed, match=f"the environment has no variable '{PASSWORD_VARIABLE}'"):
        await without.moorage("deploy", "-f", str(EXAMPLE), "--yes")
    with pytest.raises(DemoFailed, match=r"market\.json") as error:
        await with_it.moorage("deploy", "-f", str(EXAMPLE), "--yes")
    assert "a-secret" not in str(error.value)
