"""Signed requests: each field tampered with in turn, replayed, malformed; always a Rejected, never an exception."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from moorage import agent_api
from moorage.request_auth import (
    MAX_LIFE_SECONDS,
    SKEW_SECONDS,
    Domain,
    NonceStore,
    Reason,
    Rejected,
    SignedRequest,
    verify,
)
from moorage.types import Address, OrderId, ProviderNumber
from tests.signing import sign

TENANT = Account.from_key(b"\x01" * 32)
STRANGER = Account.from_key(b"\x02" * 32)
DOMAIN = Domain(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
ACTION = agent_api.deliver_manifest(ProviderNumber(7), OrderId(b"\xaa" * 32))
BODY = b'{"format":"0.1"}'
NOW = 1_800_000_000
EXPIRES = NOW + 120
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed(**changes: Any) -> str:
    values = {"action": ACTION, "body": BODY, "expires_seconds": EXPIRES, "domain": DOMAIN, "account": TENANT} | changes
    return sign(**values)


def opened(header: str) -> dict[str, Any]:
    encoded = header.removeprefix("Moorage ")
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))  # type: ignore[no-any-return]


def closed(envelope: object) -> str:
    return "Moorage " + base64.urlsafe_b64encode(json.dumps(envelope).encode()).decode().rstrip("=")


def signature_of(change: Callable[[int, int, int], tuple[int, int, int]]) -> str:
    """Return a signed header whose signature (r, s, v) went through `change`."""
    envelope = opened(signed())
    data = bytes.fromhex(envelope["signature"][2:])
    r, s, v = change(int.from_bytes(data[:32]), int.from_bytes(data[32:64]), data[64])
    return closed(envelope | {"signature": "0x" + (r.to_bytes(32) + s.to_bytes(32) + bytes([v])).hex()})


def request(number: int = 1, signer: str = TENANT.address, expires: int = EXPIRES) -> SignedRequest:
    return SignedRequest(Address(signer), bytes(32), number.to_bytes(32), expires)


def test_verify__untouched__names_signer_body_and_nonce() -> None:
    header = signed()

    verified = verify(header, ACTION, DOMAIN, NOW)

    assert isinstance(verified, SignedRequest)
    assert verified.signer == TENANT.address
    assert verified.nonce.hex() == opened(header)["nonce"][2:]
    assert verified.expires_seconds == EXPIRES
    assert verified.check_body(BODY) is None


def test_verify__scheme_in_lower_case__is_accepted() -> None:
    assert isinstance(verify(signed().replace("Moorage", "moorage"), ACTION, DOMAIN, NOW), SignedRequest)


def test_sign__known_key_and_nonce__is_what_a_wallet_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.request_auth.secrets.token_bytes", lambda size: b"\x33" * size)
    envelope = opened(signed())
    signature = envelope.pop("signature")
    types = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "ProviderRequest": [
            {"name": "purpose", "type": "string"},
            {"name": "provider", "type": "uint256"},
            {"name": "lease", "type": "bytes32"},
            {"name": "method", "type": "string"},
            {"name": "path", "type": "string"},
            {"name": "bodySha256", "type": "bytes32"},
            {"name": "nonce", "type": "bytes32"},
            {"name": "expires", "type": "uint64"},
        ],
    }
    domain = {"name": "Moorage", "version": "1", "chainId": 31337, "verifyingContract": DOMAIN.exchange}
    document = {"types": types, "primaryType": "ProviderRequest", "domain": domain, "message": envelope}

    by_a_wallet = TENANT.sign_typed_data(full_message=document)

    assert signature == "0x" + by_a_wallet.signature.hex()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"purpose": "Read the status of a Moorage lease"}, Reason.OTHER_PURPOSE),
        ({"provider": ProviderNumber(8)}, Reason.OTHER_PROVIDER),
        ({"lease": OrderId(b"\xab" * 32)}, Reason.OTHER_LEASE),
        ({"method": "GET"}, Reason.OTHER_METHOD),
        ({"path": "/v1/leases/x/status"}, Reason.OTHER_PATH),
    ],
)
def test_h13_verify__signed_for_something_else__is_rejected(change: dict[str, Any], reason: Reason) -> None:
    header = signed(action=replace(ACTION, **change))

    assert verify(header, ACTION, DOMAIN, NOW) == Rejected(reason)


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "Read the status of a Moorage lease"},
        {"provider": 8},
        {"lease": "0x" + "ab" * 32},
        {"method": "GET"},
        {"path": "/v1/leases/x/status"},
        {"bodySha256": "0x" + "00" * 32},
        {"nonce": "0x" + "00" * 32},
        {"expires": EXPIRES + 1},
    ],
)
def test_h13_verify__field_changed_after_signing__never_names_the_tenant(change: dict[str, Any]) -> None:
    """The attacker sends the request to the route that fits the changed field, so that only the signature is left."""
    envelope = opened(signed()) | change
    expected = replace(
        ACTION,
        purpose=envelope["purpose"],
        provider=envelope["provider"],
        lease=OrderId(bytes.fromhex(envelope["lease"][2:])),
        method=envelope["method"],
        path=envelope["path"],
    )

    verified = verify(closed(envelope), expected, DOMAIN, NOW)

    assert isinstance(verified, Rejected) or verified.signer != TENANT.address


@pytest.mark.parametrize("domain", [replace(DOMAIN, chain_id=1), replace(DOMAIN, exchange=Address("0x" + "11" * 20))])
def test_h14_verify__signed_for_another_market__never_names_the_tenant(domain: Domain) -> None:
    verified = verify(signed(domain=domain), ACTION, DOMAIN, NOW)

    assert isinstance(verified, Rejected) or verified.signer != TENANT.address


def test_h13_verify__signature_of_a_stranger__names_the_stranger() -> None:
    verified = verify(signed(account=STRANGER), ACTION, DOMAIN, NOW)

    assert isinstance(verified, SignedRequest)
    assert verified.signer == STRANGER.address


def test_h13_check_body__other_body__is_rejected() -> None:
    verified = verify(signed(), ACTION, DOMAIN, NOW)

    assert isinstance(verified, SignedRequest)
    assert verified.check_body(BODY + b" ") == Rejected(Reason.OTHER_BODY)


@pytest.mark.parametrize(
    ("expires", "outcome"),
    [
        (-1, Reason.EXPIRED),
        (NOW - SKEW_SECONDS - 1, Reason.EXPIRED),
        (NOW - SKEW_SECONDS, None),
        (NOW + MAX_LIFE_SECONDS + SKEW_SECONDS, None),
        (NOW + MAX_LIFE_SECONDS + SKEW_SECONDS + 1, Reason.TOO_LONG),
        (2**70, Reason.TOO_LONG),
    ],
)
def test_h13_verify__life__is_at_most_15_minutes_with_a_skew(expires: int, outcome: Reason | None) -> None:
    header = closed(opened(signed()) | {"expires": expires}) if not 0 <= expires < 2**64 else None

    verified = verify(header or signed(expires_seconds=expires), ACTION, DOMAIN, NOW)

    assert (verified.reason if isinstance(verified, Rejected) else None) == outcome


@pytest.mark.parametrize(
    "change",
    [
        lambda r, s, v: (r, ORDER - s, 55 - v),  # the same signature in its other form
        lambda r, s, v: (r, s, v - 27),
        lambda r, s, v: (r, s, v + 8),
        lambda r, s, v: (0, s, v),
        lambda r, s, v: (ORDER, s, v),
        lambda r, s, v: (r, 0, v),
        lambda r, s, v: (5, s, v),  # no point of the curve has this x
    ],
)
def test_h13_verify__signature_out_of_its_one_form__is_rejected(
    change: Callable[[int, int, int], tuple[int, int, int]],
) -> None:
    assert verify(signature_of(change), ACTION, DOMAIN, NOW) == Rejected(Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        # what wallets that are contracts answer with; `r` is a contract, and s says where in the data its answer is
        TENANT.address[2:].rjust(64, "0") + f"{65:064x}" + "00",
        TENANT.address[2:].rjust(64, "0") + f"{65:064x}" + "00" + f"{0:064x}",
        "11" * 130,
        "11" * 96 + "6492" * 16,
        "",
    ],
    ids=["of-a-contract", "of-a-contract-with-data", "of-two-owners", "of-a-contract-yet-to-be-made", "none"],
)
def test_h15_verify__what_only_a_contract_could_take_for_a_signature__is_rejected(signature: str) -> None:
    header = closed(opened(signed()) | {"signature": f"0x{signature}"})

    verified = verify(header, ACTION, DOMAIN, NOW)

    assert verified in (Rejected(Reason.BAD_SIGNATURE), Rejected(Reason.MALFORMED))


def test_verify__no_header__is_missing() -> None:
    assert verify(None, ACTION, DOMAIN, NOW) == Rejected(Reason.MISSING)


def test_h16_verify__valid_but_longer_than_any_real_header__is_rejected() -> None:
    padded = json.dumps(opened(signed())) + " " * 2000
    header = "Moorage " + base64.urlsafe_b64encode(padded.encode()).decode().rstrip("=")

    assert verify(header, ACTION, DOMAIN, NOW) == Rejected(Reason.MALFORMED)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Moorage",
        "Moorage ",
        "Moorage  e30",
        "Bearer e30",
        "Moorage e30",
        "Moorage A",
        "Moorage é",
        "Moorage \udcff",
        "Moorage " + "A" * 4000,
        "Moorage bnVsbA",
        "Moorage W10",
        "Moorage _____w",
        signed() + "=",
        signed() + "\n",
        closed(opened(signed()) | {"extra": 1}),
        closed({name: value for name, value in opened(signed()).items() if name != "nonce"}),
        closed(opened(signed()) | {"provider": "7"}),
        closed(opened(signed()) | {"provider": 7.0}),
        closed(opened(signed()) | {"provider": True}),
        closed(opened(signed()) | {"expires": None}),
        closed(opened(signed()) | {"lease": "0x" + "AA" * 32}),
        closed(opened(signed()) | {"lease": "aa" * 32}),
        closed(opened(signed()) | {"nonce": "0x00"}),
        closed(opened(signed()) | {"nonce": "0x" + "00" * 32 + "\n"}),
        closed(opened(signed()) | {"bodySha256": ""}),
        closed(opened(signed()) | {"signature": "0x"}),
        closed(opened(signed()) | {"signature": "0x" + "00" * 64}),
        closed(opened(signed()) | {"signature": "0x" + "0٣" * 65}),
    ],
)
def test_h13_verify__malformed_header__is_rejected(header: str) -> None:
    assert verify(header, ACTION, DOMAIN, NOW) == Rejected(Reason.MALFORMED)


HEADER = signed()


@given(st.one_of(st.text(), st.binary().map(lambda data: "Moorage " + base64.urlsafe_b64encode(data).decode())))
def test_h13_verify__anything__is_a_value(header: str) -> None:
    assert isinstance(verify(header, ACTION, DOMAIN, NOW), Rejected)


@given(
    st.dictionaries(
        st.sampled_from(["provider", "expires", "lease", "nonce", "signature", "path"]),
        st.one_of(st.integers(), st.text(), st.binary(min_size=32, max_size=65).map(lambda data: "0x" + data.hex())),
        min_size=1,
    )
)
def test_h13_verify__any_change__never_names_the_tenant(changes: dict[str, object]) -> None:
    verified = verify(closed(opened(HEADER) | changes), ACTION, DOMAIN, NOW)

    assert isinstance(verified, Rejected) or verified.signer != TENANT.address or changes == {"path": ACTION.path}


def test_h13_nonce_store__same_nonce_twice__is_rejected() -> None:
    nonces = NonceStore()

    assert nonces.use(request(), NOW) is None
    assert nonces.use(request(), NOW) == Rejected(Reason.USED)


def test_h13_nonce_store__last_valid_moment__still_remembers() -> None:
    nonces = NonceStore()
    nonces.use(request(), NOW)

    assert nonces.use(request(), EXPIRES + SKEW_SECONDS) == Rejected(Reason.USED)


def test_nonce_store__same_nonce_of_another_signer__is_accepted() -> None:
    nonces = NonceStore()
    nonces.use(request(), NOW)

    assert nonces.use(request(signer=STRANGER.address), NOW) is None


def test_h16_nonce_store__full_for_one_signer__rejects_until_some_expire() -> None:
    nonces = NonceStore(max_per_signer=2)
    for number in (1, 2):
        nonces.use(request(number), NOW)

    assert nonces.use(request(3), NOW) == Rejected(Reason.TOO_MANY)
    assert nonces.use(request(3, STRANGER.address), NOW) is None
    assert nonces.use(request(3), EXPIRES + SKEW_SECONDS + 1) is None


def test_h16_nonce_store__full_in_all__rejects_every_signer() -> None:
    nonces = NonceStore(max_total=2)
    for number in (1, 2):
        nonces.use(request(number), NOW)

    assert nonces.use(request(3, STRANGER.address), NOW) == Rejected(Reason.TOO_MANY)
    assert nonces.use(request(3, STRANGER.address), EXPIRES + SKEW_SECONDS + 1) is None
