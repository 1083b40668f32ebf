"""Every number and every list that a transaction takes, at its extremes, on a market like any other."""

from __future__ import annotations

import pytest

from tests.matrices.authority import Row, labels, row_of
from tests.matrices.cast import OPERATOR, STRANGER
from tests.matrices.extremes import extremes, is_of_type, numbers_of, send_with, usual_value, with_length
from tests.matrices.interface import functions, transactions
from tests.matrices.pair import Pair
from tests.matrices.ranges import LISTS, RANGES

MODULES = ("deployments", "leases", "ledger", "order_book", "terms", "exchange", "test token")
FULL = [label for label in labels() if not label.startswith("update_deployment") or label.endswith("both")]
"""Calls of which no list is empty."""
OF_A_GROUP = [leaf.name for leaf in numbers_of("submit_fulfillment") if leaf.path[0] == "group"]


@pytest.mark.parametrize("label", FULL)
def test_a17_number__at_its_extremes__does_what_the_model_does(pair: Pair, label: str) -> None:
    row = row_of(pair, label)
    sent = row.send(somebody(row))
    for leaf in numbers_of(row.name):
        usual, allowed = usual_value(pair, sent, leaf), RANGES[row.name][leaf.name]
        assert usual is not None
        for number in extremes(allowed, usual, usual + 2**32):  # the latter has the same number in 32 bits
            with pair.branch():
                refusal = send_with(pair, sent, leaf, number)

            assert refusal is None or not is_of_type(leaf, number) or is_well_said(refusal)
            if allowed is None and number != usual:
                assert refusal is not None, f"{leaf.name} is {number}"


def somebody(row: Row) -> str:
    """Return who may send it, with nothing but its own account if possible."""
    return STRANGER if STRANGER in row.allowed else min(row.allowed)


def is_well_said(refusal: str) -> bool:
    return len(refusal) <= 32 and refusal.startswith(tuple(f"{module}: " for module in MODULES))


def test_a17_numbers__of_the_abi__are_those_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = {name: {leaf.name for leaf in numbers_of(name)} for name in transactions("Exchange")}
    with capsys.disabled():
        print(f"\n{sum(map(len, found.values()))} numbers in {len(found)} transactions")

    assert {name: set(ranges) for name, ranges in RANGES.items()} == found


@pytest.mark.parametrize("name", OF_A_GROUP)
def test_c14_bid__with_one_term_of_the_order_changed__is_on_no_order(pair: Pair, name: str) -> None:
    sent = row_of(pair, "submit_fulfillment").send(OPERATOR)
    (leaf,) = (leaf for leaf in numbers_of(sent.name) if leaf.name == name)
    usual = usual_value(pair, sent, leaf)
    assert usual is not None

    with pair.branch():
        answer = send_with(pair, sent, leaf, usual + 1)

    assert answer == "order_book: order not open"


@pytest.mark.parametrize("label", FULL)
def test_c16_list__of_any_length__is_taken_up_to_its_limit(pair: Pair, label: str) -> None:
    row = row_of(pair, label)
    sent = row.send(somebody(row))
    assert set(functions("Exchange")[row.name].lists) == set(LISTS.get(row.name, ()))

    for path, most in LISTS.get(row.name, {}).items():
        for length in (0, 1, most):
            with pair.branch():
                pair.send(with_length(sent, path, length))
        with pair.branch():
            assert pair.answer(sent.caller, pair.data(with_length(sent, path, most + 1))) == ""
