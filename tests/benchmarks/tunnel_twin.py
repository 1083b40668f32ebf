"""The same proxy set up by hand on the same networks of the same machines, for one connection."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiodocker

from provider_agent.core.gateway_container import DEFAULT_IMAGE
from tests.benchmarks.tunnel_sites import TWIN_PLACE, TWIN_PORT, TunnelSite, TunnelSites

LISTEN_PORT = 4_999
CONFIG = """\
global
  nbthread 1
  maxconn 2000
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-server-options ssl-min-ver TLSv1.3
  tune.ssl.cachesize 0
defaults
  mode tcp
  timeout connect 5s
  timeout client 2h
  timeout server 2h
"""
SERVER = """\
listen in
  bind :{port} ssl crt /etc/twin/end.pem ca-file /etc/twin/end.ca verify required
  server w {server}
"""
CONSUMER = """\
listen out
  bind :{port}
  server peer {address} {tls} verifyhost {name} sni str({name})
"""


@asynccontextmanager
async def twin(sites: TunnelSites, port: int) -> AsyncIterator[tuple[str, int]]:
    """Run the two proxies; yields where a consumer finds the server that listens at `port`."""
    (into,), (out,) = sites.ends(1)
    east, europe = sites.east, sites.europe
    own, way = east.names.own("db"), europe.names.way("web", "db")
    server = f"{await east.address(own, 3)}:{port}"
    files = {"end.pem": into.credential_pem, "end.ca": into.roots_pem}
    text = CONFIG + SERVER.format(port=TWIN_PORT, server=server)
    first = await _start(east, text, files, own, TWIN_PORT)
    files = {"end.pem": out.credential_pem, "end.ca": out.roots_pem}
    address = f"{east.host.address}:{TWIN_PORT}"
    tls = "ssl verify required ca-file /etc/twin/end.ca crt /etc/twin/end.pem"
    text = CONFIG + CONSUMER.format(port=LISTEN_PORT, address=address, tls=tls, name=into.server_name)
    second = await _start(europe, text, files, way, None)
    await asyncio.sleep(1)
    try:
        yield await europe.address(way, TWIN_PLACE), LISTEN_PORT
    finally:
        for each in (first, second):
            await each.delete(force=True)


async def _start(
    site: TunnelSite, text: str, files: dict[str, bytes], network: str, published: int | None
) -> aiodocker.containers.DockerContainer:
    """Start a proxy on the front network of a lease and on one of its inner networks."""
    folder = _written(site.host.folder, {**files, "haproxy.cfg": text.encode()})
    host: dict[str, object] = {"NetworkMode": site.names.front(), "Binds": [f"{folder}:/etc/twin:ro"]}
    config: dict[str, object] = {
        "Image": DEFAULT_IMAGE,
        "Cmd": ["/usr/sbin/haproxy", "-db", "-f", "/etc/twin/haproxy.cfg"],
    }
    if published is not None:
        port = f"{published}/tcp"
        config["ExposedPorts"] = {port: {}}
        host["PortBindings"] = {port: [{"HostIp": site.host.address, "HostPort": str(published)}]}
    container = await site.docker.containers.create({**config, "HostConfig": host})
    await container.start()
    address = await site.address(network, TWIN_PLACE)
    endpoint = {"Container": container.id, "EndpointConfig": {"IPAMConfig": {"IPv4Address": address}}}
    await (await site.docker.networks.get(network)).connect(endpoint)
    return container


def _written(parent: Path, files: dict[str, bytes]) -> Path:
    """Return a directory with these files, which everybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="twin-", dir=parent))
    folder.chmod(0o755)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return folder
