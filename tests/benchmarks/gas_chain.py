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
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv" / "bin"
EVM_VERSION = "prague"
GAS_LIMIT = 16_000_000
START_SECONDS = 20
LISTED_CONTRACT, LISTED_WORD = 2_400, 1_900  # EIP-2930


class TransactionFailed(Exception):
    """A transaction of the scenario was refused: the scenario no longer fits the contracts."""


class NoChain(Exception):
    """No chain can run here; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did and cost."""

    hash: str
    block: int
    to: str | None
    gas: int
    warm_gas: int | None
    """What it costs when a call before it in the same transaction has touched all its words; None if not measured."""
    calldata: bytes
    logs: tuple[tuple[int, int], ...]
    """For each event: how many topics, how many bytes of data."""
    contract: str | None


class Chain:
    """JSON-RPC of one anvil; each transaction gets a block of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._id = 0
        self._is_measuring = False

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

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure the transactions in here warm, too."""
        self._is_measuring = True
        try:
            yield
        finally:
            self._is_measuring = False

    def send(self, sender: str, to: str | None, calldata: bytes) -> Receipt:
        """Send a transaction and return its receipt.

        Raises:
            TransactionFailed: it was reverted.
        """
        transaction: dict[str, Any] = {"from": sender, "data": "0x" + calldata.hex(), "gas": hex(GAS_LIMIT)}
        if to is not None:
            transaction["to"] = to
        warm_gas = self._warm_gas(transaction) if self._is_measuring else None
        found = self._execute(transaction)
        return Receipt(
            hash=found["transactionHash"],
            block=int(found["blockNumber"], 16),
            to=to,
            gas=int(found["gasUsed"], 16),
            warm_gas=warm_gas,
            calldata=calldata,
            logs=tuple((len(log["topics"]), len(log["data"]) // 2 - 1) for log in found["logs"]),
            contract=found["contractAddress"],
        )

    def _warm_gas(self, transaction: dict[str, Any]) -> int:
        """Try it with an access list (EIP-2930) of all its words, and take off what the list costs."""
        words = self.call("eth_createAccessList", transaction, "pending")["accessList"]
        listed = {**transaction, "accessList": words}
        tried = self.call("debug_traceCall", listed, "pending", {"tracer": "callTracer"})
        if "error" in tried:
            raise TransactionFailed(f"with an access list: {tried['error']}")
        keys = sum(len(entry["storageKeys"]) for entry in words)
        return int(tried["gasUsed"], 16) - LISTED_CONTRACT * len(words) - LISTED_WORD * keys

    def _execute(self, transaction: dict[str, Any]) -> dict[str, Any]:
        found = self._mined(self.call("eth_sendTransaction", transaction))
        if int(found["status"], 16) != 1:
            raise TransactionFailed(self.call("eth_call", transaction))
        return found

    def _mined(self, transaction: str) -> dict[str, Any]:
        for _ in range(500):
            receipt: dict[str, Any] | None = self.call("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise TransactionFailed(f"not mined: {transaction}")


def check_port(port: int) -> int:
    """Return the port, or a free one for 0. A chain that somebody else runs there must not be taken for ours.

    Raises:
        NoChain: there is no such port, or it is in use.
    """
    advice = "give another one with --port, or none for any that is free"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise NoChain(f"port {port}: ports are 1 to 65535: {advice}") from None
        except OSError as error:
            raise NoChain(f"port {port}: {error.strerror}: {advice}") from None
        return int(probe.getsockname()[1])


@contextmanager
def running_chain(port: int) -> Iterator[Chain]:
    """Run an anvil on this port of the loopback, 0 for any free one, and stop it at the end.

    Raises:
        NoChain: the port is not free, or anvil does not start.
    """
    port = check_port(port)
    command = [str(TOOLS / "anvil"), "--port", str(port), "--hardfork", EVM_VERSION, "--steps-tracing", "--silent"]
    states = TemporaryDirectory(prefix="anvil-")  # which it would leave behind elsewhere
    command += ["--cache-path", states.name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        chain = Chain(f"http://127.0.0.1:{port}")
        _wait_until_it_answers(chain, process, port)
        yield chain
    finally:
        process.terminate()
        process.wait()
        states.cleanup()


def _wait_until_it_answers(chain: Chain, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            chain.block()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoChain(f"port {port}: anvil does not answer there") from None
            time.sleep(0.05)
