"""The loop between chain and engine with many leases: what a pass costs depends on what has changed alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from moorage.snapshot import Snapshot, Touched
from moorage.types import Lease, OrderId, OrderState
from provider_agent.core.attention import PERIOD_SECONDS
from provider_agent.core.containers import ContainerState
from provider_agent.shell.engine import EngineRefused, EngineUnavailable
from provider_agent.shell.manifest_store import ManifestMemory
from tests.fakes.lease_world import World, active, body, ended
from tests.markets import make_order, make_snapshot

FEW, MANY = 100, 1_000


class CountingStore(ManifestMemory):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    async def get(self, lease: OrderId) -> bytes | None:
        self.calls.append("get")
        return await super().get(lease)

    async def leases(self) -> frozenset[OrderId]:
        self.calls.append("leases")
        return await super().leases()


@dataclass
class Fleet(World):
    """An agent whose many leases all run, and that is told what changes."""

    size: int = FEW
    store: CountingStore = field(default_factory=CountingStore)
    touched: Touched | None = None
    looked_up: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.orders = {order.id: order for order in map(make_order, range(self.size))}
        self.leases = {order.id: active(order) for order in self.orders.values()}
        self.encoded = body()

    def snapshot(self) -> Snapshot:
        fleet = self

        class Counted(dict[OrderId, Lease]):
            def get(self, key: OrderId, default: Lease | None = None) -> Lease | None:  # type: ignore[override]
                fleet.looked_up += 1
                return super().get(key, default)

        pairs = [(self.orders[lease], each) for lease, each in self.leases.items()]
        snapshot = make_snapshot(self.block, leases=pairs)
        return replace(snapshot, leases=Counted(snapshot.leases), touched=self.touched)

    async def settle(self) -> None:
        for lease in self.orders:
            await self.deliver(lease, self.encoded)
        self.final = dict(self.leases)
        await self.passes()
        self.touched = Touched()
        await self.passes(3)
        assert len(self.engine.names()) == self.size

    async def cost(self, *touched: OrderId) -> tuple[list[str], list[str], int, int]:
        """Return what one pass asks of engine, store and node, and how many leases it looks up."""
        self.engine.calls.clear()
        self.store.calls.clear()
        self.asked.clear()
        self.looked_up = 0
        self.touched = Touched(frozenset(touched))
        await self.passes()
        return list(self.engine.calls), list(self.store.calls), len(self.asked), self.looked_up


@asynccontextmanager
async def fleet_of(size: int) -> AsyncIterator[Fleet]:
    fleet = Fleet(size=size)
    listening = asyncio.create_task(fleet.loop._listen())
    try:
        await asyncio.sleep(0)
        await fleet.settle()
        yield fleet
    finally:
        listening.cancel()


async def costs(fleet: Fleet) -> list[tuple[list[str], list[str], int, int]]:
    """Let something happen in each block, as often as what it takes may need another pass."""
    first, second, third, fourth, *others = fleet.orders
    found = [await fleet.cost()]
    found.append(await fleet.cost(*others[:8]))
    fleet.leases[first] = replace(fleet.leases[first], confirmed_block=fleet.block)
    found.append(await fleet.cost(first))
    (name,) = [each for each in fleet.engine.names() if second.hex() in each]
    fleet.engine.crash(name, 1)
    await asyncio.sleep(0)
    found += [await fleet.cost() for _ in range(2)]
    await fleet.deliver(third, body("web:2"))
    for _ in range(3):
        found.append(await fleet.cost())
        await asyncio.sleep(0)
    fleet.final[fourth] = fleet.leases[fourth] = ended(OrderState.LEASE_CLOSING, fleet.orders[fourth])
    found.append(await fleet.cost(fourth))
    for _ in range(3):
        await asyncio.sleep(0)
        found.append(await fleet.cost())
    assert fleet.loop.reset == {fourth}
    return found


async def test_passes__ten_times_the_leases__cost_the_same() -> None:
    async with fleet_of(FEW) as few:
        expected = await costs(few)
    async with fleet_of(MANY) as many:
        found = await costs(many)

    assert found == expected
    nothing, in_turn, confirmed, *_ = found
    assert nothing == ([], [], 0, 0)
    assert in_turn[:3] == confirmed[:3] == ([], [], 0)
    assert max(len(engine) for engine, _, _, _ in found) < 10
    assert max(looked_up for _, _, _, looked_up in found) < 12


async def test_pass__nothing_was_told_for_long__looks_at_everything() -> None:
    async with fleet_of(FEW) as fleet:
        fleet.now += PERIOD_SECONDS

        engine, store, _, looked_up = await fleet.cost()

    assert (engine, looked_up >= FEW) == (["observe"], True)
    assert store == ["leases", *["get"] * FEW]


async def test_g09_pass__engine_stops_telling__looks_at_everything_until_it_tells_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("provider_agent.shell.workload_loop.PASS_SECONDS", 0.01)
    async with fleet_of(FEW) as fleet:
        (gone, *_) = [name for name in fleet.engine.names() if next(iter(fleet.orders)).hex() in name]
        fleet.engine.break_off()
        await asyncio.sleep(0)
        fleet.engine.crash(gone, 1)  # and nobody is told
        assert (await fleet.cost())[0] == ["observe"]
        await asyncio.sleep(0.05)
        fleet.now += 10

        calls = [(await fleet.cost())[0] for _ in range(4)]

    assert calls[0][0] == "observe"
    assert calls[3] == []
    seen = {each.name: each.state for each in (await fleet.engine.observe()).containers}
    assert seen[gone] is ContainerState.RUNNING


async def test_i18_pass__death_is_told_as_everything_is_due__is_seen_though_the_list_has_it_later() -> None:
    async with fleet_of(FEW) as fleet:
        (dead, *_) = (await fleet.engine.observe()).containers
        fleet.engine.crash(dead.name, 1)
        fleet.engine.listed[dead.name] = dead
        await asyncio.sleep(0)
        fleet.touched = None  # as of one who does not know what the chain has touched
        await fleet.passes()
        fleet.engine.listed.clear()
        fleet.now += 10

        calls = (await fleet.cost())[0]

    assert "ensure_container" in calls


async def test_note__snapshots_without_a_pass_between__lose_nothing_that_they_touched() -> None:
    async with fleet_of(FEW) as fleet:
        first, second, *_ = fleet.orders
        for lease in (first, second):
            fleet.leases[lease] = replace(fleet.leases[lease], confirmed_block=fleet.block, funded_block=fleet.block)
            fleet.touched = Touched(frozenset({lease}))
            fleet.loop.note(fleet.snapshot())

        await fleet.cost()

        paused = [lease for lease in fleet.orders if not any(lease.hex() in name for name in fleet.engine.names())]
    assert paused == [first, second]


async def test_g20_pass__one_lease_is_odd__the_others_are_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_of(FEW) as fleet:
        odd, good, *_ = fleet.orders
        before = {each.name for each in (await fleet.engine.observe()).containers}
        read = fleet.store.get

        async def get(lease: OrderId) -> bytes | None:
            if lease == odd:
                raise RuntimeError("a bug")
            return await read(lease)

        monkeypatch.setattr(fleet.store, "get", get)
        await fleet.deliver(odd, body("web:2"))
        await fleet.deliver(good, body("web:2"))

        await fleet.cost()

        assert {each.name for each in (await fleet.engine.observe()).containers} == before
        versions = {each.name: each.label("moorage.version") for each in (await fleet.engine.observe()).containers}
        changed = {name for name, version in versions.items() if version == fleet.versions[good][-1].hex()}
        assert [good.hex() in name for name in changed] == [True]
        monkeypatch.undo()
        fleet.now += 10
        await fleet.cost()
        assert len([v for v in await fleet.versions_seen() if v == fleet.versions[good][-1].hex()]) == 2


async def test_g14_pass__engine_fails_in_it__what_was_told_is_not_lost() -> None:
    async with fleet_of(FEW) as fleet:
        first, *_ = fleet.orders
        await fleet.deliver(first, body("web:2"))
        fleet.engine.failures = [EngineUnavailable("no answer")]
        await fleet.cost()

        _, store, _, _ = await fleet.cost()

        assert store[0] == "leases"  # nobody knows what was told meanwhile
        assert fleet.versions[first][-1].hex() in await fleet.versions_seen()


async def state_of(fleet: Fleet, lease: OrderId) -> ContainerState:
    (found,) = [each for each in (await fleet.engine.observe()).containers if lease.hex() in each.name]
    return found.state


@pytest.mark.parametrize("fault", [None, RuntimeError("a bug")])
async def test_pass__container_crashes__is_started_again_when_its_wait_is_over(fault: Exception | None) -> None:
    async with fleet_of(3) as fleet:
        lease, *_ = fleet.orders
        (name,) = [each for each in fleet.engine.names() if lease.hex() in each]
        fleet.engine.crash(name, 1)
        await asyncio.sleep(0)
        fleet.engine.failures = [fault]  # type: ignore[list-item]

        await fleet.passes(2)
        assert await state_of(fleet, lease) is ContainerState.EXITED
        fleet.now += 10
        await fleet.passes()

        assert await state_of(fleet, lease) is ContainerState.RUNNING


async def test_pass__prepaid_blocks_are_used_up__is_paused_though_nobody_told() -> None:
    async with fleet_of(3) as fleet:
        lease, *_ = fleet.orders
        fleet.leases[lease] = replace(fleet.leases[lease], confirmed_block=fleet.block, funded_block=fleet.block + 3)
        await fleet.cost(lease)

        names = [len(fleet.engine.names()) for _ in range(4) if await fleet.cost()]

        assert names == [3, 2, 2, 2]


async def test_pass__engine_refuses_a_step__takes_it_in_the_next_pass() -> None:
    async with fleet_of(3) as fleet:
        order = make_order(7)
        fleet.orders[order.id], fleet.leases[order.id] = order, active(order)
        await fleet.deliver(order.id, fleet.encoded)
        fleet.engine.failures = [EngineRefused("busy")]

        calls = [(await fleet.cost(*touched))[0] for touched in ([order.id], [])]

        assert [each[0] for each in calls] == ["ensure_network", "ensure_network"]
