"""Which contracts a market consists of: read from deployments/<chain id>.json and checked against the chain."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from moorage.chain.rpc import ChainError, NodeRefused, Rpc
from moorage.types import Address, Parameters


class MarketError(ChainError):
    """The file, the node and the contracts do not belong together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Market:
    """One exchange with its registry and its settlement token on one chain."""

    chain_id: int
    seconds_per_block: Fraction
    first_block: int
    """The contracts are not older than this block."""
    exchange: Address
    registry: Address
    token: Address
    token_symbol: str
    parameters: Parameters
    code_hashes: dict[Address, bytes]
    """keccak256 of the runtime code of each."""


def load_market(path: Path) -> Market:
    """Read a market from the file that the deploy script wrote.

    Raises:
        MarketError: there is no such file, or it is not one.
    """
    try:
        content = msgspec.json.decode(path.read_bytes())
        return _market(content)
    except FileNotFoundError as error:
        raise MarketError(
            f"{path}: no such file: deploy the contracts first (brownie run deploy --network NAME) or name the file"
        ) from error
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise MarketError(f"{path}: not a file of the deploy script: {error!r}") from error


def _market(content: dict[str, Any]) -> Market:
    contracts, parameters = content["contracts"], content["parameters"]
    names = ("Exchange", "ProviderRegistry", "Token")
    exchange, registry, token = (_address(contracts[name]["address"]) for name in names)
    return Market(
        chain_id=int(content["chain_id"]),
        seconds_per_block=Fraction(str(content["seconds_per_block"])),
        first_block=int(content["block"]),
        exchange=exchange,
        registry=registry,
        token=token,
        token_symbol=str(contracts["Token"]["symbol"]),
        parameters=Parameters(
            reconfirmation_period_blocks=int(parameters["reconfirmation_period_blocks"]),
            collateral_interest_rate=int(parameters["collateral_interest_rate"]),
            facilitator_tip=int(parameters["facilitator_tip"]),
            closing_grace_blocks=int(parameters["closing_grace_blocks"]),
            max_fulfillments=int(parameters["max_fulfillments"]),
            token_decimals=int(contracts["Token"]["decimals"]),
        ),
        code_hashes={
            _address(contracts[name]["address"]): bytes.fromhex(contracts[name]["code_hash"].removeprefix("0x"))
            for name in names
        },
    )


def _address(text: str) -> Address:
    if not is_address(text):
        raise ValueError(f"{text} is not an address")
    return Address(to_checksum_address(text))


async def check_market(rpc: Rpc, market: Market) -> None:
    """Compare chain id and code of the contracts with the node's, before anything else is done.

    Raises:
        MarketError: they differ.
        NodeUnavailable: the node does not answer.
    """
    try:
        chain_id = int(await rpc.call("eth_chainId"), 16)
        if chain_id != market.chain_id:
            raise MarketError(
                f"the node at {rpc.name} is on chain {chain_id}, the contracts are on chain {market.chain_id}: "
                "use a node of that chain or the deployments file of this one"
            )
        addresses = list(market.code_hashes)
        codes = await rpc.batch([("eth_getCode", (address, "latest")) for address in addresses])
    except NodeRefused as error:
        raise MarketError(f"the node at {rpc.name} refuses: {error}") from error
    for address, code in zip(addresses, codes, strict=True):
        raw = bytes.fromhex(code.removeprefix("0x"))
        if not raw:
            raise MarketError(
                f"no contract at {address} on chain {chain_id}: deploy again or use the right deployments file"
            )
        if keccak(raw) != market.code_hashes[address]:
            raise MarketError(
                f"the contract at {address} has other code than the deployments file says: do not use it, "
                "get the file from whoever deployed the market"
            )
