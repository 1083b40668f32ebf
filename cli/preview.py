"""What transactions would change, tried out by the node at one block (eth_simulateV1) before anything is signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from eth_abi.exceptions import DecodingError

from cli.core.reviewing import Holding
from cli.session import Session
from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.refusals import reason_of
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, as_bytes, as_number
from moorage.chain.sender import NotSent
from moorage.chain.simulation import message
from moorage.snapshot import Block
from moorage.types import Address

RETURNED_GAS = 5, 4
"""What is given back at the end of a transaction, a fifth at most (EIP-3529), is needed before."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the node says that transactions would do, one after the other."""

    block: Block
    before: Holding
    after: Holding | None
    """None: this node cannot try several transactions."""
    gas: tuple[int, ...] | None
    """What each needs."""


class _Tried(msgspec.Struct, rename="camel"):
    """What eth_simulateV1 says of one call."""

    status: str = "0x0"
    gas_used: str = "0x0"
    return_data: str = "0x"
    error: Any = None


class _TriedBlock(msgspec.Struct):
    calls: list[_Tried]


async def preview(session: Session, wallet: Address, calls: Sequence[Call], tenant: Address | None = None) -> Preview:
    """Try calls of a wallet one after the other, and see what it has before and after them.

    Args:
        tenant: whose account a manager spends, to be looked at as well.

    Raises:
        NotSent: one of them would be refused; the message says which and why.
        NodeUnavailable: the node does not answer.
    """
    block = await read_block(session.rpc)
    reads = _reads(session, wallet, tenant)
    tried = await _simulated(session, block, [message(wallet, each) for each in (*reads, *calls, *reads)])
    if tried is None:
        before = await _held(session, wallet, tenant, block)
        needed = await _needed_by_first(session, wallet, calls[0])
        return Preview(block, before, None, (needed,) if len(calls) == 1 else None)
    made = tried[len(reads) : len(reads) + len(calls)]
    for call, outcome in zip(calls, made, strict=True):
        _check(call, outcome)
    before, after = _holding(session, tried[: len(reads)]), _holding(session, tried[-len(reads) :])
    factor, divisor = RETURNED_GAS
    return Preview(block, before, after, tuple(-(-as_number(each.gas_used) * factor // divisor) for each in made))


def _reads(session: Session, wallet: Address, tenant: Address | None) -> tuple[Call, ...]:
    token, exchange = session.token, session.exchange
    of_tenant = () if tenant is None else (exchange.call("account", tenant),)
    return (
        token.call("balanceOf", wallet),
        exchange.call("account", wallet),
        token.call("allowance", wallet, session.market.exchange),
        *of_tenant,
    )


async def _simulated(session: Session, block: Block, messages: Sequence[dict[str, str]]) -> list[_Tried] | None:
    """Return what became of each; None if the node cannot do this."""
    at_block = {"blockHash": f"0x{block.hash.hex()}"}
    request = {"blockStateCalls": [{"blockOverrides": {"number": hex(block.number + 1)}, "calls": messages}]}
    try:
        blocks = await session.rpc.call("eth_simulateV1", request, at_block, kind=list[_TriedBlock])
    except NodeUnavailable:
        raise
    except ChainError:
        return None
    tried = blocks[0].calls if blocks else []
    return tried if len(tried) == len(messages) else None


def _check(call: Call, outcome: _Tried) -> None:
    if as_number(outcome.status) != 1:
        said = outcome.error.get("message", "") if isinstance(outcome.error, dict) else ""
        raise NotSent(f"{call.description}: {abi.revert_text(outcome.return_data, said)}")


def _holding(session: Session, tried: Iterable[_Tried]) -> Holding:
    erc20, exchange = abi.load("ERC20"), abi.load("Exchange")
    try:
        balance, account, allowance, *of_tenant = [as_bytes(each.return_data) for each in tried]
        return Holding(
            erc20.decode("balanceOf", balance),
            exchange.decode("account", account)[0],
            erc20.decode("allowance", allowance),
            exchange.decode("account", of_tenant[0])[0] if of_tenant else None,
        )
    except DecodingError as error:
        raise NodeUnavailable(f"{session.rpc.name} does not say what the wallet has: {error}") from error


async def _needed_by_first(session: Session, wallet: Address, call: Call) -> int:
    """Return the gas of what comes first; what comes after it can't be tried alone."""
    try:
        return as_number(await session.rpc.call("eth_estimateGas", message(wallet, call), "latest"))
    except NodeRefused as error:
        raise NotSent(f"{call.description}: {reason_of(error)[0]}") from error


async def _held(session: Session, wallet: Address, tenant: Address | None, block: Block) -> Holding:
    account, of_tenant = await session.exchange.accounts(block, [wallet, tenant or wallet])
    allowance = await session.token.allowance(block, wallet, session.market.exchange)
    balance = await session.token.balance(block, wallet)
    return Holding(balance, account.available, allowance, None if tenant is None else of_tenant.available)
