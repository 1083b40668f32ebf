"""Faults of sending: a transaction is taken and lost, taken and not said so, or refused as geth refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from tests.chaos.fault import Answer, Call, Fault, Forward, Node, Reply, error, only, result

SEND = only("eth_sendRawTransaction")
PRICE_BUMP_PERCENT = 10


class SwallowTransaction(Fault):
    """Returns the hash, and forwards nothing."""

    methods = SEND

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        return result(f"0x{keccak(hexstr=call.params[0]).hex()}")


class LateAcknowledgement(Fault):
    """Forwards, and then the gateway has waited too long: the client does not know."""

    methods = SEND

    async def reply(self, calls: Sequence[Call], reply: Reply) -> Reply:
        return Reply(b"<html>504 Gateway Time-out</html>", 504, {"Content-Type": "text/html"})


@dataclass(frozen=True, slots=True)
class _Offer:
    transaction: str
    max_fee: int
    priority_fee: int


class GethPriceBump(Fault):
    """Refuses a replacement that does not offer 10 % more of both fees, as geth does."""

    methods = SEND

    def __init__(self) -> None:
        self._offers: dict[tuple[str, int], _Offer] = {}

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        raw = HexBytes(call.params[0])
        fields = TypedTransaction.from_bytes(raw).as_dict()
        sender = Account.recover_transaction(raw)
        key = sender, int(fields["nonce"])
        offer = _Offer(keccak(raw).hex(), *_fees(fields))
        known = self._offers.get(key)
        if known is not None and int(await node.ask("eth_getTransactionCount", sender, "latest"), 16) <= key[1]:
            if known.transaction == offer.transaction:
                return error(-32000, "already known")
            if not _is_enough(known, offer):
                return error(-32000, "replacement transaction underpriced")
        answer = await forward(call)
        if "result" in answer:
            self._offers[key] = offer
        return answer


def _fees(fields: Any) -> tuple[int, int]:
    if "gasPrice" in fields:
        return int(fields["gasPrice"]), int(fields["gasPrice"])
    return int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])


def _is_enough(known: _Offer, offer: _Offer) -> bool:
    def least(fee: int) -> int:
        return fee * (100 + PRICE_BUMP_PERCENT) // 100

    return offer.max_fee >= least(known.max_fee) and offer.priority_fee >= least(known.priority_fee)
