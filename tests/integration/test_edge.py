"""The provider's edge on a real engine: http and https of many leases on two ports, told apart by name."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio

from moorage.manifest import Connection, Workload
from provider_agent.core.gateway_container import EdgeSite
from provider_agent.gateway_settings import gateway_owner
from provider_agent.shell.edge import EdgeKeeper
from provider_agent.shell.haproxy_gateways import HaproxyGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import engine_url
from tests.factories.workloads import connection, workload
from tests.free_ports import free_port
from tests.gateway_site import GatewaySite, gateway_site, server
from tests.probe_image import IMAGE

URL = engine_url()
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(300),
]
PATIENCE_SECONDS = 60
PAGE = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["MARK"] + " " + self.headers["X-Forwarded-For"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("0.0.0.0", 80), Page).serve_forever()
"""
HTTPS = Connection(port=5443, protocol="https", workload=None, datacenter=None, is_global=True)


@pytest_asyncio.fixture
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewaySite]:
    assert URL is not None
    async with gateway_site(URL, tmp_path_factory.mktemp("agent")) as opened:
        yield opened


async def test_i10_edge__two_leases_want_the_same_ports__are_found_by_their_names(site: GatewaySite) -> None:
    http, https = free_port(), free_port()
    edge = EdgeSite("apps.example.org", ("127.0.0.1", http), ("127.0.0.1", https))
    ours = replace(site.gateways.site, edge=edge)
    site.gateways = HaproxyGateways(ours, gateway_owner())
    site.runner = WorkloadRunner(site.engine, site.gateways, clock=time.time, pass_seconds=60)
    one, other = (site.lease(page(mark), server("echo", (5443,), HTTPS)) for mark in ("one", "other"))
    await site.up(one, other)
    keeper = EdgeKeeper(
        site.engine, site.identity, ours, edge, gateway_owner(), lambda: site.runner.routes([one, other])
    )
    try:
        await keeper.keep(site.runner.routes([one, other]))

        async with asyncio.timeout(PATIENCE_SECONDS):
            for lease, words in ((one, "one 1"), (other, "other 1")):
                while not await is_there(http, f"web.{lease.lease.hex()[:32]}.apps.example.org", words):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        assert await answers(http, f"WEB.{other.lease.hex()[:32]}.apps.example.org:{http}", "other 1")
        assert await answers(http, "web.apps.example.org", "no such service")
        told = next(each for each in site.runner.reports(one) if each.name == "web")
        assert told.addresses == (f"http://web.{one.lease.hex()[:32]}.apps.example.org:{http}",)
        assert await hello(https, f"echo.{other.lease.hex()[:32]}.apps.example.org") == "echo0"
        assert await hello(https, "echo.apps.example.org") == ""

        await keeper.keep(site.runner.routes([other]))
        assert await answers(http, f"web.{one.lease.hex()[:32]}.apps.example.org", "no such service")
        assert await answers(http, f"web.{other.lease.hex()[:32]}.apps.example.org", "other 1")
    finally:
        await site.engine.remove_container(f"mg-{site.identity.tag}-edge")
        await site.engine.remove_network(f"mn-{site.identity.tag}-edge")


def page(mark: str) -> Workload:
    command = ("/usr/bin/python3.11", "-c", PAGE)
    return workload("web", connection(80), image=IMAGE, command=command, user="1000:1000", env={"MARK": mark})


async def answers(port: int, host: str, words: str) -> bool:
    """Return whether a page under a host name begins with words, and does not pass on who the client says it is."""
    headers = {"Host": host, "X-Forwarded-For": "6.6.6.6"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_SECONDS)) as session,
        session.get(f"http://127.0.0.1:{port}/", headers=headers) as response,
    ):
        return (await response.text()).startswith(words)


async def is_there(port: int, host: str, words: str) -> bool:
    """Return the same while nobody may answer yet: the page is not there before its server is."""
    try:
        return await answers(port, host, words)
    except aiohttp.ClientError:
        return False


async def hello(port: int, name: str) -> str:
    """Ask for a name as TLS does, and return what whoever is reached says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(outgoing.read())
        try:
            return (await reader.readline()).decode().strip()
        except ConnectionError:
            return ""
        finally:
            writer.close()
