"""Encoding of calls, decoding of results, events and revert texts by a contract's ABI (Contract ABI specification)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from moorage.chain import words
from moorage.chain.rpc import one_line

ERROR_SELECTOR = bytes.fromhex("08c379a0")
PANIC_SELECTOR = bytes.fromhex("4e487b71")


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Of the inputs."""
    changes: bool = True
    """Whether it is more than a view."""


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    """Name and type of each indexed argument."""
    data: tuple[tuple[str, str], ...]
    """Name and type of each other argument."""
    data_kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abi:
    """The functions and events of one contract."""

    functions: dict[str, Function]
    events: dict[bytes, Event]

    def encode(self, function: str, *arguments: Any) -> bytes:
        """Return the calldata of a call; structs are tuples."""
        entry = self.functions[function]
        fast = _word_encoder(entry.inputs)
        content = fast(arguments) if fast is not None else None
        return entry.selector + (encode(entry.inputs, arguments) if content is None else content)

    def decode(self, function: str, data: bytes) -> Any:
        """Return what a call returned: the value, or a tuple if there are several.

        Raises:
            DecodingError: the data is not what the function returns (no contract there, for example).
        """
        values = _decode(self.functions[function].outputs, data)
        return values[0] if len(values) == 1 else values

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return name and arguments of a call, or None if it is none of this contract, or not in its one form.

        Calldata with anything that the arguments do not say is none: nobody could be shown what it is for.
        """
        function = next((each for each in self.functions.values() if each.selector == data[:4]), None)
        if function is None or not function.changes:
            return None
        try:
            values = decode(function.inputs, data[4:])
            again = function.selector + encode(function.inputs, values)
        except (DecodingError, EncodingError, ValueError, OverflowError):
            return None
        return (function.name, dict(zip(function.names, values, strict=True))) if again == data else None

    def decode_event(self, topics: list[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return name and arguments of a log, or None if the ABI has no such event.

        Raises:
            DecodingError: the data is not what the event has.
        """
        event = self.events.get(topics[0]) if topics else None
        if event is None:
            return None
        arguments: dict[str, Any] = {}
        for (name, kind), topic in zip(event.indexed, topics[1:], strict=True):
            arguments[name] = _decode((kind,), topic)[0]
        values = _decode(event.data_kinds, data)
        arguments.update(zip((name for name, _ in event.data), values, strict=True))
        return event.name, arguments


def revert_text(data: str | None, message: str) -> str:
    """Return the reason in a revert's data, or the node's own message if there is none."""
    try:
        raw = bytes.fromhex(data.removeprefix("0x")) if data else b""
        if raw[:4] == ERROR_SELECTOR:
            return one_line(_decode(("string",), raw[4:])[0]) or "reverted without a reason"
        if raw[:4] == PANIC_SELECTOR:
            return f"panic {_decode(('uint256',), raw[4:])[0]:#x}"
    except (DecodingError, ValueError):
        pass
    return message or "reverted without a reason"


@cache
def load(contract: str) -> Abi:
    """Return the ABI of `Exchange`, `ProviderRegistry` or `ERC20` that was exported at compile time."""
    text = resources.files("moorage.chain").joinpath(f"abi/{contract}.json").read_bytes()
    functions: dict[str, Function] = {}
    events: dict[bytes, Event] = {}
    for entry in msgspec.json.decode(text):
        if entry["type"] == "function":
            inputs = tuple(_type(item) for item in entry["inputs"])
            signature = f"{entry['name']}({','.join(inputs)})"
            outputs = tuple(_type(item) for item in entry["outputs"])
            names = tuple(item["name"] for item in entry["inputs"])
            changes = entry["stateMutability"] not in ("view", "pure")
            selector = keccak(text=signature)[:4]
            functions[entry["name"]] = Function(entry["name"], selector, inputs, outputs, names, changes)
        elif entry["type"] == "event":
            topic = keccak(text=f"{entry['name']}({','.join(_type(item) for item in entry['inputs'])})")
            named = [(item["name"], _type(item), item["indexed"]) for item in entry["inputs"]]
            indexed = tuple((name, kind) for name, kind, is_indexed in named if is_indexed)
            data = tuple((name, kind) for name, kind, is_indexed in named if not is_indexed)
            events[topic] = Event(entry["name"], topic, indexed, data, tuple(kind for _, kind in data))
    return Abi(functions, events)


def missing_functions(contract: str, code: bytes) -> list[str]:
    """Return the functions of our ABI that a contract can't have: it branches on selectors, so they are in its code.

    Compilers write a selector with a leading zero in fewer bytes; those are not looked for.
    """
    functions = load(contract).functions.values()
    return sorted(each.name for each in functions if each.selector[0] and each.selector not in code)


def _decode(kinds: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """Decode; text that is not UTF-8 gets marks in its place: strangers choose it, and no reader may fail by it."""
    fast = _word_decoder(kinds)
    if fast is not None:
        return fast(data)
    values = decode([kind.replace("string", "bytes") for kind in kinds], data)
    return tuple(
        value.decode(errors="replace") if kind == "string" else value for kind, value in zip(kinds, values, strict=True)
    )


@cache
def _word_decoder(kinds: tuple[str, ...]) -> words.Decoder | None:
    return words.decoder(kinds)


@cache
def _word_encoder(kinds: tuple[str, ...]) -> words.Encoder | None:
    return words.encoder(kinds)


def _type(item: dict[str, Any]) -> str:
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind.removeprefix('tuple')}"
