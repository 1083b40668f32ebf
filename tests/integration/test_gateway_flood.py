"""The agent's cycle on the chain is not slowed by who floods its gateway, although both are in one process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provider_agent.shell.connection_guard import ConnectionLimits
from tests.fakes.agent_world import running
from tests.lease_story import Story, open_story
from tests.market_agent import market_agent

PERIOD = 20
BLOCK_SECONDS = 1.0
"""Of a processor that is ours alone: how long the machine gives it to others says nothing of the agent."""
BLOCKS = 24
CONNECTIONS = 2_000
"""Tried at a time: a fifth of what an attacker could have, for one machine has to be both sides."""
FLOOD = """
import asyncio, random, resource, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * count + 100), most))
tried = 0

async def linger(number):
    global tried
    while True:
        address = (f"127.0.{1 + number % 200}.{1 + number // 200}", 0)  # many peers: a limit for each does not help
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address)
            tried += 1
            for byte in bytes.fromhex("16030102000100"):  # a TLS handshake that never gets on
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(random.uniform(0.5, 3))
        except OSError:
            await asyncio.sleep(random.uniform(0.5, 2))

async def main():
    for number in range(count):
        asyncio.create_task(linger(number))
    while True:
        await asyncio.sleep(0.2)
        print(tried, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    async with open_story(PERIOD) as opened:
        yield opened


@contextmanager
def flood(port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", FLOOD, str(port), str(CONNECTIONS)]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_d04_agent__thousands_of_slow_connections_to_its_gateway__each_cycle_is_done_within_a_block(
    story: Story, tmp_path: Path
) -> None:
    lease = await story.leased(blocks=1_000)
    async with running(tmp_path, limits=ConnectionLimits()) as world, market_agent(story, tmp_path) as agent:
        await agent.blocks(1)
        with flood(world.port) as attacker:
            assert attacker.stdout is not None
            while int(await asyncio.to_thread(attacker.stdout.readline)) < ConnectionLimits().total:
                pass
            seconds: list[float] = []
            tried = 0
            while len(seconds) < BLOCKS or tried <= CONNECTIONS // 2:
                await asyncio.sleep(0.2)
                began = time.process_time()
                await agent.blocks(1)
                seconds.append(time.process_time() - began)
                tried = int(await asyncio.to_thread(attacker.stdout.readline))

    confirmed = (await agent.leases())[lease]
    assert max(seconds) < BLOCK_SECONDS, seconds
    assert agent.failures == 0
    assert await story.chain.block_number() - confirmed.confirmed_block <= PERIOD // 2 + 2
