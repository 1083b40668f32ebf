"""Every text with which the contracts refuse is reached in one of the matrices, which hold it against the model's."""

from __future__ import annotations

import pytest

from tests.bytecode import ROOT
from tests.matrices import test_constructors
from tests.matrices.authority import callers, model_alone, rows
from tests.matrices.cast import LARGE, TENANT
from tests.matrices.extremes import extremes, numbers_of, send_with
from tests.matrices.faults import faults
from tests.matrices.pair import Pair, call
from tests.matrices.ranges import RANGES
from tests.matrices.registry import FIRST, MAX_CAP, REGISTRATION, RegistryPair
from tests.matrices.sweep import cells
from tests.matrices.test_ranges import BASES
from tests.matrices.test_registry import CALLERS, ROWS, STATES
from tests.unit.test_protocol_document import revert_texts

ELSEWHERE = {
    "ledger: token refused": "exchange/test_deposit.py",  # by a token that answers false
    "ledger: short transfer": "exchange/test_deposit.py",  # by one that takes a fee
    "registry: full": "registry/test_register_provider.py",
}
"""Texts that need another token or 2^32 providers, and where among the contract tests they are."""


@pytest.mark.parametrize("label", [sent.label for sent in faults(Pair(LARGE, is_model_alone=True))])
def test_b16_fault__in_a_call_that_is_right_otherwise__is_refused_as_by_the_model(pair: Pair, label: str) -> None:
    (sent,) = (sent for sent in faults(pair) if sent.label == label)
    with pair.branch():
        assert pair.send(sent)


def test_exchange__that_is_full__takes_no_more() -> None:
    pair = Pair(LARGE)
    with pair.branch():
        assert pair.send(call("deposit", TENANT, TENANT, 1)) == "ledger: exchange is full"


def test_refusals__of_all_sources__are_reached() -> None:
    texts = {text for text in revert_texts() if not text.startswith("token: ")}  # tests/contracts/token has those
    reached = {cell.refusal for cell in cells()} | of_callers() | of_faults() | of_ranges() | of_the_registry()
    reached |= {text for both in test_constructors.TEXTS.values() for text in both}
    reached |= {*test_constructors.NO_CODE, test_constructors.TOO_HIGH, test_constructors.MANY_DECIMALS}
    reached |= {test_constructors.NO_SUPPLY, "ledger: exchange is full"}

    assert len(texts) > 50
    assert texts - reached == texts & ELSEWHERE.keys()
    for text, file in ELSEWHERE.items():
        assert text not in texts or text in (ROOT / "tests" / "contracts" / file).read_text()


def of_callers() -> set[str | None]:
    pair = model_alone()
    found = set()
    for row in rows(pair):
        for caller in callers(pair):
            with pair.branch():
                found.add(pair.send(row.send(caller)))
    return found


def of_faults() -> set[str | None]:
    pair = model_alone()
    found = set()
    for sent in faults(pair):
        with pair.branch():
            found.add(pair.send(sent))
    return found


def of_ranges() -> set[str | None]:
    found = set()
    for setting, happened, sent in BASES:
        pair = Pair(setting, is_model_alone=True)
        happened(pair)
        for leaf in numbers_of(sent.name):
            for number in extremes(RANGES[sent.name][leaf.name]):
                with pair.branch():
                    found.add(send_with(pair, sent, leaf, number))
    return found


def of_the_registry() -> set[str | None]:
    pair = RegistryPair(is_model_alone=True)
    pair.set_up()
    operator, region, cap, endpoint, attributes, _ = REGISTRATION
    found = {
        pair.send("register_provider", TENANT, operator, region, cap, "", attributes, b""),
        pair.send("register_provider", TENANT, operator, region, cap, endpoint, attributes, b""),
        pair.send("register_provider", TENANT, operator, 3, cap, endpoint, attributes, b""),
        pair.send("register_provider", TENANT, operator, region, MAX_CAP + 1, endpoint, attributes, b""),
        pair.send("register_provider", TENANT, "0x" + 40 * "0", region, cap, endpoint, attributes, b""),
    }
    for story in STATES.values():
        with pair.branch():
            for name, caller, arguments in story:
                pair.do(name, caller, *arguments)
            for name, (_, arguments) in ROWS.items():
                for caller in CALLERS:
                    with pair.branch():
                        found.add(pair.send(name, caller, *arguments))
    assert FIRST in pair.model.entries
    return found
