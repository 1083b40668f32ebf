"""The demo of three regions as a user runs it: the whole story to the end, and interrupted in the middle."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo_run import check_story, playing, read_until
from tests.docker_world import engine_url
from tests.hosts import needs_hosts

STORY = (
    r"host 1 203\.0\.113\.11, host 2 203\.0\.113\.12, host 3 203\.0\.113\.13",
    r"Brownie deployed the exchange at 0x",
    r"provider 4: europe-central, on host 2",
    r"block +\d+  deployment 0x\w+ submitted by the tenant",
    r"matched by the facilitator: provider 3 at",
    r"is the web tier of europe, at provider 3",
    r"PUT harbour through europe \(provider 3\)",
    r"GET harbour through us-west \(provider 2\): 'a berth in each region', written in europe, from its database",
    r"GET harbour through us-west .* from its cache",
    r"289 pairs, \d+ attempts: ",
    r"reached: the 64 that were declared, and nothing else",
    r"no program of a tenant runs any more",
    r"SIGKILL to agent 3 \(pid \d+\)",
    r"STALE, called by the facilitator: provider 3 loses [\d.]+ MOOR to the tenant",
    r"takes its place, without provider 3",
    r"provider 4 has europe now",
    r"its manifest has come from provider [12]; europe is at http://203\.0\.113\.12:31\d\d\d",
    r"GET harbour through europe \(provider 4\): 'a berth in each region', written in europe, from its database",
    r"GET healed through us-west \(provider 2\): 'by a provider that came later', written in europe",
    r"reached: the \d+ that were declared, and nothing else",
    r"Host 3 has power again",
    r"lease 0x\w+: [\d.]+ MOOR moved to its provider",
    r"moorage delete: +paid to providers",
    r"nothing is held any more: every token is accounted for, to the last unit",
    r"left on the machine: nothing",
)

pytestmark = [
    needs_hosts,
    pytest.mark.skipif(engine_url() is None, reason="no Docker engine to make images with"),
    pytest.mark.long,
]


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own folders are too long a path for sockets
    with tempfile.TemporaryDirectory(prefix="r-") as name:
        yield Path(name)


@pytest.fixture
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo; its files are in the test's folder."""
    with playing("demo.regions", folder) as process:
        yield process


@pytest.mark.timeout(900)
def test_i09_demo_regions__played_to_the_end__tells_the_story_and_leaves_nothing(
    demo: subprocess.Popen[str], folder: Path
) -> None:
    output, _ = demo.communicate(timeout=800)

    assert demo.returncode == 0, output
    check_story(output, STORY)
    assert list(folder.iterdir()) == []


@pytest.mark.timeout(300)
def test_demo_regions__interrupted_while_agents_start__leaves_nothing(
    demo: subprocess.Popen[str], folder: Path
) -> None:
    read_until(demo, "provider 2: us-west")
    (hosts,) = folder.glob("*/hosts")
    before = _using(hosts)
    assert len(before) >= 3, "an engine on each host"

    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=120)

    assert demo.returncode == 130, output
    assert "left on the machine: nothing" in output
    assert list(folder.iterdir()) == []
    time.sleep(0.5)
    assert not any(Path(f"/proc/{pid}").exists() for pid in before)


def _using(hosts: Path) -> list[int]:
    """Return the pids of programs that were started with paths of the hosts."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(hosts) in command:
            found.append(int(process.name))
    return found
