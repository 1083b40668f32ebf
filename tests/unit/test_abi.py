"""Calls, results, events and reverts by the exported ABI, against eth_abi's own arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from moorage.chain import abi
from moorage.chain.abi import Event, revert_text
from moorage.chain.rpc import MAX_SHOWN

RESOURCE = "(uint256,uint256,uint256,uint256,uint256,uint256)"
GROUP = f"(bytes32,uint256,bool,{RESOURCE}[])"
EXCHANGE, REGISTRY, ERC20 = (abi.load(name) for name in ("Exchange", "ProviderRegistry", "ERC20"))
ID = b"\x01" * 32
ADDRESS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
A_GROUP = (b"dock".ljust(32, b"\0"), 3, True, ((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)))


def error_data(text: bytes) -> str:
    return f"0x08c379a0{encode(['bytes'], [text]).hex()}"


def test_encode__call_with_structs__is_selector_and_arguments() -> None:
    calldata = EXCHANGE.encode("submit_deployment", ID, ID, 50, [A_GROUP], [10_000])

    kinds = ["bytes32", "bytes32", "uint256", f"{GROUP}[]", "uint256[]"]
    assert calldata[:4] == keccak(text=f"submit_deployment({','.join(kinds)})")[:4]
    assert calldata[4:] == encode(kinds, [ID, ID, 50, [A_GROUP], [10_000]])


def test_encode__call_without_arguments__is_its_selector() -> None:
    assert EXCHANGE.encode("market_parameters") == keccak(text="market_parameters()")[:4]


@pytest.mark.parametrize("contract", [EXCHANGE, REGISTRY, ERC20], ids=["Exchange", "ProviderRegistry", "ERC20"])
def test_load__each_contract__has_functions_of_different_selectors(contract: abi.Abi) -> None:
    assert contract.functions
    assert len({function.selector for function in contract.functions.values()}) == len(contract.functions)


def test_decode__one_value__is_the_value() -> None:
    assert REGISTRY.decode("provider_count", encode(["uint256"], [7])) == 7


def test_decode__several_values__are_a_tuple() -> None:
    data = encode(["address", "uint256", "uint256"], [ADDRESS, 2, 3])

    assert REGISTRY.decode("bidder", data) == (ADDRESS, 2, 3)


@pytest.mark.parametrize("data", [b"", b"\0" * 31, b"\xff" * 12])
def test_decode__data_that_is_too_short__is_an_error(data: bytes) -> None:
    with pytest.raises(DecodingError):
        REGISTRY.decode("provider_count", data)


def test_decode__text_that_is_not_utf_8__is_marked_and_no_error() -> None:
    assert ERC20.decode("symbol", encode(["bytes"], [b"M\xff\xfeR"])) == "M\ufffd\ufffdR"


def sample(kind: str) -> Any:
    """Return a value of a type, not the same for all."""
    samples: dict[str, Any] = {
        "address": ADDRESS,
        "bytes32": ID,
        "bool": True,
        "string": "https://127.0.0.1:8443",
        "bytes": b"\x30\x82",
        "uint256[]": (1, 2),
        GROUP: A_GROUP,
    }
    return samples.get(kind, 2**200 + 1)


EVENTS = [(name, event) for name in ("Exchange", "ProviderRegistry") for event in abi.load(name).events.values()]


@pytest.mark.parametrize(("contract", "event"), EVENTS, ids=lambda value: getattr(value, "name", value))
def test_decode_event__each_event_of_the_abi__comes_back_by_name(contract: str, event: Event) -> None:
    topics = [event.topic] + [encode([kind], [sample(kind)]) for _, kind in event.indexed]
    data = encode([kind for _, kind in event.data], [sample(kind) for _, kind in event.data])

    decoded = abi.load(contract).decode_event(topics, data)

    assert decoded == (event.name, {name: sample(kind) for name, kind in (*event.indexed, *event.data)})


def test_decode_event__topic_of_another_contract__is_none() -> None:
    assert EXCHANGE.decode_event([keccak(text="Transfer(address,address,uint256)")], b"") is None
    assert EXCHANGE.decode_event([], b"") is None


def test_decode_event__topic_missing__is_an_error() -> None:
    confirmed = next(event for event in EXCHANGE.events.values() if event.name == "LeaseConfirmed")

    with pytest.raises(ValueError, match="zip"):
        EXCHANGE.decode_event([confirmed.topic], b"")


def test_g20_decode_event__endpoint_that_is_not_utf_8__is_marked_and_no_error() -> None:
    updated = next(event for event in REGISTRY.events.values() if event.name == "ProviderUpdated")
    data = encode(["uint256", "bytes", "bytes"], [1, b"https://\xff", b"{}"])

    decoded = REGISTRY.decode_event([updated.topic, encode(["uint256"], [1])], data)

    assert decoded is not None
    assert decoded[1]["endpoint"] == "https://\ufffd"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (error_data(b"exchange: nothing is ready"), "exchange: nothing is ready"),
        (f"0x4e487b71{encode(['uint256'], [0x11]).hex()}", "panic 0x11"),
        (error_data(b"\xff\xfe"), "\ufffd\ufffd"),
        (error_data(b"two\nlines\x1b[2J"), "two lines [2J"),
        (error_data(b"x" * 5_000), "x" * MAX_SHOWN),
        (error_data(b""), "reverted without a reason"),
        (None, "execution reverted"),
        ("", "execution reverted"),
        ("0x", "execution reverted"),
        ("0x08c379a0", "execution reverted"),
        ("0x08c379a0ff", "execution reverted"),
        ("0x4e487b71", "execution reverted"),
        ("0xdeadbeef", "execution reverted"),
        ("0x0", "execution reverted"),
        ("not hex", "execution reverted"),
    ],
)
def test_revert_text__data_of_any_kind__is_its_reason_or_the_nodes_words(data: str | None, expected: str) -> None:
    assert revert_text(data, "execution reverted") == expected


def test_revert_text__nothing_said_at_all__says_so() -> None:
    assert revert_text(None, "") == "reverted without a reason"


@given(st.binary(max_size=200), st.sampled_from(["0x08c379a0", "0x4e487b71", "0x", ""]))
def test_revert_text__garbage__never_fails(garbage: bytes, prefix: str) -> None:
    assert revert_text(f"{prefix}{garbage.hex()}", "reverted")
