"""Puts what is known of a lease into the words of the agent's API."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.agent_api import ConnectionStatus, LeaseStatus, ManifestStatus, WorkloadStatus
from moorage.types import OrderId, Version
from provider_agent.core.connection_view import ConnectionView
from provider_agent.core.distribution import Distribution
from provider_agent.core.workload_report import WorkloadReport


def lease_status(
    lease: OrderId,
    version: Version | None,
    reports: Iterable[WorkloadReport],
    views: Iterable[ConnectionView],
    distribution: Distribution | None,
) -> LeaseStatus:
    """Return the status of a lease.

    Args:
        version: of the manifest that runs; None until one does.
    """
    connections = tuple(views)
    workloads = (
        WorkloadStatus(
            report.name,
            report.state,
            report.reason,
            report.addresses,
            tuple(_connection(view) for view in connections if view.workload == report.name),
        )
        for report in reports
    )
    return LeaseStatus(lease, version, tuple(workloads), _manifest(distribution) if distribution else None)


def _connection(view: ConnectionView) -> ConnectionStatus:
    direction = "out" if view.is_out else "in"
    return ConnectionStatus(view.name, direction, view.other, view.datacenter, view.state, view.reason)


def _manifest(distribution: Distribution) -> ManifestStatus:
    if distribution.is_complete:
        return ManifestStatus("here", distribution.source, None)
    return ManifestStatus("waiting", None, distribution.reason)
