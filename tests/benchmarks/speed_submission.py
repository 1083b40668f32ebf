"""Transactions to a node: the outbox as it is shipped, with its journal on a disk, beside web3.py.

30,000 transactions are given to it as one burst. Afterwards all of them have to be in blocks, each once.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from moorage.chain.contracts import Call, Token
from moorage.chain.index import read_block
from moorage.chain.jobs import Job, Landed
from moorage.chain.market import Market
from moorage.chain.outbox import Outbox
from moorage.chain.signer import LocalSigner
from moorage.types import Address
from tests.benchmarks.speed_decisions import Baseline
from tests.chain import Chain, deploy_market, give_tokens, start_chain

COUNT = 30_000
BASELINE_COUNT = 300
ROUNDS = 2
"""Of the baseline: before and after ours."""
BLOCK_GAS = 3_000_000_000
SETTLE_SECONDS = 300.0
TRANSFER = [
    {
        "type": "function",
        "name": "transfer",
        "stateMutability": "nonpayable",
        "inputs": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}],
        "outputs": [{"name": "", "type": "bool"}],
    }
]


async def measure(other: Baseline, count: int = COUNT) -> dict[str, Any]:
    """Return both rates, and how many transactions were lost."""
    folder = tempfile.TemporaryDirectory(dir=os.environ.get("MOORAGE_BENCH_DIR"))
    async with start_chain(block_time=1, gas_limit=BLOCK_GAS) as chain:
        market = await deploy_market(chain)
        for account in (chain.tenant, chain.facilitator):
            await give_tokens(chain, market, account.address, 1)
        with folder as path:
            theirs = [_baseline_rate(other, chain, market)]
            async with Outbox(
                chain.rpc, LocalSigner(chain.facilitator), chain.chain_id, Path(path) / "transactions.db"
            ) as outbox:
                jobs = _jobs(market, chain, count)
                started, busy = time.perf_counter(), time.process_time()
                refused = await outbox.submit(jobs)
                seconds, busy = time.perf_counter() - started, time.process_time() - busy
                accepted = time.perf_counter()
                outcomes = await outbox.settle(SETTLE_SECONDS)
                settled = time.perf_counter() - accepted
            theirs.append(_baseline_rate(other, chain, market))
        landed = {each.items for each in outcomes if isinstance(each, Landed)}
        received = await Token(chain.rpc, market).balance(await read_block(chain.rpc), _receiver())
    assert not refused
    ours, web3 = count / seconds, sum(theirs) / len(theirs)
    return {
        "ours": round(ours),
        "web3": round(web3, 1),
        "unit": "transactions/s",
        "ratio": round(ours / web3, 1),
        "web3_rounds": [round(each, 1) for each in theirs],
        "count": count,
        "lost": count - len(landed),
        "carried_out": received,
        "processor_seconds": round(busy, 2),
        "seconds": round(seconds, 2),
        "seconds_until_all_are_in_blocks": round(settled, 2),
    }


def _baseline_rate(other: Baseline, chain: Chain, market: Market) -> float:
    seconds = other.ask(
        "submit",
        url=chain.url,
        token=market.token,
        abi=TRANSFER,
        key=chain.tenant.key.hex(),
        receiver=chain.stranger.address,
        count=BASELINE_COUNT,
    )
    return BASELINE_COUNT / seconds


def _jobs(market: Market, chain: Chain, count: int) -> list[Job]:
    data = bytes.fromhex("a9059cbb") + encode(["address", "uint256"], [_receiver(), 1])
    call = Call(market.token, data, "transfer")

    def make(_: Sequence[int]) -> Call:
        return call

    return [Job("transfer", (number.to_bytes(32, "big"),), make, priority=1) for number in range(count)]


def _receiver() -> Address:
    return Address("0x000000000000000000000000000000000000dEaD")
