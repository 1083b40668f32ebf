"""A gateway that does not do what it should: who goes on, and who is started anew."""

from __future__ import annotations

import pytest

from provider_agent.core.containers import ObservedContainer
from provider_agent.core.gateway_container import with_gateway
from provider_agent.shell.engine import EngineUnavailable
from provider_agent.shell.gateway_care import MAX_SILENCE
from provider_agent.shell.gateways import GatewayAbsent, GatewayError
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, connection, lease_of, workload
from tests.full_pass import reconcile

WEB = lease_of(workload("web", connection(80)))


class Site:
    def __init__(self) -> None:
        self.gateways = MemoryGateways()
        self.now_seconds = 1_000_000
        images = {self.gateways.site.image, *(each.image for each in WEB.containers)}
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: self.now_seconds, images=images)
        self.runner = WorkloadRunner(self.engine, self.gateways, clock=lambda: self.now_seconds, pass_seconds=60)

    async def step(self, failure: GatewayError | None = None) -> bool:
        """Make a pass a second later in which the gateway fails so; return whether it is still the same container."""
        before = await self.gateway()
        self.now_seconds += 1
        self.gateways.failures = [failure]
        self.gateways.running.clear()  # so that it is tuned in every pass
        await reconcile(self.runner, [WEB], ())
        return before is not None and await self.gateway() == before

    async def gateway(self) -> ObservedContainer | None:
        """Return its container."""
        container = with_gateway(WEB, self.gateways.site, {}).gateway_container
        assert container is not None
        return next((each for each in (await self.engine.observe()).containers if each.name == container.name), None)


@pytest.fixture
async def site() -> Site:
    site = Site()
    await site.step()
    return site


async def test_gateway__runs_and_stays_silent__is_made_anew(site: Site) -> None:
    silent = [await site.step(GatewayAbsent("no answer")) for _ in range(MAX_SILENCE)]

    assert silent == [True] * (MAX_SILENCE - 1) + [False]
    await site.step()
    assert await site.step()


async def test_gateway__answers_in_between__is_left_alone(site: Site) -> None:
    for _ in range(3):
        for failure in (*[GatewayAbsent("no answer")] * (MAX_SILENCE - 1), None):
            assert await site.step(failure)


async def test_gateway__does_not_take_its_configuration__goes_on_with_the_one_before(site: Site) -> None:
    for _ in range(2 * MAX_SILENCE):
        assert await site.step(GatewayError("not taken"))


async def test_gateway__goes_with_its_lease_and_comes_back__has_all_its_time_to_answer(site: Site) -> None:
    for _ in range(MAX_SILENCE - 1):
        await site.step(GatewayAbsent("no answer"))
    await reconcile(site.runner, [], (LEASE,))

    await site.step(GatewayAbsent("it has only just begun"))

    assert await site.gateway() is not None


async def test_gateway__loses_a_connection__is_told_while_it_still_has_its_networks(site: Site) -> None:
    cache, web = workload("cache", connection(6379, "web")), workload("web", connection(80))
    site.engine.images.add("example/cache:1")
    await reconcile(site.runner, [lease_of(cache, web)], ())
    assert ("to_web_cache_6379", "r0") in site.gateways.running[LEASE].servers
    site.engine.failures = [None, None, EngineUnavailable("after both looks, before the first change")]

    with pytest.raises(EngineUnavailable):
        await reconcile(site.runner, [lease_of(workload("cache"), web)], ())

    assert ("to_web_cache_6379", "r0") not in site.gateways.running[LEASE].servers
