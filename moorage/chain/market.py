"""Which contracts a market consists of: read from deployments/<chain id>.json and checked against the chain."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec
from eth_abi.exceptions import DecodingError
from eth_utils.address import is_hex_address, to_checksum_address
from eth_utils.crypto import keccak

from moorage.chain import abi
from moorage.chain.rpc import ChainError, NodeRefused, Rpc, as_bytes, as_number
from moorage.types import Address, Parameters
from moorage.units import UnitError, parse_block_time, to_ledger_units

MAX_MISSING_SHOWN = 3
REMEDY = "get the file that `brownie run deploy` wrote from whoever deployed the market"
_Count = Annotated[int, msgspec.Meta(ge=0)]


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


class _Contract(msgspec.Struct):
    address: str
    code_hash: str


class _Token(_Contract):
    symbol: str
    decimals: Annotated[int, msgspec.Meta(ge=0, le=255)]


class _Contracts(msgspec.Struct):
    Exchange: _Contract
    ProviderRegistry: _Contract
    Token: _Token


class _Parameters(msgspec.Struct):
    reconfirmation_period_blocks: _Count
    collateral_interest_rate: _Count
    facilitator_tip: _Count
    closing_grace_blocks: _Count
    max_fulfillments: _Count


class _File(msgspec.Struct):
    """What the deploy script writes, as far as it is read."""

    chain_id: _Count
    block: _Count
    seconds_per_block: int | str
    contracts: _Contracts
    parameters: _Parameters


def load_market(path: Path) -> Market:
    """Read a market from the file that the deploy script wrote.

    Raises:
        MarketError: there is no such file, or it is not one.
    """
    try:
        return _market(msgspec.json.decode(path.read_bytes(), type=_File))
    except FileNotFoundError as error:
        raise MarketError(
            f"{path}: no such file: get the market's file from whoever runs the market and name it (--market FILE, "
            "MOORAGE_MARKET, or market in a daemon's settings); who starts a market gets it from brownie run deploy"
        ) from error
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror}: {REMEDY}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise MarketError(f"{path}: not a file of the deploy script: {error}: {REMEDY}") from error


def _market(file: _File) -> Market:
    contracts, parameters = file.contracts, file.parameters
    exchange, registry, token = contracts.Exchange, contracts.ProviderRegistry, contracts.Token
    code_hashes = {_address(each): _code_hash(each) for each in (exchange, registry, token)}
    if len(code_hashes) != 3:
        raise ValueError("two contracts have the same address")
    try:
        seconds_per_block = parse_block_time(file.seconds_per_block)
    except UnitError as error:
        raise ValueError(f"seconds_per_block: {error}") from error
    return Market(
        chain_id=file.chain_id,
        seconds_per_block=seconds_per_block,
        first_block=file.block,
        exchange=_address(exchange),
        registry=_address(registry),
        token=_address(token),
        token_symbol=token.symbol,
        parameters=Parameters(
            reconfirmation_period_blocks=parameters.reconfirmation_period_blocks,
            collateral_interest_rate=parameters.collateral_interest_rate,
            facilitator_tip=parameters.facilitator_tip,
            closing_grace_blocks=parameters.closing_grace_blocks,
            max_fulfillments=parameters.max_fulfillments,
            token_decimals=token.decimals,
        ),
        code_hashes=code_hashes,
    )


def _address(contract: _Contract) -> Address:
    if not is_hex_address(contract.address):
        raise ValueError(f"{contract.address!r} is not an address")
    checksummed = to_checksum_address(contract.address)
    if contract.address not in (contract.address.lower(), checksummed):
        raise ValueError(f"{contract.address!r} is mistyped: its checksum is wrong")
    return Address(checksummed)


def _code_hash(contract: _Contract) -> bytes:
    try:
        code_hash = bytes.fromhex(contract.code_hash.removeprefix("0x"))
    except ValueError:
        code_hash = b""
    if len(code_hash) != 32:
        raise ValueError(f"{contract.code_hash!r} is not a hash of 32 bytes")
    return code_hash


async def check_market(rpc: Rpc, market: Market) -> None:
    """Compare chain id, code and parameters of the contracts with the node's, before anything else is done.

    Raises:
        MarketError: they differ.
        NodeUnavailable: the node does not answer.
    """
    try:
        chain_id = as_number(await rpc.call("eth_chainId"))
        if chain_id != market.chain_id:
            raise MarketError(
                f"the node at {rpc.name} is on chain {chain_id}, the contracts are on chain {market.chain_id}: "
                "use a node of that chain or the deployments file of this one"
            )
        await _check_code(rpc, market)
        await _check_parameters(rpc, market)
    except NodeRefused as error:
        raise MarketError(f"the node at {rpc.name} refuses: {error}") from error
    except DecodingError as error:
        raise MarketError(f"the exchange at {market.exchange} is none: {REMEDY}") from error


async def _check_code(rpc: Rpc, market: Market) -> None:
    codes = await rpc.batch([("eth_getCode", (address, "latest")) for address in market.code_hashes])
    for (address, code_hash), code in zip(market.code_hashes.items(), codes, strict=True):
        raw = as_bytes(code)
        if not raw:
            raise MarketError(
                f"no contract at {address} on chain {market.chain_id}: deploy again or use the right deployments file"
            )
        if keccak(raw) != code_hash:
            raise MarketError(
                f"the contract at {address} has other code than the deployments file says: do not use it, {REMEDY}"
            )
        _check_version(market, address, raw)


def _check_version(market: Market, address: Address, code: bytes) -> None:
    """See that the contract has all functions that this program knows: their selectors are in its code."""
    name = {market.exchange: "Exchange", market.registry: "ProviderRegistry"}.get(address)
    missing = [] if name is None else abi.missing_functions(name, code)
    if missing:
        raise MarketError(
            f"the contract at {address} is of another version than this program: it has no "
            f"{', '.join(missing[:MAX_MISSING_SHOWN])}: install the program's version that this market is for"
        )


async def _check_parameters(rpc: Rpc, market: Market) -> None:
    """Compare what the file says about the exchange: a wrong period would cost a provider its collateral."""
    parameters, exchange = market.parameters, abi.load("Exchange")
    expected = {  # in the order of IExchange.Parameters
        "settlement_token": market.token.lower(),
        "provider_registry": market.registry.lower(),
        "ledger_scale": to_ledger_units(1, parameters.token_decimals),
        "reconfirmation_period_blocks": parameters.reconfirmation_period_blocks,
        "collateral_interest_rate": parameters.collateral_interest_rate,
        "facilitator_tip": parameters.facilitator_tip,
        "closing_grace_blocks": parameters.closing_grace_blocks,
        "max_fulfillments": parameters.max_fulfillments,
    }
    call = {"to": market.exchange, "data": f"0x{exchange.encode('market_parameters').hex()}"}
    answer = await rpc.call("eth_call", call, "latest")
    found = exchange.decode("market_parameters", as_bytes(answer))
    for (name, value), actual in zip(expected.items(), found, strict=True):
        if actual != value:
            raise MarketError(f"{name} of the exchange is {actual}, the deployments file says {value}: {REMEDY}")
