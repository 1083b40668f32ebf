"""Stops containers at once that may not go on."""

from __future__ import annotations

import structlog

from moorage.types import OrderId
from provider_agent.shell.engine import EngineError
from provider_agent.shell.workload_runner import WorkloadRunner

log = structlog.get_logger(__name__)


async def evict(runner: WorkloadRunner, lease: OrderId, container: str, reason: str) -> None:
    """Stop a container if it is there; one that cannot be stopped is told, as others have to go all the same.

    Args:
        reason: what its tenant is told.
    """
    try:
        is_stopped = await runner.evict(lease, container, reason)
    except EngineError as error:
        log.warning("container not stopped", name=container, reason=str(error))
        return
    if is_stopped:
        log.warning("container stopped", lease=lease.hex(), name=container, reason=reason)
