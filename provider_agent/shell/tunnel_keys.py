"""Keeps the certificate of each tunnel's end on our side: short-lived, of its own, and only in memory.

A restart makes new ones: peers trust the root and the names, not a certificate that they have seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from moorage import pki
from moorage.types import OrderId
from provider_agent.core.tunnels import Tunnel


@dataclass(frozen=True, slots=True)
class TunnelKey:
    """The certificate of one end with its key."""

    name: str
    """The DNS name that it is for."""
    issuer: pki.Credential = field(repr=False)
    leaf: pki.Credential
    credential_pem: bytes = field(repr=False)
    """Key, certificate and intermediates: for our own gateway alone."""
    chain_pem: bytes = field(repr=False)
    """Certificate and intermediates: for everybody."""

    @property
    def expires(self) -> datetime:
        return self.leaf.certificate.not_valid_after_utc


class TunnelKeys:
    """Issues what is asked for, and again in time."""

    def __init__(self, issuer: Callable[[], pki.Credential], clock: Callable[[], datetime]) -> None:
        """
        Args:
            issuer: returns the provider's intermediate as it is now.
            clock: returns the time, with its zone.
        """
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[tuple[str, bool], TunnelKey] = {}

    def key(self, tunnel: Tunnel, *, is_server: bool) -> TunnelKey:
        """Return the certificate of one end: a new one at two thirds of its life, or when the issuer has changed.

        Raises:
            PkiError: the issuer has expired.
        """
        now, issuer = self._clock(), self._issuer()
        known = self._keys.get((tunnel.id, is_server))
        if known is not None and known.issuer is issuer and not pki.is_renewal_due(known.leaf.certificate, now):
            return known
        lease, workload = end_of(tunnel, is_server)
        leaf = pki.issue_tunnel(issuer, now, tunnel.id, lease, workload, is_server=is_server)
        name = pki.tunnel_name(pki.name_of(issuer.certificate), tunnel.id, lease, workload)
        made = TunnelKey(name, issuer, leaf, pki.encode(leaf), pki.encode_chain(leaf))
        self._keys[tunnel.id, is_server] = made
        return made

    def keep(self, tunnels: Collection[str]) -> None:
        """Forget the keys of all tunnels but these."""
        self._keys = {end: key for end, key in self._keys.items() if end[0] in tunnels}

    @property
    def earliest_expiry(self) -> datetime | None:
        """When the first of them expires; None if there is none."""
        return min((key.expires for key in self._keys.values()), default=None)


def end_of(tunnel: Tunnel, is_server: bool) -> tuple[OrderId, str]:
    """Return the lease and the workload at one end of a tunnel."""
    if is_server:
        return tunnel.server_lease, tunnel.server
    return tunnel.consumer_lease, tunnel.consumer
