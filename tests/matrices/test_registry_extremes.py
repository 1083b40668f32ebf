"""Every number and every text that the registry takes, at its bounds and beyond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa  # type: ignore[import-untyped]
import pytest

from tests.matrices.cast import OWNER, PENDING_OWNER
from tests.matrices.extremes import extremes
from tests.matrices.interface import functions, replaced, transactions
from tests.matrices.ranges import ADDRESS, ANY, Range
from tests.matrices.registry import FIRST, MAX_CAP, MAX_PROVIDER, REGISTRATION, RegistryPair, deployed
from tests.matrices.test_registry import ROWS

NAMED = None
REGIONS = Range(1, 2**31)  # the powers of two
RANGES: dict[str, dict[str, Range | None]] = {
    "register_provider": {
        "operator": Range(1, ADDRESS),
        "region": REGIONS,
        "collateral_cap": Range(0, MAX_CAP),
    },
    "update_provider": {"provider": NAMED, "region": REGIONS},
    "advertise": {"provider": NAMED, **dict.fromkeys(("milli_cpu", "memory_bytes", "disk_bytes", "price"), ANY)},
    "set_operator": {"provider": NAMED, "operator": Range(1, ADDRESS)},
    "set_collateral_cap": {"provider": NAMED, "collateral_cap": Range(0, MAX_CAP)},
    "add_root": {"provider": NAMED},
    "remove_root": {"provider": NAMED},
    "transfer_ownership": {"provider": NAMED, "new_owner": Range(0, ADDRESS)},
    "accept_ownership": {"provider": NAMED},
    "deregister_provider": {"provider": NAMED},
}
LONGEST = {"endpoint": 256, "attributes": 1_024, "certificate": 2_048}


@pytest.fixture(scope="module")
def pair() -> Iterator[RegistryPair]:
    pair = RegistryPair()
    with pair.branch():
        pair.set_up()
        yield pair


def caller_of(name: str) -> str:
    return PENDING_OWNER if name == "accept_ownership" else OWNER


def is_within(allowed: Range | None, number: int) -> bool:
    if allowed is NAMED:
        return number == FIRST
    return allowed.least <= number <= allowed.most and (allowed != REGIONS or number.bit_count() == 1)


@pytest.mark.parametrize("name", ROWS)
def test_a17_registry__number_at_its_extremes__is_accepted_within_its_range_alone(
    pair: RegistryPair, name: str
) -> None:
    function = functions("ProviderRegistry")[name]
    _, arguments = ROWS[name]
    for leaf in function.leaves:
        if not leaf.is_number:
            continue
        allowed = RANGES[name][leaf.name]
        for number in extremes(allowed, FIRST, MAX_PROVIDER):
            data = function.encode(replaced(arguments, leaf.positions, number), is_loose=True)
            given: Any = f"0x{number:040x}" if leaf.kind == "address" else number
            with pair.branch():
                if number < 2**leaf.bits:
                    sent = replaced(arguments, leaf.positions, given)
                    refusal = pair.send(name, caller_of(name), *sent, data=data)
                    assert refusal != ""
                else:
                    refusal = pair.answer(caller_of(name), data)
                    assert refusal == ""
            assert (refusal is None) == is_within(allowed, number), f"{leaf.name} is {number}: {refusal}"


def test_a17_registry__numbers_of_the_abi__are_those_of_the_table() -> None:
    found = {
        name: {leaf.name for leaf in function.leaves if leaf.is_number}
        for name, function in transactions("ProviderRegistry").items()
    }

    assert {name: set(ranges) for name, ranges in RANGES.items()} == found
    texts = {leaf.name for function in transactions("ProviderRegistry").values() for leaf in function.leaves}
    assert texts & {"endpoint", "attributes", "certificate"} == LONGEST.keys()


@pytest.mark.parametrize(
    "name", [name for name, (_, given) in ROWS.items() if {str, bytes} & set(map(type, given[1:]))]
)
def test_c16_registry__text_of_any_length__is_taken_up_to_its_limit(pair: RegistryPair, name: str) -> None:
    function = functions("ProviderRegistry")[name]
    _, arguments = ROWS[name]
    texts = [leaf for leaf in function.leaves if leaf.kind in ("string", "bytes")]
    for leaf in texts:
        letter: Any = "x" if leaf.kind == "string" else b"x"
        most = LONGEST[leaf.name]
        for length in (0, 1, most):
            with pair.branch():
                pair.send(name, OWNER, *replaced(arguments, leaf.positions, length * letter))
        with pair.branch():
            too_long = replaced(arguments, leaf.positions, (most + 1) * letter)
            assert pair.answer(OWNER, function.encode(too_long)) == ""


def test_a17_registry__last_number__is_given_away_and_none_after_it(pair: RegistryPair) -> None:
    with pair.branch():
        pair.do("register_provider", OWNER, *REGISTRATION)
        boa.env.set_storage(deployed(), pair.last_counter(), MAX_PROVIDER - 1)
        pair.model.count = MAX_PROVIDER - 1

        assert pair.send("register_provider", OWNER, *REGISTRATION) is None
        assert pair.send("register_provider", OWNER, *REGISTRATION) == "registry: full"
