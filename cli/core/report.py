"""How a deployment is, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cli.core.agents import DONE, NOTHING_KNOWN, RUNNING, Connection, Knowledge, Report, Update, Workload
from cli.core.view import Attempt, DeploymentView, full, short
from moorage.money import Money
from moorage.types import Lease, OrderId, OrderState

STATE_WORDS = {
    OrderState.OPEN: "open order",
    OrderState.CLOSED: "closed, never matched",
    OrderState.LEASE_ACTIVE: "leased",
    OrderState.LEASE_STALE: "stale, not replaced",
    OrderState.LEASE_CLOSING: "closing",
    OrderState.LEASE_CLOSED: "closed",
}
OVERDUE = "overdue"
USED_UP = "used up"
"""Of an active lease, in place of `leased`."""
UPDATING = "updating"
UPDATE_FAILED = "update failed"
WORDS_OF_UPDATES = {Update.UPDATING: UPDATING, Update.FAILED: UPDATE_FAILED}
"""Of a workload of which the version before goes on, in place of `running`."""
SHOWN_BIDS = 5
"""Of an open order; a book may have 32."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group, or one of its workloads, in words."""

    group: str
    state: str
    provider: str = ""
    price: str = ""
    runway: str = ""
    detail: str = ""


def rows(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge], money: Money) -> tuple[Row, ...]:
    """Return a row for each group and one for each of its workloads."""
    result: list[Row] = []
    for attempt in view.current:
        known = knowledge.get(attempt.id, NOTHING_KNOWN)
        row = _group_row(view, attempt, money)
        result.append(replace(row, detail=", ".join(filter(None, (_healthy(known), row.detail)))))
        result.extend(_bid_rows(attempt, money))
        if known.report is not None:
            result.extend(_report_rows(known.report, known.is_lost))
        if known.problem is not None and attempt.is_live and (known.report is None or known.is_lost):
            since = "; above is its last word" if known.report is not None else ""
            result.append(Row("", "", detail=f"agent: {known.problem}{since}"))
    return tuple(result)


def _healthy(known: Knowledge) -> str:
    report = known.report
    if report is None or not report.workloads:
        return ""
    states = [workload.state for workload in report.workloads]
    done, running = states.count(DONE), states.count(RUNNING)
    were = "were " if known.is_lost else ""
    of_all = f"/{len(states)}"
    is_new = f", {sum(each.is_up for each in report.workloads)}{of_all} in the new version"
    newness = is_new if any(each.is_before for each in report.workloads) else ""
    if not done:
        return f"{running}{of_all} workloads {were}healthy{newness}"
    return f"{done}{of_all} workloads done" + (f", {running} {were}healthy" if done < len(states) else "") + newness


def _bid_rows(attempt: Attempt, money: Money) -> Iterator[Row]:
    for place, bid in enumerate(attempt.bids[:SHOWN_BIDS]):
        yield Row("  bid", "lowest" if place == 0 else "", str(bid.provider), money.per_hour(bid.charge_per_block))
    if len(attempt.bids) > SHOWN_BIDS:
        yield Row("", "", detail=f"and {counted(len(attempt.bids) - SHOWN_BIDS, 'dearer bid')}")


def _report_rows(report: Report, is_past: bool) -> Iterator[Row]:
    news = report.manifest
    if news is not None and news.state != "here":
        source = f" from {news.source}" if news.source is not None else ""
        reason = f"{news.reason}; `moorage deploy` with the same file gives it again" if news.reason else ""
        yield Row("  manifest", news.state + source, detail=reason)
    for workload in report.workloads:
        told, reasons = list(workload.addresses), [workload.reason] if workload.reason else []
        has_own_line = workload.is_before and bool(told)
        state = _workload_word(workload)
        yield Row(
            f"  {workload.name}",
            f"was {state}" if is_past else state,
            detail=", ".join(told if has_own_line else told + reasons),
        )
        if has_own_line:
            yield Row("", "", detail=", ".join(reasons))
        yield from (_connection_row(each, is_past) for each in workload.connections)


def _workload_word(workload: Workload) -> str:
    """Return the state for people: where the version before goes on, how it is with the new one."""
    return WORDS_OF_UPDATES[workload.update] if workload.update and workload.state == RUNNING else workload.state


def _connection_row(connection: Connection, is_past: bool) -> Row:
    ways = {"out": f"to {connection.name}", "in": f"{connection.name} from {connection.workload}"}
    way = ways.get(connection.direction, connection.name)
    state = f"was {connection.state}" if is_past else connection.state
    return Row(f"    {way} in {connection.datacenter}", state, detail=connection.reason or "")


def _group_row(view: DeploymentView, attempt: Attempt, money: Money) -> Row:
    name, state, lease = attempt.group.name, STATE_WORDS[attempt.state], attempt.lease
    if attempt.state is OrderState.OPEN:
        best = money.per_hour(attempt.bids[0].charge_per_block) if attempt.bids else ""
        return Row(name, state, price=best, detail=_open_detail(view, attempt, money))
    if lease is None or not attempt.is_live:
        return Row(name, state, provider=str(attempt.provider or ""))
    runway = f"{money.hours(runway_blocks(view, lease))} h"
    price = money.per_hour(lease.charge_per_block)
    return Row(name, _lease_word(view, lease), str(lease.provider), price, runway, _next_of(view, attempt, lease))


def _lease_word(view: DeploymentView, lease: Lease) -> str:
    if lease.is_stale(view.block_number, view.period_blocks):
        return OVERDUE
    return USED_UP if lease.is_exhausted(view.block_number, view.period_blocks) else STATE_WORDS[lease.state]


def _open_detail(view: DeploymentView, attempt: Attempt, money: Money) -> str:
    bids = counted(len(attempt.bids), "bid")
    left = attempt.match_block - view.block_number
    instead = _instead(view, attempt)
    if left > 0:
        return f"{bids}, to be matched in {counted(left, 'block')} ({money.span(left)}){instead}"
    return (f"{bids}, to be matched now" if attempt.bids else "no bids yet") + instead


def _instead(view: DeploymentView, attempt: Attempt) -> str:
    """Return whom an order replaces, with a comma in front."""
    provider = view.attempt(attempt.replaced).provider if attempt.replaced is not None else None
    return f", in place of provider {provider}" if provider is not None else ""


def _next_of(view: DeploymentView, attempt: Attempt, lease: Lease) -> str:
    """Return how fresh the provider's last confirmation is, and what comes next."""
    if lease.state is OrderState.LEASE_CLOSING:
        return "nothing more is charged"
    if lease.is_stale(view.block_number, view.period_blocks):
        return "anyone may end it as stale: you receive its collateral, and another provider is ordered"
    left = lease.deadline_block(view.period_blocks) - view.block_number
    if lease.is_awaiting:
        return f"first confirmation within {counted(left, 'block')}{_instead(view, attempt)}"
    if lease.is_exhausted(view.block_number, view.period_blocks):
        return "`moorage fund` revives it, else its workloads are stopped"
    since = counted(view.block_number - lease.confirmed_block, "block")
    return f"provider confirmed {since} ago, next within {left}"


def counted(number: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def runway_blocks(view: DeploymentView, lease: Lease) -> int:
    """Return how many prepaid blocks are ahead."""
    if lease.is_awaiting:
        return lease.funded_block - lease.confirmed_block
    return max(lease.funded_block - view.block_number, 0)


def heading(view: DeploymentView) -> str:
    """Return the line above the rows."""
    return f"deployment {full(view.id)} is {view.state.value} at block {view.block_number}"


def headline(view: DeploymentView, money: Money) -> str:
    """Return the line above the rows for who watches them, and has seen the whole id."""
    price = charge_per_block(view)
    costs = f": {money.per_hour(price)}" if price else ""
    return f"deployment {short(view.id)} is {view.state.value} at block {view.block_number}{costs}"


def charge_per_block(view: DeploymentView) -> int:
    """Return what all active leases cost."""
    leases = [attempt.lease for attempt in view.current if attempt.state is OrderState.LEASE_ACTIVE]
    return sum(lease.charge_per_block for lease in leases if lease is not None)


def document(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge], money: Money) -> dict[str, Any]:
    """Return the same for programs: ids complete, money in tokens as text."""
    return {
        "deployment": full(view.id),
        "state": view.state.value,
        "version": full(view.version),
        "block": view.block_number,
        "token": money.symbol,
        "price_per_hour": money.hourly_number(charge_per_block(view)),
        "groups": [_group_document(view, attempt, knowledge, money) for attempt in view.current],
    }


def _group_document(
    view: DeploymentView, attempt: Attempt, knowledge: Mapping[OrderId, Knowledge], money: Money
) -> dict[str, Any]:
    known, lease = knowledge.get(attempt.id, NOTHING_KNOWN), attempt.lease
    is_open, is_leased = attempt.state is OrderState.OPEN, lease is not None and attempt.is_live
    return {
        "name": attempt.group.name,
        "order": full(attempt.id),
        "state": attempt.state.value,
        "provider": attempt.provider,
        "bids": len(attempt.bids) if is_open else None,
        "match_block": attempt.match_block if is_open else None,
        "price_per_hour": money.hourly_number(lease.charge_per_block) if lease and is_leased else None,
        "runway_hours": money.hours(runway_blocks(view, lease)) if lease and is_leased else None,
        "runway_blocks": runway_blocks(view, lease) if lease and is_leased else None,
        "confirmed_block": lease.confirmed_block if lease and is_leased and not lease.is_awaiting else None,
        "agent_problem": known.problem,
        "manifest": asdict(known.report.manifest) if known.report and known.report.manifest else None,
        "workloads": [_workload_document(each) for each in (known.report.workloads if known.report else ())],
    }


def _workload_document(workload: Workload) -> dict[str, Any]:
    return {
        "name": workload.name,
        "state": workload.state,
        "reason": workload.reason,
        "update": workload.update.value if workload.update is not None else None,
        "addresses": list(workload.addresses),
        "connections": [asdict(connection) for connection in workload.connections],
    }


def listing(view: DeploymentView, file: str, money: Money) -> tuple[str, ...]:
    """Return the columns of one line in a list of deployments."""
    price = money.per_hour(charge_per_block(view)) if charge_per_block(view) else ""
    groups = ", ".join(f"{attempt.group.name} {STATE_WORDS[attempt.state]}" for attempt in view.current)
    return full(view.id), view.state.value, price, groups, file
