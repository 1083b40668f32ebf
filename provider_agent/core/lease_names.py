"""The names and labels of what a lease has on an engine: the same after every restart of the agent."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from moorage.types import Address, OrderId, ProviderNumber, Version
from provider_agent.core.containers import Labels, sorted_labels

LEASE_LABEL = "moorage.lease"
GATEWAY_ROLE = "gateway"
GATEWAY_KIND = "mg"
PORTS_LABEL = "moorage.ports"
"""Of a gateway: the ports of the host that it was given, also while it does not run."""
BESIDE = ".next"
"""Ends the name of a container in which a replica's new version is tried; no workload's name has a point."""
_REPLICA = re.compile(rf"mw-[0-9a-f]{{8}}-([0-9a-f]{{64}})-(.+)-([0-9]+)(?:{re.escape(BESIDE)})?")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose containers these are: one provider on one exchange."""

    chain_id: int
    exchange: Address
    provider: ProviderNumber

    @property
    def labels(self) -> Labels:
        """The labels on everything of this provider, and on nothing else."""
        return (
            ("moorage.chain", str(self.chain_id)),
            ("moorage.exchange", self.exchange),
            ("moorage.provider", str(self.provider)),
        )

    @property
    def tag(self) -> str:
        """8 hex digits that keep the names of several providers on one engine apart."""
        text = f"{self.chain_id},{self.exchange},{self.provider}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def is_gateway(container: str) -> bool:
    """Return whether a name is that of a gateway's container."""
    return container.startswith(f"{GATEWAY_KIND}-")


@dataclass(frozen=True, slots=True)
class Replica:
    """What a container of a lease is one of."""

    lease: OrderId
    workload: str
    number: int


def replica_of(container: str) -> Replica | None:
    """Return what a name of LeaseNames.container says; None: it is none."""
    found = _REPLICA.fullmatch(container)
    return Replica(OrderId(bytes.fromhex(found[1])), found[2], int(found[3])) if found is not None else None


@dataclass(frozen=True, slots=True)
class LeaseNames:
    identity: Identity
    lease: OrderId
    version: Version
    """Of the manifest; only labels have it."""

    def container(self, workload: str, replica: int) -> str:
        return self._name("mw", f"{workload}-{replica}")

    def gateway(self) -> str:
        return self._name(GATEWAY_KIND, "gateway")

    def volume(self, workload: str, replica: int, path: str) -> str:
        return self._name("mv", f"{workload}-{replica}-{hashlib.sha256(path.encode()).hexdigest()[:8]}")

    def own(self, workload: str) -> str:
        """Name the network of a workload's replicas."""
        return self._name("mn", f"own.{workload}")

    def way(self, consumer: str, server: str) -> str:
        """Name the network on which a consumer finds a server's name."""
        return self._name("mn", f"to.{server}.{consumer}")

    def out(self, workload: str) -> str:
        """Name the network on which a workload goes out, if its provider lets it."""
        return self._name("mn", f"out.{workload}")

    def front(self) -> str:
        """Name the network through which the gateway is reached from outside, and reaches others."""
        return self._name("mn", "front")

    def edge(self) -> str:
        """Name the network between the gateway and the provider's edge."""
        return self._name("mn", "edge")

    def passage(self, client: OrderId) -> str:
        """Name the network by which the gateway of another lease of this provider reaches this one's."""
        return self._name("mn", f"from.{client.hex()}")

    def labels(self, **more: str) -> Labels:
        labels = {f"moorage.{key}": value for key, value in more.items()}
        return sorted_labels({**dict(self.identity.labels), LEASE_LABEL: self.lease.hex(), **labels})

    def _name(self, kind: str, rest: str) -> str:
        # the whole id: a tenant could find another lease with the same first digits, and take its volumes over
        return f"{kind}-{self.identity.tag}-{self.lease.hex()}-{rest}"
