"""An operator at a terminal: the daemons' programs as processes, with their files in a test's folder.

async with open_desk(tmp_path) as desk:
    ended = await desk.provider("register", "--owner-key-file", "owner")
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from moorage.chain.contracts import Exchange, Registry, Token, provider_account
from moorage.chain.market import Market
from moorage.types import Account, Address, ProviderNumber
from tests.bytecode import ROOT
from tests.chain import Chain, deploy_market, give_tokens, start_chain, write_market

PATIENCE_SECONDS = 120
SETTINGS = """rpc = "{rpc}"
market = "market.json"
data_dir = "data"
operator_key_file = "operator"
region = "local"
endpoint = "https://127.0.0.1:8443"
listen = "127.0.0.1:8443"
docker = "unix:///nowhere/docker.sock"
metrics = ""
collateral_cap = "1000"
[capacity]
cpu = 2
memory = "1GiB"
disk = "10GB"
[prices]
cpu = "0.1"
memory = "0"
disk = "0"
"""


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A market, an owner with 100 tokens, and the settings of one provider that is not registered yet."""

    chain: Chain
    market: Market
    folder: Path

    @property
    def registry(self) -> Registry:
        return Registry(self.chain.rpc, self.market)

    async def account(self, provider: int) -> Account:
        exchange = Exchange(self.chain.rpc, self.market)
        (found,) = await exchange.accounts(None, [provider_account(ProviderNumber(provider))])
        return found

    async def tokens(self) -> int:
        """Return the base units in the owner's wallet."""
        return await Token(self.chain.rpc, self.market).balance(None, Address(self.chain.owners[0].address))

    async def provider_count(self) -> int:
        return int(await self.registry.read(None, "provider_count"))

    def write_key(self, name: str, key: bytes) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(key.hex())

    def change(self, old: str, new: str, file: str = "provider.toml") -> None:
        """Replace something in a file of the operator."""
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    async def provider(self, *arguments: str, crash_at: str = "") -> Ended:
        return await self._run("provider_agent.main", arguments, crash_at)

    async def facilitator(self, *arguments: str) -> Ended:
        return await self._run("facilitator_bot.main", arguments, "")

    async def register(self, deposit: str = "10", *, owner: str = "owner", crash_at: str = "") -> Ended:
        return await self.provider("register", "--owner-key-file", owner, "--deposit", deposit, crash_at=crash_at)

    async def _run(self, module: str, arguments: tuple[str, ...], crash_at: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "MOORAGE_CRASH_AT": crash_at,
                "MOORAGE_ACCEPT_KNOWN_HOLES": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def open_desk(folder: Path, *, token: str = "MoorageToken", decimals: int = 18) -> AsyncIterator[Desk]:
    """Start a chain with a market until the end of the block, and write what an operator writes."""
    async with start_chain() as chain:
        market = await deploy_market(chain, token=token, decimals=decimals)
        write_market(market, folder / "market.json")
        desk = Desk(chain, market, folder)
        (folder / "provider.toml").write_text(SETTINGS.format(rpc=chain.url))
        desk.write_key("owner", chain.owners[0].key)
        desk.write_key("operator", chain.operators[0].key)
        desk.write_key("stranger", chain.stranger.key)
        await give_tokens(chain, market, chain.owners[0].address, 100)
        yield desk
