"""Decides which addresses of remote includes are well formed: one spelling of each, without passwords and tricks.

Where an address leads is decided where it is connected to, see moorage.guarded_http.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin

MAX_CHARACTERS = 2_048

_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PARTS = re.compile(r"https?://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")
"""What an address may consist of (RFC 3986), without the # of a fragment."""
_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?)(?::(?P<port>[0-9]{1,5}))?"
)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def is_remote(name: str) -> bool:
    """Return whether an entry of `include` is the address of a remote file."""
    return _REMOTE.match(name) is not None


def is_protected(address: str) -> bool:
    """Return whether what comes from an address can't be altered on its way."""
    return address[:6].lower() == "https:"


def joined(base: str, name: str) -> str:
    """Return the address that a remote file means by a name, as links are resolved (RFC 3986, section 5)."""
    try:
        return urljoin(base, name)
    except ValueError:  # such as a bracket without its end
        return name


def objection(name: str) -> str | None:
    """Return what is wrong with an address, None if nothing is."""
    if not is_remote(name):
        return "only http:// and https:// can be included" if _SCHEME.match(name) else "it is no address of a file"
    if len(name) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS} characters"
    match = _PARTS.fullmatch(name)
    assert match is not None, name
    if "@" in match["authority"]:
        return "a name or password in front of the host is not supported"
    if not match["authority"].isascii():
        return _in_ascii(match["authority"])
    if "#" in name:
        return "a file has no part after '#'"
    if not _PLAIN.fullmatch(name):
        return "it has characters that an address has to have as %XX"
    return _host_objection(match["authority"])


def webhook_objection(address: str) -> str | None:
    """Return what is wrong with where the address of a webhook leads; more than that is its owner's business.

    Args:
        address: begins with `http://` or `https://`.
    """
    match = _PARTS.fullmatch(address)
    if match is None or not _PLAIN.fullmatch(match["authority"]):
        return "it has no valid host and port"
    return _host_objection(match["authority"].rpartition("@")[2])


def has_scheme(name: str) -> bool:
    """Return whether a name begins as an address does, whatever its scheme."""
    return _SCHEME.match(name) is not None


def _in_ascii(authority: str) -> str:
    """Show what a name in another script really is: two names may look the same."""
    try:
        shown = authority.encode("idna").decode("ascii")
    except UnicodeError:
        return "its host has to be written in ASCII"
    return f"its host has to be written in ASCII, as '{shown}' if that is what is meant"


def _host_objection(authority: str) -> str | None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None or (match["port"] is not None and not 1 <= int(match["port"]) <= 65_535):
        return "it has no valid host and port"
    host = match["host"].strip("[]")
    is_version_6 = match["host"] != host
    if is_version_6 or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            (IPv6Address if is_version_6 else IPv4Address)(host)
        except ValueError:
            return "its host is a number, but not written as four decimal numbers or as IPv6 in brackets"
    return None
