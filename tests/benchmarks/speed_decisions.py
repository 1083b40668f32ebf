"""From the JSON of a block's events to a decision, and the facilitator's whole loop, beside web3.py doing the same.

Both sides get the same bytes from a node that takes no time; what is compared is time of the processor. The whole loop
is: read the block's bids and the orders, decide, make and sign the transactions; ours writes its journal besides.
"""

from __future__ import annotations

import gc
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from eth_abi.abi import encode

from facilitator_bot.core.decisions import decide
from facilitator_bot.core.watchlist import Watchlist
from facilitator_bot.shell.loop import Crank
from moorage.chain.facts import READ_WHOLE, MarketFacts
from moorage.chain.logs import EventLog, _Log
from moorage.chain.outbox import Outbox
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import _ANSWERS
from moorage.chain.signer import LocalSigner
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Snapshot
from tests.benchmarks.speed_node import BIDDEN, EXCHANGE_ABI, CannedNode, block
from tests.bytecode import ROOT
from tests.chain import accounts
from tests.fakes.market_node import EXCHANGE, MARKET

WEB3_PYTHON = ROOT / ".venv-brownie" / "bin" / "python"
ORDERS, BIDS = 640, 10
ROUNDS = 5


class Baseline:
    """The program of speed_baseline, which is asked by lines."""

    def __init__(self) -> None:
        command = [str(WEB3_PYTHON), str(Path(__file__).with_name("speed_baseline.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, **task: Any) -> float:
        """Return the seconds that something took.

        Raises:
            RuntimeError: the program has ended.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **task}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the baseline has ended; has `make environments` been run?")
        return float(json.loads(line))

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def baseline() -> Iterator[Baseline]:
    opened = Baseline()
    try:
        yield opened
    finally:
        opened.close()


def open_facilitator(other: Baseline, node: CannedNode) -> None:
    """Give the baseline the same answers."""
    order = encode(["uint256"] * 5, [1, 10_000, BIDDEN + 1, BIDS, 0])
    methods = ("eth_chainId", "eth_estimateGas", "eth_maxPriorityFeePerGas", "eth_gasPrice", "eth_sendRawTransaction")
    answers = {method: node.result(method, ["0x"]).decode() for method in methods}
    answers |= {"eth_getTransactionCount": '"0x0"', "eth_call": f'"0x{order.hex()}"'}
    answers |= {
        "eth_getBlockByNumber": node.result("eth_getBlockByNumber", [hex(BIDDEN)]).decode(),
        "eth_getLogs": node.logs[BIDDEN].decode(),
        "eth_feeHistory": node.result("eth_feeHistory", []).decode(),
    }
    keys = {
        order.hex(): [key.deployment.hex(), key.nonce.hex(), hex(key.terms), key.resources_hash.hex()]
        for order, key in zip(node.orders, node.keys, strict=True)
    }
    abi = json.loads((ROOT / "moorage/chain/abi/Exchange.json").read_text())
    key = accounts()[2].key.hex()
    other.ask("open", answers=answers, exchange=EXCHANGE, abi=abi, orders=keys, key=key, block=BIDDEN)


async def prepared() -> tuple[CannedNode, Snapshot, MarketReader]:
    node = CannedNode(ORDERS, BIDS)
    reader = MarketReader(node, MARKET)
    await reader.snapshot()
    node.head = BIDDEN
    return node, await reader.snapshot(), reader


def decision_seconds(node: CannedNode, snapshot: Snapshot, reader: MarketReader) -> float:
    """Return what it takes from the body with a block's bids to what is to be done. The state is known by then."""
    body = node.body({"id": 1, "method": "eth_getLogs", "params": [{"blockHash": f"0x{block(BIDDEN).hash.hex()}"}]})
    log = EventLog(node, EXCHANGE, EXCHANGE_ABI, READ_WHOLE)
    known = reader.index.facts
    facts = MarketFacts(
        MARKET.parameters, keeps_history=False, deployments=known.deployments, orders=known.orders, bidders={}
    )
    watchlist = Watchlist()
    gc.collect()
    started = time.process_time()
    logs = node._result(_ANSWERS.decode(body), {"id": 1}, list[_Log])
    touched = facts.apply(log._of_block(logs, block(BIDDEN)))
    watchlist.update(Snapshot(**{name: getattr(snapshot, name) for name in SNAPSHOT}, touched=touched))
    intents = decide(snapshot, watchlist.due(BIDDEN + 1))
    seconds = time.process_time() - started
    assert sum(len(intent.orders) for intent in intents) == ORDERS
    return seconds


SNAPSHOT = ("block", "parameters", "deployments", "orders", "leases", "leased_orders")


async def loop_seconds() -> float:
    """Return what a facilitator's cycle takes, but for the node."""
    node = CannedNode(ORDERS, BIDS)
    with tempfile.TemporaryDirectory() as folder:
        signer = LocalSigner(accounts()[2])
        async with Outbox(node, signer, MARKET.chain_id, Path(folder) / "transactions.db") as outbox:
            crank = Crank(MarketReader(node, MARKET), Dispatch(outbox), Maintenance(Path(folder)))
            await crank.cycle()
            node.head, node.seconds = BIDDEN, 0.0
            gc.collect()
            started = time.process_time()
            await crank.cycle()
            seconds = time.process_time() - started - node.seconds
    assert len(node.sent) == ORDERS // 32
    return seconds


async def measure(other: Baseline) -> dict[str, Any]:
    """Return the medians of interleaved rounds."""
    node, snapshot, reader = await prepared()
    open_facilitator(other, node)
    decisions, loops, other_decisions, other_loops = [], [], [], []
    for _ in range(ROUNDS):
        other_decisions.append(other.ask("winners"))
        decisions.append(decision_seconds(node, snapshot, reader))
        other_loops.append(other.ask("loop"))
        loops.append(await loop_seconds())
    events = ORDERS * BIDS
    return {
        "events_to_decision": _ratio(events / median(decisions), events / median(other_decisions), "events/s"),
        "facilitator_loop": _ratio(ORDERS / median(loops), ORDERS / median(other_loops), "orders/s"),
    }


def _ratio(ours: float, theirs: float, unit: str) -> dict[str, Any]:
    return {"ours": round(ours), "web3": round(theirs), "unit": unit, "ratio": round(ours / theirs, 1)}
