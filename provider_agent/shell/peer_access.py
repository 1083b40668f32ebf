"""Which other agents may ask what: those of the active leases of a deployment in which we have an active lease too.

Who asks is known by its certificate, which TLS has verified against the roots of the participants; that its provider
takes part in this very deployment is looked up for each request, in the newest snapshot.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from cryptography import x509

from moorage import chains, pki
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import Participant
from provider_agent.shell.lease_access import NoLease, Refusal, no_lease
from provider_agent.shell.rate_limit import Rate, TokenBuckets

PROVIDER_RATE = Rate(per_second=10, burst=60)
"""For all leases of one provider together."""


@dataclass(frozen=True, slots=True)
class PeerAccess:
    """The proof that a peer's request may go on."""

    lease: OrderId
    """Ours."""
    peer: Participant


class PeerGate:
    """Lets the agents of the other leases of our deployments through."""

    def __init__(
        self, provider: ProviderNumber, exchange: Address, directory: PeerDirectory, rate: Rate = PROVIDER_RATE
    ) -> None:
        self._provider = provider
        self._exchange = exchange
        self._directory = directory
        self._providers = TokenBuckets(rate)

    def enter(self, certificate_der: bytes | None, lease: OrderId, peer: OrderId) -> PeerAccess | Refusal:
        """Return the two leases of a request, or why its sender is refused.

        Args:
            certificate_der: the client certificate that the handshake has verified, if the sender has shown one.
            lease: the one that is asked about, which has to be ours.
            peer: the one that the sender says it asks for.
        """
        if certificate_der is None:
            return Refusal(HTTPStatus.FORBIDDEN, "this is for agents, which show a certificate of their provider")
        name = _name_of(certificate_der)
        if name is None:
            return Refusal(HTTPStatus.FORBIDDEN, "the certificate is not one of an agent")
        if not self._providers.take(name):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests of this provider")
        if self._directory.snapshot is None:
            return no_lease(NoLease.UNAVAILABLE)
        ours = self._directory.participant(lease)
        if ours is None or ours.provider != self._provider:
            return no_lease(NoLease.UNKNOWN)
        theirs = self._directory.participant(peer)
        if theirs is None or name != pki.provider_name(theirs.provider, self._exchange):
            return Refusal(HTTPStatus.FORBIDDEN, "the asking lease is not an active one of this provider")
        if lease == peer or self._directory.deployment(lease) != self._directory.deployment(peer):
            return Refusal(HTTPStatus.FORBIDDEN, "the asking lease is not another one of the same deployment")
        return PeerAccess(lease, theirs)


def certificate_of(request: web.Request) -> bytes | None:
    """Return the client certificate that a request's connection was verified with, in DER."""
    connection = request.get_extra_info("ssl_object")
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLObject | ssl.SSLSocket) else None


def _name_of(certificate_der: bytes) -> str | None:
    """Return the name that a certificate is for. A tunnel's is no agent's: its name is another, and of a provider."""
    try:
        return chains.sole_name(x509.load_der_x509_certificate(certificate_der))
    except pki.MALFORMED:
        return None
