"""Workloads of one datacenter and their gateway on a real engine: what is declared works, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from moorage.crash import Crashed, crash_hook
from moorage.types import OrderId
from provider_agent.core import gateway_config
from provider_agent.core.gateway_config import GatewayConfig
from provider_agent.core.gateway_container import CURRENT
from provider_agent.core.workload_report import WorkloadState
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.gateway_socket import GatewaySocket
from tests.docker_world import engine_url
from tests.factories.proofs import over
from tests.factories.workloads import connection
from tests.gateway_site import GatewaySite, gateway_site, server

URL = engine_url()
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

PATIENCE_SECONDS = 60
WEB = server("web", (80, 81), connection(80), count=1)
API = server("api", (8000, 8001), connection(8000, "web"), count=2)
DB = server("db", (5432,), connection(5432, "api"))
CACHE = server("cache", (5432,), connection(5432, "web"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewaySite]:
    assert URL is not None
    async with gateway_site(URL, tmp_path_factory.mktemp("agent")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(site: GatewaySite) -> DesiredLease:
    lease = site.lease(WEB, API, DB, CACHE)
    await site.up(lease)
    return lease


async def test_gateway__declared_connections__work_by_name_and_reach_each_replica(
    site: GatewaySite, shop: DesiredLease
) -> None:
    assert {await site.answered(shop, "web-0", "api", 8000) for _ in range(4)} == {"api0", "api1"}
    assert await site.answered(shop, "api-1", "db", 5432) == "db0"
    assert await site.answered(shop, "web-0", "cache", 5432) == "cache0"


async def test_i09_gateway__everything_that_is_not_declared__is_refused(site: GatewaySite, shop: DesiredLease) -> None:
    names = {"web": 80, "api": 8000, "db": 5432, "cache": 5432}
    declared = {("web", "api"), ("web", "cache"), ("api", "db")}
    for consumer in names:
        targets = [each for each in names.items() if (consumer, each[0]) not in declared]
        answers = await site.ask_all(shop, f"{consumer}-0", targets)
        assert {target for target, told in answers.items() if told != "refused"} == set()
    assert await site.ask(shop, "web-0", "api", 8001) == "refused"  # it listens, and nobody may connect

    gateway = await site.addresses(site.gateway(shop))
    targets = [(address, port) for address in gateway.values() for port in (80, 8000, 5432)]
    targets += [(address, 8000) for address in (await site.addresses(site.container(shop, "api-0"))).values()]
    answers = await site.ask_all(shop, "db-0", targets)
    assert {target for target, told in answers.items() if told != "refused"} == set()
    assert (await site.addresses(site.container(shop, "db-0"))).keys() == {"own.db"}


async def test_i09_gateway__another_lease__reaches_neither_workloads_nor_gateway(
    site: GatewaySite, shop: DesiredLease
) -> None:
    other = site.lease(WEB, API, server("db", (5432,), connection(5432, "api"), env={"MARK": "other"}))
    await site.up(shop, other)
    try:
        addresses = [*(await site.addresses(site.gateway(shop))).values()]
        addresses += (await site.addresses(site.container(shop, "db-0"))).values()

        answers = await site.ask_all(other, "api-0", [(address, 5432) for address in addresses])
        assert set(answers.values()) == {"refused"}
        assert await site.answered(other, "api-0", "db", 5432) == "db0"
    finally:
        await remove(site, other.lease)


async def test_i10_gateway__two_leases_want_the_same_port__each_has_its_own_address(
    site: GatewaySite, shop: DesiredLease
) -> None:
    other = site.lease(WEB)
    await site.up(shop, other)
    try:
        ports = {site.runner.port(lease, "web:80") for lease in (shop, other)}
        assert len(ports) == 2
        for port in ports:
            assert port is not None
            assert await answer("127.0.0.1", port) == "web0"
    finally:
        await remove(site, other.lease)


async def test_i08_gateway__published_port__is_on_the_configured_address_alone(
    site: GatewaySite, shop: DesiredLease
) -> None:
    port = site.runner.port(shop, "web:80")
    assert port is not None

    assert await answer("127.0.0.1", port) == "web0"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.2", port)


async def test_i10_gateway__a_stranger_listens_on_its_port__gets_another(site: GatewaySite) -> None:
    lease = site.lease(WEB)
    wanted = site.runner._ports.give(lease)
    assert wanted.gateway_container is not None
    (port,) = [each.port for each in wanted.gateway_container.published_ports]
    stranger = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    try:
        await site.up(lease)
        await site.up(lease)

        got = site.runner.port(lease, "web:80")
        assert got not in (None, port)
        assert await answer("127.0.0.1", got or 0) == "web0"
        site.restart()
        await site.up(lease)
        assert site.runner.port(lease, "web:80") == got  # the label has it
    finally:
        stranger.close()
        await remove(site, lease.lease)


async def test_gateway__reload_while_a_connection_lives__does_not_break_it(
    site: GatewaySite, shop: DesiredLease
) -> None:
    port = site.runner.port(shop, "web:80")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.readline() == b"web0\n"
    changed = site.lease(
        WEB, API, server("db", (5432,), connection(5432, "api"), connection(5433, "api")), CACHE, lease=shop.lease
    )

    before = await GatewaySocket(site.gateways._files(shop.lease).sockets).digest()
    await site.reconcile(changed)
    assert await GatewaySocket(site.gateways._files(shop.lease).sockets).digest() != before

    writer.write(b"still here\n")
    assert await reader.readline() == b"still here\n"
    writer.close()
    await site.up(shop)


async def test_gateway__connection_is_taken_away__is_cut_and_refused(site: GatewaySite, shop: DesiredLease) -> None:
    held = await site.hold(shop, "api-0", "db", 5432)
    closed = site.lease(WEB, API, server("db", (5432,)), CACHE, lease=shop.lease, version=2)

    await site.reconcile(closed)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await held).split() == ["db0", "over"]
    assert await site.ask(closed, "api-0", "db", 5432) == "refused"

    await site.up(shop)
    assert await site.answered(shop, "api-0", "db", 5432) == "db0"


@pytest.mark.parametrize(
    "point",
    [
        *("gateway-written", "gateway-reloaded"),
        *(pytest.param(each, marks=pytest.mark.long) for each in ("gateway-closed", "gateway-tuned")),
    ],
)
async def test_i18_gateway__agent_is_killed_while_it_takes_a_connection_away__the_next_one_does(
    site: GatewaySite, shop: DesiredLease, point: str
) -> None:
    held = await site.hold(shop, "api-0", "db", 5432)
    closed = site.lease(WEB, API, server("db", (5432,)), CACHE, lease=shop.lease, version=2)

    passed = []

    def die(name: str) -> None:
        if name == point and not passed:
            passed.append(name)
            raise Crashed(name)

    with crash_hook(die):
        await site.reconcile(closed)
    assert passed == [point]
    site.restart()
    await site.up(closed)

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await held).split()[0] == "db0"
    assert await site.ask(closed, "api-0", "db", 5432) == "refused"
    config = GatewayConfig(site.gateways._files(shop.lease).current())
    assert await GatewaySocket(site.gateways._files(shop.lease).sockets).digest() == config.digest
    assert ("to_api_db_5432", "r0") not in config.servers
    site.restart()
    await site.up(shop)
    assert await site.answered(shop, "api-0", "db", 5432) == "db0"


async def test_i18_gateway__agent_is_killed_and_a_connection_is_allowed_after_all__works_again(
    site: GatewaySite, shop: DesiredLease
) -> None:
    closed = site.lease(WEB, API, server("db", (5432,)), CACHE, lease=shop.lease, version=2)

    def die(name: str) -> None:
        if name == "gateway-closed":
            raise Crashed(name)

    with crash_hook(die):
        await site.reconcile(closed)
    assert await site.ask(shop, "api-0", "db", 5432) != "db0"
    site.restart()
    await site.up(shop)

    assert await site.answered(shop, "api-0", "db", 5432) == "db0"


@pytest.mark.parametrize("point", ["before-StartWorkload", "after-StartWorkload"])
async def test_i10_gateway__agent_is_killed_between_choosing_a_port_and_its_use__the_port_is_used_once(
    site: GatewaySite, point: str
) -> None:
    lease, passed = site.lease(WEB), list[str]()

    def die(name: str) -> None:
        if name == point and not passed:
            passed.append(name)
            raise Crashed(name)

    with crash_hook(die):
        await site.reconcile(lease)
    chosen = site.runner.port(lease, "web:80")
    site.restart()
    await site.up(lease)

    assert (passed, site.runner.port(lease, "web:80")) == ([point], chosen)
    assert await answer("127.0.0.1", chosen or 0) == "web0"
    await remove(site, lease.lease)


async def test_gateway__is_killed__comes_back_with_its_addresses_and_ports(
    site: GatewaySite, shop: DesiredLease
) -> None:
    before = await site.addresses(site.gateway(shop)), site.runner.port(shop, "web:80")
    container = site.docker.containers.container(site.gateway(shop))
    await container.kill(signal="SIGKILL")
    await container.wait()
    await site.runner.look()
    assert "its gateway is restarting" in str(site.runner.reports(shop)[-1].reason)

    await asyncio.sleep(1.1)  # the first wait of the back-off
    await site.up(shop)

    assert (await site.addresses(site.gateway(shop)), site.runner.port(shop, "web:80")) == before
    assert await site.answered(shop, "web-0", "api", 8000) in ("api0", "api1")
    assert {each.state for each in site.runner.reports(shop)} == {WorkloadState.RUNNING}


async def test_gateway__server_is_down__is_told_to_its_consumer(site: GatewaySite, shop: DesiredLease) -> None:
    container = site.docker.containers.container(site.container(shop, "db-0"))
    await container.kill(signal="SIGKILL")
    await container.wait()

    (down,) = reasons = await site.not_up(shop)
    assert (down.consumer, down.server, down.port, down.state) == ("api", "db", 5432, "down")
    api = next(each for each in site.runner.reports(shop, reasons) if each.name == "api")
    assert str(api.reason).startswith("not up: db:5432: in this datacenter: ")
    await site.up(shop)


async def test_gateway__a_configuration_that_it_does_not_take__leaves_the_one_before(
    site: GatewaySite, shop: DesiredLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = gateway_config.GLOBAL.replace("nbthread 1", "nbthread none")
    monkeypatch.setattr(gateway_config, "GLOBAL", broken)
    site.restart(load_seconds=2)

    await site.reconcile(shop)

    assert await site.answered(shop, "web-0", "api", 8000) in ("api0", "api1")
    monkeypatch.undo()
    files = site.gateways._files(shop.lease).current()
    assert b"nbthread 1" in files["haproxy.cfg"]
    site.restart()
    await site.up(shop)


async def test_i20_gateway__lease_is_over__leaves_no_files(site: GatewaySite) -> None:
    lease = site.lease(WEB)
    await site.up(lease)
    folder = site.folder / "gateways" / lease.lease.hex()
    assert (folder / "etc" / CURRENT).exists()

    await remove(site, lease.lease)

    assert not folder.exists()


async def answer(host: str, port: int) -> str:
    """Return what a server says first, as soon as there is one."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(ConnectionError):
                reader, writer = await asyncio.open_connection(host, port)
                line = await reader.readline()
                writer.close()
                if line:
                    return line.decode().strip()
            await asyncio.sleep(0.1)


async def remove(site: GatewaySite, lease: OrderId) -> None:
    await site.runner.look()
    await site.runner.carry_out([], [over(lease)])
    assert site.runner.is_reset(lease)
