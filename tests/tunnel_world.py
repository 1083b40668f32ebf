"""Two providers' gateways as real proxies in containers, with certificates as agents make them; and what attackers do.

The workloads are sockets of the test itself, on the host's address of the gateways' network: so a test sees what comes
to a server, and who may speak to whom is decided by the proxies alone.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import secrets
import shutil
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiodocker
from cryptography.hazmat.primitives.serialization import Encoding

from moorage import pki
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.tunnel_config import (
    check_section,
    inbound_frontend,
    inbound_list,
    inbound_section,
    replica_followers,
    replicas_section,
    tunnel_files,
    tunnel_server,
)
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Tunnel

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
INBOUND_PORT = 4433
FIRST_LISTEN_PORT = 20_000
ETC = "/etc/gateway"
PATIENCE_SECONDS = 60
GLOBAL = """\
global
  master-worker
  nbthread 1
  maxconn 2000
  tune.bufsize 65536
  stats socket /run/gateway/admin.sock mode 600 level admin expose-fd listeners
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-server-options ssl-min-ver TLSv1.3
  tune.ssl.cachesize 0
  hard-stop-after 1h
defaults
  mode tcp
  timeout connect 5s
  timeout client 2h
  timeout server 2h
  timeout tunnel 2h
  timeout check 2s
  retries 1
  default-server fastinter 500ms downinter 1s rise 1 fall 2
"""


@dataclass(slots=True)
class Provider:
    """A provider's certificates."""

    number: ProviderNumber
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    root: pki.Credential = field(init=False)
    issuer: pki.Credential = field(init=False)
    other: pki.Credential | None = None
    """Another root that counts beside the one that issues."""

    def __post_init__(self) -> None:
        self.new_root()

    def new_root(self) -> None:
        self.root = pki.create_root(self.number, EXCHANGE, self.now)
        self.issuer = pki.create_intermediate(self.root, self.now)

    def announce_root(self) -> None:
        """Have another root count, which issues nothing yet."""
        self.other = pki.create_root(self.number, EXCHANGE, self.now)

    def change_root(self) -> None:
        """Issue under the other root from now on."""
        assert self.other is not None
        self.root, self.other = self.other, self.root
        self.issuer = pki.create_intermediate(self.root, self.now)

    @property
    def name(self) -> str:
        return pki.provider_name(self.number, EXCHANGE)

    @property
    def roots_pem(self) -> bytes:
        roots = (self.root, self.other) if self.other is not None else (self.root,)
        return b"".join(each.certificate.public_bytes(Encoding.PEM) for each in roots)

    def credential(self, tunnel: Tunnel, *, is_server: bool, now: datetime | None = None) -> bytes:
        lease, workload = _end(tunnel, is_server)
        when = now or datetime.now(UTC)
        return pki.encode(pki.issue_tunnel(self.issuer, when, tunnel.id, lease, workload, is_server=is_server))

    def server_name(self, tunnel: Tunnel) -> str:
        return pki.tunnel_name(self.name, tunnel.id, *_end(tunnel, True))


def _end(tunnel: Tunnel, is_server: bool) -> tuple[OrderId, str]:
    if is_server:
        return tunnel.server_lease, tunnel.server
    return tunnel.consumer_lease, tunnel.consumer


def inbound(tunnel: Tunnel, server: Provider, consumer: Provider) -> InboundTunnel:
    """Return the server's end as its agent would."""
    credential = server.credential(tunnel, is_server=True)
    return InboundTunnel(tunnel, server.server_name(tunnel), credential, consumer.roots_pem)


def outbound(tunnel: Tunnel, server: Provider, consumer: Provider, address: tuple[str, int]) -> OutboundTunnel:
    """Return the consumer's end as its agent would."""
    credential = consumer.credential(tunnel, is_server=False)
    return OutboundTunnel(tunnel, address, server.server_name(tunnel), credential, server.roots_pem)


class Gateway:
    """A proxy in a container, configured with tunnels and nothing else."""

    def __init__(self, docker: aiodocker.Docker, network: str, prefix: str, host: str, name: str) -> None:
        self._docker = docker
        self._network = network
        self._prefix = prefix
        self._host = host
        self._name = f"{prefix}-{name}"
        self._container: aiodocker.containers.DockerContainer | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="moorage-tunnel-"))
        (self.directory / "etc").mkdir()
        (self.directory / "run").mkdir()
        self.address = ""
        self.listens: dict[str, int] = {}
        """Tunnel's id -> port."""

    async def configure(self, ends: Sequence[InboundTunnel | OutboundTunnel]) -> None:
        """Start the proxy with these tunnels, or reload it; return when it has them all."""
        text = self._text(ends)
        for name, content in {**tunnel_files(ends), "haproxy.cfg": text.encode()}.items():
            self.put(name, content)
        if self._container is None:
            await self._start()
        else:
            before = (await self.ask("show info")).splitlines()
            await self._container.kill(signal="SIGUSR2")
            await self._until(lambda answer: _pid(answer) != _pid("\n".join(before)))

    def put(self, name: str, content: bytes) -> None:
        """Write a file of the configuration in one step."""
        path = self.directory / "etc" / name
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        if os.getuid() == 0:
            os.chown(fresh, 65534, 65534)
        fresh.chmod(0o600)
        fresh.rename(path)

    async def ask(self, command: str) -> str:
        """Return the answer of the admin socket."""
        reader, writer = await asyncio.open_unix_connection(self.directory / "run" / "admin.sock", limit=1 << 24)
        writer.write(command.encode() + b"\n")
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer.decode()

    async def replace(self, kind: str, name: str, content: bytes) -> None:
        """Replace a certificate (`cert`) or roots (`ca-file`) while the proxy runs."""
        self.put(name, content)
        path = f"{ETC}/{name}"
        await self.ask(f"set ssl {kind} {path} <<\n{content.decode().strip()}\n")
        assert "Success" in await self.ask(f"commit ssl {kind} {path}")

    async def states(self) -> dict[str, str]:
        """Return the state of each server, by section/server."""
        table = csv.DictReader(io.StringIO((await self.ask("show stat")).removeprefix("# ")))
        return {f"{row['pxname']}/{row['svname']}": f"{row['status']} {row['check_status']}" for row in table}

    async def until_up(self, *tunnels: Tunnel, is_up: bool = True) -> None:
        """Wait until health checks have found the consumer's ends of tunnels up (or down)."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            states = await self.states()
            found = [states[f"check_{each.id}/end"].startswith("UP L7OK") for each in tunnels]
            if all(each is is_up for each in found):
                return
            assert time.monotonic() < deadline, states
            await asyncio.sleep(0.1)

    async def memory_bytes(self) -> int:
        """Return what the proxy's processes hold: the sum of their own and shared parts (PSS)."""
        assert self._container is not None
        top = await self._container.docker._query_json(f"containers/{self._container.id}/top", "GET")
        return sum(_share_bytes(process[1]) for process in top["Processes"])

    async def connect(self, tunnel: Tunnel) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as the consumer of a tunnel."""
        return await asyncio.open_connection(self.address, self.listens[tunnel.id])

    async def close(self) -> None:
        if self._container is not None:
            await self._container.delete(force=True, v=True)
        shutil.rmtree(self.directory)

    def _text(self, ends: Sequence[InboundTunnel | OutboundTunnel]) -> str:
        parts = [GLOBAL]
        for each in ends:
            if isinstance(each, OutboundTunnel):
                port = self.listens.setdefault(each.tunnel.id, FIRST_LISTEN_PORT + len(self.listens))
                parts.append(f"listen c_{port}\n  bind :{port}\n" + tunnel_server(each, ETC, is_backup=False))
                parts.append(check_section(each, ETC))
        served = [each for each in ends if isinstance(each, InboundTunnel)]
        if served:
            self.put("tunnels.list", inbound_list(served, ETC).encode())
            parts.append(inbound_frontend([f":{INBOUND_PORT}"], f"{ETC}/tunnels.list", 1_000))
            replicas = {each: (each.tunnel.server, each.tunnel.port, [self._host]) for each in served}
            parts += [inbound_section(each, replica_followers(*those)) for each, those in replicas.items()]
            parts += {replicas_section(name, port, {0: self._host}) for name, port, _ in replicas.values()}
        return "".join(parts)

    async def _start(self) -> None:
        for folder in (self.directory, self.directory / "etc", self.directory / "run"):
            if os.getuid() == 0:
                os.chown(folder, 65534, 65534)
        config = {
            "Image": DEFAULT_IMAGE,
            "Cmd": ["/usr/sbin/haproxy", "-W", "-f", f"{ETC}/haproxy.cfg"],
            "User": "65534:65534" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}",
            "Labels": {"moorage.test": self._prefix},
            "HostConfig": {
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": True,
                "NetworkMode": self._network,
                "Binds": [f"{self.directory}/etc:{ETC}:ro", f"{self.directory}/run:/run/gateway"],
            },
        }
        self._container = await self._docker.containers.create(config, name=self._name)
        await self._container.start()
        shown = await self._container.show()
        self.address = shown["NetworkSettings"]["Networks"][self._network]["IPAddress"]
        await self._until(lambda answer: True)

    async def _until(self, is_there: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(OSError):
                if is_there(await self.ask("show info")):
                    return
            if time.monotonic() > deadline:
                assert self._container is not None
                raise AssertionError("".join(await self._container.log(stdout=True, stderr=True)))
            await asyncio.sleep(0.01)


def _share_bytes(pid: str) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) * 1024


def _pid(info: str) -> str:
    return next(line for line in info.splitlines() if line.startswith("Pid:"))


class EchoServer:
    """A workload: it answers with its own name, then with every byte that it gets; and counts who came."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            first = await reader.read(65536)
            if first:  # a health check connects and says nothing
                self.connections += 1
                first = self.name.encode() + b":" + first
            while first:
                writer.write(first)
                await writer.drain()
                first = await reader.read(65536)
        writer.close()


@dataclass(slots=True)
class TunnelWorld:
    docker: aiodocker.Docker
    prefix: str
    host: str
    """The host's address on the gateways' network."""
    network: str
    gateways: list[Gateway] = field(default_factory=list)
    servers: list[asyncio.Server] = field(default_factory=list)

    def gateway(self, name: str) -> Gateway:
        self.gateways.append(Gateway(self.docker, self.network, self.prefix, self.host, name))
        return self.gateways[-1]

    async def close(self, gateway: Gateway) -> None:
        """End a gateway before the others."""
        self.gateways.remove(gateway)
        await gateway.close()

    async def workload(self, name: str) -> tuple[EchoServer, int]:
        """Start a server; return it with its port."""
        workload = EchoServer(name)
        server = await asyncio.start_server(workload.serve, self.host, 0)
        self.servers.append(server)
        return workload, int(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def tunnel_world(url: str) -> AsyncIterator[TunnelWorld]:
    """Open a network for gateways on an engine, and leave nothing of it."""
    prefix = f"mt-{secrets.token_hex(4)}"
    async with aiodocker.Docker(url=url) as docker:
        network = await docker.networks.create(
            {"Name": prefix, "CheckDuplicate": True, "Driver": "bridge", "Labels": {"moorage.test": prefix}}
        )
        shown = await network.show()
        world = TunnelWorld(docker, prefix, shown["IPAM"]["Config"][0]["Gateway"], prefix)
        try:
            yield world
        finally:
            for server in world.servers:
                server.close()
            for gateway in world.gateways:
                await gateway.close()
            await docker._query_json(f"networks/{network.id}", "DELETE")


async def talk(gateway: Gateway, tunnel: Tunnel, seconds: float = PATIENCE_SECONDS) -> str:
    """Return what a consumer's hello is answered with; an empty text if the connection is refused."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await gateway.connect(tunnel)
            writer.write(b"hello")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer.decode()
    except OSError:  # of a connection, or in time
        return ""


async def attack(address: str, server_name: str, context: ssl.SSLContext, alpn: Sequence[str] = ()) -> str:
    """Speak TLS to a gateway's port for tunnels and return what comes back, or the name of the refusal."""
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(
                address, INBOUND_PORT, ssl=context, server_hostname=server_name
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" if alpn else b"hello")
            answer = await reader.read(65536)
            writer.close()
            return answer.decode() or "closed"
    except ssl.SSLError as error:
        return error.reason or "tls"
    except (ConnectionError, TimeoutError) as error:
        return type(error).__name__


def client_context(credential_pem: bytes | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Return the context of a client that believes everybody and shows a credential."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if credential_pem is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(credential_pem)
            file.flush()
            context.load_cert_chain(file.name)
    return context
