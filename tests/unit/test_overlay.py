"""How agents of several providers come to the tunnels of a deployment, and what becomes of them later."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from moorage import pki
from moorage.crash import CRASH_POINTS, Crashed, crash_hook
from moorage.leased_workload import decode_workloads, encode_workloads
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, edges_of, tunnels_of
from provider_agent.shell.overlay import BUSY_SECONDS, IDLE_SECONDS
from provider_agent.shell.peer_answers import Pair
from provider_agent.shell.peer_link import CHANGE_SECONDS, CHANGES
from tests.factories.workloads import GROUP, connection, manifest, workload
from tests.fakes.overlays import EXCHANGE, OverlayWorld, Site
from tests.markets import make_group, make_order

DOCUMENT = manifest(
    workload("db", connection(5432, "web", everywhere=True)), east=(workload("web"),), europe=(workload("web"),)
)
EAST = ("db", 5432, "web")
DOCUMENT_EDGES = {group: edges_of(DOCUMENT, group) for group in (GROUP, "east")}


@pytest.fixture
def world(tmp_path: Path) -> OverlayWorld:
    found = OverlayWorld(tmp_path)
    for number, group in ((1, GROUP), (2, "east"), (3, "europe")):
        found.site(number, group)
    return found


def ids(site: Site) -> set[str]:
    assert site.ends is not None
    return {end.tunnel.id for end in site.ends}


async def test_h25_overlay__three_providers__have_the_same_tunnels_and_trust_the_others_roots(
    world: OverlayWorld,
) -> None:
    home, east, europe = world.sites

    await world.settle(DOCUMENT)

    assert ids(home) == ids(east) | ids(europe)
    assert len(ids(east)) == len(ids(europe)) == 1
    (out,) = east.ends or ()
    (into,) = (end for end in home.ends or () if end.tunnel.id in ids(east))
    assert isinstance(out, OutboundTunnel) and isinstance(into, InboundTunnel)
    assert (out.address, out.server_name) == (home.address, into.server_name)
    assert out.roots_pem == _pem(home.root) and into.roots_pem == _pem(east.root)
    assert out.credential_pem != into.credential_pem
    assert set(home.faults.values()) == set(east.faults.values()) == {None}


async def test_h25_overlay__peer_says_something_else_all_the_time__does_not_have_the_gateway_reloaded_as_often(
    world: OverlayWorld,
) -> None:
    home, east, _ = world.sites
    await world.settle(DOCUMENT)
    before = len(east.told)

    for port in range(100):
        home.address = ("203.0.113.1", 30_000 + port)
        await east.ask(home)
        world.later(seconds=IDLE_SECONDS)

    span_seconds = 100 * IDLE_SECONDS
    assert len(east.told) - before <= 2 * (CHANGES + span_seconds / CHANGE_SECONDS)
    assert east.ends == ()
    assert east.faults == {EAST: "its agent says something else too often, and is believed again later"}
    world.later(seconds=CHANGE_SECONDS)
    await east.ask(home)
    assert len(ids(east)) == 1


async def test_overlay__peers_that_are_not_asked_yet__are_waited_for(world: OverlayWorld) -> None:
    home, east, europe = world.sites
    for site in (home, east):
        await site.take(DOCUMENT)

    assert east.ends == ()
    assert east.faults == {EAST: "its agent has not been asked yet"}
    assert await east.ask(home) == IDLE_SECONDS
    assert await home.ask(europe) == BUSY_SECONDS
    assert len(east.ends) == 1
    assert east.told[-1] == east.lease


async def test_overlay__peer_falls_silent_and_the_agent_restarts__tunnels_stay(world: OverlayWorld) -> None:
    home, east, _ = world.sites
    await world.settle(DOCUMENT)
    before = ids(home)
    east.is_silent = True

    home.restart()
    await home.take(DOCUMENT)
    await home.ask(east)

    assert ids(home) == before


async def test_overlay__roots_are_not_read_after_a_restart__nothing_is_concluded(world: OverlayWorld) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    world.unread = {east.number, europe.number}

    home.restart()
    await home.take(DOCUMENT)

    assert home.ends is None
    world.unread = {europe.number}
    await home.overlay.look()
    assert home.ends is None  # for a while: the other's may come
    world.unread = set()
    await home.overlay.look()
    assert len(ids(home)) == 2


async def test_h23_overlay__root_is_swapped_on_chain__tunnels_end_until_certificates_are_of_the_new_one(
    world: OverlayWorld,
) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    east.new_root()
    east.roots = (east.root.der,)

    await home.overlay.look()

    assert ids(home) == ids(europe)
    assert any(fault and "does not lead to a root" in fault for fault in _all_faults(home))
    await home.ask(east)  # it has issued new ones meanwhile
    assert ids(home) == ids(europe) | ids(east)
    assert {end.roots_pem for end in home.ends or ()} == {_pem(east.root), _pem(europe.root)}


async def test_h22_overlay__root_is_rotated_with_overlap__no_tunnel_is_ever_without(world: OverlayWorld) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    both, old = ids(east) | ids(europe), east.root
    east.new_root()
    seen = []

    for roots in ((old.der, east.root.der), (east.root.der,)):
        east.roots = roots
        await home.overlay.look()
        seen.append(ids(home))
        await home.ask(east)
        seen.append(ids(home))

    assert seen == [both] * 4


async def test_h22_keys__two_thirds_of_their_life__are_renewed_and_the_peer_hears_of_it(world: OverlayWorld) -> None:
    home = world.sites[0]
    await world.settle(DOCUMENT)
    before = {end.tunnel.id: end.credential_pem for end in home.ends or ()}

    world.later(hours=17)
    await world.settle(DOCUMENT)

    after = {end.tunnel.id: end.credential_pem for end in home.ends or ()}
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    world.later(hours=10)  # what was issued first has expired
    await home.overlay.look()
    assert set(_all_faults(home)) == {None}


async def test_h22_overlay__peer_does_not_renew__its_certificate_ends_the_tunnel(world: OverlayWorld) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    east.is_silent = europe.is_silent = True

    world.later(hours=25)
    await home.overlay.look()

    assert home.ends == ()
    assert set(_all_faults(home)) == {"its certificate has expired"}


async def test_overlay__peer_leaves_and_another_takes_its_place__has_the_tunnels_of_the_new_lease(
    world: OverlayWorld,
) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    old = ids(east)
    world.gone.add(east.lease)
    world.sites.remove(east)
    healed = world.site(4, "east")

    await home.take(DOCUMENT)
    assert ids(home) == ids(europe)
    await world.settle(DOCUMENT)

    assert ids(home) == ids(europe) | ids(healed)
    assert not old & ids(home)
    assert len(list((world.path / "1").iterdir())) == 2  # what the one that left had said is forgotten


async def test_overlay__lease_has_no_connections_any_more__has_no_tunnels(world: OverlayWorld) -> None:
    home, *_ = world.sites
    await world.settle(DOCUMENT)

    home.overlay.want(home.lease, ())
    await home.overlay.look()

    assert home.ends == () and home.overlay.workloads_for(home.lease, world.sites[1].lease) is None
    assert home.keys.earliest_expiry is None


async def test_overlay__two_leases_of_one_provider__are_told_without_a_request(tmp_path: Path) -> None:
    world = OverlayWorld(tmp_path)
    home, east = world.site(1, GROUP), world.site(2, "east")
    east.number = home.number
    home.directory.take(world.snapshot())
    home.overlay.want(home.lease, DOCUMENT_EDGES[GROUP])
    home.overlay.want(east.lease, DOCUMENT_EDGES["east"])
    home.is_silent = True

    await home.overlay.look()
    for pair in ((home.lease, east.lease), (east.lease, home.lease)):
        await home.overlay._ask(pair)

    (into,) = home.overlay.ends(home.lease) or ()
    (out,) = home.overlay.ends(east.lease) or ()
    assert isinstance(out, OutboundTunnel) and isinstance(into, InboundTunnel)
    assert out.address == home.near
    assert out.credential_pem != into.credential_pem and out.roots_pem == into.roots_pem == _pem(home.root)


async def test_overlay__other_leases_of_a_deployment__those_of_the_same_provider_are_siblings(tmp_path: Path) -> None:
    world = OverlayWorld(tmp_path)
    home, east, europe = (world.site(number, group) for number, group in ((1, GROUP), (2, "east"), (3, "europe")))
    east.number = home.number
    home.directory.take(world.snapshot())

    between = tunnels_of(DOCUMENT_EDGES[GROUP], home.lease, home.directory.participants(home.lease))
    (sibling,) = home.overlay.siblings(home.lease, DOCUMENT_EDGES[GROUP])

    assert len(between) == 2 and sibling in between
    assert (sibling.server_lease, sibling.consumer_lease) == (home.lease, east.lease)
    assert home.overlay.siblings(europe.lease, edges_of(DOCUMENT, "europe")) == ()


async def test_overlay__leases_end_while_it_looks__the_others_are_looked_after(tmp_path: Path) -> None:
    world = OverlayWorld(tmp_path)
    home, east, europe = (world.site(number, group) for number, group in ((1, GROUP), (2, "east"), (3, "europe")))
    east.number = home.number
    home.directory.take(world.snapshot())
    home.overlay.want(home.lease, DOCUMENT_EDGES[GROUP])
    home.overlay.want(east.lease, DOCUMENT_EDGES["east"])
    answers, get = home.overlay._answers, home.overlay._answers.get

    async def late(pair: Pair) -> bytes | None:
        world.gone.update((east.lease, europe.lease))
        home.directory.take(world.snapshot())
        home.overlay.forget(east.lease)
        return await get(pair)

    answers.get = late  # type: ignore[method-assign]
    await home.overlay.look()
    await home.overlay.look()

    assert home.ends == ()


async def test_h25_overlay__one_lease_is_odd__the_others_have_their_tunnels(world: OverlayWorld) -> None:
    home, east, _ = world.sites
    await world.settle(DOCUMENT)
    stranger = make_order(9, group=make_group(name="odd")).id
    home.overlay._leases = {stranger: Odd(), **home.overlay._leases}  # type: ignore[dict-item]
    world.gone.add(east.lease)

    home.directory.take(world.snapshot())
    await home.overlay.look()

    assert len(ids(home)) == 1


class Odd:
    """What nobody has thought of."""

    edges = ()
    links: ClassVar[dict[object, object]] = {}


def lie(world: OverlayWorld, **changes: object) -> None:
    """Have the east change what it says to the west."""
    home, east, _ = world.sites

    def changed(truth: bytes | None) -> bytes:
        (told,) = decode_workloads(truth or b"")
        fields = {**msgspec.structs.asdict(told.connections[0]), **changes}
        workload = fields.pop("workload", told.workload)
        lease = fields.pop("lease", told.lease)
        connection = msgspec.structs.replace(told.connections[0], **fields)
        return encode_workloads(
            [msgspec.structs.replace(told, lease=lease, workload=workload, connections=(connection,))]
        )

    east.answers[home.lease] = changed


async def test_h24_overlay__peer_lies__costs_its_own_tunnel_alone(world: OverlayWorld) -> None:
    home, east, europe = world.sites
    await world.settle(DOCUMENT)
    other = world.sites[2]
    (tunnel,) = east.overlay.ends(east.lease) or ()
    neighbour = pki.issue_tunnel(east.issuer, world.now, tunnel.tunnel.id, other.lease, "web", is_server=False)
    server = pki.issue_tunnel(east.issuer, world.now, tunnel.tunnel.id, east.lease, "web", is_server=True)
    foreign = pki.issue_tunnel(europe.issuer, world.now, tunnel.tunnel.id, east.lease, "web", is_server=False)
    fake = pki.create_intermediate(pki.create_root(east.number, EXCHANGE, world.now), world.now)
    named_alike = pki.issue_tunnel(fake, world.now, tunnel.tunnel.id, east.lease, "web", is_server=False)
    lies: list[dict[str, object]] = [
        *({"certificate": pki.encode_chain(each).decode()} for each in (neighbour, server, foreign, named_alike)),
        {"certificate": ""},
        {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"tunnel": "00" * 16},
        {"workload": "cache"},
        {"lease": "00" * 32},
        {"port": 5433},
        {"port": 0},
    ]

    for each in lies:
        lie(world, **each)
        home.restart()
        await home.take(DOCUMENT)
        assert await home.ask(east) == BUSY_SECONDS, each
        await home.ask(europe)

        assert ids(home) == ids(europe), each


NOWHERE = ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "a.org", "1.2"]


@pytest.mark.parametrize("host", NOWHERE)
async def test_h24_overlay__server_is_said_to_be_where_nobody_may_be_sent__is_not_used(
    world: OverlayWorld, host: str
) -> None:
    home, east, _ = world.sites
    home.address = (host, 443)

    await world.settle(DOCUMENT)

    assert east.ends == ()
    assert east.faults == {EAST: "its gateway's address cannot be used"}


@pytest.mark.parametrize("answer", [b"", b"{}", b"[" * 100_000, b'{"workloads":[{}]}', b"\xff"])
async def test_overlay__answer_is_nonsense__what_was_known_stays(world: OverlayWorld, answer: bytes) -> None:
    home, east, _ = world.sites
    await world.settle(DOCUMENT)
    before = ids(home)
    east.answers[home.lease] = lambda _: answer

    assert await home.ask(east) == BUSY_SECONDS

    assert ids(home) == before


@pytest.mark.parametrize("point", [each for each in CRASH_POINTS if each.startswith("overlay-")])
async def test_overlay__agent_dies_at_any_point_of_the_exchange__comes_to_the_same_tunnels(
    world: OverlayWorld, point: str
) -> None:
    home, east, europe = world.sites
    for site in world.sites:
        await site.take(DOCUMENT)

    def die(place: str) -> None:
        if place == point:
            raise Crashed(place)

    with crash_hook(die), pytest.raises(Crashed):
        await home.ask(east)
    home.restart()
    await world.settle(DOCUMENT)

    assert ids(home) == ids(east) | ids(europe) and len(ids(home)) == 2


async def test_overlay__gateway_without_an_address__is_waited_for(world: OverlayWorld) -> None:
    home, east, _ = world.sites
    home.address = None

    await world.settle(DOCUMENT)

    assert east.ends == ()
    assert east.faults == {EAST: "its gateway has no address yet"}


def _all_faults(site: Site) -> list[str | None]:
    return [each.fault for each in site.overlay.states(site.lease)]


def _pem(root: pki.Credential) -> bytes:
    return pki.encode_chain(root)
