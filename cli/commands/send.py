"""`moorage send`: brings transactions that were signed elsewhere onto the chain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from cli.cold import call_of
from cli.desk import desk_of
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options, market_options
from cli.output import emit, note, say
from cli.review import show
from cli.session import Session, open_session
from cli.signers import NobodySigns
from cli.unsigned import Loaded, read_signed
from moorage.chain.refusals import PoolAnswer, pool_answer
from moorage.chain.rpc import NodeRefused, NodeUnavailable, as_number
from moorage.chain.sender import NotSent, Undecided
from moorage.chain.transactions import Signed

TIME_LIMIT_SECONDS = 120.0


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@market_options(has_wallet=False, asks=True)
def command(environment: Environment, options: Options, file: Path) -> None:
    """Send transactions that `moorage wallet sign` has signed, one after the other."""
    environment.run(_send(environment, options, file))


async def _send(environment: Environment, options: Options, file: Path) -> None:
    if options.unsigned_file is not None:
        raise Failure(ExitStatus.USAGE, "--unsigned-out: these transactions are signed already")
    signed = read_signed(file)
    async with open_session(options) as session:
        pending = await _still_to_send(session, file, signed)
        calls = [call_of(transaction) for transaction, _ in pending.transactions]
        most_wei = sum(transaction.gas * transaction.fees.max_wei for transaction, _ in pending.transactions)
        desk = desk_of(environment, options, session, NobodySigns(signed.sender))
        await show(desk, calls, most_wei)
        if options.is_dry_run:
            return
        count = len(pending.transactions)
        question = f"Send {'this transaction' if count == 1 else f'these {count} transactions'}?"
        desk.confirm(question)
        landed = [await _landed(session, raw) for _, raw in pending.transactions]
    if options.output is not Format.TEXT:
        emit([{"transaction": each, "block": block} for each, block in landed], options.output)
        return
    for each, block in landed:
        say(f"block {block}  {each}")


async def _still_to_send(session: Session, file: Path, signed: Loaded) -> Loaded:
    """Return what has not landed yet, in order.

    Raises:
        Failure: it is for another chain, or the wallet has sent something else with these numbers.
    """
    chains = {transaction.chain_id for transaction, _ in signed.transactions}
    if chains != {session.market.chain_id}:
        text = f"{file} is for chain {', '.join(map(str, sorted(chains)))}, the market is on {session.market.chain_id}"
        raise Failure(ExitStatus.WRONG_MARKET, text)
    used = as_number(await session.rpc.call("eth_getTransactionCount", signed.sender, "latest"))
    left = []
    for transaction, raw in signed.transactions:
        if transaction.nonce >= used:
            left.append((transaction, raw))
        elif await session.rpc.call("eth_getTransactionReceipt", raw.hash) is None:
            text = f"{file}: transaction number {transaction.nonce} of wallet {signed.sender} was another one"
            raise Failure(ExitStatus.REFUSED, f"{text}: make the file anew with --unsigned-out")
        else:
            note(f"transaction {raw.hash} has landed before")
    numbers = [transaction.nonce for transaction, _ in left]
    if not left:
        raise Failure(ExitStatus.REFUSED, f"{file}: all of it was sent before: nothing was sent now")
    if numbers != list(range(used, used + len(left))):
        text = f"{file} goes on at transaction number {numbers[0]} of wallet {signed.sender}, the next one is {used}"
        raise Failure(ExitStatus.REFUSED, f"{text}: send what comes before, or make the file anew")
    return Loaded(signed.sender, tuple(left))


async def _landed(session: Session, signed: Signed) -> tuple[str, int]:
    """Send one transaction, which the node may have already, and return its hash and block.

    Raises:
        NotSent: it is refused, or reverted.
        Undecided: it is not in a block in time.
        NodeUnavailable: the node does not answer.
    """
    try:
        await session.rpc.call("eth_sendRawTransaction", signed.raw)
    except NodeRefused as error:
        if pool_answer(error) is not PoolAnswer.KNOWN:
            raise NotSent(f"transaction {signed.hash}: the node refuses it: {error.message}") from error
    transaction = signed.hash
    loop = asyncio.get_running_loop()
    until = loop.time() + TIME_LIMIT_SECONDS
    while loop.time() < until:
        receipt = await _receipt(session, transaction)
        if receipt is not None:
            if receipt.get("status") != "0x1":
                raise NotSent(f"transaction {transaction} reverted")
            return transaction, as_number(receipt.get("blockNumber"))
        await asyncio.sleep(0.2)
    waited = f"not in a block after {TIME_LIMIT_SECONDS:.0f} s; it may still get there"
    raise Undecided(f"transaction {transaction}: {waited}")


async def _receipt(session: Session, transaction: str) -> dict[str, Any] | None:
    try:
        found = await session.rpc.call("eth_getTransactionReceipt", transaction)
    except NodeUnavailable:
        return None  # it has said nothing about the transaction
    return found if isinstance(found, dict) else None
