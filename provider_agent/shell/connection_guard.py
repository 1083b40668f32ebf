"""A listening socket that limits connections before TLS begins: how many, how many of one peer, how fast, how long.

A server that reads a request only after the handshake cannot defend itself against peers that never finish one.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from provider_agent.shell.rate_limit import Rate, TokenBuckets, peer_of

BACKLOG = 256
NEW_PER_PEER = Rate(per_second=50, burst=100)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    total: int = 256
    """Each costs up to 0.3 MB, most of it the buffer of the TLS layer."""
    per_peer: int = 16
    new_per_peer: Rate = NEW_PER_PEER
    life_seconds: int = 30
    """From accept to close, handshake, request and response included."""


class GuardedListener(socket.socket):
    """Accepts at most as many connections as the limits allow; the others are closed at once."""

    def __init__(self, host: str, port: int, limits: ConnectionLimits) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
        )[0]
        super().__init__(family, kind, protocol)
        self._limits = limits
        self._rates = TokenBuckets(limits.new_per_peer)
        self._peer_to_count: Counter[str] = Counter()
        self._open: dict[int, _Connection] = {}
        """By number of the file."""
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.bind(address)
        self.listen(BACKLOG)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection that counts itself until it is closed.

        Raises:
            ConnectionAbortedError: it was above a limit; an event loop takes this as a peer that hung up.
        """
        accepted, address = super().accept()
        peer = peer_of(address[0])
        if not self._is_welcome(peer):
            accepted.close()
            raise ConnectionAbortedError
        self._peer_to_count[peer] += 1
        number = accepted.fileno()
        connection = _Connection(accepted, lambda: self._forget(peer, number))
        self._open[number] = connection
        connection.close_after(self._limits.life_seconds)
        return connection, address

    def keep_open(self, number: int) -> None:
        """Let a connection live on, for a stream that has limits of its own; it counts as before.

        Args:
            number: of its file.
        """
        if number in self._open:
            self._open[number].live_on()

    def limit_life(self, number: int) -> None:
        """Let a connection that is still open live as long as a new one.

        Args:
            number: of its file, -1 if it has none any more.
        """
        if number in self._open:
            self._open[number].close_after(self._limits.life_seconds)

    def _is_welcome(self, peer: str) -> bool:
        return (
            self._peer_to_count.total() < self._limits.total
            and self._peer_to_count[peer] < self._limits.per_peer
            and self._rates.take(peer)
        )

    def _forget(self, peer: str, number: int) -> None:
        del self._open[number]
        self._peer_to_count[peer] -= 1
        self._peer_to_count += Counter()  # drops the zeros


class _Connection(socket.socket):
    def __init__(self, accepted: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._on_close: Callable[[], None] | None = on_close
        self._timer: asyncio.TimerHandle | None = None

    def close_after(self, seconds: int) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._hang_up)

    def live_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        super().close()
        self.live_on()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
