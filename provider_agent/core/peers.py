"""Says which leases take part in a deployment, of which providers: the only ones that an agent deals with about it."""

from __future__ import annotations

from collections import defaultdict

from moorage.snapshot import Snapshot
from moorage.types import DeploymentId, OrderId, OrderState, ProviderNumber
from provider_agent.core.tunnels import Participant


class PeerDirectory:
    """The active leases of each deployment, kept from snapshot to snapshot at the cost of what has changed."""

    def __init__(self, provider: ProviderNumber) -> None:
        """
        Args:
            provider: who "we" are.
        """
        self.provider = provider
        self._snapshot: Snapshot | None = None
        self._members: defaultdict[DeploymentId, dict[OrderId, Participant]] = defaultdict(dict)
        self._lease_to_deployment: dict[OrderId, DeploymentId] = {}
        self._ours: set[OrderId] = set()

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest that was taken in."""
        return self._snapshot

    def take(self, snapshot: Snapshot) -> bool:
        """Take in a snapshot; every one has to come here, as each tells only what it has touched.

        Returns:
            Whether others may take part now than before.
        """
        touched = snapshot.touched
        if touched is None:
            self._members.clear()
            self._lease_to_deployment.clear()
            self._ours.clear()
        changes = [self._note(snapshot, lease) for lease in (snapshot.leases if touched is None else touched.orders)]
        self._snapshot = snapshot
        return touched is None or any(changes)

    def ours(self) -> tuple[OrderId, ...]:
        """Return our active leases."""
        return tuple(self._ours)

    def deployment(self, lease: OrderId) -> DeploymentId | None:
        """Return what an active lease is part of, whosever it is; None if it is not active."""
        return self._lease_to_deployment.get(lease)

    def participant(self, lease: OrderId) -> Participant | None:
        """Return an active lease, whosever it is."""
        deployment = self._lease_to_deployment.get(lease)
        return self._members[deployment][lease] if deployment is not None else None

    def participants(self, lease: OrderId) -> tuple[Participant, ...]:
        """Return all active leases of the deployment that an active lease is part of, itself included, in one order."""
        deployment = self._lease_to_deployment.get(lease)
        if deployment is None:
            return ()
        return tuple(sorted(self._members[deployment].values(), key=lambda each: each.lease))

    def others(self, lease: OrderId) -> tuple[Participant, ...]:
        """Return the other active leases of its deployment; some of them may be ours too."""
        return tuple(each for each in self.participants(lease) if each.lease != lease)

    def providers(self) -> frozenset[ProviderNumber]:
        """Return the other providers that take part in a deployment in which we do."""
        found: set[ProviderNumber] = set()
        for lease in self._ours:
            found |= {each.provider for each in self._members[self._lease_to_deployment[lease]].values()}
        return frozenset(found - {self.provider})

    def _note(self, snapshot: Snapshot, lease_id: OrderId) -> bool:
        """Return whether that is new."""
        lease = snapshot.leases.get(lease_id)
        if lease is None or lease.state is not OrderState.LEASE_ACTIVE:
            return self._forget(lease_id)
        is_new = lease_id not in self._lease_to_deployment
        order = snapshot.leased_orders[lease_id]
        deployment = order.key.deployment
        self._lease_to_deployment[lease_id] = deployment
        self._members[deployment][lease_id] = Participant(lease_id, lease.provider, order.group.name)
        if lease.provider == self.provider:
            self._ours.add(lease_id)
        return is_new

    def _forget(self, lease: OrderId) -> bool:
        self._ours.discard(lease)
        deployment = self._lease_to_deployment.pop(lease, None)
        if deployment is not None:
            members = self._members[deployment]
            members.pop(lease, None)
            if not members:
                del self._members[deployment]
        return deployment is not None
