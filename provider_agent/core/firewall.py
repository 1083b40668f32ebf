"""Writes the rules that keep containers on bridges that lead out of the host from the host and from private networks.

They are in a table of nftables of the provider's own, so that they bind whatever other tables accept, and no other
table is read or written. Where a workload is let out is its provider's policy; gateways reach public addresses, the
private ones of peers that the provider names, and the ports that gateways of this host publish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from provider_agent.core.containers import Labels

MAIL = 25
CLOSED_RANGES = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
"""Nothing of these is the internet: private, link-local and shared ranges, multicast and the metadata services of
clouds (IANA's special-purpose registry; 168.63.129.16 is Azure's)."""
WORKLOADS, GATEWAYS, EGRESS = "mw", "mf", "me"
"""What the names of bridges begin with: between workloads, of gateways to the outside, of workloads to the outside."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Where containers may go by themselves. Ranges that are allowed come before those that are closed to all."""

    is_allowed: bool = False
    """Whether workloads reach the internet at all."""
    name_servers: tuple[IPv4Address, ...] = ()
    """Whom workloads ask for names of the internet; none: they get no answers."""
    allow: tuple[IPv4Network, ...] = ()
    """Of the closed ranges, what workloads may reach all the same."""
    deny: tuple[IPv4Network, ...] = ()
    """Closed to workloads beside those that are closed to all."""
    deny_ports: tuple[int, ...] = (MAIL,)
    peers: tuple[IPv4Network, ...] = ()
    """Of the closed ranges, where gateways of other datacenters may be."""


def owner_tag(owner: Labels) -> str:
    """Return 4 hex digits that tell the bridges of several providers on one engine apart."""
    return hashlib.sha256(repr(sorted(owner)).encode()).hexdigest()[:4]


def table_name(owner: Labels) -> str:
    """Return the name of a provider's table."""
    return f"moorage_{owner_tag(owner)}"


def bridge_name(kind: str, owner: Labels, network: str) -> str:
    """Return the interface of a network: Linux allows 15 characters."""
    return f"{kind}-{owner_tag(owner)}{hashlib.sha256(network.encode()).hexdigest()[:8]}"


def render(policy: EgressPolicy, owner: Labels) -> str:
    """Return a program for nft(8) that puts a provider's table in place of the one that is there, in one step."""
    table = f"table inet {table_name(owner)}"
    mw, mf, me = (f'"{kind}-{owner_tag(owner)}*"' for kind in (WORKLOADS, GATEWAYS, EGRESS))
    chains = (
        (
            "input",
            "type filter hook input priority filter - 10; policy accept;",
            "ct state established,related accept",
            *(f"iifname {bridges} drop" for bridges in (mw, mf, me)),
        ),
        (
            "forward",
            "type filter hook forward priority filter - 10; policy accept;",
            f"iifname {mw} oifname != {mw} drop",
            f"iifname != {mw} oifname {mw} drop",
            "ct state established,related accept",
            f"iifname {me} jump workloads_out",
            f"iifname {mf} jump gateways_out",
            f"oifname {me} drop",
            f"oifname {mf} ct status & dnat == 0 drop",
        ),
        ("workloads_out", *_workloads_out(policy)),
        (
            "gateways_out",
            "meta nfproto != ipv4 drop",
            'oifname "mf-*" ct status dnat accept',
            *_accepting(policy.peers),
            _dropping(CLOSED_RANGES),
            "accept",
        ),
    )
    text = "".join(f"  chain {name} {{\n{_lines(rules)}  }}\n" for name, *rules in chains)
    return f"{table}\ndelete {table}\n{table} {{\n{text}}}\n"


def remove(owner: Labels) -> str:
    """Return a program for nft(8) that removes a provider's table, whether there is one or not."""
    return f"table inet {table_name(owner)}\ndelete table inet {table_name(owner)}\n"


def _workloads_out(policy: EgressPolicy) -> Iterator[str]:
    if not policy.is_allowed:
        yield "drop"
        return
    yield "meta nfproto != ipv4 drop"
    if policy.deny_ports:
        ports = ", ".join(map(str, sorted(set(policy.deny_ports))))
        yield f"meta l4proto {{ tcp, udp }} th dport {{ {ports} }} drop"
    yield 'oifname "mf-*" ct status dnat accept'
    yield 'oifname { "me-*", "mf-*", "mw-*" } drop'
    if policy.name_servers:
        servers = ", ".join(map(str, sorted(set(policy.name_servers))))
        yield f"ip daddr {{ {servers} }} meta l4proto {{ tcp, udp }} th dport 53 accept"
    if policy.deny:
        yield _dropping(policy.deny)
    yield from _accepting(policy.allow)
    yield _dropping(CLOSED_RANGES)
    yield "accept"


def _accepting(ranges: tuple[IPv4Network, ...]) -> Iterator[str]:
    if ranges:
        yield f"ip daddr {{ {_listed(ranges)} }} accept"


def _dropping(ranges: Iterable[IPv4Network]) -> str:
    return f"ip daddr {{ {_listed(ranges)} }} drop"


def _listed(ranges: Iterable[IPv4Network]) -> str:
    return ", ".join(map(str, collapse_addresses(ranges)))


def _lines(rules: Iterable[str]) -> str:
    return "".join(f"    {rule}\n" for rule in rules)
