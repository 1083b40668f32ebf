"""What is compared with: the same work as web3.py's documentation would have it done.

Runs in the environment that has web3.py (.venv-brownie), with coincurve and one kept connection. Reads requests as
lines of JSON, and answers each with the seconds that it took: of the processor for what is computed, of the clock for
what is sent to a node.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from eth_account import Account
from eth_keys.backends import CoinCurveECCBackend, get_backend
from web3 import HTTPProvider, Web3
from web3.providers.base import JSONBaseProvider

BATCH = 32
CHAIN_ID = 31337


class Canned(JSONBaseProvider):
    """A node whose answers are texts that were written before; reading them as JSON is part of the work."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = answers

    def make_request(self, method: Any, params: Any) -> Any:
        return json.loads(f'{{"jsonrpc":"2.0","id":1,"result":{self.answers[method]}}}')


class Facilitator:
    """Matches the orders of one block's bids, as many in a transaction as the exchange takes."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.w3 = Web3(Canned(task["answers"]))
        self.exchange = self.w3.eth.contract(Web3.to_checksum_address(task["exchange"]), abi=task["abi"])
        self.account = Account.from_key(task["key"])
        self.order_to_key = {bytes.fromhex(order): _key(key) for order, key in task["orders"].items()}
        self.block = task["block"]

    def winners(self) -> dict[bytes, int]:
        """Return the lowest charge that is bid on each order."""
        lowest: dict[bytes, int] = {}
        event = self.exchange.events.FulfillmentSubmitted()
        query = {"address": self.exchange.address, "fromBlock": self.block, "toBlock": self.block}
        for log in self.w3.eth.get_logs(query):
            arguments = event.process_log(log)["args"]
            order, charge = arguments["order"], arguments["charge"]
            if order not in lowest or charge < lowest[order]:
                lowest[order] = charge
        return lowest

    def loop(self) -> int:
        """Decide and sign, and return the number of transactions."""
        ready = []
        for order in self.winners():
            state, _, match_block, count, _ = self.exchange.functions.order(order).call(block_identifier=self.block)
            if state == 1 and count and match_block <= self.block + 1:
                ready.append(self.order_to_key[order])
        sent = 0
        for start in range(0, len(ready), BATCH):
            call = self.exchange.functions.submit_lease(ready[start : start + BATCH])
            send(self.w3, self.account, call)
            sent += 1
        return sent


def send(w3: Web3, account: Any, call: Any) -> None:
    """Send a transaction: nonce and gas from the node each time, no waiting for receipts."""
    nonce = w3.eth.get_transaction_count(account.address, "pending")
    transaction = call.build_transaction({"from": account.address, "nonce": nonce})
    w3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)


def submit(task: dict[str, Any]) -> float:
    """Send transfers to a real node, and return the seconds of the clock."""
    w3 = Web3(HTTPProvider(task["url"]))
    token = w3.eth.contract(Web3.to_checksum_address(task["token"]), abi=task["abi"])
    account = Account.from_key(task["key"])
    receiver = Web3.to_checksum_address(task["receiver"])
    send(w3, account, token.functions.transfer(receiver, 1))  # the connection is open from now on
    started = time.perf_counter()
    for _ in range(task["count"]):
        send(w3, account, token.functions.transfer(receiver, 1))
    return time.perf_counter() - started


def _key(row: list[str]) -> tuple[bytes, bytes, int, bytes]:
    deployment, nonce, terms, resources = row
    return bytes.fromhex(deployment), bytes.fromhex(nonce), int(terms, 16), bytes.fromhex(resources)


def main() -> None:
    if not isinstance(get_backend(), CoinCurveECCBackend):
        raise SystemExit("coincurve is not installed here: the baseline would be too slow")
    facilitator = None
    for line in sys.stdin:
        task = json.loads(line)
        if task["do"] == "open":
            facilitator = Facilitator(task)
            seconds = 0.0
        elif task["do"] == "submit":
            seconds = submit(task)
        else:
            assert facilitator is not None
            started = time.process_time()
            facilitator.winners() if task["do"] == "winners" else facilitator.loop()
            seconds = time.process_time() - started
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
