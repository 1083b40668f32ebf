"""What the contracts take, as the compiler says it: functions, the leaves of their arguments, calldata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from tests.bytecode import abi

Path = tuple[str | int, ...]
"""To a value within arguments: names, and 0 for the first item of a list."""


@dataclass(frozen=True)
class Leaf:
    """A value within arguments that is no struct and no list."""

    path: Path
    positions: tuple[int, ...]
    kind: str

    @property
    def name(self) -> str:
        """The path as the protocol would write it: groups[].resources[].price."""
        return ".".join(str(part) for part in self.path).replace(".0", "[]")

    @property
    def is_number(self) -> bool:
        return self.kind in ("bool", "address") or self.kind.startswith("uint")

    @property
    def bits(self) -> int:
        """How many bits the type of a number has."""
        return {"bool": 1, "address": 160}.get(self.kind) or int(self.kind.removeprefix("uint"))


@dataclass(frozen=True)
class Function:
    """An external function, or a constructor, which has no name."""

    name: str
    names: tuple[str, ...]  # of its arguments
    kinds: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    lists: tuple[Path, ...]
    is_transaction: bool
    outputs: tuple[str, ...]  # names of the fields of the struct that it returns

    def encode(self, values: Sequence[Any], *, is_loose: bool = False) -> bytes:
        """Return calldata; loosely a value may be larger than its type."""
        kinds = [_loosened(kind) for kind in self.kinds] if is_loose else self.kinds
        encoded = encode(kinds, _with_numbers(values) if is_loose else values)
        if not self.name:
            return encoded
        return function_signature_to_4byte_selector(f"{self.name}({','.join(self.kinds)})") + encoded


@cache
def functions(contract: str) -> dict[str, Function]:
    """Return all functions that a contract has, its constructor under the empty name."""
    found = [_function(entry) for entry in abi(contract) if entry["type"] in ("function", "constructor")]
    return {function.name: function for function in found}


def transactions(contract: str) -> dict[str, Function]:
    """Return the functions that change something."""
    return {name: function for name, function in functions(contract).items() if name and function.is_transaction}


def replaced(values: Any, positions: Sequence[int], value: object) -> Any:
    """Return nested lists and tuples with another value at a place."""
    if not positions:
        return value
    first, *rest = positions
    changed = list(values)
    changed[first] = replaced(changed[first], rest, value)
    return changed if isinstance(values, list) else tuple(changed)


def _function(entry: dict[str, Any]) -> Function:
    inputs = entry["inputs"]
    fields = entry.get("outputs", [{}])[:1]
    return Function(
        name=entry.get("name", ""),
        names=tuple(each["name"] for each in inputs),
        kinds=tuple(_kind(each) for each in inputs),
        leaves=tuple(_leaves(inputs, (), ())),
        lists=tuple(path for each in inputs for path in _lists(each, ())),
        is_transaction=entry["stateMutability"] not in ("view", "pure"),
        outputs=tuple(field["name"] for output in fields for field in output.get("components", ())),
    )


def _kind(entry: dict[str, Any]) -> str:
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return f"({','.join(map(_kind, entry['components']))}){entry['type'].removeprefix('tuple')}"


def _leaves(entries: Sequence[dict[str, Any]], path: Path, positions: tuple[int, ...]) -> Iterator[Leaf]:
    for position, entry in enumerate(entries):
        here, places = (*path, entry["name"]), (*positions, position)
        if entry["type"].endswith("[]"):
            here, places = (*here, 0), (*places, 0)
        if "components" in entry:
            yield from _leaves(entry["components"], here, places)
        else:
            yield Leaf(here, places, entry["type"].removesuffix("[]"))


def _lists(entry: dict[str, Any], path: Path) -> Iterator[Path]:
    here = (*path, entry["name"])
    if entry["type"].endswith("[]"):
        yield here
        here = (*here, 0)
    for component in entry.get("components", ()):
        yield from _lists(component, here)


def _loosened(kind: str) -> str:
    return kind.replace("address", "uint256").replace("bool", "uint256").replace("uint8", "uint256")


def _with_numbers(given: Any) -> Any:
    """Replace addresses and booleans by numbers."""
    if isinstance(given, (list, tuple)):
        return [_with_numbers(each) for each in given]
    if isinstance(given, str) and given.startswith("0x"):
        return int(given, 16)
    return int(given) if isinstance(given, bool) else given
