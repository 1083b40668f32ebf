"""Follows an exchange by its logs alone, transaction by transaction, and says what its views have to show.

What is no state is checked against the transaction or the token's logs beside it: versions, prices, who paid whom.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import boa  # type: ignore[import-untyped]
from eth_utils.crypto import keccak

from tests.event_logs import Formats, plain
from tests.observed import Observed, Rules
from tests.stateful.evm import Log, Market

ABI = Path(__file__).resolve().parent.parent.parent / "moorage" / "chain" / "abi" / "Exchange.json"
TRANSFER = keccak(text="Transfer(address,address,uint256)")

# event -> field -> place of the same among the arguments of the transaction
ECHOES = {
    "DeploymentSubmitted": {"version": 1},
    "DeploymentUpdated": {"version": 1},
    "FulfillmentSubmitted": {"prices": 5},
}
VIEWS = ("account", "deployment", "manager", "order", "bids", "lease", "fulfillment")


class Observer:
    """An exchange as its logs tell of it, from the opening of its market on."""

    def __init__(self, market: Market) -> None:
        given = market.setting.parameters
        self.exchange = market.exchange.lower()
        self.scale = given.scale
        chain_id = boa.env.evm.patch.chain_id
        self.observed = Observed(Rules(chain_id, self.exchange, given.period, given.interest_rate, given.tip))
        for block, logs in market.opening_logs:
            self.see(block, logs)

    def see(self, block: int, logs: Sequence[Log], arguments: Sequence[Any] | None = None) -> None:
        """Take in the logs of one transaction of the exchange, and its arguments if they are to be looked for."""
        announced, moved = [], []
        for log in logs:
            if log.address == self.exchange:
                name, fields = _formats().read(log.topics, log.data)
                self.observed.see([(name, block, fields)])
                if name == "Deposited":
                    announced.append((fields["payer"], self.exchange, fields["amount"]))
                elif name == "Withdrawn":
                    announced.append((self.exchange, fields["recipient"], fields["amount"]))
                for field, index in ECHOES.get(name, {}).items() if arguments else ():
                    assert fields[field] == plain(arguments[index]), f"{name} has the {field} {fields[field]}"
            elif log.topics[0] == TRANSFER:
                sender, receiver = ("0x" + topic[-20:].hex() for topic in log.topics[1:])
                moved.append((sender, receiver, int.from_bytes(log.data, "big") * self.scale))
        moved = [transfer for transfer in moved if self.exchange in transfer[:2]]
        assert announced == moved, f"the events tell of {announced}, the token of {moved}"

    def answer(self, block: int, view: str, *arguments: Any) -> Any:
        """Return what a view has to say at a block, in the form in which views are decoded."""
        return _frozen(self.observed.answer(block, view, *map(plain, arguments)))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


@cache
def _formats() -> Formats:
    return Formats(json.loads(ABI.read_text(encoding="utf-8")))
