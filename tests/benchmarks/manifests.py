"""How long a manifest of 1 MB takes to all agents of a deployment whose uplinks are narrow, against the time for one.

`python -m tests.benchmarks.manifests` prints figures, writes reports/manifests.json and fails when one is not as
promised. The agents' HTTPS servers and clients are real; the chain and the engine are in memory. Each agent's uplink is
a relay that lets so many bytes through in a second, whoever they are for, and so is the tenant's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from moorage import manifest
from moorage.agent_client import Agent, AgentClient
from moorage.chain.signer import LocalSigner
from tests.bytecode import ROOT
from tests.fakes.agent_world import DOMAIN, TENANT
from tests.fakes.peer_world import Datacenter, World, manifest_for, running, until

REPORT = ROOT / "reports" / "manifests.json"
LARGEST_RATIO = 6
MOST_SENT = 2.1
"""Manifests that leave the tenant's line: two, with what TLS and HTTP add."""
PADDING_BYTES = 1_000_000
CHUNK_BYTES = 8_192
SLACK_SECONDS = 0.5
"""What a line may make good for if this program was late to look at it: it shares a machine with 20 agents."""
KERNEL_BYTES = 16_384
"""What the relay's sockets may hold: more would hide the narrow line from who sends."""


@dataclass
class Uplink:
    """A line of so many bytes a second, shared by all that goes through it."""

    bytes_per_second: int
    free_seconds: float = 0.0
    bytes_passed: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def pass_through(self, size: int) -> None:
        """Wait until the line has carried so many bytes."""
        async with self.lock:
            self.free_seconds = max(self.free_seconds, time.monotonic() - SLACK_SECONDS) + size / self.bytes_per_second
            self.bytes_passed += size
            await asyncio.sleep(self.free_seconds - time.monotonic())


@asynccontextmanager
async def relayed(port: int, up: Uplink | None = None, down: Uplink | None = None) -> AsyncIterator[int]:
    """Stand before a port of this host; yields the relay's.

    Args:
        up: what the server's answers go through.
        down: what the requests go through.
    """
    pairs: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pairs.add(task)
        there = socket.socket()
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        there.setblocking(False)
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.get_running_loop().sock_connect(there, ("127.0.0.1", port))
            back_reader, back_writer = await asyncio.open_connection(sock=there, limit=KERNEL_BYTES)
            ends = asyncio.gather(_pump(reader, back_writer, down), _pump(back_reader, writer, up))
            with suppress(OSError):
                await ends
            back_writer.close()
        writer.close()
        pairs.discard(task)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(serve, sock=listener, limit=KERNEL_BYTES)
    async with server:
        yield listener.getsockname()[1]
        for pair in pairs:
            pair.cancel()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Uplink | None) -> None:
    while data := await reader.read(CHUNK_BYTES):
        if line is not None:
            await line.pass_through(len(data))
        writer.write(data)
        await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Result:
    """What one run took."""

    agents: int
    seconds: float
    sent_by_tenant_bytes: int
    largest_upload_bytes: int


async def distribute(agents: int, bytes_per_second: int) -> Result:
    """Have a tenant give a manifest of 1 MB to at most two of some agents, and wait until all have it."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            world = await stack.enter_async_context(running(Path(folder), agents, padding=PADDING_BYTES))
            tenant = Uplink(bytes_per_second)
            uplinks = [Uplink(bytes_per_second) for _ in world.datacenters]
            for each, uplink in zip(world.datacenters, uplinks, strict=True):
                each.public_port = await stack.enter_async_context(relayed(each.port, up=uplink))
            began = time.monotonic()
            for each in world.datacenters[:2]:
                await _deliver(world, each, tenant)
                if agents == 1:
                    break
            await until(lambda: all(each.keeper.state(each.lease).is_complete for each in world.datacenters), 300)
            seconds = time.monotonic() - began
            largest = max(uplink.bytes_passed for uplink in uplinks)
            return Result(agents, seconds, tenant.bytes_passed, largest)


async def _deliver(world: World, datacenter: Datacenter, tenant: Uplink) -> None:
    async with relayed(datacenter.port, down=tenant) as port:
        agent = Agent(datacenter.number, f"https://127.0.0.1:{port}", datacenter.roots)
        await AgentClient(DOMAIN, LocalSigner(TENANT)).deliver_manifest(agent, datacenter.lease, world.chain.encoded)


async def measure(agents: int, bytes_per_second: int) -> dict[str, float]:
    """Return what all agents take beside what one takes; sizes in manifests."""
    size = len(manifest_for(manifest.MAX_GROUPS, padding=PADDING_BYTES))
    one = await distribute(1, bytes_per_second)
    every = await distribute(agents, bytes_per_second)
    return {
        "manifest_bytes": size,
        "bytes_per_second": bytes_per_second,
        "one_seconds": round(one.seconds, 2),
        "agents": agents,
        "agents_seconds": round(every.seconds, 2),
        "ratio": round(every.seconds / one.seconds, 2),
        "sent_by_tenant": round(every.sent_by_tenant_bytes / size, 3),
        "sent_by_busiest_agent": round(every.largest_upload_bytes / size, 3),
    }


def failures(report: dict[str, float]) -> list[str]:
    """Return what is not as promised."""
    found = []
    if report["ratio"] > LARGEST_RATIO:
        found.append(f"ratio: all agents take {report['ratio']} times the time for one, promised are {LARGEST_RATIO}")
    if report["sent_by_tenant"] > MOST_SENT:
        found.append(f"sent_by_tenant: {report['sent_by_tenant']} manifests, promised are {MOST_SENT}")
    return found


def main() -> int:
    """Measure, print and write; the exit code says whether all is as promised."""
    options = argparse.ArgumentParser()
    options.add_argument("--agents", type=int, default=20)
    options.add_argument("--bytes-per-second", type=int, default=100_000)
    chosen = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    report = asyncio.run(measure(chosen.agents, chosen.bytes_per_second))
    print(json.dumps(report, indent=2))
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    found = failures(report)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
