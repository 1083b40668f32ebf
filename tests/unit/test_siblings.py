"""Two leases of one deployment that one provider has: their gateways meet on a network that belongs to the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorage.manifest import Compute, encode, version_of
from moorage.snapshot import Touched
from moorage.types import OrderId, ProviderNumber
from provider_agent.core.containers import Attachment, NetworkKind, NetworkSpec, Observed
from provider_agent.core.gateway_config import CONFIG_FILE, LeaseTunnels
from provider_agent.core.gateway_container import DEFAULT_IMAGE, with_gateway
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.siblings import clients_of, passage_address, servers_of, with_siblings
from provider_agent.core.tunnels import Edge, InboundTunnel, Participant, Tunnel, TunnelState, tunnels_of
from provider_agent.core.workloads import DesiredLease, desired_lease
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import GROUP, IDENTITY, VERSION, connection, manifest, workload
from tests.fakes.lease_world import IDENTITY as WORLD_IDENTITY
from tests.fakes.lease_world import World
from tests.full_pass import reconcile
from tests.markets import UNIT, US, make_group, make_lease, make_order, make_snapshot

WEST, EAST, NORTH = (OrderId(bytes([number]) * 32) for number in (1, 2, 3))
GROUPS = {WEST: GROUP, EAST: "east", NORTH: "north"}
SIZE = Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=UNIT.memory_bytes, disk_bytes=UNIT.disk_bytes)
WEB = workload("web", compute=SIZE)
DOCUMENT = manifest(workload("db", connection(5432, "web", everywhere=True), compute=SIZE), east=(WEB,), north=(WEB,))
PASSAGE = LeaseNames(IDENTITY, WEST, VERSION).passage(EAST)
OTHER_PASSAGE = LeaseNames(IDENTITY, WEST, VERSION).passage(NORTH)


def lease(number: OrderId, *ours: OrderId) -> DesiredLease:
    """Return a lease of a provider that has others, too."""
    wanted = desired_lease(IDENTITY, number, DOCUMENT, GROUPS[number], VERSION)
    participants = [Participant(each, ProviderNumber(7), GROUPS[each]) for each in (number, *ours)]
    return replace(wanted, siblings=tunnels_of(wanted.edges, number, participants))


def meetings(wanted: DesiredLease) -> set[Attachment]:
    """Return where a lease's gateway meets others."""
    assert wanted.gateway is not None
    return {each for each in wanted.gateway.attachments if "-from." in each.network}


def test_with_siblings__no_other_lease_of_the_provider__changes_nothing() -> None:
    assert with_siblings(lease(WEST), {PASSAGE}) == lease(WEST)
    assert with_siblings(lease(EAST, NORTH), {PASSAGE}) == lease(EAST, NORTH)  # neither connects to the other


def test_h25_with_siblings__network_is_not_there_yet__the_server_makes_it_and_nobody_waits_for_it() -> None:
    server, client = (with_siblings(each, ()) for each in (lease(WEST, EAST), lease(EAST, WEST)))

    labels = LeaseNames(IDENTITY, WEST, VERSION).labels()
    assert server.networks[-1] == NetworkSpec(PASSAGE, labels, NetworkKind.INTERNAL, 16)
    assert client == lease(EAST, WEST)
    assert meetings(server) == meetings(client) == set()
    assert (clients_of(server), servers_of(server)) == ({EAST}, frozenset())
    assert (clients_of(client), servers_of(client)) == (frozenset(), {WEST})


def test_h25_with_siblings__network_is_there__both_gateways_are_on_it_and_no_others() -> None:
    seen = {PASSAGE, OTHER_PASSAGE}
    server, east, north = (with_siblings(lease(each, *(GROUPS.keys() - {each})), seen) for each in (WEST, EAST, NORTH))

    assert meetings(server) == {Attachment(PASSAGE, None, 2), Attachment(OTHER_PASSAGE, None, 2)}
    assert meetings(east) == {Attachment(PASSAGE, None, 3)}
    assert meetings(north) == {Attachment(OTHER_PASSAGE, None, 3)}
    assert server.workloads == lease(WEST).workloads and east.workloads == lease(EAST).workloads


class Site:
    def __init__(self) -> None:
        images = {DEFAULT_IMAGE, "example/db:1", "example/web:1"}
        self.engine = MemoryEngine(IDENTITY.labels, lambda: 0, images=images)
        self.gateways = MemoryGateways()
        self.restart()

    def restart(self) -> None:
        self.runner = WorkloadRunner(self.engine, self.gateways, lambda: 0.0)

    async def passes(self, *ours: OrderId, ended: tuple[OrderId, ...] = (), count: int = 3) -> Observed:
        wanted = [lease(each, *(other for other in ours if other != each)) for each in ours]
        for _ in range(count):
            await reconcile(self.runner, wanted, ended)
        return await self.engine.observe()


def members(seen: Observed, network: str) -> set[str]:
    """Return the leases whose containers are on a network."""
    assert any(each.name == network for each in seen.networks)
    return {each.label("moorage.lease") for each in seen.containers if network in each.networks}


async def test_h25_runner__two_leases_of_one_deployment__meet_and_then_nothing_more_is_done() -> None:
    site = Site()
    for order in ((WEST, EAST), (EAST, WEST)):
        seen = await site.passes(*order)
        assert members(seen, PASSAGE) == {WEST.hex(), EAST.hex()}
        assert len([each for each in seen.containers if PASSAGE in each.networks]) == 2

    site.engine.calls.clear()
    site.restart()
    await site.passes(WEST, EAST, count=2)
    assert {"ensure_network", "remove_network", "remove_container"}.isdisjoint(site.engine.calls)
    (network,) = (each for each in seen.networks if each.name == PASSAGE)
    port = site.runner.port(lease(WEST, EAST), "tunnels")
    assert site.runner.passage(lease(WEST, EAST), EAST) == (str(network.subnet[2]), port)
    assert site.runner.passage(lease(WEST, EAST), NORTH) is None


def test_passage_address__no_port_or_no_network__is_not_told() -> None:
    gateways = MemoryGateways().site
    unseen = with_gateway(with_siblings(lease(WEST, EAST), ()), gateways, {"tunnels": 30_001})
    portless = with_gateway(with_siblings(lease(WEST, EAST), {PASSAGE}), gateways, {})

    assert passage_address(unseen, EAST, ()) is passage_address(portless, EAST, ()) is None


async def test_h25_runner__a_lease_ends__the_other_keeps_all_of_its_own() -> None:
    for gone, left in ((EAST, WEST), (WEST, EAST)):
        site = Site()
        alone = await site.passes(left)
        await site.passes(WEST, EAST, NORTH)

        await site.passes(left, NORTH, ended=(gone,))
        after = await site.passes(left)

        assert {each.name for each in after.networks if each.name.startswith(names(left))} >= {
            each.name for each in alone.networks
        }
        assert all(PASSAGE not in each.networks for each in after.containers)
        assert PASSAGE not in {each.name for each in after.networks}


def names(number: OrderId) -> str:
    return f"mn-{IDENTITY.tag}-{number.hex()}"


async def test_h25_runner__one_of_three_leases_ends__the_two_others_go_on_meeting() -> None:
    site = Site()
    await site.passes(WEST, EAST, NORTH)

    after = await site.passes(WEST, NORTH, ended=(EAST,))

    assert members(after, OTHER_PASSAGE) == {WEST.hex(), NORTH.hex()}
    assert PASSAGE not in {each.name for each in after.networks}


@pytest.mark.parametrize("is_there", [False, True])
async def test_h24_render__tunnels_of_a_sibling__come_in_with_certificates_at_its_network_s_address(
    is_there: bool,
) -> None:
    site = Site()
    for each in (WEST, EAST):
        ends = [
            InboundTunnel(tunnel, "db.west", b"key", b"root") for tunnel in lease(WEST, EAST).siblings if each == WEST
        ]
        site.gateways.set_tunnels(each, LeaseTunnels.of(ends))

    seen = await site.passes(*((WEST, EAST) if is_there else (WEST,)))

    text = site.gateways.running[WEST].files[CONFIG_FILE].decode()
    subnets = {each.name: each.subnet for each in seen.networks}
    front = LeaseNames(IDENTITY, WEST, VERSION).front()
    port = site.runner.port(lease(WEST, EAST), "tunnels")
    wanted = [subnets[each][2] for each in ((front, PASSAGE) if is_there else (front,))]
    bound = [line.strip() for line in text.partition("frontend tunnels")[2].splitlines() if line.startswith("  bind")]
    assert bound == [
        f"bind {address}:{port} ssl crt-list /etc/moorage/current/tunnels.list strict-sni" for address in wanted
    ]


class SiblingLeases:
    """Stands in for the overlay: the active leases are the provider's, and nobody is asked."""

    def want(self, lease: OrderId, edges: tuple[Edge, ...]) -> None: ...

    def forget(self, lease: OrderId) -> None: ...

    def states(self, lease: OrderId) -> tuple[TunnelState, ...]:
        return ()

    def siblings(self, lease: OrderId, edges: tuple[Edge, ...]) -> tuple[Tunnel, ...]:
        ours = (Participant(order.id, US, name) for name, order in ORDERS.items())
        return tunnels_of(edges, lease, ours)


ORDERS = {name: make_order(number, group=make_group(name=name)) for number, name in enumerate((GROUP, "east"))}


async def test_h25_loop__server_s_money_is_used_up_and_comes_back__its_guest_does_too() -> None:
    world, body = World(), encode(DOCUMENT)
    world.engine.images |= {"example/db:1", "example/web:1"}
    loop = WorkloadLoop(
        world,  # type: ignore[arg-type]
        world.exchange,
        WORLD_IDENTITY,
        world.runner,
        world.store,
        lambda _: [version_of(body)],
        overlay=SiblingLeases(),
    )
    server, guest = (ORDERS[name].id for name in (GROUP, "east"))
    passage = LeaseNames(WORLD_IDENTITY, server, VERSION).passage(guest)
    for order in ORDERS.values():
        await world.store.put(order.id, body)

    async def members_at(block: int, funded_block: int) -> set[str]:
        funded = {server: funded_block, guest: 2_000}
        leases = [
            (each, make_lease(each, confirmed_block=1_000, funded_block=funded[each.id])) for each in ORDERS.values()
        ]
        snapshot = replace(make_snapshot(block, leases=leases), touched=Touched(frozenset([server])))
        loop.note(snapshot)
        for _ in range(4):
            await loop.try_pass()
        seen = await world.engine.observe()
        return {each.label("moorage.lease") for each in seen.containers if passage in each.networks}

    found = [await members_at(1_010, 1_020)]
    loop._attention.hears(True)  # from the next pass on it looks at what it is told of, and not at everything
    await loop.try_pass()
    found += [await members_at(1_021, 1_020), await members_at(1_022, 1_500)]

    assert found == [{server.hex(), guest.hex()}, set(), {server.hex(), guest.hex()}]
