"""The events of a deployment that somebody can be told of, by the names that deployment files have for them."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What somebody can be told about; docs/notifications.md says what each means."""

    CLUSTER_CREATED = "cluster.created"
    CLUSTER_DOWN = "cluster.down"
    CLUSTER_NODE_CREATED = "cluster.node.created"
    CLUSTER_NODE_DOWN = "cluster.node.down"
    DEPLOY_BEGIN = "deploy.begin"
    DEPLOY_COMPLETE = "deploy.complete"
    DEPLOY_FAILURE = "deploy.failure"
    FUNDS_LOW = "funds.low"
    LEASE_STALE = "lease.stale"
    LEASE_HEALED = "lease.healed"
    PROVIDER_CHANGED = "provider.changed"
    DEPLOYMENT_CLOSED = "deployment.closed"
