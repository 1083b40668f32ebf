"""Signs transactions of one key with local nonces and brings them onto the chain (EIP-1559); raises fees if stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_account.signers.local import LocalAccount

from moorage.chain.abi import revert_text
from moorage.chain.contracts import Call
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc
from moorage.types import Address

GAS_MARGIN_PERCENT = 30
PRIORITY_FEE_WEI = 10**9
REPLACE_AFTER_SECONDS = 15.0
REPLACE_PERCENT = 113  # geth takes a replacement from +10 % on both fees
POLL_SECONDS = 0.2
INSUFFICIENT_FUNDS = "insufficient funds"


class NotSent(ChainError):
    """A transaction did not take place; the message says why."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that is in a block and succeeded."""

    call: Call
    transaction: str
    block_number: int
    gas_used: int
    logs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A transaction that would revert or did; nothing changed."""

    call: Call
    reason: str


@dataclass(slots=True)
class _Pending:
    call: Call
    fields: dict[str, Any]
    hashes: list[str]


class Sender:
    """The one writer of a key. Calls are simulated before they are sent."""

    def __init__(self, rpc: Rpc, account: LocalAccount, chain_id: int, time_limit_seconds: float = 120.0) -> None:
        self._rpc = rpc
        self._account = account
        self._chain_id = chain_id
        self._time_limit_seconds = time_limit_seconds
        self._lock = asyncio.Lock()

    @property
    def address(self) -> Address:
        return Address(self._account.address)

    async def send(self, call: Call) -> Sent:
        """Send one transaction and wait until it is in a block.

        Raises:
            NotSent: it would revert, did revert, or is not in a block in time.
            NodeUnavailable: the node does not answer.
        """
        (outcome,) = await self.send_all([call])
        if isinstance(outcome, Refused):
            raise NotSent(f"{outcome.call.description}: {outcome.reason}")
        return outcome

    async def send_all(self, calls: Sequence[Call]) -> list[Sent | Refused]:
        """Send independent transactions at once and wait until all are in blocks.

        Raises:
            NotSent: one is not in a block in time; it may still get there.
            NodeUnavailable: the node does not answer.
        """
        async with self._lock:
            outcomes: list[Sent | Refused | _Pending] = []
            nonce = int(await self._call("eth_getTransactionCount", self.address, "pending"), 16)
            fees = await self._fees()
            for call in calls:
                outcome = await self._submit(call, nonce, fees)
                nonce += isinstance(outcome, _Pending)
                outcomes.append(outcome)
            return [await self._settle(each) if isinstance(each, _Pending) else each for each in outcomes]

    async def _submit(self, call: Call, nonce: int, fees: dict[str, int]) -> _Pending | Refused:
        try:
            gas = int(await self._rpc.call("eth_estimateGas", self._message(call), "pending"), 16)
        except NodeRefused as error:
            self._check_funds(error)
            return Refused(call, revert_text(error.data, error.message))
        fields = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": call.to,
            "value": 0,
            "data": call.data,
            "gas": gas * (100 + GAS_MARGIN_PERCENT) // 100,
            **fees,
        }
        return _Pending(call, fields, [await self._broadcast(fields)])

    async def _settle(self, pending: _Pending) -> Sent | Refused:
        loop = asyncio.get_running_loop()
        started = replaced = loop.time()
        while loop.time() - started < self._time_limit_seconds:
            for transaction in pending.hashes:
                receipt = await self._call("eth_getTransactionReceipt", transaction)
                if receipt is not None:
                    return await self._outcome(pending.call, transaction, receipt)
            if loop.time() - replaced > REPLACE_AFTER_SECONDS:
                replaced = loop.time()
                await self._replace(pending)
            await asyncio.sleep(POLL_SECONDS)
        raise NotSent(
            f"{pending.call.description}: not in a block after {self._time_limit_seconds:.0f} s "
            f"(transaction {pending.hashes[-1]}); it may still get there"
        )

    async def _replace(self, pending: _Pending) -> None:
        for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
            pending.fields[fee] = pending.fields[fee] * REPLACE_PERCENT // 100 + 1
        try:
            pending.hashes.append(await self._broadcast(pending.fields))
        except NotSent:
            return  # the nonce is used: one of the earlier ones is in a block, the next look finds it

    async def _broadcast(self, fields: dict[str, Any]) -> str:
        signed = self._account.sign_transaction(fields)
        transaction = f"0x{signed.hash.hex().removeprefix('0x')}"
        try:
            await self._rpc.call("eth_sendRawTransaction", f"0x{signed.raw_transaction.hex().removeprefix('0x')}")
        except NodeRefused as error:
            self._check_funds(error)
            if "already known" not in error.message.lower() and "already imported" not in error.message.lower():
                raise NotSent(f"the node refuses the transaction: {error.message}") from error
        return transaction

    def _check_funds(self, error: NodeRefused) -> None:
        """Say it in words if the node refuses because gas can't be paid."""
        if INSUFFICIENT_FUNDS in error.message.lower():
            raise NotSent(f"{self.address} has too little of the chain's coin to pay for gas") from error

    async def _outcome(self, call: Call, transaction: str, receipt: dict[str, Any]) -> Sent | Refused:
        block_number = int(receipt["blockNumber"], 16)
        if int(receipt["status"], 16) == 1:
            return Sent(call, transaction, block_number, int(receipt["gasUsed"], 16), tuple(receipt["logs"]))
        try:
            await self._rpc.call("eth_call", self._message(call), hex(block_number))
        except NodeRefused as error:
            return Refused(call, f"reverted in block {block_number}: {revert_text(error.data, error.message)}")
        return Refused(call, f"reverted in block {block_number}: somebody else was faster")

    async def _fees(self) -> dict[str, int]:
        block = await self._call("eth_getBlockByNumber", "latest", False)
        base = int(block.get("baseFeePerGas", "0x0"), 16)
        return {"maxFeePerGas": 2 * base + PRIORITY_FEE_WEI, "maxPriorityFeePerGas": PRIORITY_FEE_WEI}

    def _message(self, call: Call) -> dict[str, str]:
        return {"from": self.address, "to": call.to, "data": f"0x{call.data.hex()}"}

    async def _call(self, method: str, *params: Any) -> Any:
        try:
            return cast(Any, await self._rpc.call(method, *params))
        except NodeRefused as error:
            raise NodeUnavailable(f"{method}: {error}") from error
