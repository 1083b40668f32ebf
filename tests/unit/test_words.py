"""Words decode as the ABI's own decoder has it, or are refused as it refuses them."""

from __future__ import annotations

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given
from hypothesis import strategies as st

from moorage.chain.words import decoder, encoder

VALUES = {
    "uint256": st.integers(0, 2**256 - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: f"0x{raw.hex()}"),
    "uint256[]": st.lists(st.integers(0, 2**256 - 1), max_size=4).map(tuple),
}
FIXED = [kind for kind in VALUES if kind != "uint256[]"]
lists = st.lists(st.sampled_from(sorted(VALUES)), max_size=6)


@given(st.data(), lists)
def test_decoder__any_values__are_those_of_the_abi(data: st.DataObject, kinds: list[str]) -> None:
    values = tuple(data.draw(VALUES[kind]) for kind in kinds)
    decode_words = decoder(kinds)

    assert decode_words is not None
    assert decode_words(encode(kinds, values)) == decode(kinds, encode(kinds, values)) == values


@given(st.data(), st.lists(st.sampled_from(FIXED), min_size=1, max_size=6))
def test_decoder__tuple__is_one_value(data: st.DataObject, kinds: list[str]) -> None:
    values = tuple(data.draw(VALUES[kind]) for kind in kinds)
    decode_words = decoder([f"({','.join(kinds)})"])

    assert decode_words is not None
    assert decode_words(encode(kinds, values)) == (values,)


@given(lists, st.binary(max_size=300))
def test_g12_decoder__any_bytes__are_refused_or_are_what_the_abi_has(kinds: list[str], data: bytes) -> None:
    decode_words = decoder(kinds)
    assert decode_words is not None
    try:
        found = decode_words(data)
    except DecodingError:
        return

    assert found == decode(kinds, data)


@pytest.mark.parametrize(
    "kinds",
    [["string"], ["bytes"], ["uint8"], ["(uint256,uint256[])"], ["(uint256,(bool))"], ["(bool)[2]"]],
)
def test_decoder__types_that_are_not_simple__has_none(kinds: list[str]) -> None:
    assert decoder(kinds) is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("uint256", b"\1" * 31),
        ("uint256", b"\1" * 33),
        ("bool", b"\0" * 31 + b"\2"),
        ("address", b"\1" * 32),
        ("uint256[]", b"\xff" * 32),
        ("uint256[]", b"\0" * 31 + b"\x20" + b"\xff" * 32),
    ],
)
def test_g12_decoder__data_out_of_form__is_refused(kind: str, data: bytes) -> None:
    decode_words = decoder([kind])
    assert decode_words is not None

    with pytest.raises(DecodingError):
        decode_words(data)


KEYS = "(bytes32,bytes32,uint256,bytes32)[]"
ENCODED = {
    "uint256": VALUES["uint256"],
    "bytes32": VALUES["bytes32"],
    "uint256[]": VALUES["uint256[]"],
    "bytes32[]": st.lists(VALUES["bytes32"], max_size=3),
    KEYS: st.lists(st.tuples(VALUES["bytes32"], VALUES["bytes32"], VALUES["uint256"], VALUES["bytes32"]), max_size=3),
}


@given(st.data(), st.lists(st.sampled_from(sorted(ENCODED)), min_size=1, max_size=4))
def test_encoder__any_values__are_as_the_abi_has_them(data: st.DataObject, kinds: list[str]) -> None:
    values = [data.draw(ENCODED[kind]) for kind in kinds]
    encode_words = encoder(kinds)

    assert encode_words is not None
    assert encode_words(values) == encode(kinds, values)


@pytest.mark.parametrize(
    "kinds", [["string"], ["address"], ["(uint256,string)[]"], ["uint256[][]"], ["bytes32", "bool"], []]
)
def test_encoder__types_that_are_not_words__there_is_none(kinds: list[str]) -> None:
    assert encoder(kinds) is None


@pytest.mark.parametrize(
    ("kinds", "values"),
    [
        (["uint256"], [-1]),
        (["uint256"], [2**256]),
        (["uint256"], [True]),
        (["uint256"], ["1"]),
        (["bytes32"], [b"short"]),
        (["bytes32"], ["x" * 32]),
        (["uint256"], []),
        (["uint256"], [1, 2]),
        (["uint256[]"], [7]),
        ([KEYS], [[(b"\0" * 32, b"\0" * 32, 1)]]),
    ],
)
def test_encoder__value_that_is_not_of_its_type__is_left_to_the_abi(kinds: list[str], values: list[object]) -> None:
    encode_words = encoder(kinds)

    assert encode_words is not None
    assert encode_words(values) is None
