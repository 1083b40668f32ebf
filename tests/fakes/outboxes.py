"""Outboxes on the pool: a key, jobs that are told apart by their data, and a record of what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Limits, Observer, Outcome
from moorage.chain.outbox import Outbox
from moorage.chain.signer import LocalSigner
from moorage.types import Address
from tests.fakes.node import Refusal
from tests.fakes.pool import CHAIN_ID, Entry, Pool

ACCOUNT: LocalAccount = Account.from_key(b"\x01" * 32)
TO = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
KINDS = ("confirm", "close", "claim", "bid")
"""By priority."""


def job(*numbers: int, priority: int = 0, worth_wei: int | None = None) -> Job:
    """Return a job that acts on some items; the data of its transaction names them."""
    items = tuple(bytes([number]) for number in numbers)

    def make(positions: Sequence[int]) -> Call:
        data = b"".join(items[position] for position in positions)
        return Call(TO, data, f"{KINDS[priority]} {data.hex()}")

    worth = None if worth_wei is None else (worth_wei // len(items),) * len(items)
    return Job(KINDS[priority], items, make, priority, worth)


def outbox(pool: Pool, path: Path | None = None, observer: Observer | None = None, **limits: int) -> Outbox:
    return Outbox(pool.rpc, LocalSigner(ACCOUNT), CHAIN_ID, path, Limits(**limits), observer)


async def advance(pool: Pool, sending: Outbox, blocks: int = 1) -> list[Outcome]:
    """Let blocks pass that take what pays, and look after each."""
    outcomes: list[Outcome] = []
    for _ in range(blocks):
        pool.pass_blocks()
        outcomes += await sending.advance(pool.head)
    return outcomes


def reverting(text: str) -> Refusal:
    return Refusal("execution reverted", f"0x08c379a0{encode(['string'], [text]).hex()}", code=3)


def refused(message: str) -> Refusal:
    return Refusal(message, None, code=-32000)


def fees(entry: Entry) -> tuple[int, int]:
    return entry.fields["maxFeePerGas"], entry.fields["maxPriorityFeePerGas"]


@dataclass
class Seen:
    """An observer that keeps everything."""

    counts: list[str] = field(default_factory=list)
    spent_wei: int = 0
    balances: list[int] = field(default_factory=list)

    def submitted(self, kind: str) -> None:
        self.counts.append(f"submitted {kind}")

    def landed(self, kind: str) -> None:
        self.counts.append(f"landed {kind}")

    def rejected(self, kind: str, cause: Cause) -> None:
        self.counts.append(f"rejected {kind} {cause}")

    def replaced(self, kind: str) -> None:
        self.counts.append(f"replaced {kind}")

    def held(self, kind: str) -> None:
        self.counts.append(f"held {kind}")

    def spent(self, kind: str, wei: int) -> None:
        self.spent_wei += wei

    def balance(self, wei: int) -> None:
        self.balances.append(wei)
