"""Who gets what from an agent: all routes times all kinds of callers, over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage import agent_api, manifest, pki, tls
from moorage.snapshot import Touched
from moorage.types import DeploymentId, OrderId, OrderState, ProviderNumber
from provider_agent.shell.peer_access import PeerGate
from provider_agent.shell.rate_limit import Rate
from tests.fakes.agent_world import DOMAIN, OTHER_TENANT, TENANT
from tests.fakes.peer_world import Datacenter, World, running, signed
from tests.markets import make_group, make_lease, make_order

NOW = datetime.now(UTC)
OTHER_DEPLOYMENT = DeploymentId(b"\xee" * 32)
NOBODY = OrderId(b"\x99" * 32)
MANIFEST, WORKLOADS, STATUS = "manifest", "workloads", "status"
HIT = {MANIFEST: 200, WORKLOADS: 200, STATUS: 401}
"""What a participant gets; a certificate opens no route of tenants."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Provider 7 is asked; 8 takes part in its deployment, 9 in another one, 10 lost its bid, 11 is nobody here."""
    async with running(tmp_path, 2, keeps=False) as world:
        asked, _ = world.datacenters
        await asked.store.put(asked.lease, world.chain.encoded)
        for number in (9, 10, 11):
            other = world.add(number, number)
            del world.chain.leases[other.lease]
        elsewhere = make_order(9, deployment=OTHER_DEPLOYMENT, group=make_group(name="elsewhere"))
        world.chain.leases[elsewhere.id] = elsewhere, make_lease(elsewhere, provider=ProviderNumber(9))
        world.datacenters[2].lease = elsewhere.id
        world.tell()
        yield world


def path_of(world: World, route: str, asked: OrderId, asking: OrderId) -> str:
    version = manifest.version_of(world.chain.encoded)
    paths = {
        MANIFEST: agent_api.peer_manifest_path(asked, asking, version),
        WORKLOADS: f"/v1/leases/{asked.hex()}/peers/{asking.hex()}/workloads",
        STATUS: f"/v1/leases/{asked.hex()}/status",
    }
    return paths[route]


def forged(world: World, issuer: Datacenter, name: str) -> Path:
    """Return a client certificate that one provider issues for another name."""
    made = pki._issue(
        issuer.intermediate, NOW, pki._subject(name), [pki.x509.DNSName(name)], pki.ExtendedKeyUsageOID.CLIENT_AUTH
    )
    return stored(world, made)


def stored(world: World, credential: pki.Credential) -> Path:
    path = world.folder / "forged.pem"
    pki.store(credential, path)
    return path


Caller = Callable[[World], tuple[Path | None, OrderId]]
"""Who shows which certificate, and for which lease it says that it asks."""


def number(world: World, which: int) -> Datacenter:
    return next(each for each in world.datacenters if each.number == which)


def name_of(which: int) -> str:
    return pki.provider_name(ProviderNumber(which), DOMAIN.exchange)


def tunnel_credential(world: World) -> Path:
    peer = number(world, 8)
    return stored(world, pki.issue_tunnel(peer.intermediate, NOW, "ab" * 16, peer.lease, "web", is_server=False))


def expired(world: World) -> Path:
    peer = number(world, 8)
    return stored(world, pki.issue_client(peer.root, NOW - timedelta(hours=24, seconds=1)))


def early(world: World) -> Path:
    return stored(world, pki.issue_client(number(world, 8).intermediate, NOW + timedelta(days=1)))


def foreign_root(world: World) -> Path:
    made = pki.create_root(ProviderNumber(8), DOMAIN.exchange, NOW)
    return stored(world, pki.issue_client(pki.create_intermediate(made, NOW), NOW))


REFUSED: dict[str, tuple[Caller, int]] = {
    "nobody": (lambda world: (None, number(world, 8).lease), 403),
    "stranger": (lambda world: (number(world, 11).client_leaf.path, number(world, 8).lease), 403),
    "lost bidder": (lambda world: (number(world, 10).client_leaf.path, number(world, 10).lease), 403),
    "lost bidder, for the winner's lease": (
        lambda world: (number(world, 10).client_leaf.path, number(world, 8).lease),
        403,
    ),
    "other deployment": (lambda world: (number(world, 9).client_leaf.path, number(world, 9).lease), 403),
    "other deployment, for a lease of ours": (
        lambda world: (number(world, 9).client_leaf.path, number(world, 8).lease),
        403,
    ),
    "other order": (lambda world: (number(world, 8).client_leaf.path, NOBODY), 403),
    "the asked lease itself": (lambda world: (number(world, 8).client_leaf.path, number(world, 7).lease), 403),
    "oneself": (lambda world: (number(world, 7).client_leaf.path, number(world, 7).lease), 403),
    "server's certificate": (lambda world: (number(world, 8).server.path, number(world, 8).lease), 0),
    "tunnel's certificate": (lambda world: (tunnel_credential(world), number(world, 8).lease), 403),
    "expired": (lambda world: (expired(world), number(world, 8).lease), 0),
    "not yet valid": (lambda world: (early(world), number(world, 8).lease), 0),
    "root that is not on chain": (lambda world: (foreign_root(world), number(world, 8).lease), 0),
    "vouched for by another provider": (
        lambda world: (forged(world, number(world, 9), name_of(8)), number(world, 8).lease),
        0,
    ),
}


@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS, STATUS])
async def test_h12_h29_peers__participant__gets_what_is_for_peers(world: World, route: str) -> None:
    asked, peer = number(world, 7), number(world, 8)

    status, body = await world.get(asked, path_of(world, route, asked.lease, peer.lease), peer.client_leaf.path)

    assert status == HIT[route]
    assert (body == world.chain.encoded) is (route == MANIFEST)


@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS, STATUS])
@pytest.mark.parametrize("who", REFUSED)
async def test_h12_h29_peers__anybody_else__is_refused(world: World, who: str, route: str) -> None:
    caller, expected = REFUSED[who]
    credential, lease = caller(world)
    asked = number(world, 7)

    status, body = await world.get(asked, path_of(world, route, asked.lease, lease), credential)

    assert status == (expected if route != STATUS or expected == 0 else 401)
    assert b'"salt"' not in body


@pytest.mark.parametrize("state", [OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED])
@pytest.mark.parametrize("whose", [7, 8])
@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS])
async def test_h29_peers__lease_is_over__is_refused(world: World, route: str, whose: int, state: OrderState) -> None:
    asked, peer = number(world, 7), number(world, 8)
    world.chain.set_state(number(world, whose).lease, state)
    world.tell()

    status, _ = await world.get(asked, path_of(world, route, asked.lease, peer.lease), peer.client_leaf.path)

    assert status == (404 if whose == 7 else 403)


@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS])
async def test_h12_peers__lease_of_another_provider_is_asked_about__is_not_found(world: World, route: str) -> None:
    asked, peer = number(world, 7), number(world, 8)

    for lease in (peer.lease, NOBODY):
        status, _ = await world.get(asked, path_of(world, route, lease, peer.lease), peer.client_leaf.path)
        assert status == 404


@pytest.mark.parametrize("account", [TENANT, OTHER_TENANT, Account.from_key(b"\x07" * 32)])
@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS])
async def test_h12_peers__tenants_signature__opens_no_route_of_peers(
    world: World, route: str, account: LocalAccount
) -> None:
    asked, peer = number(world, 7), number(world, 8)
    path = path_of(world, route, asked.lease, peer.lease)
    header = signed(agent_api.read_status(asked.number, asked.lease), account=account)

    status, body = await world.get(asked, path, None, {"Authorization": header})

    assert status == 403
    assert b'"salt"' not in body


async def test_h29_peers__nothing_read_of_the_chain_yet__is_asked_to_come_back(world: World) -> None:
    asked, peer = number(world, 7), number(world, 8)
    asked.directory._snapshot = None

    status, _ = await world.get(asked, path_of(world, MANIFEST, asked.lease, peer.lease), peer.client_leaf.path)

    assert status == 503


async def test_h23_peers__root_is_removed__is_refused_at_the_next_connection(world: World) -> None:
    asked, peer = number(world, 7), number(world, 8)
    path = path_of(world, MANIFEST, asked.lease, peer.lease)
    assert (await world.get(asked, path, peer.client_leaf.path))[0] == 200

    peer.roots = ()
    world.tell()

    assert (await world.get(asked, path, peer.client_leaf.path))[0] == 0


@pytest.mark.parametrize("end", ["?x=1", "/", "%61"])
async def test_h19_peers__path_in_an_unusual_form__is_refused(world: World, end: str) -> None:
    asked, peer = number(world, 7), number(world, 8)
    path = path_of(world, WORKLOADS, asked.lease, peer.lease)
    path = path.replace("/peers/", "/%70eers/") if end == "%61" else path + end

    status, _ = await world.get(asked, path, peer.client_leaf.path)

    assert status == 404


async def test_h16_peers__more_requests_than_allowed__are_refused(world: World) -> None:
    asked, peer = number(world, 7), number(world, 8)
    gate = PeerGate(asked.number, DOMAIN.exchange, asked.directory, Rate(0, 3))
    der = pki.load(peer.client_leaf.path).der

    answers = [gate.enter(der, asked.lease, peer.lease) for _ in range(4)]

    assert [type(each).__name__ for each in answers] == ["PeerAccess"] * 3 + ["Refusal"]


async def test_h29_peers__snapshot_tells_only_what_it_touched__the_rest_stays(world: World) -> None:
    asked, peer = number(world, 7), number(world, 8)
    world.chain.leases[peer.lease] = (
        world.chain.leases[peer.lease][0],
        replace(world.chain.leases[peer.lease][1], state=OrderState.LEASE_CLOSED),
    )
    world.tell(Touched(frozenset([peer.lease])))

    status, _ = await world.get(asked, path_of(world, MANIFEST, asked.lease, peer.lease), peer.client_leaf.path)

    assert status == 403
    assert asked.directory.participant(asked.lease) is not None


# ------------------------------------------------------------------ browsers

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", [MANIFEST, WORKLOADS, STATUS, "delivery", "health", "nothing"])
async def test_h32_any_route__from_a_web_page__gives_no_permission_and_no_cookie(
    world: World, route: str, method: str
) -> None:
    asked, peer = number(world, 7), number(world, 8)
    paths = {"delivery": f"/v1/leases/{asked.lease.hex()}/manifest", "health": "/healthz", "nothing": "/"}
    path = paths[route] if route in paths else path_of(world, route, asked.lease, peer.lease)
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET", "Cookie": "a=b"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            f"https://127.0.0.1:{asked.port}{path}",
            headers=headers,
            ssl=tls.ssl_client_context(asked.root.der),
            server_hostname=name_of(7),
        ) as response,
    ):
        names = {name.lower() for name in response.headers}

    assert not {name for name in names if name.startswith("access-control-")}
    assert "set-cookie" not in names
    assert response.status >= 400 or (route, method) == ("health", "GET")
