"""Checks of nodes, contracts, clock and coin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.chain.index import read_block
from moorage.chain.market import Market, check_market
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.snapshot import Block
from moorage.types import Address

ALLOWED_SKEW_SECONDS = 30
LATE_BLOCKS = 5
"""A head that is older than so many blocks take is taken for old."""
LAG_BLOCKS = 5
LOCAL_CHAINS = (1337, 31337)
"""Development chains: their blocks come when somebody wants them."""
WEI_PER_COIN = 10**18
MARKET_REMEDY = "use a node of the market's chain, or get the market's file from whoever deployed it"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one node of the settings says."""

    name: str
    head: Block | None
    finding: Finding


async def ask_node(rpc: Rpc) -> tuple[Block | None, list[Finding]]:
    """Ask a node which chain it is on before any market is known; the block is None if it does not answer."""
    where = f"node {rpc.name}"
    try:
        chain_id = as_number(await rpc.call("eth_chainId"))
        head = await read_block(rpc)
    except (NodeUnavailable, NodeRefused) as error:
        return None, [failure(where, str(error), "start it, or name another one with --rpc (MOORAGE_RPC)")]
    return head, [ok(where, f"chain {chain_id}, block {head.number}")]


async def ask_endpoint(rpc: Rpc, market: Market) -> Endpoint:
    """Ask one node for its chain and its newest block."""
    where = f"rpc {rpc.name}"
    try:
        chain_id = as_number(await rpc.call("eth_chainId"))
        head = await read_block(rpc)
    except (NodeUnavailable, NodeRefused) as error:
        remedy = "start the node, or take it out of rpc"
        return Endpoint(rpc.name, None, failure(where, str(error), remedy))
    if chain_id != market.chain_id:
        what = f"is on chain {chain_id}, the market is on chain {market.chain_id}"
        return Endpoint(rpc.name, None, failure(where, what, MARKET_REMEDY))
    return Endpoint(rpc.name, head, ok(where, f"chain {chain_id}, block {head.number}"))


def compare_endpoints(endpoints: Sequence[Endpoint]) -> list[Finding]:
    """Return what each node said, and whether they are at about the same block."""
    findings = [endpoint.finding for endpoint in endpoints]
    if len(endpoints) == 1:
        remedy = "add a second node of another operator to rpc: confirmations then survive the loss of one"
        return [*findings, warning("rpc", "there is only one node", remedy)]
    heads = [(endpoint.head.number, endpoint.name) for endpoint in endpoints if endpoint.head is not None]
    if len(heads) > 1 and max(heads)[0] - min(heads)[0] > LAG_BLOCKS:
        what = f"{min(heads)[1]} is {max(heads)[0] - min(heads)[0]} blocks behind {max(heads)[1]}"
        findings.append(warning("rpc", what, "see whether it is still catching up"))
    return findings


async def check_contracts(rpc: Rpc, market: Market) -> list[Finding]:
    """Compare code, parameters and functions of the contracts with what this program was built for."""
    where = "market"
    try:
        await check_market(rpc, market)
    except NodeUnavailable as error:
        return [failure(where, f"could not be read: {error}", "see the findings about rpc")]
    except ChainError as error:
        return [failure(where, str(error), MARKET_REMEDY)]
    return [ok(where, f"exchange {market.exchange}: code and parameters are those of the market's file")]


async def check_finality(rpc: Rpc) -> list[Finding]:
    """See that the node knows final blocks: nothing is removed without one."""
    try:
        final = await read_block(rpc, "finalized")
    except NodeUnavailable as error:
        remedy = "use a node that answers eth_getBlockByNumber for `finalized`"
        return [failure("final blocks", f"not known to the node: {error}", remedy)]
    return [ok("final blocks", f"up to {final.number}")]


def check_clock(head: Block, now_seconds: float, market: Market) -> list[Finding]:
    """Compare the host's clock with the newest block's time; requests and certificates depend on it."""
    skew = now_seconds - head.timestamp
    allowed = max(ALLOWED_SKEW_SECONDS, LATE_BLOCKS * float(market.seconds_per_block))
    if -ALLOWED_SKEW_SECONDS <= skew <= allowed:
        return [ok("clock", f"{skew:+.0f} s from the newest block's time")]
    if market.chain_id in LOCAL_CHAINS:
        what = f"{skew:+.0f} s from the newest block's time"
        return [warning("clock", what, "nothing, if this local chain has no block now or its time was moved")]
    if skew < 0:
        what = f"the host's clock is {-skew:.0f} s behind the newest block"
        return [failure("clock", what, "set the clock by NTP: timedatectl set-ntp true")]
    what = f"the newest block is {skew:.0f} s old"
    remedy = "if the node is in sync the host's clock is ahead: set it by NTP (timedatectl set-ntp true)"
    return [failure("clock", what, remedy)]


async def check_coin(rpc: Rpc, address: Address, need_wei_per_hour: int, least_hours: int) -> list[Finding]:
    """See how long the key's coin lasts.

    Args:
        need_wei_per_hour: what the key is expected to spend at what gas costs now.
        least_hours: what it should last for.
    """
    where = "coin"
    try:
        balance = as_number(await rpc.call("eth_getBalance", address, "latest"))
    except (NodeUnavailable, NodeRefused) as error:
        return [failure(where, f"could not be read: {error}", "see the findings about rpc")]
    shown = f"{balance / WEI_PER_COIN:.6g} coins"
    if balance == 0:
        return [
            failure(where, f"{address} has none: nothing can be sent", f"send some of the chain's coin to {address}")
        ]
    if not need_wei_per_hour:
        return [ok(where, f"{address} has {shown}")]
    hours = balance // need_wei_per_hour
    if hours < least_hours:
        top_up = (least_hours * need_wei_per_hour - balance) / WEI_PER_COIN
        what = f"{address} has {shown}, enough for about {hours} hours at what gas costs now"
        return [warning(where, what, f"send at least {top_up:.6g} coins to {address}")]
    return [ok(where, f"{address} has {shown}, enough for about {min(hours, 9_999)} hours")]


async def base_fee(rpc: Rpc) -> tuple[int, int]:
    """Return base fee in wei and gas limit of the newest block; a chain without EIP-1559 has a base fee of 0.

    Raises:
        NodeUnavailable: the node does not say.
    """
    try:
        block = await rpc.call("eth_getBlockByNumber", "latest", False)
        return as_number(block.get("baseFeePerGas", "0x0")), as_number(block["gasLimit"])
    except (NodeRefused, AttributeError, KeyError) as error:
        raise NodeUnavailable("the node does not tell its newest block's fees") from error
