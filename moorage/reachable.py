"""Decides which addresses a stranger may make this host connect to: public ones, and those that are named here."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))
"""Addresses that lead to an IPv4 address, maybe one of ours (RFC 6052, 8215, 3056)."""
SETTINGS = (IPv4Network("168.63.129.16/32"), IPv4Network("192.0.0.0/24"))
"""Where machines in Azure and in Oracle's cloud get their settings from; Python takes them for public."""

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True, slots=True)
class Reachable:
    """Loopback, private, link-local, shared, metadata and multicast addresses are not, unless they are named here."""

    inside: tuple[IPv4Network | IPv6Network, ...] = ()

    def with_loopback(self) -> Reachable:
        """Return the same with this machine's own addresses, for development."""
        return Reachable((*self.inside, *LOOPBACK))

    def objection(self, address: Address) -> str | None:
        """Return why an address is not connected to, None if it is."""
        meant = _meant(address)
        if any(meant in network for network in self.inside):
            return None
        is_public = meant.is_global and not meant.is_multicast and not meant.is_reserved
        if is_public and not any(meant in network for network in (*TRANSLATED, *SETTINGS)):
            return None
        return f"{address} is not a public address"


PUBLIC = Reachable()


def _meant(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
