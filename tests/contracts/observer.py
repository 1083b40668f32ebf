"""Rebuilds all state of an exchange from its events, and compares it with what the views answer.

`check` fails if an event lacks something that an observer needs, if a view disagrees, or if one unit is missing or too
many.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import brownie

from tests.contracts.client import views
from tests.contracts.market import MAX_MONEY, Market
from tests.event_logs import Formats, as_bytes, plain
from tests.observed import Event, Observed, Rules


class Observer:
    """The state of one exchange as its events tell it."""

    def __init__(self, market: Market) -> None:
        self.exchange = market.exchange
        self.token = market.token
        [parameters] = views(self.exchange, ("market_parameters",))
        _, _, self.scale, period, interest_rate, tip, _, _ = parameters
        [self.provider_count] = views(market.registry, ("provider_count",))
        self.next_block = market.next_block
        self.observed = Observed(Rules(brownie.chain.id, self.exchange.address, period, interest_rate, tip))
        self.observed.see(_events(self.exchange))

    def check(self) -> None:
        """Compare everything with the views, and the sum of everything with the tokens held."""
        calls = self.observed.views(range(1, self.provider_count + 1))
        for call, actual in zip(calls, views(self.exchange, *calls), strict=True):
            assert plain(actual) == plain(self.observed.answer(self.next_block, *call)), call
        [held] = views(self.token, ("balanceOf", self.exchange.address))
        assert self.observed.total() == held * self.scale
        assert self.observed.total() <= MAX_MONEY


def _events(exchange: Any) -> list[Event]:
    """Return all events of an exchange."""
    request = {"address": exchange.address, "fromBlock": "0x0", "toBlock": "latest"}
    logs = brownie.web3.provider.make_request("eth_getLogs", [request])["result"]
    return [_event(log) for log in logs]


def _event(log: dict[str, Any]) -> Event:
    name, fields = _formats().read([as_bytes(topic) for topic in log["topics"]], as_bytes(log["data"]))
    return name, int(log["blockNumber"], 16), fields


@cache
def _formats() -> Formats:
    return Formats(brownie.Exchange.abi)
