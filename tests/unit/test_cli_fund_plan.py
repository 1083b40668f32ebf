"""What prolonging a deployment costs, and what the exchange would refuse."""

from __future__ import annotations

import pytest

from cli.core.fund_plan import (
    FundPlan,
    Longer,
    NotPossible,
    Payer,
    Spend,
    UpTo,
    describe_funding,
    payer_of,
    plan_funding,
    revivals,
)
from moorage.types import MAX_BLOCKS, Manager, OrderState, Permission
from tests.factories.deployments import (
    FACILITATOR,
    HOURLY,
    MONEY,
    ONE,
    ORDER,
    PERIOD,
    TENANT,
    TIP,
    attempt,
    lease,
    view,
)

OPEN = attempt(OrderState.OPEN, 1, name="east", deposit=50 * HOURLY + TIP)
RUNNING = attempt()
TWO_PERIODS = 2 * PERIOD


def used_up(confirmed: int = 95, funded: int = 100):
    return attempt(lease=lease(ORDER, confirmed_block=confirmed, claimed_block=90, funded_block=funded))


def parts(plan: FundPlan) -> dict[str, tuple[int, int, int]]:
    """Return blocks, and how long each group lasts now and then."""
    return {
        each.attempt.group.name: (each.blocks, each.runway_blocks, each.runway_after_blocks) for each in plan.fundings
    }


def test_plan__longer__every_group_gets_as_many_blocks_at_its_own_charge() -> None:
    plan = plan_funding(view(RUNNING, OPEN), (), Longer(60), MONEY)

    assert parts(plan) == {"west": (60, 3_600, 3_660), "east": (60, 50, 110)}
    assert plan.total == 120 * HOURLY


def test_plan__up_to__tops_up_and_leaves_alone_what_lasts_longer() -> None:
    plan = plan_funding(view(RUNNING, OPEN), (), UpTo(200), MONEY)

    assert parts(plan) == {"east": (150, 50, 200)}
    assert [each.attempt for each in plan.enough] == [RUNNING]


def test_plan__amount__is_shared_so_that_all_last_equally_much_longer_and_not_exceeded() -> None:
    dear = attempt(lease=lease(ORDER, charge_per_block=3 * HOURLY))

    plan = plan_funding(view(dear, OPEN), (), Spend(41 * HOURLY), MONEY)

    assert [each.blocks for each in plan.fundings] == [10, 10]
    assert plan.total == 40 * HOURLY


def test_plan__amount_below_a_block__says_what_a_block_costs() -> None:
    with pytest.raises(NotPossible, match=r"too little: at least 0\.000278 MOOR, a block costs that"):
        plan_funding(view(RUNNING), (), Spend(HOURLY - 1), MONEY)


def test_plan__one_group_named__only_that_one() -> None:
    assert parts(plan_funding(view(RUNNING, OPEN), ("east",), Longer(1), MONEY)).keys() == {"east"}


def test_plan__unknown_group__names_those_that_there_are() -> None:
    with pytest.raises(NotPossible, match=r"no group 'south' in deployment 0xdede.*: it has west, east"):
        plan_funding(view(RUNNING, OPEN), ("east", "south"), Longer(1), MONEY)


@pytest.mark.parametrize(("wish", "blocks"), [(Longer(1), TWO_PERIODS), (Longer(50), 50), (UpTo(5), TWO_PERIODS)])
def test_plan__used_up_lease__is_revived_with_two_periods_at_least(wish: Longer | UpTo, blocks: int) -> None:
    plan = plan_funding(view(used_up(), block=100), (), wish, MONEY)

    assert parts(plan) == {"west": (blocks, 0, blocks)}
    assert revivals(plan) == ["west"]


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        (104, 0),  # the next one is the deadline: the provider is paid up to the end
        (105, 5),  # it has missed the last stretch
    ],
)
def test_plan__used_up_lease__keeps_what_its_provider_did_not_confirm_in_time(block: int, kept: int) -> None:
    plan = plan_funding(view(used_up(), block=block), (), Longer(50), MONEY)

    (part,) = plan.fundings
    assert part.runway_after_blocks == 50 + kept


@pytest.mark.parametrize("block", [98, 99])
def test_plan__lease_that_is_used_up_in_the_next_block__counts_as_used_up(block: int) -> None:
    plan = plan_funding(view(used_up(), block=block), (), Longer(1), MONEY)

    assert [each.blocks for each in plan.fundings] == [TWO_PERIODS if block == 99 else 1]


def test_plan__amount_too_little_for_a_revival__says_how_much_is_needed() -> None:
    with pytest.raises(NotPossible, match=r"at least 0\.011112 MOOR.*no less than two periods"):
        plan_funding(view(used_up(), OPEN, block=100), (), Spend(39 * HOURLY), MONEY)


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (attempt(OrderState.LEASE_CLOSING), "is closing"),
        (attempt(OrderState.LEASE_CLOSED), "has ended"),
        (attempt(OrderState.LEASE_STALE), "has ended"),
        (attempt(OrderState.CLOSED), "has ended"),
    ],
)
def test_plan__group_that_takes_no_money__is_skipped_with_a_reason(ended, words: str) -> None:
    plan = plan_funding(view(ended, OPEN), (), Longer(5), MONEY)

    assert (parts(plan).keys(), plan.skipped) == ({"east"}, (("west", words),))


def test_plan__stale_lease__says_which_command_ends_it() -> None:
    plan = plan_funding(view(RUNNING, block=100 + PERIOD), (), Longer(5), MONEY)

    ((_, reason),) = plan.skipped
    assert plan.fundings == () and f"`moorage stale 0x{RUNNING.id.hex()}`" in reason


def test_plan__group_that_was_taken_out_and_put_in_again__only_the_live_one_counts() -> None:
    again = attempt(OrderState.OPEN, 3)

    plan = plan_funding(view(attempt(OrderState.CLOSED), again), ("west",), Longer(5), MONEY)

    assert [each.attempt for each in plan.fundings] == [again] and plan.skipped == ()


def test_plan__more_blocks_than_a_lease_has__says_how_many_are_possible() -> None:
    most = MAX_BLOCKS - 3_600

    assert plan_funding(view(RUNNING), (), Longer(most), MONEY).fundings
    with pytest.raises(NotPossible, match=r"group west can last 49710d 5h longer at most: a lease has no more than"):
        plan_funding(view(RUNNING), (), Longer(most + 1), MONEY)


def test_plan__more_money_than_the_exchange_holds__is_refused() -> None:
    dear = attempt(lease=lease(ORDER, charge_per_block=2**79))

    with pytest.raises(NotPossible, match="more than the exchange can hold"):
        plan_funding(view(dear), (), Longer(2**17), MONEY)


def test_describe__revival_and_order__shows_hours_and_days_before_and_after() -> None:
    rows = describe_funding(plan_funding(view(used_up(), OPEN, block=100), (), Longer(90_000), MONEY), MONEY)

    assert rows[1] == ("west", "used up", "1 MOOR/h", "0.0 h (0s)", "25.0 h (1d 1h)", "25 MOOR")
    assert rows[2][:5] == ("east", "open order", "1 MOOR/h", "0.0 h (50s)", "25.0 h (1d 1h)")


ABLE = Manager(Permission.FUND | Permission.UPDATE, 200, ONE)


@pytest.mark.parametrize(
    ("wallet", "manager", "payer"),
    [(TENANT, None, Payer.TENANT), (FACILITATOR, ABLE, Payer.MANAGER), (FACILITATOR, None, Payer.GIVER)],
)
def test_payer__tenant_manager_and_anybody_else__are_told_apart(wallet, manager, payer) -> None:
    assert payer_of(view(RUNNING), wallet, manager, ONE, MONEY) is payer


@pytest.mark.parametrize(
    ("manager", "block", "total", "words"),
    [
        (Manager(Permission.UPDATE, 200, ONE), 100, 1, "is a manager that may not fund"),
        (ABLE, 200, 1, "was a manager until block 200"),
        (ABLE, 199, ONE + 1, "1.000001 MOOR are above what wallet .* may spend still: 1 MOOR"),
    ],
)
def test_e11_payer__manager_beyond_its_limits__is_refused_in_words(manager, block, total, words) -> None:
    assert payer_of(view(RUNNING, block=199), FACILITATOR, ABLE, ONE, MONEY) is Payer.MANAGER
    with pytest.raises(NotPossible, match=words):
        payer_of(view(RUNNING, block=block), FACILITATOR, manager, total, MONEY)
