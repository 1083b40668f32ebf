"""Each alert that is delivered fires on its fault, in the programs' own metrics, and none while all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moorage.chain.jobs import Cause
from provider_agent.core.summary import Standing
from provider_agent.core.workload_report import WorkloadState
from tests.monitoring import ALERTS, alerts
from tests.promql import History, Labels, PromQlError, evaluate, fires, seconds
from tests.watched_daemons import ONE, STEP_SECONDS, Watched

RULES = {rule["alert"]: rule for rule in alerts(ALERTS.read_text())}
CALM_STEPS = 16
PATIENCE_STEPS = 40
"""So long after the time that a rule waits by itself it has to have fired."""


def standing(watched: Watched, standing: Standing) -> None:
    (line,) = watched.summary.leases
    watched.summary = replace(watched.summary, leases=(replace(line, standing=standing),))


def stick(watched: Watched) -> None:
    watched.confirms = False
    watched.provider.transactions.under_way(1)


def set_summary(**changes: Any) -> Callable[[Watched], None]:
    def change(watched: Watched) -> None:
        watched.summary = replace(watched.summary, **changes)

    return change


def put(name: str, value: Any) -> Callable[[Watched], None]:
    return lambda watched: setattr(watched, name, value)


def expire(name: str, **left: int) -> Callable[[Watched], None]:
    def change(watched: Watched) -> None:
        watched.provider.certificate(name, datetime.fromtimestamp(watched.now, UTC) + timedelta(**left))

    return change


FAULTS: dict[str, Callable[[Watched], Any]] = {
    "MoorageDown": put("is_up", False),
    "MoorageHeadStale": put("is_chain_alive", False),
    "MoorageEndpointDown": lambda watched: watched.facilitator.chain.endpoint(1, False),
    "MoorageClockSkew": put("skew_seconds", -45.0),
    "MoorageCyclesFail": lambda watched: watched.facilitator.cycles.failed(),
    "MoorageItemsQuarantined": lambda watched: watched.provider.cycles.quarantined(1),
    "MoorageDrainForgotten": lambda watched: watched.provider.cycles.draining(True),
    "MoorageRunwayShort": put("wei_per_step", 3 * ONE // 60),
    "MoorageRunwayEnds": put("coin_wei", 0),
    "MoorageTransactionsStuck": stick,
    "MoorageTransactionsHeldBack": lambda watched: watched.provider.transactions.held("submit_lease_confirmation"),
    "MoorageTransactionsFaulty": lambda watched: watched.facilitator.transactions.rejected("submit_lease", Cause.BUG),
    "MoorageDeadlineNear": put("confirms", False),
    "MoorageLeaseOverdue": lambda watched: standing(watched, Standing.OVERDUE),
    "MoorageCollateralSlashed": set_summary(slashed=ONE),
    "MoorageEngineDown": lambda watched: watched.provider.engine(False),
    "MoorageWorkloadsFail": lambda watched: watched.provider.workloads([WorkloadState.FAILED]),
    "MoorageTunnelsWait": lambda watched: watched.provider.tunnels([True, False]),
    "MoorageCollateralUsedUp": set_summary(available=0),
    "MoorageLostBidsHeld": set_summary(lost_bids=1),
    "MoorageCertificateEnds": expire("server", hours=5),
    "MoorageMarketWaits": lambda watched: setattr(watched, "market", replace(watched.market, oldest_due_blocks=11)),
}
ONCE = ("MoorageTransactionsHeldBack", "MoorageTransactionsFaulty")
"""A single event is enough for these."""
OTHERS: dict[str, Callable[[Watched], Any]] = {
    "MoorageRunwayEnds": put("wei_per_step", 20 * ONE // 60),
    "MoorageCertificateEnds": expire("root", days=59),
    "MoorageCollateralUsedUp": set_summary(cap_left=0),
    "MoorageTransactionsHeldBack": lambda watched: watched.provider.transactions.rejected("claim", Cause.SPENDING_CAP),
    "MoorageCyclesFail": lambda watched: watched.provider.cycles.failed(),
}


def calm(steps: int) -> Watched:
    watched = Watched()
    for _ in range(steps):
        watched.step()
        watched.scrape()
    return watched


def test_k07_alerts__all_is_well_for_hours__none_fires() -> None:
    watched = calm(5 * 60)

    assert {name for name, rule in RULES.items() if any(fires(rule, watched.history, watched.times))} == set()


def test_k07_alerts__programs_that_have_just_started_and_seen_no_block__only_tell_that() -> None:
    watched = Watched(is_chain_alive=False)
    watched.scrape()
    for _ in range(5 * 60):
        watched.now += STEP_SECONDS
        watched.scrape()

    fired = {name for name, rule in RULES.items() if any(fires(rule, watched.history, watched.times))}

    assert fired == {"MoorageHeadStale"}


@pytest.mark.parametrize(
    ("name", "fault"),
    [*FAULTS.items(), *OTHERS.items()],
    ids=[*FAULTS, *(f"{name}-otherwise" for name in OTHERS)],
)
def test_k07_alert__its_fault__makes_it_fire(name: str, fault: Callable[[Watched], Any]) -> None:
    assert fires_after(name, fault, CALM_STEPS, PATIENCE_STEPS)


@pytest.mark.parametrize("certificate", ["intermediate", "client", "tunnels"])
def test_k07_alert_of_certificates__one_that_is_not_renewed__makes_it_fire(certificate: str) -> None:
    left = {"days": 59} if certificate == "intermediate" else {"hours": 5}

    assert fires_after("MoorageCertificateEnds", expire(certificate, **left), 1, 2)


def fires_after(name: str, fault: Callable[[Watched], Any], calm_steps: int, patience_steps: int) -> bool:
    """Return whether an alert fires when its fault begins after a calm time, and not before."""
    watched, rule = calm(calm_steps), RULES[name]
    begun = watched.now
    for step in range(int(seconds(rule["for"])) // STEP_SECONDS + patience_steps):
        watched.step()
        if step == 0 or name not in ONCE:
            fault(watched)
        watched.scrape()
    return next(fires(rule, watched.history, watched.times), 0.0) > begun


def test_k07_alerts__each__has_a_fault() -> None:
    assert set(FAULTS) == set(RULES)
    assert set(OTHERS) < set(RULES) and set(ONCE) < set(RULES)


# ------------------------------------------------------------------ the evaluator


def series(**labels: str) -> Labels:
    return frozenset({("__name__", labels.pop("name", "x")), *labels.items()})


def history(values: dict[Labels, list[float]]) -> History:
    made = History()
    for at in range(max(map(len, values.values()))):
        made.add(60.0 * at, {labels: each[at] for labels, each in values.items() if at < len(each)})
    return made


SMALL = history(
    {
        series(instance="a", kind="m"): [0, 1, 1, 3],
        series(instance="a", kind="n"): [5, 5, 0, 1],
        series(instance="b", kind="m"): [0, 0, 0, 0],
        series(name="y", instance="a"): [2, 2, 2, 2],
    }
)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("x > 0", [3, 1]),
        ('x{kind="m"}', [3, 0]),
        ('x{kind!="m", instance=~"a|c"}', [1]),
        ("increase(x[2m])", [2, 1, 0]),
        ("increase(x[9m])", [3, 1, 0]),  # the counter has begun anew in between
        ("delta(x[9m])", [3, -4, 0]),
        ("min_over_time(x[9m]) == 0", [0, 0, 0]),
        ("sum by (instance) (x)", [4, 0]),
        ("sum by (instance) (x) / on(instance) y", [2]),
        ("y > 1 and on(instance) sum by (instance) (x) == 0", []),
        ("y > 1 and on(instance) sum by (instance) (x) > 0", [2]),
        ('x{instance="b"} == 0 or y > 5', [0]),
        ("x != x", []),
        ("abs(delta(x[9m])) > 3", [4]),
    ],
)
def test_promql__what_alerts_use__is_computed_as_prometheus_does(expression: str, found: list[float]) -> None:
    assert sorted(evaluate(expression, SMALL, 180.0).values()) == sorted(found)


def test_promql__no_sample_for_five_minutes__is_gone() -> None:
    assert evaluate("x", SMALL, 480.0 - 1) != {}
    assert evaluate("x", SMALL, 480.0 + 1) == {}


@pytest.mark.parametrize(
    "expression",
    [
        "rate(x[5m])",
        "x offset 5m",
        "x unless y",
        "x{kind=m}",
        "x[5m]",
        "increase(x)",
        "1",
        "x >",
        "x > 1 2",
        "avg(x)",
        "x + y",
    ],
)
def test_promql__anything_else__is_refused(expression: str) -> None:
    with pytest.raises(PromQlError):
        evaluate(expression, SMALL, 180.0)


def test_fires__waits_as_long_as_the_rule_says__and_begins_anew_after_a_gap() -> None:
    made = history({series(): [1, 1, 0, 1, 1, 1, 1]})
    rule = {"expr": "x == 1", "for": "2m"}

    assert list(fires(rule, made, [60.0 * at for at in range(7)])) == [300.0, 360.0]
