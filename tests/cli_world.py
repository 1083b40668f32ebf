"""A market on a chain of its own with a tenant that has a shell, a wallet and a deployment file: for tests of commands.

async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path):
    result = await here.tenant.does("deploy", "--yes", "--detach")
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from eth_account.signers.local import LocalAccount

from cli.failures import ExitStatus
from moorage.chain.contracts import Exchange, Token
from moorage.chain.market import Market
from moorage.types import Account, Address
from tests.chain import Chain, deploy_market, give_tokens, start_chain, write_market
from tests.cli_runner import Person, Result, person

ROOT = Path(__file__).resolve().parent.parent
BLOCK_SECONDS = 0.25
PATIENT_PERIOD = 480
"""Blocks, two minutes; long enough for a slow machine to confirm in time."""
FILE = """version: "0.1"
services:
  web:
    image: nginx:1.22
    expose:
      - port: 80
        to:
          - global: true
deployment:
  wait-duration: 4
  datacenters:
    dock:
      region: local
      profiles:
        small:
          compute: {cpu: 500m, memory: 256MiB, disk: 1GB}
          pricing: {max-price: 0.5, collateral: 1d}
  services:
    web:
      dock: {profile: small, nodes: 2}
"""


@dataclass(frozen=True)
class World:
    chain: Chain
    market: Market
    tenant: Person
    folder: Path

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.chain.rpc, self.market)

    @property
    def token(self) -> Token:
        return Token(self.chain.rpc, self.market)

    @property
    def address(self) -> Address:
        return Address(self.chain.tenant.address)

    async def account(self) -> Account:
        (found,) = await self.exchange.accounts(None, [self.address])
        return found

    async def allowance(self) -> int:
        return await self.token.allowance(None, self.address, self.market.exchange)

    async def deployments(self) -> list[dict[str, object]]:
        """Return all deployments of the tenant, as `moorage list` tells them."""
        return (await self.tenant.does("list", "--all", "-o", "json")).json


def key_file(folder: Path, account: LocalAccount) -> str:
    path = folder / f"{account.address}.key"
    path.write_text(account.key.hex())
    path.chmod(0o600)
    return str(path)


@asynccontextmanager
async def world(
    folder: Path,
    *,
    block_time: float | None = None,
    tokens: int = 1_000,
    period: int = PATIENT_PERIOD,
    token: str = "MoorageToken",
    decimals: int = 18,
    chain_id: int = 31337,
    **parameters: int,
) -> AsyncIterator[World]:
    # what providers log in this process must not come between what a command prints
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    async with start_chain(block_time=block_time, chain_id=chain_id) as chain:
        market = await deploy_market(chain, period=period, token=token, decimals=decimals, **parameters)
        write_market(market, folder / "deployments" / f"{chain_id}.json")
        (folder / "moorage.yml").write_text(FILE)
        if tokens:
            await give_tokens(chain, market, chain.tenant.address, tokens)
        tenant = person(folder, RPC=chain.url, KEY_FILE=key_file(folder, chain.tenant))
        yield World(chain, market, tenant, folder)


def assert_failed(result: Result, status: ExitStatus, *words: str) -> None:
    """Check that a run ended with this status and one line, below what was shown before."""
    *shown, last = result.err.splitlines()
    assert (result.status, last.startswith("moorage: ")) == (status, True), result.err
    assert not any(line.startswith("moorage: ") or "Traceback" in line for line in shown), result.err
    assert all(word in last for word in words), result.err


@asynccontextmanager
async def started(here: World, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `moorage` as a process until the end of the block."""
    variables = {name: value for name, value in here.tenant.variables.items() if value is not None}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *arguments,
        cwd=here.folder,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(here.tenant.state)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(process: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    """Read what a run tells until something has happened."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        document: dict[str, object] = json.loads(line)
        if document["event"] == event:
            return document
    raise AssertionError(f"the run ended before {event}: {(await process.communicate())[1]!r}")


async def sent_by(here: World) -> int:
    """Return how many transactions the tenant has sent."""
    return int(await here.chain.rpc.call("eth_getTransactionCount", here.address, "pending"), 16)


async def press(here: World, *arguments: str, dies_at: str = "") -> asyncio.subprocess.Process:
    """Start a command in a process of its own, which may kill itself at a place."""
    variables = {name: value for name, value in here.tenant.variables.items() if value is not None}
    environment = {
        **os.environ,
        **variables,
        "HOME": str(here.tenant.home),
        "XDG_STATE_HOME": str(here.tenant.state),
        "PYTHONPATH": str(ROOT),
        "MOORAGE_CRASH_AT": dies_at,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def pressed(here: World, *arguments: str, dies_at: str = "") -> tuple[int | None, str]:
    """Run a command as `press` starts it; return how it ended and what it said."""
    process = await press(here, *arguments, dies_at=dies_at)
    _, error = await process.communicate()
    return process.returncode, error.decode()
