"""A development chain of its own: an anvil, and JSON-RPC to it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv" / "bin"
EVM_VERSION = "prague"
GAS_LIMIT = 16_000_000
START_SECONDS = 20


class TransactionFailed(Exception):
    """A transaction of the scenario was refused: the scenario no longer fits the contracts."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did and cost."""

    hash: str
    block: int
    gas: int
    calldata: bytes
    logs: tuple[tuple[int, int], ...]
    """For each event: how many topics, how many bytes of data."""
    contract: str | None


class Chain:
    """JSON-RPC of one anvil; each transaction gets a block of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._id = 0

    def call(self, method: str, *params: object) -> Any:
        """Return the result of one RPC call.

        Raises:
            TransactionFailed: the node answers with an error, such as a revert with its text.
        """
        self._id += 1
        body = json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            raise TransactionFailed(f"{method}: {answer['error']}")
        return answer["result"]

    def accounts(self) -> list[str]:
        return [account.lower() for account in self.call("eth_accounts")]

    def block(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def mine(self, blocks: int) -> None:
        self.call("anvil_mine", hex(blocks))

    def storage(self, contract: str, slot: int, block: int) -> int:
        return int(self.call("eth_getStorageAt", contract, hex(slot), hex(block)), 16)

    def send(self, sender: str, to: str | None, calldata: bytes) -> Receipt:
        """Send a transaction and return its receipt.

        Raises:
            TransactionFailed: it was reverted.
        """
        transaction = {"from": sender, "data": "0x" + calldata.hex(), "gas": hex(GAS_LIMIT)}
        if to is not None:
            transaction["to"] = to
        found = self._mined(self.call("eth_sendTransaction", transaction))
        if int(found["status"], 16) != 1:
            raise TransactionFailed(self.call("eth_call", transaction))
        return Receipt(
            hash=found["transactionHash"],
            block=int(found["blockNumber"], 16),
            gas=int(found["gasUsed"], 16),
            calldata=calldata,
            logs=tuple((len(log["topics"]), len(log["data"]) // 2 - 1) for log in found["logs"]),
            contract=found["contractAddress"],
        )

    def _mined(self, transaction: str) -> dict[str, Any]:
        for _ in range(500):
            receipt: dict[str, Any] | None = self.call("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise TransactionFailed(f"not mined: {transaction}")


@contextmanager
def running_chain(port: int) -> Iterator[Chain]:
    """Run an anvil on this port of the loopback, 0 for any free one, and stop it at the end."""
    with socket.socket() as probe:
        # fails if somebody else runs a chain on this port, which must not be taken for ours
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    command = [str(TOOLS / "anvil"), "--port", str(port), "--hardfork", EVM_VERSION, "--steps-tracing", "--silent"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        chain = Chain(f"http://127.0.0.1:{port}")
        _wait_until_it_answers(chain, process)
        yield chain
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(chain: Chain, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            chain.block()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
