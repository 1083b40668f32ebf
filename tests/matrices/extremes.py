"""Calls of the exchange with one number, or the length of one list, changed to what is extreme."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.matrices.interface import Leaf, Path, functions, replaced
from tests.matrices.pair import Call, Pair
from tests.matrices.ranges import LARGEST, NUMBER, PERMISSIONS, Range
from tests.stateful.model import Group, Resource, Terms


def extremes(allowed: Range | None, *usual: int) -> list[int]:
    """Return zero, one, the numbers around the bounds of what is accepted, and the largest of all."""
    numbers = {0, 1, 2**255, LARGEST, *(bound + step for bound in (*(allowed or ()), *usual) for step in (-1, 0, 1))}
    return sorted(number for number in numbers if 0 <= number <= LARGEST)


def numbers_of(name: str) -> list[Leaf]:
    """Return the numbers that a transaction takes; addresses are some, because providers' accounts are numbers."""
    return [leaf for leaf in functions("Exchange")[name].leaves if leaf.is_number]


def is_of_type(leaf: Leaf, number: int) -> bool:
    """Say whether a number is one of the argument's type; of permissions the compiler knows more than the ABI."""
    return number <= PERMISSIONS if leaf.path == ("permissions",) else number < 2**leaf.bits


def usual_value(pair: Pair, sent: Call, leaf: Leaf) -> int | None:
    """Return the number in a call, or nothing if its list is empty."""
    found: Any = pair.values(sent)
    for position in leaf.positions:
        if not found:
            return None
        found = found[position]
    return int(found, 16) if isinstance(found, str) else int(found)


def send_with(pair: Pair, sent: Call, leaf: Leaf, number: int) -> str | None:
    """Send a call with another number; what is not of its type the decoder has to refuse, without a text."""
    function = functions("Exchange")[sent.name]
    data = function.encode(replaced(pair.values(sent), leaf.positions, number), is_loose=True)
    if not is_of_type(leaf, number):
        assert not pair.market or pair.answer(sent.caller, data) == "", f"{leaf.name} is {number}"
        return ""
    if number == usual_value(pair, sent, leaf):
        return pair.send(sent, data)
    return pair.send(_changed(sent, leaf.path, _as_model_has_it(leaf, number)), data)


def with_length(sent: Call, path: Path, length: int) -> Call:
    """Return a call in which a list has as many items as asked for, all of them the first."""
    given: Any = sent.arguments[functions("Exchange")[sent.name].names.index(str(path[0]))]
    for part in path[1:]:
        given = given[0] if part == 0 else getattr(given, str(part))
    return _changed(sent, path, type(given)(length * list(given[:1])))


def _changed(sent: Call, path: Path, value: object) -> Call:
    position = functions("Exchange")[sent.name].names.index(str(path[0]))
    arguments = list(sent.arguments)
    arguments[position] = _put(arguments[position], path[1:], value)
    return replace(sent, arguments=tuple(arguments))


def _put(given: Any, path: Path, value: object) -> Any:
    """Return what the model is given with another value at a path; a key with other terms is one that nothing has."""
    if not path:
        return value
    first, *rest = path
    match given:
        case Terms():
            return given._replace(nonce=77)
        case Group() | Resource():
            return replace(given, **{str(first): _put(getattr(given, str(first)), tuple(rest), value)})
    return type(given)([_put(given[0], tuple(rest), value), *given[1:]])


def _as_model_has_it(leaf: Leaf, number: int) -> int | str:
    is_address = leaf.kind == "address" and not (leaf.path == ("account",) and number <= NUMBER)
    return f"0x{number:040x}" if is_address else number
