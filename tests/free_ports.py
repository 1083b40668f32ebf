"""Ports of the loopback for tests that run side by side: what one process was given no other one gets while it runs.

All are below those that the kernel hands out by itself: a port that is only found to be free is anybody's until it is
listened to, and each connection of another test takes one.
"""

from __future__ import annotations

import secrets
import socket

FIRST, LAST = 10_000, 19_999
FIRST_OF_GATEWAYS, HUNDREDS = 20_000, 90

_claims: list[socket.socket] = []
"""Names that the kernel gives to one process at a time, and takes back when that ends."""


def free_port() -> int:
    """Return a port that nobody listens to."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST + 1)
        if _is_unused(port) and _claim(f"port-{port}"):
            return port


def hundred_ports() -> int:
    """Return the first of a hundred ports for the gateways of one agent."""
    while True:
        first = FIRST_OF_GATEWAYS + 100 * secrets.randbelow(HUNDREDS)
        if _claim(f"hundred-{first}"):
            return first


def _is_unused(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(name: str) -> bool:
    """Take an abstract name (unix(7)) until this process ends."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0moorage-test-{name}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
