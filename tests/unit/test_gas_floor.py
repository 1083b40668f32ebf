"""The gas benchmark's arithmetic: floors, the list of needed words, and how a trace is read."""

from __future__ import annotations

import pytest

from tests.benchmarks.gas_chain import Receipt
from tests.benchmarks.gas_floor import Measured, Unexplained, check_needs, floor
from tests.benchmarks.gas_needs import NEEDS, REGISTRY, Need
from tests.benchmarks.gas_trace import Effect, Slot, Trace, touched

EXCHANGE, OTHER = f"0x{0xE0:040x}", f"0x{0xA0:040x}"
LEASE, ACCOUNT, OPERATOR = Slot(EXCHANGE, 1), Slot(EXCHANGE, 2), Slot(OTHER, 1)
NAMES = {LEASE: "lease", ACCOUNT: "account", OPERATOR: "operator"}
CONFIRM = (
    Need("lease", Effect.UPDATED, "it is confirmed"),
    Need("operator", Effect.READ, "who calls", REGISTRY),
    Need("account", Effect.READ, "who pays", is_optional=True),
)
FOUND = Trace({LEASE: Effect.UPDATED, OPERATOR: Effect.READ}, frozenset({OTHER}))


@pytest.fixture(autouse=True)
def confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "confirm", CONFIRM)


def receipt(calldata: bytes = b"", logs: tuple[tuple[int, int], ...] = ()) -> Receipt:
    return Receipt(hash="0x", block=1, to=EXCHANGE, gas=0, warm_gas=None, calldata=calldata, logs=logs, contract=None)


def step(op: str, depth: int, *stack: int) -> dict[str, object]:
    return {"op": op, "depth": depth, "stack": [hex(value) for value in reversed(stack)]}


def test_floor__calldata_log_words_and_contract__is_the_sum_of_their_prices() -> None:
    transaction = receipt(b"\0\1", ((2, 32),))

    assert floor(transaction, FOUND).gas == 21_000 + (4 + 16) + (375 + 2 * 375 + 8 * 32) + 5_000 + 2_100 + 2_600


def test_floor__new_word_and_signature__are_counted() -> None:
    assert floor(receipt(), Trace({ACCOUNT: Effect.NEW}, frozenset(), signatures=2)).gas == 21_000 + 22_100 + 2 * 3_000


@pytest.mark.parametrize(("cleared", "refund"), [(1, 4_800), (2, (21_000 + 2 * 5_000) // 5)])
def test_floor__cleared_words__refund_is_capped_at_a_fifth(cleared: int, refund: int) -> None:
    found = Trace({Slot(EXCHANGE, number): Effect.CLEARED for number in range(cleared)}, frozenset())

    assert floor(receipt(), found).refund == refund


def test_check_needs__touched_is_what_is_listed__passes() -> None:
    check_needs(Measured("confirm", "confirm", receipt()), FOUND, NAMES, {OTHER: REGISTRY})


@pytest.mark.parametrize(
    "found",
    [
        Trace({**FOUND.slots, ACCOUNT: Effect.READ}, FOUND.contracts),
        Trace({**FOUND.slots, Slot(EXCHANGE, 3): Effect.READ}, FOUND.contracts),
        Trace({LEASE: Effect.UPDATED}, FOUND.contracts),
        Trace({**FOUND.slots, LEASE: Effect.NEW}, FOUND.contracts),
        Trace(FOUND.slots, frozenset()),
        Trace(FOUND.slots, frozenset({OTHER, f"0x{0xB0:040x}"})),
    ],
    ids=["unlisted word", "unknown word", "word not touched", "other effect", "contract not called", "other contract"],
)
def test_check_needs__touched_is_not_what_is_listed__is_refused(found: Trace) -> None:
    with pytest.raises(Unexplained):
        check_needs(Measured("confirm", "confirm", receipt()), found, NAMES, {OTHER: REGISTRY})


@pytest.mark.parametrize(
    "slots", [{LEASE: Effect.NEW}, {LEASE: Effect.UPDATED, ACCOUNT: Effect.UPDATED}, {OPERATOR: Effect.READ}]
)
def test_check_needs__variant_touches_words_of_its_transaction_otherwise__passes(slots: dict[Slot, Effect]) -> None:
    variant = Measured("confirm_first_use", "confirm", receipt())

    check_needs(variant, Trace(slots, frozenset()), NAMES, {OTHER: REGISTRY})


@pytest.mark.parametrize(
    "found", [Trace({Slot(EXCHANGE, 9): Effect.READ}, frozenset()), Trace({}, frozenset({f"0x{0xB0:040x}"}))]
)
def test_check_needs__variant_touches_what_no_rule_needs__is_refused(found: Trace) -> None:
    words = {**NAMES, Slot(EXCHANGE, 9): "deployment"}

    with pytest.raises(Unexplained):
        check_needs(Measured("confirm_first_use", "confirm", receipt()), found, words, {OTHER: REGISTRY})


def test_touched__call_and_return__words_belong_to_the_contract_that_runs() -> None:
    steps = [
        step("SLOAD", 1, 1),
        step("STATICCALL", 1, 50_000, 0xA0),
        step("SLOAD", 2, 1),
        step("RETURN", 2),
        step("SSTORE", 1, 2, 7),
    ]

    assert touched(steps, EXCHANGE) == ({LEASE, OPERATOR, ACCOUNT}, {OTHER})


def test_touched__delegate_and_precompile__keep_the_caller_s_words_and_are_no_contract() -> None:
    steps = [step("DELEGATECALL", 1, 50_000, 0xA0), step("SLOAD", 2, 1), step("STATICCALL", 1, 50_000, 1)]

    assert touched(steps, EXCHANGE) == ({LEASE}, {OTHER})
