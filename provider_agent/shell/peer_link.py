"""What one lease of ours knows of another lease of its deployment: what its agent says, and what of that is proved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from moorage import chains, pki
from moorage.leased_workload import LeasedConnection, LeasedWorkload, decode_workloads, encode_workloads
from moorage.types import OrderId
from provider_agent.core.tunnels import (
    InboundTunnel,
    OutboundTunnel,
    Participant,
    Tunnel,
    TunnelEnd,
    TunnelState,
    is_reachable,
)
from provider_agent.shell.tunnel_keys import TunnelKey, TunnelKeys, end_of

MAX_FAULT_CHARACTERS = 200
CHANGES = 6
"""How often a peer may say something new of its ends in a row: each makes our gateway load its configuration anew, and
that ends, some day, connections of others which began long before."""
CHANGE_SECONDS = 1_800
"""After so long it may once more."""


@dataclass(frozen=True, slots=True)
class _Proof:
    chain: str
    roots_der: tuple[bytes, ...]
    leaf: x509.Certificate


class PeerLink:
    """One of our leases and one other; holds nothing that has not to be believed anew after a restart."""

    def __init__(self, lease: OrderId, peer: Participant, provider_name: str) -> None:
        """
        Args:
            provider_name: of the peer.
        """
        self.lease = lease
        self.peer = peer
        self._provider_name = provider_name
        self.tunnels: tuple[Tunnel, ...] = ()
        self.answer: bytes | None = None
        """The last one that could be read; an agent that falls silent is still where it was."""
        self.fault: str | None = "its agent has not been asked yet"
        """Why the last attempt to ask has failed."""
        self._used: frozenset[tuple[str, object]] = frozenset()
        """The ends that were returned, each with its address."""
        self._credit: tuple[float, datetime | None] = (CHANGES, None)
        """How many changes it may make, and when that was worked out."""
        self._said: dict[str, tuple[str, LeasedConnection]] = {}
        self._proofs: dict[str, _Proof] = {}
        self._roots: tuple[tuple[bytes, ...], bytes] = ((), b"")

    def connect(self, tunnels: tuple[Tunnel, ...]) -> None:
        """Have these tunnels with the peer from now on; new ones come from chain and tenant, and cost it nothing."""
        self.tunnels = tunnels
        self._credit = (CHANGES, None)

    def take(self, answer: bytes) -> None:
        """Take in what the peer's agent has answered.

        Raises:
            ValueError: it is not an answer about this lease.
        """
        if answer == self.answer:
            return
        said: dict[str, tuple[str, LeasedConnection]] = {}
        for workload in decode_workloads(answer):
            if workload.lease != self.peer.lease.hex():
                raise ValueError("the answer is about another lease")
            said.update({each.tunnel: (workload.workload, each) for each in workload.connections})
        self.answer, self._said = answer, said

    def look(
        self, keys: TunnelKeys, roots_der: tuple[bytes, ...], now: datetime
    ) -> tuple[tuple[TunnelEnd, ...], tuple[TunnelState, ...]]:
        """Return the tunnels that may be used, and how all of them are.

        Args:
            keys: our own certificates.
            roots_der: the peer's roots on chain, at a final block.
            now: with a time zone.
        """
        roots_pem = self._roots_pem(roots_der)
        ends: list[TunnelEnd] = []
        faults: dict[str, str] = {}
        for tunnel in self.tunnels:
            is_server = tunnel.server_lease == self.lease
            try:
                connection = self._proved(tunnel, is_server, roots_der, now)
                ends.append(self._end(tunnel, connection, keys.key(tunnel, is_server=is_server), roots_pem, is_server))
            except (pki.PkiError, ValueError) as error:
                faults[tunnel.id] = str(error)[:MAX_FAULT_CHARACTERS]
        if not self._may_use(ends, now):
            held = [each for each in ends if _told(each) not in self._used]
            ends = [each for each in ends if _told(each) in self._used]
            reason = "its agent says something else too often, and is believed again later"
            faults.update({each.tunnel.id: reason for each in held})
        self._used = frozenset(map(_told, ends))
        states = (
            TunnelState(each, each.server_lease == self.lease, self.peer, faults.get(each.id)) for each in self.tunnels
        )
        self._proofs = {each.id: self._proofs[each.id] for each in self.tunnels if each.id in self._proofs}
        return tuple(ends), tuple(states)

    def _may_use(self, ends: Iterable[TunnelEnd], now: datetime) -> bool:
        """Return whether all of these may be used now; what is taken away is never held back."""
        if self._used.issuperset(map(_told, ends)):
            return True
        credit, since = self._credit
        if since is not None:
            credit = min(CHANGES, credit + max(now - since, timedelta()).total_seconds() / CHANGE_SECONDS)
        may_change = credit >= 1
        self._credit = (credit - may_change, now)
        return may_change

    def ours(self, keys: TunnelKeys, here: tuple[str, int] | None) -> bytes:
        """Return what the peer may know of our side.

        Args:
            here: where our gateway takes tunnels; None: it does not yet.

        Raises:
            PkiError: we can issue no certificates.
        """
        workloads: defaultdict[str, list[LeasedConnection]] = defaultdict(list)
        for tunnel in self.tunnels:
            is_server = tunnel.server_lease == self.lease
            chain = keys.key(tunnel, is_server=is_server).chain_pem.decode()
            addresses = (here,) if is_server and here is not None else ()
            found = LeasedConnection(tunnel=tunnel.id, port=tunnel.port, certificate=chain, addresses=addresses)
            workloads[end_of(tunnel, is_server)[1]].append(found)
        return encode_workloads(
            LeasedWorkload(lease=self.lease.hex(), workload=name, connections=tuple(connections))
            for name, connections in sorted(workloads.items())
        )

    def unusable(self, reason: str) -> tuple[TunnelState, ...]:
        """Return how all tunnels are when none of them can be judged."""
        return tuple(
            TunnelState(tunnel, tunnel.server_lease == self.lease, self.peer, reason) for tunnel in self.tunnels
        )

    def _roots_pem(self, roots_der: tuple[bytes, ...]) -> bytes:
        if self._roots[0] != roots_der:
            certificates = map(x509.load_der_x509_certificate, sorted(roots_der))
            self._roots = roots_der, b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
        return self._roots[1]

    def _proved(self, tunnel: Tunnel, is_server: bool, roots_der: tuple[bytes, ...], now: datetime) -> LeasedConnection:
        """Return what the peer says about a tunnel, once its certificate is known to be good."""
        lease, workload = end_of(tunnel, not is_server)
        if self.answer is None:
            raise ValueError(self.fault or "its agent has not answered yet")
        named, connection = self._said.get(tunnel.id, ("", None))
        if connection is None:
            raise ValueError("its agent does not know of this connection (yet)")
        if named != workload or connection.port != tunnel.port:
            raise ValueError("its agent means another connection by this one")
        known = self._proofs.get(tunnel.id)
        if known is None or (known.chain, known.roots_der) != (connection.certificate, roots_der):
            leaf = chains.verify_tunnel(
                connection.certificate.encode(),
                roots_der,
                now,
                provider_name=self._provider_name,
                tunnel=tunnel.id,
                lease=lease,
                workload=workload,
                is_server=not is_server,
            )
            self._proofs[tunnel.id] = _Proof(connection.certificate, roots_der, leaf)
        elif now > known.leaf.not_valid_after_utc:
            raise ValueError("its certificate has expired")
        return connection

    def _end(
        self, tunnel: Tunnel, connection: LeasedConnection, key: TunnelKey, roots_pem: bytes, is_server: bool
    ) -> TunnelEnd:
        if is_server:
            return InboundTunnel(tunnel, key.name, key.credential_pem, roots_pem)
        name = pki.tunnel_name(self._provider_name, tunnel.id, tunnel.server_lease, tunnel.server)
        return OutboundTunnel(tunnel, _usable(connection), name, key.credential_pem, roots_pem)


def _told(end: TunnelEnd) -> tuple[str, object]:
    """Return what a peer decides of an end."""
    return end.tunnel.id, end.address if isinstance(end, OutboundTunnel) else None


def _usable(connection: LeasedConnection) -> tuple[str, int]:
    """Return the first address that a gateway may be sent to. What the provider's firewall closes is closed besides."""
    if not connection.addresses:
        raise ValueError("its gateway has no address yet")
    for host, port in connection.addresses:
        # names are the other side's business: who resolves them for strangers waits for strangers
        if is_reachable(host):
            return host, port
    raise ValueError("its gateway's address cannot be used")
