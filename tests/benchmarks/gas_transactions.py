"""The transactions that are measured, in their steady state: all accounts have been used before.

A variant has the name of its transaction and what is different: `_first_use` (by parties that were never in a lease),
`_x10` and `_x30` (so many in a batch, the cost of one), `_8_groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.benchmarks.gas_accounts import accounts, providers
from tests.benchmarks.gas_books import books
from tests.benchmarks.gas_chain import Receipt
from tests.benchmarks.gas_floor import Measured
from tests.benchmarks.gas_market import (
    COLLATERAL,
    DEPOSIT,
    PERIOD_BLOCKS,
    PROVIDERS,
    SMALLEST_DEPOSIT,
    TIP,
    Market,
    Order,
    group,
    groups,
)

BATCHES = (10, 30)


def transactions(market: Market) -> Iterator[Measured]:
    """Run each kind of transaction."""
    yield from _first_use(market)
    yield from _lifecycle(market)
    yield from _second_confirmation_and_claim(market)
    for size in BATCHES:
        yield from _batches(market, size)
    yield from _stale(market)
    yield from _groups(market)
    yield from _ends(market)
    yield from _funding(market)
    yield from books(market)
    yield from accounts(market)
    yield from providers(market)


def _first_use(market: Market) -> Iterator[Measured]:
    """Run a lifecycle by a tenant and a provider with no more than it takes, and a facilitator that has nothing."""
    market.register_provider()
    newcomers = {"tenant": market.newcomer, "facilitator": market.new_facilitator, "provider": PROVIDERS}
    market.deposit(market.newcomer, DEPOSIT + 2 * TIP)
    market.deposit(market.account_of(PROVIDERS), COLLATERAL)
    with market.acting(**newcomers):
        yield from _lifecycle(market, "_first_use")


def _lifecycle(market: Market, variant: str = "") -> Iterator[Measured]:
    with market.chain.measuring():
        receipt, (order,) = market.submit_deployment(group("westcoast", persist=True))
    yield Measured("submit_deployment" + variant, "submit_deployment", receipt)
    yield _measured(market, market.submit_fulfillment, order, variant=variant)
    yield _measured(market, market.submit_lease, order, variant=variant)
    yield _measured(market, market.submit_lease_confirmation, order, variant=variant)
    market.chain.mine(PERIOD_BLOCKS // 2)
    yield _measured(market, market.close_deployment, order, variant=variant)
    yield _measured(market, market.confirm_closed, order, variant=variant)


def _measured(market: Market, send: Callable[..., Receipt], *orders: Order, variant: str = "") -> Measured:
    """Send a transaction on these orders; its cost is spread over them if the variant is a batch."""
    with market.chain.measuring():
        receipt = send(*orders)
    transaction = send.__name__
    leases = len(orders) if variant.startswith("_x") else 1
    return Measured(transaction + variant, transaction, receipt, leases)


def _second_confirmation_and_claim(market: Market) -> Iterator[Measured]:
    orders = market.active(persist=True)
    market.chain.mine(PERIOD_BLOCKS // 2)
    yield _measured(market, market.submit_lease_confirmation, *orders, variant="_again")
    yield _measured(market, market.claim, *orders)


def _batches(market: Market, size: int) -> Iterator[Measured]:
    variant = f"_x{size}"
    orders = market.orders(size)
    for order in orders:
        market.submit_fulfillment(order)
    yield _measured(market, market.submit_lease, *orders, variant=variant)
    yield _measured(market, market.submit_lease_confirmation, *orders, variant=variant)
    market.chain.mine(PERIOD_BLOCKS // 2)
    yield _measured(market, market.submit_lease_confirmation, *orders, variant=f"{variant}_again")
    yield _measured(market, market.claim, *orders, variant=variant)
    yield _measured(market, market.submit_stale_lease, *market.active(size), variant=variant)
    yield _measured(market, market.submit_stale_lease, *market.active(size, persist=True), variant=f"{variant}_persist")
    yield _measured(market, market.confirm_closed, *market.closing(size), variant=variant)
    yield _measured(market, market.finish_leases, *market.closing(size), variant=variant)
    deployments = [market.submit_deployment(group("westcoast", persist=False))[1][0] for _ in range(size)]
    for order in deployments:
        market.close_deployment(order)
    yield _deployment_closed(market, deployments, variant)


def _deployment_closed(market: Market, orders: list[Order], variant: str = "") -> Measured:
    ids = [order.deployment for order in orders]
    with market.chain.measuring():
        receipt = market.exchange.send(market.facilitator, "deployment_closed", ids)
    return Measured("deployment_closed" + variant, "deployment_closed", receipt, len(ids))


def _stale(market: Market) -> Iterator[Measured]:
    yield _measured(market, market.submit_stale_lease, *market.active(persist=True))
    without = _measured(market, market.submit_stale_lease, *market.active())
    yield Measured("submit_stale_lease_without_persist", "submit_stale_lease_without_persist", without.receipt)
    (lease,) = market.active()
    with market.chain.measuring():
        receipt = market.exchange.send(market.owner, "submit_stale_lease", [lease.key])
    yield Measured("submit_stale_lease_resignation", "submit_stale_lease", receipt)


def _groups(market: Market) -> Iterator[Measured]:
    with market.chain.measuring():
        receipt, orders = market.submit_deployment(*groups(8))
    yield Measured("submit_deployment_8_groups", "submit_deployment", receipt)
    for order in orders:
        market.submit_fulfillment(order)
    market.submit_lease(*orders)
    market.submit_lease_confirmation(*orders)
    yield _measured(market, market.close_deployment, *orders, variant="_8_groups")
    yield _measured(market, market.close_deployment, *market.orders(1), variant="_open_order")
    (first,) = market.active()
    for operation, count, nonce in (("_add_group", 1, 1), ("_add_6_groups", 6, 2)):
        with market.chain.measuring():
            receipt, _ = market.update_deployment(first.deployment, groups(count), first_nonce=nonce)
        yield Measured("update_deployment" + operation, "update_deployment", receipt)
    with market.chain.measuring():
        receipt, _ = market.update_deployment(first.deployment)
    yield Measured("update_deployment", "update_deployment", receipt)
    with market.chain.measuring():
        receipt, _ = market.update_deployment(first.deployment, removed=[first])
    yield Measured("update_deployment_remove_group", "update_deployment", receipt)


def _ends(market: Market) -> Iterator[Measured]:
    orders = market.closing()
    yield _measured(market, market.finish_leases, *orders)
    yield _deployment_closed(market, orders)


def _funding(market: Market) -> Iterator[Measured]:
    (order,) = market.active()
    permissions, no_limit = 7, (2**40 - 1, 2**95)
    market.name("deployments.managers", order.deployment, market.stranger, "manager")
    yield _fund(market, order, market.tenant, "fund")
    yield _fund(market, order, market.stranger, "fund_gift")
    for operation in ("set_manager", "set_manager_again"):
        with market.chain.measuring():
            terms = (order.deployment, market.stranger, permissions, *no_limit)
            receipt = market.exchange.send(market.tenant, "set_manager", *terms)
        yield Measured(operation, "set_manager", receipt)
        permissions = 3
    yield _fund(market, order, market.stranger, "fund_by_manager")
    yield _fund(market, market.orders(1)[0], market.tenant, "fund_order")
    _, (short,) = market.submit_deployment(group("westcoast", persist=False), deposit=SMALLEST_DEPOSIT)
    market.submit_fulfillment(short)
    market.submit_lease(short)
    for _ in range(4):
        market.submit_lease_confirmation(short)
        market.chain.mine(PERIOD_BLOCKS - 2)
    yield _fund(market, short, market.tenant, "fund_revival")


def _fund(market: Market, order: Order, payer: str, operation: str) -> Measured:
    with market.chain.measuring():
        receipt = market.exchange.send(payer, "fund", order.key, 2 * PERIOD_BLOCKS)
    return Measured(operation, "fund", receipt)
