"""The demo's own chain: anvil with a block each second, final two blocks behind, and the contracts on it."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from demo.processes import DemoFailed, Processes, run
from moorage.chain.contracts import Token
from moorage.chain.market import Market, check_market, load_market
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.chain.sender import Sender
from moorage.private_file import write_private
from moorage.types import Address

ROOT = Path(__file__).resolve().parent.parent
MNEMONIC = "test test test test test test test test test test test junk"
START_SECONDS = 60
ACTORS = ("deployer", "tenant", "facilitator", "owner-1", "operator-1", "owner-2", "operator-2")


@dataclass(frozen=True)
class Actors:
    """Who takes part: the well-known accounts of a development chain, each with coins for gas."""

    accounts: dict[str, LocalAccount]
    key_files: dict[str, Path]

    def address(self, name: str) -> Address:
        return Address(self.accounts[name].address)


def make_actors(folder: Path, names: Sequence[str] = ACTORS) -> Actors:
    """Derive the accounts and write their keys to private files."""
    Account.enable_unaudited_hdwallet_features()
    accounts = {
        name: Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        for index, name in enumerate(names)
    }
    files = {name: folder / "keys" / name for name in accounts}
    for name, account in accounts.items():
        write_private(files[name], account.key.hex().encode())
    return Actors(accounts, files)


def free_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def start_anvil(processes: Processes, host: str = "127.0.0.1", accounts: int = 10) -> tuple[str, int]:
    """Start the chain and return the node's address and the chain's id.

    Args:
        host: the address that it listens on.
        accounts: how many have coins.

    Raises:
        DemoFailed: it does not start.
    """
    # an id of its own: nothing of two demos on one engine can be mixed up
    port, chain_id = free_port(), 10**6 + secrets.randbelow(10**8)
    command: list[str | Path] = [
        ROOT / ".venv/bin/anvil",
        "--host",
        host,
        "--port",
        str(port),
        "--chain-id",
        str(chain_id),
        "--accounts",
        str(accounts),
    ]
    command += ["--block-time", "1", "--slots-in-an-epoch", "1", "--mnemonic", MNEMONIC]
    command += ["--cache-path", processes.folder / "anvil"]  # old states, which it would leave behind elsewhere
    processes.start("anvil", command)
    url, until = f"http://{host}:{port}", time.monotonic() + START_SECONDS
    async with Rpc(url) as rpc:
        while time.monotonic() < until:
            processes.check()
            try:
                await rpc.call("eth_chainId")
                return url, chain_id
            except NodeUnavailable:
                await asyncio.sleep(0.1)
    raise DemoFailed(f"anvil does not answer after {START_SECONDS} s, see {processes.log('anvil')}")


async def deploy(url: str, chain_id: int, actors: Actors, folder: Path) -> Path:
    """Deploy the contracts with Brownie and return the deployments file.

    Raises:
        DemoFailed: Brownie reports an error.
    """
    brownie = ROOT / ".venv-brownie/bin/brownie"
    environment = {"HOME": str(folder / "brownie-home"), "PATH": f"{brownie.parent}:/usr/bin:/bin"}
    (folder / "brownie-home").mkdir()
    network = [f"host={url}", f"chainid={chain_id}", "timeout=30"]
    await run([brownie, "networks", "add", "Moorage", "demo", *network], ROOT, environment, "brownie networks add")
    environment |= {
        "DEPLOYER_KEY": actors.accounts["deployer"].key.hex(),
        "MOORAGE_PARAMETERS": str(ROOT / "deploy/demo.toml"),
        "MOORAGE_DEPLOYMENTS": str(folder / "deployments"),
    }
    try:
        await run([brownie, "run", "deploy", "--network", "demo"], ROOT, environment, "brownie run deploy")
    finally:
        forget_in_brownie(chain_id)
    return folder / "deployments" / f"{chain_id}.json"


def forget_in_brownie(chain_id: int, deployments: Path = ROOT / "build/deployments") -> None:
    """Remove what Brownie remembers in the project of a chain that is soon gone: its folder and its line in the map."""
    shutil.rmtree(deployments / str(chain_id), ignore_errors=True)
    file = deployments / "map.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if known.pop(str(chain_id), None) is not None:
        fresh = file.with_name(f"map.{chain_id}.json")
        fresh.write_text(json.dumps(known, indent=2, sort_keys=True), encoding="utf-8")
        fresh.replace(file)


async def open_market(rpc: Rpc, path: Path) -> Market:
    """Read the deployments file and check it against the chain, as every program does."""
    market = load_market(path)
    await check_market(rpc, market)
    return market


async def hand_out(rpc: Rpc, market: Market, actors: Actors, tokens: dict[str, int]) -> None:
    """Give whole tokens of the deployer to others."""
    sender, token = Sender(rpc, actors.accounts["deployer"], market.chain_id), Token(rpc, market)
    one = 10**market.parameters.token_decimals
    await sender.send_all([token.transfer(actors.address(name), amount * one) for name, amount in tokens.items()])
