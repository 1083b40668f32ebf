"""Who would bid for what, by what is on chain."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.core.candidates import Answer, Candidate, Verdict, judge, needed, price_bounds
from cli.core.search_report import sums
from moorage.advertisement import Advertisement
from moorage.types import Account, ComputeUnit, Group, ProviderNumber, ResourceGroup
from provider_agent.core.pricing import ADVERTISED, PricePolicy, price_per_block, prices_of
from tests.factories.deployments import HOURLY, MONEY, ONE, PARAMETERS, group

PLENTY = ComputeUnit(64_000, 2**38, 10**13)
LOCAL = 1 << 14


def candidate(number: int = 1, price: int = HOURLY // 2, **changes):
    fields = {
        "region": LOCAL,
        "collateral_cap": 100 * ONE,
        "account": Account(50 * ONE, 0),
        "advertisement": Advertisement(90, PLENTY, price),
    }
    return Candidate(ProviderNumber(number), **{**fields, **changes})


def verdict(one: Candidate, wanted: Group | None = None) -> Verdict:
    (found,) = judge([wanted or group()], [one], PARAMETERS, MONEY)
    return found


def test_verdict__cheap_and_free__would_bid_within_bounds():
    found = verdict(candidate())

    assert (found.answer, found.reasons) == (Answer.YES, ())
    assert (found.lowest, found.highest) == (math.ceil(Fraction(HOURLY // 2, 8)), HOURLY // 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": 1}, "is in us-west, `region` is local"),
        ({"account": Account(23 * ONE, 0)}, "has 23 MOOR free, `collateral` comes to 24 MOOR"),
        ({"account": Account(50 * ONE, 90 * ONE)}, "may lock 10 MOOR more, `collateral` comes to 24 MOOR"),
        ({"account": Account(50 * ONE, 110 * ONE)}, "may lock 0 MOOR more, `collateral` comes to 24 MOOR"),
        (
            {"advertisement": Advertisement(90, replace(PLENTY, milli_cpu=499), 1)},
            "has 499m cpu free, 500m are asked for",
        ),
        (
            {"advertisement": Advertisement(90, replace(PLENTY, memory_bytes=2**27), 1)},
            "has 128MiB memory free, 256MiB",
        ),
        ({"advertisement": Advertisement(90, replace(PLENTY, disk_bytes=0), 1)}, "has 0B disk free, 1GB are asked for"),
        (
            {"advertisement": Advertisement(90, PLENTY, 16 * HOURLY)},
            "asks 2 MOOR/h or more: raise max-price by 100 %",
        ),
    ],
)
def test_verdict__something_is_in_the_way__says_what(changes, reason):
    found = verdict(candidate(**changes))

    assert found.answer is Answer.NO
    assert len(found.reasons) == 1 and found.reasons[0].startswith(reason)


def test_verdict__one_of_several_regions__is_right():
    anywhere = replace(group(), regions=LOCAL | 1)

    assert verdict(candidate(), anywhere).answer is Answer.YES
    assert verdict(candidate(region=1), anywhere).answer is Answer.YES


def test_verdict__several_things_in_the_way__says_all():
    assert len(verdict(candidate(region=1, account=Account(0, 0), price=16 * HOURLY)).reasons) == 3


def test_verdict__price_may_be_above_the_maximum__is_maybe():
    found = verdict(candidate(price=2 * HOURLY))

    assert (found.answer, found.reasons) == (Answer.MAYBE, ("may ask too much: sure with max-price 100 % higher",))


def test_verdict__never_advertised__is_maybe_without_a_price():
    found = verdict(candidate(advertisement=None))

    assert (found.answer, found.lowest, found.highest) == (Answer.MAYBE, None, None)
    assert found.reasons == ("has told no price or capacity lately: only an order shows",)


@pytest.mark.parametrize(
    ("account", "cap", "answer"),
    [
        (Account(24 * ONE, 0), 24 * ONE, Answer.YES),
        (Account(24 * ONE - 1, 0), 100 * ONE, Answer.NO),
        (Account(24 * ONE, 1), 24 * ONE, Answer.NO),
    ],
)
def test_verdict__collateral_to_the_last_unit__decides(account, cap, answer):
    assert verdict(candidate(account=account, collateral_cap=cap)).answer is answer


def test_verdict__exactly_as_much_as_is_free__would_bid():
    wanted = group(count=3)
    rich = {"account": Account(100 * ONE, 0)}

    exact = candidate(advertisement=Advertisement(90, needed(wanted), 1), **rich)
    assert verdict(exact, wanted).answer is Answer.YES
    for name in ("milli_cpu", "memory_bytes", "disk_bytes"):
        less = replace(needed(wanted), **{name: getattr(needed(wanted), name) - 1})
        assert verdict(candidate(advertisement=Advertisement(90, less, 1), **rich), wanted).answer is Answer.NO


def test_judge__many__the_likeliest_and_cheapest_of_each_group_first():
    crowd = [
        candidate(1, region=1),
        candidate(2, advertisement=None),
        candidate(3, price=HOURLY // 2),
        candidate(4, price=HOURLY // 4),
        candidate(5, price=2 * HOURLY),
    ]

    found = judge([group("a"), group("b")], crowd, PARAMETERS, MONEY)

    assert [(each.group, each.provider) for each in found[:5]] == [("a", 4), ("a", 3), ("a", 5), ("a", 2), ("a", 1)]
    assert [each.provider for each in found[5:]] == [4, 3, 5, 2, 1]


SIZES = st.builds(ComputeUnit, st.integers(1, 64_000), st.integers(1, 2**38), st.just(0))
POLICIES = st.builds(
    PricePolicy,
    st.fractions(0, 10**9, max_denominator=10**6),
    st.fractions(0, 10**3, max_denominator=10**6),
    st.just(Fraction(0)),
    st.integers(0, 10**12),
)


@given(SIZES, SIZES, st.integers(1, 9), POLICIES)
def test_bounds__any_policy_of_an_agent__its_price_is_between_them(first, second, count, policy):
    wanted = Group("west", LOCAL, True, (ResourceGroup(first, 1, 0, count), ResourceGroup(second, 1, 0, 1)))

    lowest, highest = price_bounds(wanted, price_per_block(ADVERTISED, policy), PARAMETERS)

    asked = sum(price * each.count for price, each in zip(prices_of(wanted, policy), wanted.resources, strict=True))
    assert lowest <= asked <= highest


def test_bounds__interest_on_collateral__is_in_both():
    parameters = replace(PARAMETERS, collateral_interest_rate=10**9)

    without, with_interest = price_bounds(group(), 100, PARAMETERS), price_bounds(group(), 100, parameters)

    assert [after - before for before, after in zip(without, with_interest, strict=True)] == [24 * 10**9] * 2


@pytest.mark.parametrize(("price", "percent"), [(HOURLY + 1, 1), (2 * HOURLY, 100), (3 * HOURLY, 200)])
def test_verdict__price_that_may_be_above_the_maximum__is_sure_with_what_is_told(price, percent):
    (reason,) = verdict(candidate(price=price)).reasons

    assert reason.endswith(f"max-price {percent} % higher")
    assert verdict(candidate(price=price), group(price=-(-HOURLY * (100 + percent) // 100))).answer is Answer.YES


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        ([1, 1, 4], ["group west: no provider is in local; there are some in us-west or us-east: change its `region`"]),
        ([1, LOCAL], []),
        ([], []),
    ],
)
def test_sums__nobody_is_where_a_group_shall_be__names_the_regions_that_have_providers(there, hint):
    poor = [candidate(number, region=region, account=Account(0, 0)) for number, region in enumerate(there, 1)]

    lines = sums([group()], judge([group()], poor, PARAMETERS, MONEY))

    assert lines[1] == "group west: nobody would bid as things are: an order stays open until somebody does"
    assert lines[2:-1] == hint
