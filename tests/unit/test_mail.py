"""A notice as a mail: always the same one, and nothing in a notice can add to its headers."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest

from cli.core.mail import mail
from cli.core.notices import Kind, Notice, document
from tests.factories.deployments import DEPLOYMENT


def made(text: str = "lease is stale", *, is_test: bool = False, **fields: Any) -> bytes:
    notice = Notice("evt_0a", Kind.LEASE_STALE, 120, text, fields)
    written = document(notice, DEPLOYMENT, 1_700_000_000, is_test=is_test)
    return mail(written, "moorage@tenant.example", "ops@tenant.example").as_bytes()


def test_mail__notice__has_stable_headers_and_all_fields():
    message = message_from_bytes(made(group="west"), policy=policy.default)

    assert made(group="west") == made(group="west")
    assert dict(message.items()) == {
        "From": "moorage@tenant.example",
        "To": "ops@tenant.example",
        "Subject": "[moorage] lease.stale: lease is stale",
        "Date": "Tue, 14 Nov 2023 22:13:20 +0000",
        "Message-ID": "<evt_0a@tenant.example>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }
    body = message.get_content().replace("\r\n", "\n")
    assert body.startswith("lease is stale\n\n") and "group: west\n" in body and "block: 120\n" in body


def test_mail__test__says_so():
    message = message_from_bytes(made(is_test=True), policy=policy.default)

    assert (
        message["Subject"].startswith("[moorage] test of lease.stale")
        and "nothing has happened" in message.get_content()
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\x00", "\x1b[2J"])
def test_h33_mail__line_ends_in_what_strangers_say__add_no_header_and_no_line(end):
    message = message_from_bytes(made(f"down{end}Bcc: victim@example", reason=f"a{end}b: c"), policy=policy.default)

    assert message["Bcc"] is None and len(message.items()) == 9
    assert not any(line.startswith(("Bcc:", "b:")) for line in message.get_content().splitlines())


def test_mail__long_text__is_whole_in_the_body_and_short_in_the_subject():
    message = message_from_bytes(made("x" * 5_000), policy=policy.default)

    assert len(message["Subject"]) == 160 and "x" * 5_000 in message.get_content()


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b\r\nBcc: victim@example", "a@b, c@d", "<a@b>", ",a@b", "a@", "@b", '"a"@b']
)
def test_h33_mail__no_address__is_refused(address):
    with pytest.raises(ValueError):
        mail(document(Notice("evt_0a", Kind.LEASE_STALE, 1, "x"), DEPLOYMENT, 0), "moorage@tenant.example", address)
