"""Turns what was decided into jobs of the outbox, whose items can be sent apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, assert_never

from facilitator_bot.core.decisions import CloseDeployments, FinishLeases, Intent, SubmitLeases, SubmitStaleLeases
from moorage.chain.contracts import Call, Exchange
from moorage.chain.jobs import Job
from moorage.terms import order_id
from moorage.types import OrderKey

Item = TypeVar("Item")

PRIORITIES = {"submit_lease": 1, "submit_stale_lease": 2, "finish_leases": 3, "deployment_closed": 3}
"""Matching comes first: tenants wait for it. 0 would be what nobody may hold back."""


def to_job(exchange: Exchange, intent: Intent, worth_wei: int | None = None) -> Job:
    """Return the transaction of an intent.

    Args:
        worth_wei: of the tip for each item, in the chain's coin: its gas may cost that; None if nobody knows.
    """
    job = _to_job(exchange, intent)
    return job if worth_wei is None else replace(job, worth_wei=(worth_wei,) * len(job.items))


def _to_job(exchange: Exchange, intent: Intent) -> Job:
    match intent:
        case SubmitLeases(orders=orders):
            return _job("submit_lease", orders, _ids(orders), exchange.submit_lease)
        case SubmitStaleLeases(leases=leases):
            return _job("submit_stale_lease", leases, _ids(leases), exchange.submit_stale_lease)
        case FinishLeases(leases=leases):
            return _job("finish_leases", leases, _ids(leases), exchange.finish_leases)
        case CloseDeployments(deployments=deployments):
            return _job("deployment_closed", deployments, deployments, exchange.deployment_closed)
        case _:
            assert_never(intent)


def _job(kind: str, things: Sequence[Item], ids: tuple[bytes, ...], make: Callable[[Sequence[Item]], Call]) -> Job:
    return Job(kind, ids, lambda positions: make([things[at] for at in positions]), PRIORITIES[kind])


def _ids(keys: Sequence[OrderKey]) -> tuple[bytes, ...]:
    return tuple(order_id(key) for key in keys)
