"""A real chain for tests: an anvil of their own on a free port, a market on it, and accounts that can pay.

async with start_chain() as chain:
    market = await deploy_market(chain, period=10)
    await give_tokens(chain, market, chain.tenant.address, 1_000)
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from moorage.chain.abi import revert_text
from moorage.chain.contracts import Call, Exchange, Registry, Token, provider_account
from moorage.chain.market import Market, load_market
from moorage.chain.rpc import NodeRefused, Rpc
from moorage.regions import mask_of
from moorage.types import Address, ProviderNumber
from moorage.units import to_base_units
from tests.bytecode import ROOT, creation_code

ANVIL = ROOT / ".venv" / "bin" / "anvil"
MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = 10
START_SECONDS = 60
PATIENT = aiohttp.ClientTimeout(total=120)
SUPPLY = 10**9
ONE_TOKEN = 10**18
"""In ledger units; also in base units of a token with 18 decimals."""


@dataclass(frozen=True)
class Chain:
    """A running anvil. Each of its accounts has 10,000 coins to pay for gas, and no tokens."""

    url: str
    chain_id: int
    rpc: Rpc
    accounts: tuple[LocalAccount, ...]
    block_time: float | None
    """None: a block for each transaction, or none at all but for `mine` if it was started so."""

    @property
    def treasury(self) -> LocalAccount:
        """Who deploys the contracts and has all the tokens."""
        return self.accounts[0]

    @property
    def tenant(self) -> LocalAccount:
        return self.accounts[1]

    @property
    def facilitator(self) -> LocalAccount:
        return self.accounts[2]

    @property
    def stranger(self) -> LocalAccount:
        return self.accounts[3]

    @property
    def owners(self) -> tuple[LocalAccount, ...]:
        """Cold keys of three providers."""
        return self.accounts[4:7]

    @property
    def operators(self) -> tuple[LocalAccount, ...]:
        """Hot keys of the same three providers."""
        return self.accounts[7:10]

    async def mine(self, blocks: int = 1, *apart_seconds: int) -> None:
        """Add blocks at once.

        Args:
            apart_seconds: by the chain's clock.
        """
        await self.rpc.call("anvil_mine", hex(blocks), *map(hex, apart_seconds))

    async def block_number(self) -> int:
        return int(await self.rpc.call("eth_blockNumber"), 16)

    async def transact(self, sender: LocalAccount, call: Call) -> dict[str, Any]:
        """Send a transaction, mine it at once however the chain was started, and return its receipt.

        Raises:
            AssertionError: it was refused; the message has the reason.
        """
        receipt = await self._include({"from": sender.address, "to": call.to, "data": f"0x{call.data.hex()}"})
        assert int(receipt["status"], 16) == 1, f"{call.description} reverted in a block"
        return receipt

    async def create(self, contract: str, types: Sequence[str] = (), arguments: Sequence[Any] = ()) -> Address:
        """Deploy a contract from the treasury and return its address."""
        data = creation_code(contract) + encode(types, arguments)
        receipt = await self._include({"from": self.treasury.address, "data": f"0x{data.hex()}"})
        assert int(receipt["status"], 16) == 1, f"{contract} could not be deployed"
        return Address(to_checksum_address(receipt["contractAddress"]))

    async def _include(self, fields: dict[str, str]) -> dict[str, Any]:
        try:
            estimate = int(await self.rpc.call("eth_estimateGas", fields, "pending"), 16)
            # What others have included by then may make it dearer.
            transaction = await self.rpc.call("eth_sendTransaction", fields | {"gas": hex(2 * estimate)})
        except NodeRefused as error:
            raise AssertionError(revert_text(error.data, error.message)) from error
        receipt = await self.rpc.call("eth_getTransactionReceipt", transaction)
        if receipt is None:
            await self.mine()
            receipt = await self.rpc.call("eth_getTransactionReceipt", transaction)
        assert isinstance(receipt, dict)
        return receipt


@asynccontextmanager
async def start_chain(
    *,
    block_time: float | None = None,
    is_manual: bool = False,
    slots_in_an_epoch: int = 1,
    chain_id: int = 31337,
    gas_limit: int | None = None,
) -> AsyncIterator[Chain]:
    """Run an anvil until the end of the block.

    Args:
        block_time: seconds between blocks; None for a block with each transaction.
        is_manual: no block but by `mine`.
        slots_in_an_epoch: the finalized block is twice this behind the newest.
        chain_id: of the chain.
        gas_limit: of a block; None for the node's own, 30 million.
    """
    command = [str(ANVIL), "--port", "0", "--slots-in-an-epoch", str(slots_in_an_epoch), "--chain-id", str(chain_id)]
    command += ["--accounts", str(ACCOUNTS), "--mnemonic", MNEMONIC]
    command += ["--block-time", str(block_time)] if block_time else []
    command += ["--no-mining"] if is_manual else []
    command += ["--gas-limit", str(gas_limit)] if gas_limit else []
    # it writes old states to a disk, and leaves them there when it is stopped
    with tempfile.TemporaryFile("w+b") as log, tempfile.TemporaryDirectory(prefix="anvil-") as states:
        command += ["--cache-path", states]
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            url = await _listening(process, log)
            async with patient(url) as rpc:
                yield Chain(url, chain_id, rpc, accounts(), block_time)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _listening(process: asyncio.subprocess.Process, log: Any) -> str:
    """Wait until anvil has said which port it got."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.returncode is None:
        log.seek(0)
        _, found, address = log.read().decode().partition("Listening on ")
        if found and "\n" in address:
            return f"http://{address.split()[0]}"
        await asyncio.sleep(0.02)
    raise RuntimeError("anvil did not start")


def patient(url: str) -> Rpc:
    """Return a client of a node that a test itself asks: it waits while the machine stands still."""
    rpc = Rpc(url, PATIENT)
    rpc._quick = PATIENT
    return rpc


@cache
def accounts() -> tuple[LocalAccount, ...]:
    """Return the accounts that each chain has."""
    Account.enable_unaudited_hdwallet_features()
    return tuple(Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}") for index in range(ACCOUNTS))


async def deploy_market(
    chain: Chain,
    *,
    period: int = 10,
    interest_rate: int = 0,
    tip: int = ONE_TOKEN // 1_000,
    grace: int = 20,
    max_fulfillments: int = 32,
    root_delay: int = 0,
    token: str = "MoorageToken",
    decimals: int = 18,
    seconds_per_block: Fraction | None = None,
) -> Market:
    """Deploy token, registry and exchange; the treasury has the whole supply.

    Args:
        chain: where.
        period: reconfirmation period in blocks, at least 4.
        interest_rate: per block in 1e-18 of the collateral.
        tip: ledger units.
        grace: blocks.
        max_fulfillments: of one order.
        root_delay: blocks.
        token: `MoorageToken`, or one below contracts/testing such as `testing/NoReturnToken`.
        decimals: of a token for tests.
        seconds_per_block: as programs shall see it; the chain's own block time, else 1.
    """
    if token == "MoorageToken":
        token_address = await chain.create(token, ["uint256"], [SUPPLY * ONE_TOKEN])
        decimals, symbol = 18, "MOOR"
    else:
        token_address = await chain.create(token, ["uint256", "uint8"], [SUPPLY * 10**decimals, decimals])
        symbol = "TEST"
    registry = await chain.create("ProviderRegistry", ["uint256"], [root_delay])
    parameters = (period, interest_rate, tip, grace, max_fulfillments)
    exchange = await chain.create(
        "Exchange", ["address", "address", *["uint256"] * 5], [token_address, registry, *parameters]
    )
    names = ("reconfirmation_period_blocks", "collateral_interest_rate", "facilitator_tip", "closing_grace_blocks")
    document = {
        "chain_id": chain.chain_id,
        "block": 0,
        "seconds_per_block": str(seconds_per_block or Fraction(str(chain.block_time or 1))),
        "contracts": {
            "Exchange": await _contract(chain, exchange),
            "ProviderRegistry": await _contract(chain, registry),
            "Token": await _contract(chain, token_address) | {"symbol": symbol, "decimals": decimals},
        },
        "parameters": dict(zip((*names, "max_fulfillments"), parameters, strict=True)),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.json"
        path.write_text(json.dumps(document), encoding="ascii")
        return load_market(path)


async def _contract(chain: Chain, address: Address) -> dict[str, Any]:
    code = bytes.fromhex((await chain.rpc.call("eth_getCode", address, "latest"))[2:])
    return {"address": address, "code_hash": f"0x{keccak(code).hex()}"}


def write_market(market: Market, path: Path) -> None:
    """Write the deployments file of a market, as the deploy script does."""
    names = {market.exchange: "Exchange", market.registry: "ProviderRegistry", market.token: "Token"}
    contracts: dict[str, dict[str, Any]] = {
        name: {"address": address, "code_hash": f"0x{market.code_hashes[address].hex()}"}
        for address, name in names.items()
    }
    parameters = market.parameters
    contracts["Token"] |= {"symbol": market.token_symbol, "decimals": parameters.token_decimals}
    document = {
        "chain_id": market.chain_id,
        "block": market.first_block,
        "seconds_per_block": str(market.seconds_per_block),
        "contracts": contracts,
        "parameters": {
            "reconfirmation_period_blocks": parameters.reconfirmation_period_blocks,
            "collateral_interest_rate": parameters.collateral_interest_rate,
            "facilitator_tip": parameters.facilitator_tip,
            "closing_grace_blocks": parameters.closing_grace_blocks,
            "max_fulfillments": parameters.max_fulfillments,
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="ascii")


async def give_tokens(chain: Chain, market: Market, receiver: str, tokens: int) -> None:
    """Move whole tokens from the treasury to a wallet."""
    amount = tokens * 10**market.parameters.token_decimals
    await chain.transact(chain.treasury, Token(chain.rpc, market).transfer(Address(receiver), amount))


async def deposit(chain: Chain, market: Market, account: str, ledger_units: int) -> None:
    """Pay from the treasury into an account of the exchange: a wallet's address or a provider's account."""
    amount = to_base_units(ledger_units, market.parameters.token_decimals)
    await chain.transact(chain.treasury, Token(chain.rpc, market).approve(market.exchange, amount))
    await chain.transact(chain.treasury, Exchange(chain.rpc, market).deposit(Address(account), amount))


async def register_provider(
    chain: Chain,
    market: Market,
    index: int = 0,
    *,
    endpoint: str = "https://127.0.0.1:1",
    certificate: bytes = b"no certificate",
    region: str = "local",
    collateral: int = 1_000 * ONE_TOKEN,
) -> ProviderNumber:
    """Register a provider of `chain.owners[index]` and `chain.operators[index]`, with collateral in its account."""
    registry = Registry(chain.rpc, market)
    cap = 2**90 - 1
    operator = Address(chain.operators[index].address)
    call = registry.register_provider(operator, mask_of(region), cap, endpoint, "{}", certificate)
    await chain.transact(chain.owners[index], call)
    number = ProviderNumber(await registry.read(None, "provider_count"))
    await deposit(chain, market, provider_account(number), collateral)
    return number
