"""Signs transactions of one key with local nonces and brings them onto the chain (EIP-1559); raises fees if stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from eth_account.signers.local import LocalAccount

from moorage.chain.abi import revert_text
from moorage.chain.contracts import Call
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.types import Address

GAS_MARGIN_PERCENT = 30
PRIORITY_FEE_WEI = 10**9
REPLACE_PERCENT = 113  # geth takes a replacement from +10 % on both fees, other nodes from +12.5 %
FEE_LIMIT = 10
"""How many times what a block asks for now is ever offered."""
POLL_SECONDS = 0.2
NO_COIN = "insufficient funds for"
"""What nodes say of an account that cannot pay for gas; that there is no data parts it from a contract's words."""
ALREADY_KNOWN = ("already known", "alreadyknown", "known transaction", "already imported")
"""What nodes say of a transaction that they have: an earlier answer was lost."""


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
    hashes: list[str] = field(default_factory=list)
    """Of all that was signed with this nonce: any of them may get into a block."""
    raw: str = ""
    """The newest, as it is sent."""
    is_unanswered: bool = True
    """Whether the node has not said yet what it thinks of the newest."""
    is_overdue: bool = False
    """Whether nobody waits for it any more."""


class Sender:
    """The one writer of a key. Calls are simulated before they are sent."""

    def __init__(
        self,
        rpc: Rpc,
        account: LocalAccount,
        chain_id: int,
        time_limit_seconds: float = 120.0,
        replace_after_seconds: float = 15.0,
    ) -> None:
        """
        Args:
            time_limit_seconds: how long a transaction may take to get into a block.
            replace_after_seconds: after how long its fees are raised.
        """
        self._rpc = rpc
        self._account = account
        self._chain_id = chain_id
        self._time_limit_seconds = time_limit_seconds
        self._replace_after_seconds = replace_after_seconds
        self._lock = asyncio.Lock()
        self._open: list[_Pending] = []
        """Sent and in no block yet, as far as is known: their nonces are taken, whatever the node says."""

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

        Whatever goes wrong with one, those that were sent are waited for; the first fault is raised then.

        Raises:
            NotSent: one could not be sent, or is not in a block in time; it may still get there.
            NodeUnavailable: the node does not answer.
        """
        async with self._lock:  # of the nonces; waiting for blocks holds nobody up
            await self._push_overdue()
            submitted, fault = await self._submit_all(calls)
        waits = [self._settle(each) if isinstance(each, _Pending) else _settled(each) for each in submitted]
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if fault is not None:
            raise fault
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _push_overdue(self) -> None:
        """Raise the fees of what nobody waits for any more: what is sent now would queue behind it."""
        overdue = [pending for pending in self._open if pending.is_overdue]
        if not overdue:
            return
        mined = as_number(await self._call("eth_getTransactionCount", self.address, "latest"))
        for pending in overdue:
            if pending.fields["nonce"] < mined:
                self._open.remove(pending)  # in a block, or another one with its nonce is
                continue
            await self._raise_fees(pending)
            with suppress(NotSent):  # an earlier one is good enough
                await self._broadcast(pending)

    async def _submit_all(self, calls: Sequence[Call]) -> tuple[list[_Pending | Refused], ChainError | None]:
        """Submit calls up to the first that cannot be, and return what that one met."""
        waiting = as_number(await self._call("eth_getTransactionCount", self.address, "pending"))
        # the node may have lost one, or never have seen it
        nonce = max(waiting, *(pending.fields["nonce"] + 1 for pending in self._open), 0)
        fees = await self._fees()
        submitted: list[_Pending | Refused] = []
        for call in calls:
            try:
                outcome = await self._submit(call, nonce, fees)
            except ChainError as error:
                return submitted, error
            nonce += isinstance(outcome, _Pending)
            submitted.append(outcome)
        return submitted, None

    async def _submit(self, call: Call, nonce: int, fees: dict[str, int]) -> _Pending | Refused:
        try:
            gas = as_number(await self._rpc.call("eth_estimateGas", self._message(call), "pending"))
        except NodeRefused as error:
            self._check_coin(error)
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
        pending = _Pending(call, fields)
        self._sign(pending)
        await self._broadcast(pending)
        self._open.append(pending)
        return pending

    async def _settle(self, pending: _Pending) -> Sent | Refused:
        try:
            outcome = await self._wait(pending)
            self._open.remove(pending)
            return outcome
        finally:
            pending.is_overdue = pending in self._open

    async def _wait(self, pending: _Pending) -> Sent | Refused:
        """Wait for a receipt. A node that does not answer meanwhile has said nothing about the transaction."""
        loop = asyncio.get_running_loop()
        started = replaced = loop.time()
        while loop.time() - started < self._time_limit_seconds:
            with suppress(NodeUnavailable):
                found = await self._receipt(pending)
                if found is not None:
                    return await self._outcome(pending.call, *found)
                if loop.time() - replaced > self._replace_after_seconds:
                    replaced = loop.time()
                    await self._raise_fees(pending)
            if pending.is_unanswered:
                with suppress(NotSent):  # an earlier one is in a block or good enough: the next looks find it
                    await self._broadcast(pending)
            await asyncio.sleep(POLL_SECONDS)
        raise NotSent(
            f"{pending.call.description}: not in a block after {self._time_limit_seconds:.0f} s "
            f"(transaction {pending.hashes[-1]}); it may still get there"
        )

    async def _receipt(self, pending: _Pending) -> tuple[str, dict[str, Any]] | None:
        for transaction in pending.hashes:
            receipt = await self._call("eth_getTransactionReceipt", transaction)
            if isinstance(receipt, dict):
                return transaction, receipt
        return None

    async def _raise_fees(self, pending: _Pending) -> None:
        """Sign anew with fees that make a replacement, or have the same sent again if they would be absurd."""
        quote = await self._fees()
        raised = {fee: max(pending.fields[fee] * REPLACE_PERCENT // 100 + 1, quote[fee]) for fee in quote}
        if all(raised[fee] <= FEE_LIMIT * quote[fee] for fee in quote):
            pending.fields |= raised
            self._sign(pending)
        pending.is_unanswered = True

    def _sign(self, pending: _Pending) -> None:
        """Sign what the fields say. The hash is known from here on, whatever becomes of the sending."""
        signed = self._account.sign_transaction(pending.fields)
        pending.hashes.append(f"0x{bytes(signed.hash).hex()}")
        pending.raw = f"0x{bytes(signed.raw_transaction).hex()}"
        pending.is_unanswered = True

    async def _broadcast(self, pending: _Pending) -> None:
        """Send the newest; a lost answer leaves it to be sent again.

        Raises:
            NotSent: the node does not take it.
        """
        try:
            await self._rpc.call("eth_sendRawTransaction", pending.raw)
            pending.is_unanswered = False
        except NodeUnavailable:
            return
        except NodeRefused as error:
            pending.is_unanswered = False
            self._check_coin(error)
            if not any(words in error.message.lower() for words in ALREADY_KNOWN):
                raise NotSent(f"{pending.call.description}: the node refuses it: {error.message}") from error

    def _check_coin(self, error: NodeRefused) -> None:
        """Say it in words if gas can't be paid; some nodes notice at the estimate, others when it is sent."""
        if error.data is None and NO_COIN in error.message.lower():
            raise NotSent(f"{self.address} has too little of the chain's coin to pay for gas") from error

    async def _outcome(self, call: Call, transaction: str, receipt: dict[str, Any]) -> Sent | Refused:
        block_number = as_number(receipt.get("blockNumber"))
        if as_number(receipt.get("status")) == 1:
            gas_used = as_number(receipt.get("gasUsed"))
            return Sent(call, transaction, block_number, gas_used, tuple(receipt.get("logs", ())))
        try:
            await self._rpc.call("eth_call", self._message(call), hex(block_number))
        except NodeRefused as error:
            return Refused(call, f"reverted in block {block_number}: {revert_text(error.data, error.message)}")
        return Refused(call, f"reverted in block {block_number}: somebody else was faster")

    async def _fees(self) -> dict[str, int]:
        block = await self._call("eth_getBlockByNumber", "latest", False)
        if not isinstance(block, dict):
            raise NodeUnavailable("the node does not give its newest block")
        base = as_number(block.get("baseFeePerGas", "0x0"))
        return {"maxFeePerGas": 2 * base + PRIORITY_FEE_WEI, "maxPriorityFeePerGas": PRIORITY_FEE_WEI}

    def _message(self, call: Call) -> dict[str, str]:
        return {"from": self.address, "to": call.to, "data": f"0x{call.data.hex()}"}

    async def _call(self, method: str, *params: Any) -> Any:
        try:
            return cast(Any, await self._rpc.call(method, *params))
        except NodeRefused as error:
            raise NodeUnavailable(f"{method}: {error}") from error


async def _settled(refused: Refused) -> Refused:
    return refused
