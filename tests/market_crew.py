"""Small providers and a facilitator for tests of the tenant's side: real chain, real TLS, an engine that is a word.

async with crew(chain, market, tmp_path, percents=(80, 90)) as providers:
    ...
    providers[0].fail()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eth_account.signers.local import LocalAccount

from moorage import manifest, pki
from moorage.agent_api import LeaseStatus, WorkloadStatus
from moorage.chain.contracts import Call
from moorage.chain.market import Market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError
from moorage.chain.sender import Sender
from moorage.request_auth import Domain
from moorage.snapshot import Snapshot
from moorage.types import DeploymentState, Order, OrderId, OrderState, ProviderNumber
from provider_agent.shell.connection_guard import ConnectionLimits
from provider_agent.shell.https_server import serving
from provider_agent.shell.lease_access import LeaseGate
from provider_agent.shell.lease_directory import ChainLeases
from provider_agent.shell.manifest_intake import ManifestIntake
from provider_agent.shell.manifest_service import ManifestService
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.server_certificate import ServerCertificate
from provider_agent.shell.tenant_door import TenantDoor
from tests.chain import Chain, register_provider

POLL_SECONDS = 0.1


@dataclass
class Provider:
    """Bids a percentage of the maximum price, runs what it gets by saying so, confirms, resets."""

    chain: Chain
    market: Market
    number: ProviderNumber
    operator: LocalAccount
    percent: int
    store: ManifestMemory
    reader: MarketReader
    port: int = 0
    has_failed: bool = False
    is_closing: bool = True
    """Whether it confirms closings."""
    state: str = "running"

    def fail(self) -> None:
        """Stop confirming and bidding, as if the power were gone."""
        self.has_failed = True

    async def status(self, lease: OrderId) -> LeaseStatus:
        body = await self.store.get(lease)
        if body is None:
            return LeaseStatus(lease, None, ())
        name = self.reader.index.facts.orders[lease].group.name
        (group,) = [group for group in manifest.decode(body).groups if group.name == name]
        workloads = [
            WorkloadStatus(workload.name, self.state, None, (f"http://127.0.0.1:{9000 + self.number}",))
            for workload in group.workloads
        ]
        return LeaseStatus(lease, manifest.version_of(body), tuple(workloads))

    async def act(self, sender: Sender) -> None:
        """Do what is due at this block."""
        snapshot = await self.reader.snapshot()
        if not self.has_failed:
            await sender.send_all(list(self.calls(snapshot)))

    def calls(self, snapshot: Snapshot) -> list[Call]:
        exchange = self.reader.exchange
        wanted = [order for order in snapshot.orders.values() if self.may_bid(order)]
        calls = [self._bid(order) for order in wanted if order.id not in snapshot.fulfillments]
        mine = [lease for lease in snapshot.leases.values() if lease.provider == self.number]
        active = [lease for lease in mine if lease.state is OrderState.LEASE_ACTIVE]
        due = [
            lease.id
            for lease in active
            if lease.is_awaiting
            or snapshot.block.number >= lease.confirmed_block + snapshot.parameters.reconfirmation_period_blocks // 2
        ]
        if due:
            calls.append(exchange.submit_lease_confirmation(self.number, due))
        closing = [snapshot.key(lease.id) for lease in mine if lease.state is OrderState.LEASE_CLOSING]
        if closing and self.is_closing:
            calls.append(exchange.confirm_closed(self.number, closing))
        return calls

    def may_bid(self, order: Order) -> bool:
        return not self.has_failed and order.excluded_provider != self.number

    def _bid(self, order: Order) -> Call:
        prices = [resource.price_per_block * self.percent // 100 for resource in order.group.resources]
        return self.reader.exchange.submit_fulfillment(self.number, order.key, order.group, prices)


async def facilitate(chain: Chain, reader: MarketReader, sender: Sender, providers: Sequence[Provider]) -> None:
    """Match what all have bid on, however long that takes them; end what is stale and close what is over, once."""
    snapshot = await reader.snapshot()
    number = snapshot.block.number
    period = snapshot.parameters.reconfirmation_period_blocks
    calls = []
    ready = [
        order.key
        for order in snapshot.orders.values()
        if order.bid_count
        and order.bid_count >= sum(each.may_bid(order) for each in providers)
        and number >= order.match_block
    ]
    if ready:
        calls.append(reader.exchange.submit_lease(ready))
    stale = [snapshot.key(lease.id) for lease in snapshot.leases.values() if lease.is_stale(number, period)]
    if stale:
        calls.append(reader.exchange.submit_stale_lease(stale))
    over = [
        deployment.id
        for deployment in snapshot.deployments.values()
        if deployment.state is DeploymentState.CLOSING and deployment.live_groups == 0
    ]
    if over:
        calls.append(reader.exchange.deployment_closed(over))
    await sender.send_all(calls)


@asynccontextmanager
async def crew(
    chain: Chain, market: Market, folder: Path, percents: tuple[int, ...] = (80, 90), *, has_facilitator: bool = True
) -> AsyncIterator[tuple[Provider, ...]]:
    """Run providers, one for each percentage, and a facilitator until the end of the block."""
    async with AsyncExitStack() as stack:
        providers = [await _provider(stack, chain, market, folder, *each) for each in enumerate(percents)]
        tasks = [asyncio.create_task(_work(provider)) for provider in providers]
        if has_facilitator:
            tasks.append(asyncio.create_task(_facilitate(chain, market, providers)))
        try:
            yield tuple(providers)
        finally:
            for task in tasks:
                task.cancel()
            failures = await asyncio.gather(*tasks, return_exceptions=True)
            for failure in failures:
                if isinstance(failure, Exception):
                    raise failure


async def _provider(
    stack: AsyncExitStack, chain: Chain, market: Market, folder: Path, index: int, percent: int
) -> Provider:
    number = ProviderNumber(index + 1)
    now = datetime.now(UTC)
    root = pki.create_root(number, market.exchange, now)
    certificate = ServerCertificate(lambda: root, folder / f"server-{number}.pem", now)
    reader = MarketReader(chain.rpc, market, number)
    provider = Provider(chain, market, number, chain.operators[index], percent, ManifestMemory(), reader)
    gate = LeaseGate(number, Domain(market.chain_id, market.exchange), ChainLeases(reader))
    service = ManifestService(TenantDoor(gate), ManifestIntake(provider.store, lambda _: None), provider)
    limits = ConnectionLimits()
    provider.port = await stack.enter_async_context(
        serving(service.application(), "127.0.0.1", 0, certificate.context, limits)
    )
    endpoint = f"https://127.0.0.1:{provider.port}"
    registered = await register_provider(chain, market, index, endpoint=endpoint, certificate=root.der)
    assert registered == number
    return provider


async def _work(provider: Provider) -> None:
    sender = Sender(provider.chain.rpc, provider.operator, provider.market.chain_id)
    while True:
        with suppress(ChainError):  # the next block tells
            await provider.act(sender)
        await asyncio.sleep(POLL_SECONDS)


async def _facilitate(chain: Chain, market: Market, providers: Sequence[Provider]) -> None:
    reader = MarketReader(chain.rpc, market)
    sender = Sender(chain.rpc, chain.facilitator, market.chain_id)
    while True:
        with suppress(ChainError):
            await facilitate(chain, reader, sender, providers)
        await asyncio.sleep(POLL_SECONDS)
