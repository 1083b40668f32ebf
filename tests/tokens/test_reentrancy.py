"""A token that calls back: from within a transfer nothing of the exchange can be entered, in the bytecode as shipped.

What is tried would succeed outside of a transfer, for the same caller at the same height: only the lock is in its way.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boa  # type: ignore[import-untyped]
import pytest
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth.exceptions import Revert
from eth_abi.abi import decode
from eth_utils.abi import function_signature_to_4byte_selector

from tests.bytecode import functions
from tests.stateful.evm import NO_SIGNATURE, address
from tests.tokens.callback_world import CallbackWorld, is_view
from tests.tokens.lifecycle import FIRST, STRANGER

LOCKED = "locked"
READS_NOTHING = "reads nothing"
ENTERED = "entered"

# what opcodes need that look at storage or call somebody
STORAGE = {0x54, 0x55, 0x5C, 0x5D}  # SLOAD, SSTORE, TLOAD, TSTORE
CALLS = {0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA}  # CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, STATICCALL


@dataclass(frozen=True)
class Entry:
    """A transaction that calls the token."""

    arguments: tuple[Any, ...]  # by the token itself, which has an account too
    account: str | int  # whose word it changes
    hooks: int  # calls of the token that may change something
    static_hooks: int  # calls for a balance


def entries(actor: str) -> dict[str, Entry]:
    return {
        "deposit": Entry((actor, 50), actor, hooks=2, static_hooks=2),
        "deposit_with_permit": Entry((actor, 50, *NO_SIGNATURE), actor, hooks=3, static_hooks=2),
        "withdraw": Entry((actor, 50), actor, hooks=2, static_hooks=0),
        "withdraw_to": Entry((FIRST, 50, STRANGER), FIRST, hooks=2, static_hooks=0),
    }


@pytest.fixture(scope="module")
def world() -> Iterator[CallbackWorld]:
    boa.env.enable_fast_mode()
    with boa.env.anchor():
        yield CallbackWorld()


# ------------------------------------------------------------------ the calls alone


def test_f06_calls__outside_of_a_transfer__are_all_that_there_are_and_succeed(world: CallbackWorld) -> None:
    exchange, registry = world.market.exchange, world.market.registry

    outcomes = {name: succeeds(exchange, world.actor, data) for name, data in world.transactions.items()}
    view_outcomes = {
        name: succeeds(exchange, world.actor, data, is_static=True) for name, data in world.views().items()
    }
    registry_outcomes = {name: succeeds(registry, world.actor, data) for name, data in world.registrations.items()}

    assert outcomes == {each["name"]: True for each in functions("Exchange") if not is_view(each)}
    assert view_outcomes == {each["name"]: True for each in functions("Exchange") if is_view(each)}
    assert registry_outcomes == {each["name"]: True for each in functions("ProviderRegistry") if not is_view(each)}


def succeeds(contract: Address, caller: str, data: bytes, *, is_static: bool = False) -> bool:
    with boa.env.anchor():
        result = boa.env.execute_code(to_address=contract, sender=caller, data=data, is_modifying=not is_static)
    return not result.is_error


def test_f06_entries__all_functions_from_within_which_the_token_is_called__are_those_from_which_it_calls_back(
    world: CallbackWorld,
) -> None:
    exchange, token = world.market.exchange, world.market.token
    calling = set()

    for name, data in {**world.transactions, **world.views()}.items():
        with boa.env.anchor():
            result = boa.env.execute_code(to_address=exchange, sender=world.actor, data=data)
        if any(calls_of(result, exchange, token)):
            calling.add(name)

    assert calling == entries(world.actor).keys()


# ------------------------------------------------------------------ the calls from within a transfer


@pytest.mark.parametrize("entry", entries(""))
def test_a06_transfer__token_calls_back_with_any_transaction__finds_the_exchange_locked(
    world: CallbackWorld, entry: str
) -> None:
    exchange = world.market.exchange

    outcomes = {name: call_back(world, entry, exchange, data) for name, data in world.transactions.items()}

    assert outcomes == {name: {LOCKED} for name in world.transactions}


@pytest.mark.parametrize("entry", entries(""))
def test_a07_transfer__token_calls_back_with_any_view__can_not_read_what_is_being_changed(
    world: CallbackWorld, entry: str
) -> None:
    exchange = world.market.exchange

    outcomes = {name: call_back(world, entry, exchange, data) for name, data in world.views().items()}

    assert {name: outcome for name, outcome in outcomes.items() if outcome not in ({LOCKED}, {READS_NOTHING})} == {}
    assert [outcomes[name] for name in ("account", "order", "bids", "lease", "deployment")] == 5 * [{LOCKED}]


@pytest.mark.parametrize("entry", entries(""))
def test_a06_transfer__token_calls_the_registry__may_do_so_and_the_payment_is_the_same(
    world: CallbackWorld, entry: str
) -> None:
    registry = world.market.registry

    outcomes = {name: call_back(world, entry, registry, data) for name, data in world.registrations.items()}

    assert all(ENTERED in outcome for outcome in outcomes.values())


def call_back(world: CallbackWorld, name: str, target: Address, data: bytes) -> set[str]:
    """Send a transaction, have the token call back, and return how the calls back went.

    Model and contract agree afterwards: the transaction has done what it always does, and nothing else.
    """
    entry = entries(world.actor)[name]
    model, shown = world.model, dict(world.shown)
    world.model = copy.deepcopy(model)
    try:
        with boa.env.anchor():
            assert world.token("attack(address,bytes)", target, data) is None
            world.do(name, world.actor, *entry.arguments)
            assert world.market.written() == [(bytes.fromhex(address(entry.account)[2:]).rjust(32, b"\0"),)]
            frames = list(calls_of(world.result, world.market.token, target))
            changing = [frame for frame in frames if not frame.msg.is_static]
            assert (len(changing), len(frames) - len(changing)) == (entry.hooks, entry.static_hooks)
            assert recorded_by(world.market.token) == (
                len(changing),
                sum(not frame.is_error for frame in changing),
                changing[-1].output,
            )
            return {judge(frame) for frame in frames}
    finally:
        world.model, world.shown = model, shown


def calls_of(frame: Any, caller: Address, target: Address) -> Iterator[Any]:
    """Yield all calls that one contract makes of another within a transaction."""
    for child in frame.children:
        if (child.msg.sender, child.msg.to) == (caller.canonical_address, target.canonical_address):
            yield child
        yield from calls_of(child, caller, target)


def recorded_by(token: Address) -> tuple[int, int, bytes]:
    """Return how often the token has called, how often with success, and what it was answered last."""
    answers: list[Any] = []
    for view, kind in (("attempts()", "uint256"), ("successes()", "uint256"), ("answer()", "bytes")):
        result = boa.env.execute_code(to_address=token, data=function_signature_to_4byte_selector(view))
        answers += decode([kind], result.output)
    attempts, successes, answer = answers
    return attempts, successes, answer


def judge(frame: Any) -> str:
    """Tell a call that the lock refuses from one that needs no lock, as it looks at no storage and calls nobody."""
    if frame.is_error and isinstance(frame.error, Revert) and frame.output == b"":
        return LOCKED
    opcodes = {frame.code._raw_code_bytes[position] for position in frame.code._trace}
    return ENTERED if frame.is_error or opcodes & (STORAGE | CALLS) else READS_NOTHING
