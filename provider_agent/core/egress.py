"""Adds to a lease the networks on which its workloads go out, where their provider lets them."""

from __future__ import annotations

from dataclasses import replace

from provider_agent.core.containers import Attachment, ContainerSpec, NetworkKind, NetworkSpec
from provider_agent.core.firewall import EgressPolicy
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.workloads import FIRST_PLACE, DesiredLease, DesiredWorkload, subnet_size


def let_out(lease: DesiredLease, names: LeaseNames, policy: EgressPolicy) -> DesiredLease:
    """Return a lease with a way out for each workload, which no other workload is on; none if the policy is off."""
    if not policy.is_allowed:
        return lease
    ways = tuple(
        NetworkSpec(names.out(each.name), names.labels(), NetworkKind.EGRESS, subnet_size(len(each.replicas)))
        for each in lease.workloads
    )
    return replace(
        lease,
        workloads=tuple(_let_out(each, names.out(each.name), policy) for each in lease.workloads),
        networks=(*lease.networks, *ways),
    )


def _let_out(workload: DesiredWorkload, network: str, policy: EgressPolicy) -> DesiredWorkload:
    servers = tuple(map(str, policy.name_servers))

    def moved(spec: ContainerSpec, replica: int) -> ContainerSpec:
        way = Attachment(network, None, FIRST_PLACE + replica)
        return replace(spec, attachments=(*spec.attachments, way), name_servers=servers, is_let_out=True)

    return replace(workload, replicas=tuple(moved(spec, index) for index, spec in enumerate(workload.replicas)))
