"""Tenants with an example each: everything through `moorage`, as people would, and all of them at once.

tenants = await make_tenants(site, ["static-site"])
outcomes = await at_once(tenants, "deploy", "--yes")
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.private_file import write_private
from tests.bytecode import ROOT
from tests.chain import give_tokens
from tests.cli_forks import Outcome, Run, moorage_at_once
from tests.cli_runner import Person, person
from tests.datacenters import Site

EXAMPLES = ROOT / "examples"
LOCAL_FILE = "local.yml"
TOKENS = 100
COINS_WEI = 10**18


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody with a wallet of its own, and an example in a folder of its own."""

    example: str
    folder: Path
    variables: dict[str, str]

    @property
    def files(self) -> Path:
        """Where the example is."""
        return self.folder / "example"

    def init(self) -> None:
        """Have the example written, and its images and region replaced by those of a development chain."""
        result = person(self.folder).moorage("init", "--template", self.example, str(self.files))
        assert result.status == 0, result.err
        shutil.copy(EXAMPLES / self.example / LOCAL_FILE, self.files)

    def run(self, *arguments: str) -> Run:
        """Return what runs a command with the example's file."""
        name, *others = arguments
        return Run((name, "--file", str(self.files / LOCAL_FILE), *others), str(self.folder), self.variables)

    def person(self, **surroundings: Any) -> Person:
        """Return who runs commands in the test's own process, with other surroundings."""
        return Person(self.folder, self.variables, **surroundings)

    async def workloads(self) -> dict[str, Any]:
        """Return what `moorage status` tells of each workload, by its name."""
        (outcome,) = await at_once([self], "status", "-o", "json")
        groups = json.loads(outcome.output)["groups"]
        return {workload["name"]: workload for group in groups for workload in group["workloads"]}


async def at_once(tenants: Sequence[Tenant], *arguments: str) -> list[Outcome]:
    """Have each tenant run a command with its example, all at the same time."""
    return await moorage_at_once([tenant.run(*arguments) for tenant in tenants])


async def make_tenants(site: Site, examples: Sequence[str]) -> list[Tenant]:
    """Return a tenant for each example, with coins for gas and tokens in its wallet."""
    return [await _tenant(site, example) for example in examples]


async def _tenant(site: Site, example: str) -> Tenant:
    folder = site.folder / example
    folder.mkdir()
    account: LocalAccount = Account.create()
    write_private(folder / "key", account.key.hex().encode())
    await site.chain.rpc.call("anvil_setBalance", account.address, hex(COINS_WEI))
    await give_tokens(site.chain, site.market, account.address, TOKENS)
    variables = {
        "MOORAGE_RPC": site.chain.url,
        "MOORAGE_MARKET": str(site.folder / "market.json"),
        "MOORAGE_KEY_FILE": str(folder / "key"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    return Tenant(example, folder, variables)


def image_names() -> list[str]:
    """Return the names of the images that the examples take, as build.sh knows them."""
    texts = (path.read_text(encoding="utf-8") for path in EXAMPLES.glob(f"*/{LOCAL_FILE}"))
    return sorted({name for text in texts for name in re.findall(r"moorage-example/([a-z]+):1", text)})
