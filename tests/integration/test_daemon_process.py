"""A facilitator as a process: what it shows of its key, how it ends, and that a node that hangs does not keep it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.bytecode import ROOT
from tests.free_ports import free_port
from tests.operator_desk import Desk, open_desk
from tests.relay import Relay, relay_to

PATIENCE_SECONDS = 120.0
SECRET = "canary-5e0f"
"""Stands in the node's address, where access tokens do."""


@dataclass
class Daemon:
    process: asyncio.subprocess.Process
    metrics: str
    log: Path

    async def get(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.metrics}{path}") as response:
            return response.status, await response.text()

    async def until(self, word: str) -> str:
        """Wait for something in the log."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while word not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return self.log.read_text()

    async def until_health(self, status: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(aiohttp.ClientError):
                    if (await self.get("/healthz"))[0] == status:
                        return
                await asyncio.sleep(0.05)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def facilitator(desk: Desk, rpc: str) -> AsyncIterator[Daemon]:
    """Run one until the end of the block, once it has looked at the market."""
    metrics = f"127.0.0.1:{free_port()}"
    options = ["--rpc", rpc, "--market", "market.json", "--key-file", "operator", "--data-dir", "bot"]
    command = [sys.executable, "-m", "facilitator_bot.main", "run", *options, "--metrics", metrics]
    log = desk.folder / "facilitator.log"
    with log.open("wb") as file:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(
            *command, cwd=desk.folder, env=environment, stdout=file, stderr=file
        )
    daemon = Daemon(process, metrics, log)
    try:
        await daemon.until("facilitator started")
        await daemon.until_health(200)
        yield daemon
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_g26_facilitator__logs_metrics_process_list_and_traces__have_nothing_of_key_and_token(desk: Desk) -> None:
    key = (desk.folder / "operator").read_text()
    async with relay_to(desk.chain.url) as relay, facilitator(desk, f"{relay.url}/?key={SECRET}") as daemon:
        relay.cut()  # errors are what most often shows an address
        await daemon.until("node unavailable")
        daemon.process.send_signal(signal.SIGUSR1)
        await daemon.until("tasks told")
        place = Path(f"/proc/{daemon.process.pid}")
        shown = [(place / name).read_text().replace(f"key={SECRET}", "", 1) for name in ("cmdline", "environ")]
        shown += [text for path in ("/metrics", "/healthz") for _, text in [await daemon.get(path)]]
        daemon.process.send_signal(signal.SIGABRT)  # a crash
        assert await daemon.ended() == -signal.SIGABRT
        shown.append(daemon.log.read_text())

    assert "Current thread" in shown[-1]
    for text in shown:
        assert not any(secret in text for secret in (key, key[2:34], SECRET))


async def test_facilitator__node_hangs_and_it_is_told_to_end__finishes_its_cycle_or_ends_at_once_when_told_again(
    desk: Desk,
) -> None:
    async with relay_to(desk.chain.url) as relay:
        async with facilitator(desk, relay.url) as daemon:
            daemon.process.send_signal(signal.SIGTERM)
            assert await daemon.ended() == 0
            assert "facilitator stopped" in daemon.log.read_text()
        async with facilitator(desk, relay.url) as daemon:
            await hung(relay)
            daemon.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1)
            assert daemon.process.returncode is None  # the node may still answer
            daemon.process.send_signal(signal.SIGTERM)
            assert await daemon.ended() == -signal.SIGTERM


async def test_g24_facilitator__hung_and_killed__a_restart_recovers_as_soon_as_the_node_answers(desk: Desk) -> None:
    async with relay_to(desk.chain.url) as relay:
        async with facilitator(desk, relay.url) as daemon:
            await hung(relay)
            daemon.process.kill()
            await daemon.ended()
        relay.mend()
        async with facilitator(desk, relay.url) as daemon:
            assert (await daemon.get("/healthz"))[0] == 200


async def hung(relay: Relay) -> None:
    """Have the node hang, and wait until it was asked something."""
    relay.hang()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await relay.holds.wait()
