"""What a provider has on the market, as status and metrics tell it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from moorage.advertisement import Advertisement
from moorage.money import Money
from moorage.types import ComputeUnit, Lease, OrderState
from provider_agent.core.spending import gas_of_confirmations, value_at_risk, wei_per_hour
from provider_agent.core.summary import LeaseLine, Standing, Summary, summarise
from provider_agent.status import Status, as_text, document
from tests.markets import (
    DEPLOYMENT,
    OTHERS,
    make_account,
    make_bid,
    make_lease,
    make_order,
    make_provider,
    make_snapshot,
)

CAPACITY = ComputeUnit(4_000, 4 * 2**30, 4 * 10**9)
MONEY = Money("MOOR", 18, Fraction(12))
TOKEN = 10**18
LEASED, BID, LOST = make_order(0), make_order(1), make_order(2)


def summary(**changes: int) -> Summary:
    """Return what a provider has with one lease, one bid on an order and one that was lost."""
    snapshot = make_snapshot(
        orders=[BID],
        leases=[(LEASED, make_lease(LEASED)), (LOST, make_lease(LOST, provider=OTHERS))],
        fulfillments=[make_bid(each.id) for each in (LEASED, BID, LOST)],
        unclaimed=[LOST.id],
    )
    account = make_account(available=700, committed=1_500 + changes.pop("slashed", 0))
    return summarise(snapshot, make_provider(collateral_cap=2_000), account, CAPACITY)


def test_summarise__lease_bid_and_lost_bid__are_told_apart() -> None:
    found = summary(slashed=300)

    assert found == Summary(
        block=found.block,
        provider=make_provider(collateral_cap=2_000),
        leases=(LeaseLine(LEASED.id, DEPLOYMENT, "dock", Standing.ACTIVE, 40, 950, 1_050, 1_500, 2_000),),
        open_bids=(make_bid(BID.id),),
        lost_bids=1,
        available=700,
        locked=1_500,
        slashed=300,
        cap_left=200,
        earned=2_000,
        unclaimed_leases=1,
        capacity=CAPACITY,
        reserved=ComputeUnit(2_000, 2 * 2**30, 2 * 10**9),
        free=ComputeUnit(2_000, 2 * 2**30, 2 * 10**9),
        charge_per_block=40,
        period_blocks=100,
        blocks_to_deadline=50,
    )


@pytest.mark.parametrize(
    ("lease", "standing", "blocks"),
    [
        (make_lease(LEASED), Standing.ACTIVE, 50),
        (make_lease(LEASED, is_awaiting=True), Standing.AWAITING, 50),
        (make_lease(LEASED, confirmed_block=900), Standing.ACTIVE, 0),
        (make_lease(LEASED, confirmed_block=899), Standing.OVERDUE, -1),
        (make_lease(LEASED, confirmed_block=990, funded_block=1_000), Standing.EXHAUSTED, None),
        (make_lease(LEASED, state=OrderState.LEASE_CLOSING), Standing.CLOSING, None),
    ],
)
def test_summarise__lease__stands_as_its_blocks_say(lease: Lease, standing: Standing, blocks: int | None) -> None:
    snapshot = make_snapshot(leases=[(LEASED, lease)])

    found = summarise(snapshot, make_provider(), make_account(), CAPACITY)

    assert [line.standing for line in found.leases] == [standing]
    assert found.blocks_to_deadline == blocks
    assert found.charge_per_block == (40 if standing is Standing.ACTIVE else 0)


def test_status__as_json__has_amounts_as_text_and_ids_in_full() -> None:
    told = Advertisement(990, ComputeUnit(1, 2, 3), 5)

    shown = document(Status(summary(), told, 10**18, 10**16, True), MONEY)

    assert shown["leases"][0]["lease"] == LEASED.id.hex()
    assert shown["account"] == {
        "available": MONEY.number(700),
        "locked": MONEY.number(1_500),
        "slashed": "0",
        "cap": MONEY.number(2_000),
        "cap_left": MONEY.number(500),
    }
    assert (shown["draining"], shown["runway_hours"], shown["coin_wei"]) == (True, 100, str(10**18))
    assert shown["advertised"]["free"] == {"milli_cpu": 1, "memory_bytes": 2, "disk_bytes": 3}


def test_status__as_text__says_what_matters() -> None:
    text = "\n".join(as_text(Status(summary(slashed=TOKEN), None, 10**18, 0, True), MONEY))

    assert "leases       1, earning" in text
    assert "to be confirmed within 50 blocks" in text
    assert "lost         1 MOOR of collateral" in text
    assert "maintenance  on" in text
    quiet = "\n".join(as_text(Status(replace(summary(), leases=()), None, 10**18, 0, False), MONEY))
    assert "lost  " not in quiet
    assert "maintenance" not in quiet


@pytest.mark.parametrize(
    ("leases", "gas"), [(0, 0), (1, 40_000), (2, 49_000), (128, 1_183_000), (129, 1_232_000 - 9_000)]
)
def test_d03_gas_of_confirmations__leases__fill_batches(leases: int, gas: int) -> None:
    assert gas_of_confirmations(leases) == gas


def test_d03_wei_per_hour__one_lease__is_two_confirmations_a_period_at_twice_the_base_fee() -> None:
    assert wei_per_hour(1, 300, Fraction(12), 10**9) == 2 * 40_000 * 2 * 10**9
    assert wei_per_hour(0, 300, Fraction(12), 10**9) == 0


def test_d02_value_at_risk__lease__is_its_collateral_and_what_a_period_earns() -> None:
    snapshot = make_snapshot(leases=[(LEASED, make_lease(LEASED, charge=7))])

    assert value_at_risk(snapshot, LEASED.id) == LEASED.collateral + 7 * 100
