"""A look at a whole engine with all steps that are due: what an agent does at its start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from moorage.types import OrderId
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.proofs import over


async def reconcile(runner: WorkloadRunner, desired: Sequence[DesiredLease], ended: Iterable[OrderId]) -> None:
    await runner.look()
    await runner.carry_out(desired, [over(lease) for lease in ended])
