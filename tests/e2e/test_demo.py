"""The demo as a user runs it, with the tour through the command line: to the end, and interrupted in the middle."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bytecode import ROOT
from tests.demo_run import check_story, playing, read_until

BROWNIE = ROOT / "build/deployments"
"""Where Brownie remembers contracts in the project."""
TOUR = f"{sys.executable} -m tests.tour"
STORY = (
    r"Brownie deployed the exchange at 0x",
    r"block +\d+  deployment 0x\w+ submitted by the tenant",
    r"block +\d+  provider [12] bids",
    r"block +\d+  provider [12] bids",
    r"matched by the facilitator: provider 1 at",
    r"the lowest bid has won: provider 1",
    r'<code id="container">app-\d</code>',
    r"confirmed by its provider",
    r"balances after confirmation 1",
    r"\n +provider 1 +0 +[\d.]+ +0\.\d+ ",
    r"SIGKILL to the agent \(pid \d+\), 5 containers gone",
    r"STALE, called by the facilitator: provider 1 loses [\d.]+ MOOR to the tenant",
    r"takes its place, without provider 1",
    r"matched by the facilitator: provider 2 at",
    r'provider <code id="provider">2</code>',
    r"The power is back",
    r"block +\d+  lease 0x\w+: [\d.]+ MOOR moved to its provider",
    r"provider 1 has the 0\.\d+ MOOR that its stale lease kept for it",
    r"tour\.md: \d+ commands run, 0 not as it says",
    r"block +\d+  deployment 0x\w+ closing",
    r"closed: [\d.]+ MOOR to provider 2 with its collateral",
    r"closed by the facilitator",
    r"moorage delete: +paid to providers",
    r"nothing is held any more: every token is accounted for, to the last unit",
    r"left on the machine: nothing",
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo; its files are in the test's folder."""
    with playing("demo", tmp_path, TOUR) as process:
        yield process


@pytest.mark.timeout(800)
def test_demo__played_to_the_end__tells_the_story_and_leaves_nothing(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    output, _ = demo.communicate(timeout=700)

    reason = output.partition("the demo failed: ")[2][:4000]
    assert demo.returncode == 0, f"{reason}\n\nall of it:\n{output}"
    check_story(output, STORY)
    assert list(tmp_path.iterdir()) == []
    chain = re.search(r"anvil runs chain (\d+)", output)
    assert chain is not None
    assert chain[1] not in "".join(path.read_text() for path in BROWNIE.glob("map.json"))
    assert not (BROWNIE / chain[1]).exists()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_demo__interrupted_twice_while_workloads_run__leaves_nothing(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    read_until(demo, "GET http://")
    daemons = set(_children(demo.pid))
    assert len(daemons) >= 5, "anvil, two agents, a facilitator and the tenant's deploy"

    for _ in range(2):
        demo.send_signal(signal.SIGINT)
        time.sleep(0.5)
    output, _ = demo.communicate(timeout=120)

    assert demo.returncode == 130, output
    assert output.count("clearing up, please wait") == 2
    assert "left on the machine: nothing" in output
    assert list(tmp_path.iterdir()) == []
    time.sleep(0.5)
    assert not [pid for pid in daemons if Path(f"/proc/{pid}").exists()]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
