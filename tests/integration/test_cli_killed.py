"""The tenant's program is killed or interrupted at each of its steps, and run again: one deployment, paid for once.

The program is a process of its own here; what stops it is a signal to itself at a named place (moorage/crash.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from dataclasses import dataclass

import pytest

from cli.failures import ExitStatus
from tests.cli_world import BLOCK_SECONDS, FILE, ROOT, World, press, world
from tests.market_crew import crew

PATIENCE_SECONDS = 120
STOPPED = """
import os, signal, sys
from cli.main import run
from moorage.crash import crash_hook

point, number, which = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
passed = 0

def stop(name):
    global passed
    passed += name == point
    if name == point and passed == which:
        os.kill(os.getpid(), number)

with crash_hook(stop):
    sys.exit(run(sys.argv[4:]))
"""
"""Runs the program and sends it a signal when it passes a place for the so-manieth time."""
SENDING = ("outbox-simulated", "outbox-signed", "outbox-journaled", "outbox-sent", "outbox-included")
ORDERING = [
    ("before-recording", 1),
    ("after-recording", 1),
    *((point, which) for which in (1, 2) for point in SENDING),
    ("after-paying-in", 1),
    ("after-submitting", 1),
]
"""What is passed until a deployment is on chain; the first transaction pays in, the second one submits."""
FOLLOWING = [("before-delivering", 1), ("after-delivering", 1), ("while-watching", 1), ("while-watching", 4)]
UPDATING = [
    ("before-recording", 1),
    ("after-recording", 1),
    *((point, 1) for point in SENDING),
    ("after-submitting", 1),
]
QUICK = (
    ("after-recording", signal.SIGKILL),
    ("outbox-sent", signal.SIGKILL),
    ("outbox-sent", signal.SIGINT),
    ("after-submitting", signal.SIGINT),
    ("after-delivering", signal.SIGKILL),
)
"""Those around which something could be done twice; the others take long together."""
ONE_HOUR = 1_003 * 10**15
"""Of the file at its maximum price, with three tips; in base units, about."""
NEWER = FILE.replace("nginx:1.22", "nginx:1.23").replace("nodes: 2", "nodes: 3")


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def run(here: World, point: str, number: int, which: int, *arguments: str) -> Ended:
    """Run the program in a process that gets a signal at a place."""
    variables = {name: value for name, value in here.tenant.variables.items() if value is not None}
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(here.tenant.state)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STOPPED, point, str(int(number)), str(which), *arguments),
        cwd=here.folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


def assert_stopped(ended: Ended, number: int) -> None:
    """Check that a run was ended by its signal; if it could say something it was one line."""
    if number == signal.SIGKILL:
        assert ended.code == -signal.SIGKILL, ended
        return
    assert ended.code == ExitStatus.ABORTED, ended
    last = ended.err.splitlines()[-1]
    assert last.startswith("moorage: ") and "Traceback" not in ended.err, ended


def points(places: list[tuple[str, int]]) -> list[object]:
    """Return parameters: each place with each signal; most of them only in the long run."""
    pairs = [(place, number) for place in places for number in (signal.SIGKILL, signal.SIGINT)]
    return [
        pytest.param(*place, number, marks=() if (place[0], number) in QUICK else (pytest.mark.long,))
        for place, number in pairs
    ]


async def paid_in(here: World) -> int:
    """Return the base units that ever came into the tenant's account."""
    return 1_000 * 10**18 - await here.token.balance(None, here.address)


@pytest.mark.parametrize(("point", "which", "number"), points(ORDERING))
async def test_j04_create__stopped_at_a_step_and_run_again__one_deployment_paid_for_once(
    tmp_path, point, which, number
):
    async with world(tmp_path) as here:
        arguments = ("create", "--yes", "--fund", "1h")
        assert_stopped(await run(here, point, number, which, *arguments), number)

        again = await here.tenant.does(*arguments)

        assert again.status is ExitStatus.OK, again.err
        (only,) = await here.deployments()
        assert [path.stem for path in here.tenant.state.rglob("*.json")] == [str(only["deployment"])[2:]]
        assert (await here.account()).available == 0
        assert await paid_in(here) == pytest.approx(ONE_HOUR, abs=10**15)


@pytest.mark.parametrize(("point", "which", "number"), points(FOLLOWING))
async def test_j04_deploy__stopped_while_it_follows_and_run_again__takes_the_same_up(tmp_path, point, which, number):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        arguments = ("deploy", "--yes", "--detach", "--fund", "1h")
        stopped = await run(here, point, number, which, *arguments)
        assert_stopped(stopped, number)

        again = await here.tenant.does(*arguments)

        assert again.status is ExitStatus.OK, again.err
        assert "taking up deployment" in again.err and "all workloads run" in again.out
        assert len(await here.deployments()) == 1
        assert number == signal.SIGKILL or "lives on" in stopped.err


@pytest.mark.parametrize(("point", "which", "number"), points(UPDATING))
async def test_j04_update__stopped_at_a_step_and_run_again__one_update_paid_for_once(tmp_path, point, which, number):
    async with world(tmp_path) as here:
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK
        assert (await here.tenant.does("register", "--deposit", "100", "--yes")).status is ExitStatus.OK
        (tmp_path / "moorage.yml").write_text(NEWER)
        arguments = ("update", "--yes", "--fund", "1h")
        assert_stopped(await run(here, point, number, which, *arguments), number)

        async with asyncio.timeout(PATIENCE_SECONDS):
            again = await run(here, "while-watching", signal.SIGINT, 1, *arguments)

        assert again.code == ExitStatus.ABORTED and "lives on" in again.err, again
        (only,) = await here.deployments()
        (group,) = only["groups"]
        assert group["state"] == "open"
        word = (await here.exchange.deployments(None, [bytes.fromhex(str(only["deployment"])[2:])]))[0]
        assert (word.update_number, word.live_groups, word.order_count) == (2, 1, 2)
        (path,) = here.tenant.state.rglob("*.json")
        assert str(only["version"])[2:] in versions(path.read_bytes())


def versions(record: bytes) -> list[str]:
    """Return the versions whose manifests a record has."""
    document = json.loads(record)
    bodies = [document["manifest"], *(each["manifest"] for each in document["earlier"])]
    return [hashlib.sha256(body.encode()).hexdigest() for body in bodies]


@pytest.mark.parametrize("which", [1, 2])
async def test_j04_create__killed_with_a_transaction_in_the_pool__waits_for_it_and_pays_once(tmp_path, which):
    async with world(tmp_path) as here:
        arguments = ("create", "--yes", "--fund", "1h")
        if which == 2:
            assert (await here.tenant.does("register", "--deposit", "1.003", "--yes")).status is ExitStatus.OK
        await here.chain.rpc.call("evm_setAutomine", False)
        assert_stopped(await run(here, "outbox-sent", signal.SIGKILL, 1, *arguments), signal.SIGKILL)

        again = await press(here, *arguments)
        assert again.stderr is not None
        said = ""
        while "has sent 1 transactions that are in no block yet: waiting" not in said:
            said = (await again.stderr.readline()).decode()
            assert said, "it has ended without waiting"
        await here.chain.rpc.call("evm_setAutomine", True)
        await here.chain.mine(1)
        _, rest = await again.communicate()

        assert again.returncode == ExitStatus.OK, rest
        assert len(await here.deployments()) == 1
        assert await paid_in(here) == pytest.approx(ONE_HOUR, abs=10**15)


async def test_update__landed__the_version_before_is_kept_until_the_new_one_is_final(tmp_path):
    async with world(tmp_path) as here:
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK
        await here.chain.mine(200)
        (tmp_path / "moorage.yml").write_text(FILE.replace("nginx:1.22", "nginx:1.23"))
        updated = await run(here, "while-watching", signal.SIGINT, 1, "update", "--yes")
        assert_stopped(updated, signal.SIGINT)
        (path,) = here.tenant.state.rglob("*.json")

        assert (await here.tenant.does("create")).status is ExitStatus.OK
        kept = versions(path.read_bytes())
        await here.chain.mine(200)
        for command in ("create", "deploy", "update"):
            assert (await here.tenant.does(command, "--dry-run")).status is ExitStatus.OK
        assert versions(path.read_bytes()) == kept
        assert (await here.tenant.does("create")).status is ExitStatus.OK

        assert len(kept) == 2
        assert versions(path.read_bytes()) == kept[:1]


async def test_update__killed_before_it_was_sent_and_the_file_put_back__changes_nothing(tmp_path):
    async with world(tmp_path) as here:
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK
        (tmp_path / "moorage.yml").write_text(NEWER)
        assert_stopped(await run(here, "after-recording", signal.SIGKILL, 1, "update", "--yes"), signal.SIGKILL)
        begun = await here.tenant.does("create")
        (tmp_path / "moorage.yml").write_text(FILE)

        planned = await here.tenant.does("plan")
        taken = await here.tenant.does("create")

        assert "was begun and is not on chain: `moorage update -f moorage.yml` goes on with it" in begun.err
        assert "next: nothing to update" in planned.out
        assert (taken.status, "taking up deployment" in taken.err) == (ExitStatus.OK, True)
