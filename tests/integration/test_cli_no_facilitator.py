"""Where no facilitator is alive the command line alone brings every order to its end, and all money out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.failures import ExitStatus
from moorage.chain.contracts import provider_account
from moorage.chain.reader import MarketReader
from moorage.snapshot import Snapshot
from moorage.types import Address, Lease, OrderId, ProviderNumber
from tests.chain import ONE_TOKEN
from tests.cli_runner import Person
from tests.cli_world import World, key_file, world
from tests.market_crew import crew

PERIOD, GRACE = 40, 6
POLL_SECONDS = 0.05
TRIES = 2_400


@dataclass(frozen=True)
class Town:
    """A market with two providers and people with `moorage`, and nobody who turns the crank."""

    here: World
    anybody: Person
    reader: MarketReader

    async def runs(self, who: Person, *arguments: str) -> None:
        result = await who.does(*arguments, "--yes")
        assert result.status is ExitStatus.OK, (arguments, result.err)

    async def until(self, is_so: Callable[[Snapshot], bool]) -> Snapshot:
        """Return the market when the providers have done something."""
        for _ in range(TRIES):
            if is_so(snapshot := await self.reader.snapshot()):
                return snapshot
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError("the providers have not done it")

    async def due_order(self, bids: int) -> OrderId:
        """Return the only order when it has so many bids, and can be matched."""
        seen = await self.until(lambda market: [each.bid_count for each in market.orders.values()] == [bids])
        (order,) = seen.orders.values()
        missing = order.match_block - await self.here.chain.block_number()
        if missing > 0:
            await self.here.chain.mine(missing)
        return order.id

    async def lease_when(self, is_so: Callable[[Lease], bool]) -> Lease:
        """Return the only lease when its provider has brought it so far."""
        seen = await self.until(lambda market: [is_so(each) for each in market.leases.values()] == [True])
        (lease,) = seen.leases.values()
        return lease

    async def available(self, *accounts: Address) -> int:
        held = await self.here.exchange.accounts(None, accounts)
        return sum(account.available for account in held)


async def test_d07_job__no_facilitator_at_all__commands_bring_it_from_order_to_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with world(tmp_path, period=PERIOD, grace=GRACE) as here:
        chain, market, tenant = here.chain, here.market, here.tenant
        anybody = tenant.having(KEY_FILE=key_file(tmp_path, chain.stranger))
        town = Town(here, anybody, MarketReader(chain.rpc, market))
        async with crew(chain, market, tmp_path, has_facilitator=False) as (first, second):
            # ordered, and matched by somebody; the loser's collateral is freed
            deploying = asyncio.create_task(town.runs(tenant, "deploy", "--detach", "--fund", "1h"))
            order = await town.due_order(bids=2)
            await town.runs(anybody, "match", f"0x{order.hex()[:8]}")
            await deploying
            await town.runs(anybody, "release", f"0x{order.hex()}")

            # served and claimed, prolonged by the tenant
            await town.lease_when(lambda lease: not lease.is_awaiting)
            await chain.mine(PERIOD // 2)
            await town.lease_when(lambda lease: lease.earned > 0)
            await town.runs(anybody, "claim", f"0x{order.hex()}")
            await town.runs(tenant, "fund", "--for", "2h")

            # its provider goes away: ended, ordered again, matched with the other one
            first.fail()
            await chain.mine(PERIOD + 1)
            await town.runs(anybody, "stale", "--all")
            await town.due_order(bids=1)
            await town.runs(tenant, "match", "--all")
            lease = await town.lease_when(lambda lease: not lease.is_awaiting)

            # given up; its provider does not say that it is reset, and nobody closes the deployment
            second.is_closing = False
            await town.runs(tenant, "delete", "--detach")
            await chain.mine(GRACE + 1)
            await town.runs(anybody, "finish", f"0x{lease.id.hex()}")
            await town.runs(anybody, "finish", "--all")
            await town.runs(anybody, "claim", "--all")

        payer, stranger = here.address, Address(chain.stranger.address)
        # a match, a stale lease, a finish and a closing; the other match is the tenant's
        assert await town.available(stranger) == 4 * ONE_TOKEN // 1_000
        for who in (tenant, anybody):
            await town.runs(who, "withdraw", "all")
        assert await town.available(payer, stranger) == 0
        left = await town.reader.snapshot()
        assert not (left.orders or left.leases or left.deployments)
        providers = [provider_account(ProviderNumber(number)) for number in (1, 2)]
        assert await here.token.balance(None, market.exchange) == await town.available(*providers)
