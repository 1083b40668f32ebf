"""Signatures of webhooks, held against the vector of the Standard Webhooks specification's own libraries."""

from __future__ import annotations

import base64

import pytest

from cli.core.webhook_signature import NoSecret, headers, key_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
IDENTITY = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'


def test_h33_headers__vector_of_the_specification__is_its_signature():
    found = headers(IDENTITY, 1_614_265_330, BODY, key_of(SECRET))

    assert found == {
        "webhook-id": IDENTITY,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("identity", "seconds", "body"),
    [(IDENTITY + "x", 1, BODY), (IDENTITY, 2, BODY), (IDENTITY, 1, BODY + b" ")],
)
def test_h33_headers__another_id_time_or_body__is_another_signature(identity, seconds, body):
    key = key_of(SECRET)

    assert (
        headers(identity, seconds, body, key)["webhook-signature"]
        != headers(IDENTITY, 1, BODY, key)["webhook-signature"]
    )


def test_headers__no_key__are_without_signature():
    assert headers(IDENTITY, 1, BODY, None) == {"webhook-id": IDENTITY, "webhook-timestamp": "1"}


@pytest.mark.parametrize("length", [24, 64])
def test_key_of__shortest_and_longest__are_taken(length):
    assert key_of("whsec_" + base64.b64encode(b"k" * length).decode()) == b"k" * length


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "password", SECRET.removeprefix("whsec_"), "whsec_#" + SECRET[6:], "whsec_" + "ä" * 40]
    + ["whsec_" + base64.b64encode(b"k" * length).decode() for length in (23, 65)],
)
def test_key_of__no_secret__says_how_to_make_one_and_shows_nothing(secret):
    with pytest.raises(NoSecret) as caught:
        key_of(secret)

    assert "openssl rand -base64 32" in str(caught.value)
    assert len(secret) < 10 or secret[6:] not in str(caught.value)
