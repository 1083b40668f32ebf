"""Writes a notice as one plain mail; the same notice is always the same mail, down to its Message-ID."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from moorage.told import printable

SUBJECT_CHARACTERS = 160
HIDDEN = ("text", "test")


def address(text: str) -> Address:
    """Return an address of one person as a header has it.

    Raises:
        ValueError: it is none.
    """
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        found = None
    if found is None or not (found.username and found.domain) or found.addr_spec != text or not text.isascii():
        raise ValueError("this is no address of a person")
    return found


def mail(document: Mapping[str, Any], sender: str, recipient: str) -> EmailMessage:
    """Return a mail.

    Args:
        document: what notices.document returns.
        sender: an address.
        recipient: an address.

    Raises:
        ValueError: one of them is no address.
    """
    message = EmailMessage(policy=SMTP)
    mark = "test of " if document["test"] else ""
    text = printable(document["text"])
    message["From"] = address(sender)
    message["To"] = address(recipient)
    message["Subject"] = f"[moorage] {mark}{document['event']}: {text}"[:SUBJECT_CHARACTERS]
    message["Date"] = format_datetime(datetime.fromisoformat(document["time"]))
    message["Message-ID"] = f"<{document['id']}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes come back
    lines = [f"{name}: {printable(str(value))}" for name, value in document.items() if name not in HIDDEN]
    note = ["This is a test: nothing has happened.", ""] if document["test"] else []
    message.set_content("\n".join([*note, text, "", *lines, ""]))
    return message
