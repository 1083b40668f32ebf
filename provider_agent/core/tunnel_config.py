"""The tunnels' part of a gateway's configuration (HAProxy 2.6): mutual TLS 1.3 with a certificate of each tunnel's own.

What is checked on each connection: on both sides the chain up to the other provider's roots, which are given to HAProxy
for this tunnel alone; by the consumer the name of the server's end; by the server's side the subject of the consumer's
end. A health request takes the same way, told apart by its ALPN protocol, so that it fails for the same reasons as a
connection would. It relies on `no-tls-tickets` and `tune.ssl.cachesize 0` in the global section: a session that is
resumed would skip the roots.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from moorage.workload_health import Health
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Tunnel

HEALTH_PROTOCOL = "moorage-health"
CHECKS = "replicas_"
"""So the names of sections begin that check replicas, and through which nobody connects."""
CHECK_SECONDS = 2
HANDSHAKE_SECONDS = 5
"""How long whoever connects may take until it has proved who it is."""
TUNNEL_CHECK_SECONDS = 10
"""Each takes a TLS handshake at both ends: a millisecond or two of a core. What has failed once is asked sooner."""
Address = tuple[str, int]
"""A numeric IP address and a port; names are never resolved by the gateway."""


def tunnel_files(ends: Iterable[OutboundTunnel | InboundTunnel]) -> dict[str, bytes]:
    """Return the files that the configuration refers to, by name; they hold keys."""
    files: dict[str, bytes] = {}
    for each in ends:
        files[credential_file(each.tunnel)] = each.credential_pem
        files[roots_file(each.tunnel)] = each.roots_pem
    return files


def credential_file(tunnel: Tunnel) -> str:
    """Return the name of the file with this end's key and chain."""
    return f"{tunnel.id}.pem"


def roots_file(tunnel: Tunnel) -> str:
    """Return the name of the file with the other provider's roots."""
    return f"{tunnel.id}.ca"


def tunnel_server(outbound: OutboundTunnel, directory: str, *, is_backup: bool) -> str:
    """Return the `server` line of a tunnel for the section that listens for its consumer.

    Args:
        directory: where the gateway sees the files.
        is_backup: whether it is only used while no other server of the section is up.
    """
    line = f"  server t_{outbound.tunnel.id} {_security(outbound, directory)} sni str({outbound.server_name})"
    return f"{line} track check_{outbound.tunnel.id}/end{' backup' if is_backup else ''}\n"


def check_section(outbound: OutboundTunnel, directory: str) -> str:
    """Return the section that asks through a tunnel whether the server at its other end is up."""
    return (
        f"backend check_{outbound.tunnel.id}\n"
        "  option httpchk GET /\n"
        f"  server end {_security(outbound, directory)} check inter {TUNNEL_CHECK_SECONDS}s"
        f" check-sni {outbound.server_name} check-alpn {HEALTH_PROTOCOL} check-proto h1\n"
    )


def inbound_list(inbound: Iterable[InboundTunnel], directory: str) -> str:
    """Return the crt-list of the port for tunnels: it takes no names but theirs."""
    return "".join(
        f"{directory}/{credential_file(each.tunnel)} "
        f"[ca-file {directory}/{roots_file(each.tunnel)} verify required alpn {HEALTH_PROTOCOL}] {each.server_name}\n"
        for each in inbound
    )


def inbound_frontend(binds: Iterable[str], list_path: str, most: int) -> str:
    """Return the section that listens for the tunnels of other datacenters.

    Args:
        binds: each an `address:port` in the gateway.
        list_path: where the gateway sees what `inbound_list` returned; it must not be empty.
        most: connections at once, handshakes included. `timeout tunnel` of the defaults applies to those that are made.
    """
    lines = "".join(f"  bind {bind} ssl crt-list {list_path} strict-sni\n" for bind in binds)
    return (
        f"frontend tunnels\n{lines}"
        f"  timeout client {HANDSHAKE_SECONDS}s\n"
        f"  maxconn {most}\n"
        f"  use_backend health_%[ssl_fc_sni,field(1,.)] if {{ ssl_fc_alpn -m str {HEALTH_PROTOCOL} }}\n"
        "  use_backend in_%[ssl_fc_sni,field(1,.)]\n"
    )


def inbound_section(inbound: InboundTunnel, followers: Iterable[str]) -> str:
    """Return the sections behind one tunnel: its way to the server's replicas, and the answer to health requests.

    Args:
        followers: the replicas, as `replica_followers` returns them.
    """
    tunnel, expected = inbound.tunnel, inbound.expected
    rule = (
        "  tcp-request content reject unless { ssl_c_used } { ssl_c_verify 0 }"
        f" {{ ssl_c_s_dn(O) -m str {expected.organisation} }} {{ ssl_c_s_dn(OU) -m str {expected.unit} }}"
        f" {{ ssl_c_s_dn(CN) -m str {expected.common_name} }}\n"
    )
    return (
        f"backend in_{tunnel.id}\n{rule}{''.join(followers)}"
        f"backend health_{tunnel.id}\n  mode http\n{rule}"
        f"  http-request return status 200 if {{ nbsrv(in_{tunnel.id}) gt 0 }}\n"
        "  http-request return status 503\n"
    )


def replicas_section(
    server: str, port: int, replicas: Mapping[int, str], health: Health | None = None, apart: int | None = None
) -> str:
    """Return the section that checks one port of a workload's replicas; others track its servers `r0`, `r1`...

    Args:
        replicas: numeric addresses, by place.
        health: how they are checked; None: by connecting to the port.
        apart: the place, if the section is for one alone: HAProxy asks all servers of a section the same.
    """
    check = f"check inter {CHECK_SECONDS}s"
    head = ""
    if health is not None:
        check = f"check port {health.port} inter {health.interval_seconds}s fall {health.retries}"
        head = f"  timeout check {health.timeout_seconds}s\n"
        if health.http is not None:
            head += f"  option httpchk GET {health.http.path}\n  http-check expect status 200-399\n"
    servers = "".join(f"  server r{index} {_written((address, port))} {check}\n" for index, address in replicas.items())
    return f"backend {replicas_name(server, port, apart)}\n{head}{servers}"


def replica_followers(
    server: str,
    port: int,
    replicas: Sequence[str],
    idle: Collection[int] = (),
    draining: Collection[int] = (),
    apart: Collection[int] = (),
) -> Iterator[str]:
    """Yield the replicas as servers of another section; that they live is found in `replicas_section` for all.

    Args:
        replicas: numeric addresses, the same as there.
        idle: which of them do not serve.
        draining: which of them take nothing new.
        apart: which of them are checked in a section of their own.
    """
    for index, address in enumerate(replicas):
        if index not in idle:
            weight = " weight 0" if index in draining else ""
            group = replicas_name(server, port, index if index in apart else None)
            yield f"  server r{index} {_written((address, port))} track {group}/r{index}{weight}\n"


def replicas_name(server: str, port: int, apart: int | None = None) -> str:
    """Return the name of the section that checks a server's port.

    Args:
        apart: the place, if the section is for one alone.
    """
    return f"{CHECKS}{server}_{port}" + (f"_r{apart}" if apart is not None else "")


def _security(outbound: OutboundTunnel, directory: str) -> str:
    tunnel = outbound.tunnel
    return (
        f"{_written(outbound.address)} ssl verify required ca-file {directory}/{roots_file(tunnel)}"
        f" crt {directory}/{credential_file(tunnel)} verifyhost {outbound.server_name}"
    )


def _written(address: Address) -> str:
    """
    Raises:
        ValueError: it is a name; HAProxy would not start where that cannot be resolved.
    """
    host = ip_address(address[0])
    return f"[{host}]:{address[1]}" if host.version == 6 else f"{host}:{address[1]}"
