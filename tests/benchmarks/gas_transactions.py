"""One transaction of each kind on a market in its steady state: all accounts have been used before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.gas_chain import Receipt
from tests.benchmarks.gas_market import PERIOD_BLOCKS, Market, Order, group
from tests.benchmarks.gas_trace import Slot

BATCH = 30
GROUPS_PER_DEPLOYMENT = 8


@dataclass(frozen=True, slots=True)
class Measured:
    """A transaction to be measured."""

    operation: str
    receipt: Receipt
    words: dict[Slot, str]
    """The words of the scenario's entities by the names of gas_needs.py."""
    leases: int = 1
    """Over how many its cost is spread."""


def transactions(market: Market) -> Iterator[Measured]:
    """Run each kind of transaction once, after a first life of everything that the accounts stay used from."""
    _lifecycle(market)
    yield from _lifecycle(market)
    yield from _second_confirmation_and_claim(market)
    yield from _batch(market)
    yield from _stale(market, "submit_stale_lease", persist=True)
    yield from _stale(market, "submit_stale_lease_without_persist", persist=False)


def _lifecycle(market: Market) -> list[Measured]:
    receipt, (order,) = market.submit_deployment(group("westcoast", persist=True))
    receipts = {
        "submit_deployment": receipt,
        "submit_fulfillment": market.submit_fulfillment(order),
        "submit_lease": market.submit_lease(order),
        "submit_lease_confirmation": market.submit_lease_confirmation(order),
    }
    market.chain.mine(PERIOD_BLOCKS // 2)
    receipts["close_deployment"] = market.close_deployment(order)
    receipts["confirm_closed"] = market.confirm_closed(order)
    words = market.words(order)
    return [Measured(operation, receipt, words) for operation, receipt in receipts.items()]


def _second_confirmation_and_claim(market: Market) -> Iterator[Measured]:
    order = _leased(market, persist=True)
    words = market.words(order)
    market.submit_lease_confirmation(order)
    market.chain.mine(PERIOD_BLOCKS // 2)
    yield Measured("submit_lease_confirmation_again", market.submit_lease_confirmation(order), words)
    yield Measured("claim", market.claim(order), words)


def _batch(market: Market) -> Iterator[Measured]:
    groups = [group(f"group-{number}", persist=True) for number in range(GROUPS_PER_DEPLOYMENT)]
    orders: list[Order] = []
    while len(orders) < BATCH:
        _, submitted = market.submit_deployment(*groups[: BATCH - len(orders)])
        orders += submitted
    for order in orders:
        market.submit_fulfillment(order)
    market.submit_lease(*orders)
    words = market.words(*orders)
    first = market.submit_lease_confirmation(*orders)
    yield Measured("submit_lease_confirmation_x30", first, words, BATCH)
    market.chain.mine(PERIOD_BLOCKS // 2)
    again = market.submit_lease_confirmation(*orders)
    yield Measured("submit_lease_confirmation_x30_again", again, words, BATCH)


def _stale(market: Market, operation: str, persist: bool) -> Iterator[Measured]:
    order = _leased(market, persist)
    market.submit_lease_confirmation(order)
    yield Measured(operation, market.submit_stale_lease(order), market.words(order))


def _leased(market: Market, persist: bool) -> Order:
    """Return a fresh lease that awaits its first confirmation."""
    _, (order,) = market.submit_deployment(group("westcoast", persist))
    market.submit_fulfillment(order)
    market.submit_lease(order)
    return order
