"""What both daemons measure: values as Prometheus reads them, bounded labels, and nothing secret among them."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from facilitator_bot.core.summary import summarise as summarise_market
from facilitator_bot.metrics import FacilitatorMetrics
from moorage.metrics import OUTCOMES, TRANSACTIONS, ChainMetrics, CycleMetrics, TransactionMetrics, bounded, exposition
from moorage.snapshot import Block
from moorage.types import ComputeUnit, OrderState
from provider_agent.core.summary import summarise
from provider_agent.core.workload_report import WorkloadState
from provider_agent.metrics import ProviderMetrics
from tests.bytecode import ROOT
from tests.markets import make_account, make_bid, make_lease, make_order, make_provider, make_snapshot

START = 1_700_000_000.0
CANARY = "canary-5e0f"


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


def read(registry: CollectorRegistry) -> dict[str, float]:
    """Return all samples by name and labels: `moorage_x{a=b}`."""
    families = text_string_to_metric_families(exposition(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        each.name
        + ("{" + ",".join(f"{k}={v}" for k, v in each.labels.items()) + "}" if each.labels else ""): each.value
        for each in samples
    }


def test_provider_metrics__market__is_told_in_tokens_and_counts() -> None:
    one = 10**18
    leased, closing, bid = (make_order(number) for number in range(3))
    snapshot = make_snapshot(
        orders=[bid],
        leases=[
            (leased, make_lease(leased, charge=one)),
            (closing, make_lease(closing, state=OrderState.LEASE_CLOSING, claimed_block=950)),
        ],
        fulfillments=[make_bid(bid.id, collateral=2 * one), make_bid(leased.id, collateral=one)],
    )
    account = make_account(available=7 * one, committed=4 * one)
    metrics = ProviderMetrics(18, Clock())

    metrics.market(summarise(snapshot, make_provider(collateral_cap=9 * one), account, ComputeUnit(8_000, 8, 9)))
    told = read(metrics.registry)

    assert {name: told[f"moorage_provider_{name}"] for name in PROVIDER} == PROVIDER


PROVIDER = {
    "leases{state=awaiting}": 0,
    "leases{state=active}": 1,
    "leases{state=exhausted}": 0,
    "leases{state=overdue}": 0,
    "leases{state=closing}": 1,
    "blocks_to_deadline": 50,
    "period_blocks": 100,
    "bids_open": 1,
    "bids_lost": 0,
    "collateral_locked_tokens": 3,
    "collateral_free_tokens": 7,
    "collateral_cap_left_tokens": 5,
    "collateral_slashed_tokens": 1,
    "earned_unclaimed_tokens": 50,
    "charge_tokens_per_block": 1,
    "capacity{resource=milli_cpu}": 8_000,
    "capacity_reserved{resource=milli_cpu}": 3_000,
}


def test_provider_metrics__no_leases__no_deadline() -> None:
    metrics = ProviderMetrics(18, Clock())
    metrics.market(summarise(make_snapshot(), make_provider(), make_account(), ComputeUnit(1, 1, 1)))

    assert read(metrics.registry)["moorage_provider_blocks_to_deadline"] == math.inf


def test_provider_metrics__engine_workloads_and_certificates__are_told() -> None:
    clock = Clock()
    metrics = ProviderMetrics(18, clock)
    metrics.engine(False)
    metrics.workloads([WorkloadState.RUNNING, WorkloadState.RUNNING, WorkloadState.FAILED])
    metrics.certificate("server", datetime.fromtimestamp(START, UTC) + timedelta(hours=24))
    metrics.tunnels([True, False, True])
    clock.now += 43_200

    told = read(metrics.registry)

    assert told["moorage_provider_engine_up"] == 0
    assert told["moorage_provider_workloads{state=running}"] == 2
    assert told["moorage_provider_workloads{state=failed}"] == 1
    assert told["moorage_provider_workloads{state=restarting}"] == 0
    assert told["moorage_provider_certificate_days{certificate=server}"] == 0.5
    assert [told[f"moorage_provider_tunnels{{state={state}}}"] for state in ("proved", "waiting")] == [2, 1]


def test_facilitator_metrics__market__is_told() -> None:
    metrics = FacilitatorMetrics(18, Clock())
    order = make_order(bid_count=3, match_block=990)

    metrics.market(summarise_market(make_snapshot(orders=[order])), tips_ledger_units=5 * 10**17)
    told = read(metrics.registry)

    assert told["moorage_facilitator_orders_open"] == 1
    assert told["moorage_facilitator_bids_open"] == 3
    assert told["moorage_facilitator_due{kind=submit_lease}"] == 1
    assert told["moorage_facilitator_due{kind=finish_leases}"] == 0
    assert told["moorage_facilitator_oldest_due_blocks"] == 10
    assert told["moorage_facilitator_tips_tokens"] == 0.5


def test_chain_metrics__head__ages_while_nothing_arrives() -> None:
    clock = Clock()
    metrics = FacilitatorMetrics(18, clock)
    assert math.isnan(read(metrics.registry)["moorage_chain_head_age_seconds"])

    block = Block(7, b"\x07" * 32, int(START) - 2)
    metrics.chain.head_processed(block)
    clock.now += 100
    metrics.chain.head_processed(block)
    metrics.chain.endpoint(1, False)
    metrics.chain.reorganised(1)
    told = read(metrics.registry)

    assert told["moorage_chain_head_block"] == 7
    assert told["moorage_chain_head_age_seconds"] == 102
    assert told["moorage_chain_clock_skew_seconds"] == 2
    assert told["moorage_chain_endpoint_up{endpoint=1}"] == 0
    assert told["moorage_chain_reorganisations_total"] == 1


def test_g18_chain_metrics__clock_that_was_set__shows_as_skew_with_the_next_block() -> None:
    clock = Clock()
    metrics = FacilitatorMetrics(18, clock)
    metrics.chain.head_processed(Block(7, b"\x07" * 32, int(START)))
    clock.now -= 3_600
    metrics.chain.head_processed(Block(8, b"\x08" * 32, int(START) + 1))

    assert read(metrics.registry)["moorage_chain_clock_skew_seconds"] == -3_601


def test_cycle_metrics__cycles_and_intents__are_counted() -> None:
    metrics = ProviderMetrics(18, Clock())
    metrics.cycles.completed(0.2)
    metrics.cycles.completed(3)
    metrics.cycles.failed()
    metrics.cycles.quarantined(2)
    metrics.cycles.intended("claim", 3)
    metrics.cycles.draining(True)
    told = read(metrics.registry)

    assert told["moorage_provider_cycle_seconds_count"] == 2
    assert told["moorage_provider_cycle_seconds_bucket{le=0.25}"] == 1
    assert told["moorage_provider_cycles_failed_total"] == 1
    assert told["moorage_provider_items_quarantined"] == 2
    assert told["moorage_provider_intents_total{kind=claim}"] == 3
    assert told["moorage_provider_draining"] == 1


def test_transaction_metrics__outcomes_fees_and_balance__are_told() -> None:
    clock = Clock()
    metrics = ProviderMetrics(18, clock)
    sent = metrics.transactions
    sent.balance(10**18)
    clock.now += 3_600
    sent.balance(9 * 10**17)
    sent.landed("submit_lease_confirmation")
    sent.rejected("submit_fulfillment", "LOST_RACE")
    sent.rejected("submit_fulfillment", "lost-race")
    sent.spent(2 * 10**17)
    sent.under_way(4)
    sent.replaced()
    told = read(metrics.registry)

    assert told["moorage_transactions_total{kind=submit_lease_confirmation,outcome=landed}"] == 1
    assert told["moorage_transactions_total{kind=submit_fulfillment,outcome=lost_race}"] == 2
    assert told["moorage_transactions_fees_spent_coins_total"] == pytest.approx(0.2)
    assert told["moorage_transactions_coin_balance"] == 0.9
    assert (told["moorage_transactions_under_way"], told["moorage_transactions_replaced_total"]) == (4, 1)


def test_d03_transaction_metrics__runway__is_the_balance_over_the_recent_rate() -> None:
    clock = Clock()
    metrics = ProviderMetrics(18, clock)
    assert math.isnan(read(metrics.registry)["moorage_transactions_runway_hours"])
    metrics.transactions.balance(10**18)
    assert read(metrics.registry)["moorage_transactions_runway_hours"] == math.inf
    clock.now += 3_600
    metrics.transactions.balance(9 * 10**17)

    assert read(metrics.registry)["moorage_transactions_runway_hours"] == pytest.approx(9)


def test_labels__whatever_a_stranger_or_a_fault_brings__are_of_a_fixed_set() -> None:
    metrics = ProviderMetrics(18, Clock())
    for number in range(1_000):
        metrics.cycles.intended(f"kind-{number}")
        metrics.transactions.rejected(f"kind-{number}", f"because of {CANARY} {number}")
    told = read(metrics.registry)

    assert told["moorage_provider_intents_total{kind=other}"] == 1_000
    assert told["moorage_transactions_total{kind=other,outcome=other}"] == 1_000
    assert len(told) < 200
    assert CANARY not in exposition(metrics.registry).decode()


def test_bounded__spellings__are_one() -> None:
    assert {bounded(each, OUTCOMES) for each in ("NO_COIN", "no-coin", "no coin", "no_coin")} == {"no_coin"}
    assert bounded("advertise", TRANSACTIONS) == "advertise"


def test_metrics__two_programs_in_one_process__do_not_meet() -> None:
    first, second = ProviderMetrics(18, Clock()), ProviderMetrics(6, Clock())
    first.cycles.failed()

    assert read(second.registry)["moorage_provider_cycles_failed_total"] == 0


PROGRAMS = (ROOT / "moorage", ROOT / "facilitator_bot", ROOT / "provider_agent")
METRICS = (ChainMetrics, CycleMetrics, TransactionMetrics, FacilitatorMetrics, ProviderMetrics)


@cache
def called_names() -> set[str]:
    """Return the names of all methods that the programs call."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for folder in PROGRAMS for path in folder.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}


@pytest.mark.parametrize("metrics", METRICS)
def test_metrics__each_that_can_be_noted__is_noted_by_a_program(metrics: type) -> None:
    methods = {name for name in vars(metrics) if not name.startswith("_")}

    assert methods and methods <= called_names()
