"""People with `moorage` and nothing else on a chain whose blocks a test makes; what providers do is told as a story.

async with open_desk(tmp_path) as desk:
    lease = await desk.story.leased()
    result = await desk.does(desk.tenant, "fund", "--deployment", desk.deployment_of(lease), "--for", "1h", "--yes")
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from moorage.types import Account, Address, OrderId
from tests.bytecode import ROOT
from tests.chain import ONE_TOKEN, give_tokens, write_market
from tests.cli_runner import Person, Result, person
from tests.lease_story import PERIOD, Story, open_story


@dataclass(frozen=True)
class Desk:
    """A market, and who sits before a terminal."""

    story: Story
    folder: Path

    @property
    def tenant(self) -> Person:
        return self.person(self.story.chain.tenant)

    @property
    def stranger(self) -> Person:
        return self.person(self.story.chain.stranger)

    def person(self, account: LocalAccount) -> Person:
        """Return somebody with a key in a file."""
        path = self.folder / f"{account.address}.key"
        path.write_text(account.key.hex())
        path.chmod(0o600)
        return person(
            self.folder, RPC=self.story.chain.url, KEY_FILE=str(path), MARKET=str(self.folder / "market.json")
        )

    async def does(self, who: Person, *arguments: str, typed: str | None = None) -> Result:
        """Run a command; each transaction that it sends is in a block of its own."""
        await self.story.chain.rpc.call("evm_setAutomine", True)
        try:
            return await who.does(*arguments, typed=typed)
        finally:
            await self.story.chain.rpc.call("evm_setAutomine", False)

    async def killed(self, who: Person, point: str, *arguments: str) -> None:
        """Run a command in a process of its own that kills itself at a place (moorage/crash.py)."""
        variables = {name: value for name, value in who.variables.items() if value is not None}
        places = {"HOME": str(who.home), "XDG_STATE_HOME": str(who.state), "PYTHONPATH": str(ROOT)}
        await self.story.chain.rpc.call("evm_setAutomine", True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *arguments),
            env={**os.environ, **variables, **places, "MOORAGE_CRASH_AT": point},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate()
        await self.story.chain.rpc.call("evm_setAutomine", False)
        assert process.returncode == -signal.SIGKILL, error

    async def account(self, who: LocalAccount) -> Account:
        (found,) = await self.story.exchange.accounts(None, [Address(who.address)])
        return found

    async def deployment_of(self, order: OrderId) -> str:
        """Return the id of an order's deployment, as it is typed."""
        return f"0x{(await self.story.key(order)).deployment.hex()}"


@asynccontextmanager
async def open_desk(folder: Path, tokens: Sequence[LocalAccount] = (), period: int = PERIOD) -> AsyncIterator[Desk]:
    """Run a chain with a market until the end of the block; these accounts have a thousand tokens in their wallets."""
    async with open_story(period) as story:
        write_market(story.market, folder / "market.json")
        for account in tokens:
            await give_tokens(story.chain, story.market, account.address, 1_000)
        yield Desk(story, folder)


def units_of(tokens: str) -> int:
    """Return what a program is told in tokens, in ledger units."""
    whole, _, part = tokens.partition(".")
    return int(whole) * ONE_TOKEN + int(part.ljust(18, "0") or 0)


def gas_at_most(result: Result) -> int:
    """Return what a run has said that its gas costs at most, in wei."""
    (text,) = re.findall(r"gas +at most ([0-9.]+) of", result.err)
    return units_of(text)
