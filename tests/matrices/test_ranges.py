"""What every number may be, on a market with room for the largest: taken within its range, refused beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.matrices.cast import GROUP, LARGE, OPERATOR, STRANGER, TENANT, UNIT, VACANT, WINNER
from tests.matrices.extremes import extremes, numbers_of, send_with
from tests.matrices.pair import Call, Pair, call
from tests.matrices.ranges import RANGES
from tests.stateful.evm import NO_SIGNATURE, Setting
from tests.stateful.model import DeploymentName, Terms

SMALL = replace(GROUP, resources=(replace(UNIT, price=5, collateral=0, count=1),))
NAME = DeploymentName(TENANT, 1)
ORDER = Terms(NAME, 0, 1, SMALL)
PLENTY = 2**84  # two periods of the highest charge


def as_it_is(_pair: Pair) -> None:
    """Leave the market as it was opened."""


def with_an_order(pair: Pair) -> None:
    pair.do("submit_deployment", TENANT, NAME.salt, 1, 1, [SMALL], [40])


def with_a_deployment(pair: Pair) -> None:
    """Have a deployment, and all the money there is in the tenant's account."""
    with_an_order(pair)
    pair.do("update_deployment", TENANT, NAME, 0, [], [], [ORDER])


BASES: list[tuple[Setting, Callable[[Pair], None], Call]] = [
    (VACANT, as_it_is, call("deposit", TENANT, TENANT, 5)),
    (VACANT, as_it_is, call("deposit_with_permit", TENANT, TENANT, 5, *NO_SIGNATURE)),
    (LARGE, with_a_deployment, call("withdraw", TENANT, TENANT, 5)),
    (LARGE, with_a_deployment, call("withdraw_to", TENANT, TENANT, 5, STRANGER)),
    (LARGE, with_a_deployment, call("submit_deployment", TENANT, 9, 1, 1, [SMALL], [PLENTY])),
    (LARGE, with_a_deployment, call("update_deployment", TENANT, NAME, 1, [SMALL], [PLENTY], [ORDER])),
    (LARGE, with_a_deployment, call("set_manager", TENANT, NAME, STRANGER, 1, 1, 1)),
    (LARGE, with_an_order, call("submit_fulfillment", OPERATOR, WINNER, *ORDER, [1], 0)),
    (LARGE, with_an_order, call("fund", TENANT, ORDER, 1)),
    (LARGE, with_an_order, call("close_deployment", TENANT, NAME, [ORDER])),
]
"""One for each transaction with a number that may be another: market, what has happened, and what is accepted."""


@pytest.mark.parametrize(("setting", "happened", "sent"), BASES, ids=[sent.name for _, _, sent in BASES])
def test_a17_number__around_its_bounds__is_accepted_within_them_alone(
    setting: Setting, happened: Callable[[Pair], None], sent: Call
) -> None:
    pair = Pair(setting)
    with pair.branch():
        happened(pair)
        for leaf in numbers_of(sent.name):
            allowed = RANGES[sent.name][leaf.name]
            if allowed is None:
                continue
            for number in extremes(allowed):
                with pair.branch():
                    refusal = send_with(pair, sent, leaf, number)
                    is_allowed = allowed.least <= number <= allowed.most
                    assert (refusal is None) == is_allowed, f"{leaf.name} is {number}: {refusal}"


def test_a17_bases__are_for_every_transaction_with_a_number_that_may_be_another() -> None:
    needed = {name for name, ranges in RANGES.items() if any(ranges.values())}

    assert {sent.name for _, _, sent in BASES} == needed


def test_b16_zero__where_one_is_the_least__is_refused_with_a_text() -> None:
    found = set()
    for setting, happened, sent in BASES:
        pair = Pair(setting)
        with pair.branch():
            happened(pair)
            for leaf in numbers_of(sent.name):
                allowed = RANGES[sent.name][leaf.name]
                if allowed and allowed.least > 0:
                    refusal = send_with(pair, sent, leaf, 0)
                    assert refusal, f"{leaf.name} is zero"
                    found.add(refusal)

    assert len(found) > 5
    assert all(len(text) <= 32 for text in found)


def test_c16_deployment__of_as_many_groups_and_resources_as_there_may_be__is_taken() -> None:
    pair = Pair(LARGE)
    unit = SMALL.resources[0]
    groups = [replace(SMALL, name=bytes([index]) * 32, resources=8 * (unit,)) for index in range(8)]
    most = call("submit_deployment", TENANT, 9, 1, 1, groups, 8 * [320])
    more = call("submit_deployment", TENANT, 8, 1, 1, [*groups, SMALL], [*8 * [320], 40])

    with pair.branch():
        assert pair.send(most) is None
        assert pair.answer(TENANT, pair.data(more)) == ""
