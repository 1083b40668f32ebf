"""Load on TCP addresses, in processes of its own that can run in any network: `python -m tests.benchmarks.tunnel_load`

serve HOST PORT...  answers; prints a line when it does
load HOST PORT      measures, and prints a Load
hold HOST:PORT...   keeps a connection to each busy until its input ends, and prints a Held
reach HOST PORT     tries until it is answered, and prints when that was by the clock that all processes share
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

BLOCK = bytes(1 << 18)
SECONDS = 10
BULK_BYTES = 64 << 20
PINGS = 2_000
CONNECTIONS = 60
PING = bytes(64)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Load:
    """What one way carries."""

    gbit_up: float
    gbit_down: float
    p50_microseconds: float
    p99_microseconds: float
    """Of an answer on a kept connection."""
    connections_per_second: float
    """One after the other, each with an answer."""


def measure(address: Address) -> Load:
    """Load a way for some seconds."""
    latencies = _pings(address)
    began = time.perf_counter()
    for _ in range(CONNECTIONS):
        with _connected(address, b"e") as connection:
            _ping(connection)
    rate = CONNECTIONS / (time.perf_counter() - began)
    percentiles = quantiles(latencies, n=100)
    return Load(_up(address), _down(address), median(latencies) * 1e6, percentiles[98] * 1e6, rate)


@dataclass(frozen=True, slots=True)
class Held:
    """What became of connections that were kept busy."""

    connections: int
    answers: int
    broken: int
    longest_milliseconds: float
    """That one of them waited for an answer."""


def load_command(*arguments: str) -> list[str | Path]:
    """Return the command of one of these processes."""
    return [sys.executable, "-m", "tests.benchmarks.tunnel_load", *arguments]


def hold(addresses: Sequence[Address]) -> Held:
    """Say something on each connection in turn, until the input ends."""
    connections = [_connected(each, b"e") for each in addresses]
    for each in connections:
        _ping(each)
    print("held", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    answers, longest = 0, 0.0
    broken: set[socket.socket] = set()
    while not ended.is_set():
        for each in connections:
            began = time.perf_counter()
            try:
                _ping(each)
                answers += 1
                longest = max(longest, time.perf_counter() - began)
            except OSError:
                broken.add(each)
            time.sleep(0.001)  # to be there is enough: the load is measured elsewhere
    return Held(len(connections), answers, len(broken), longest * 1_000)


def reach(address: Address) -> float:
    """Try to get an answer until there is one; return the time of it."""
    while True:
        with suppress(OSError), _connected(address, b"e") as connection:
            connection.settimeout(1)
            _ping(connection)
            return time.monotonic()
        time.sleep(0.005)


def _connected(address: Address, kind: bytes) -> socket.socket:
    connection = socket.create_connection(address, SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(kind)
    return connection


def _ping(connection: socket.socket) -> None:
    connection.sendall(PING)
    missing = len(PING)
    while missing:
        received = len(connection.recv(missing))
        if not received:
            raise ConnectionResetError("closed")
        missing -= received


def _pings(address: Address) -> list[float]:
    found = []
    with _connected(address, b"e") as connection:
        for _ in range(PINGS):
            began = time.perf_counter()
            _ping(connection)
            found.append(time.perf_counter() - began)
    return found


def _up(address: Address) -> float:
    with _connected(address, b"s") as connection:
        connection.settimeout(60)
        connection.sendall(struct.pack("!Q", BULK_BYTES))
        began = time.perf_counter()
        for _ in range(BULK_BYTES // len(BLOCK)):
            connection.sendall(BLOCK)
        assert connection.recv(1) == b"k"
        return _gbit(began)


def _down(address: Address) -> float:
    buffer = bytearray(len(BLOCK))
    with _connected(address, b"d") as connection:
        connection.settimeout(60)
        began = time.perf_counter()
        connection.sendall(struct.pack("!Q", BULK_BYTES))
        missing = BULK_BYTES
        while missing:
            missing -= connection.recv_into(buffer)
        return _gbit(began)


def _gbit(began: float) -> float:
    return BULK_BYTES * 8 / (time.perf_counter() - began) / 1e9


def _serve(connection: socket.socket) -> None:
    buffer = bytearray(len(BLOCK))
    with suppress(OSError, struct.error), connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind = connection.recv(1)
        if kind == b"e":
            while received := connection.recv_into(buffer):
                connection.sendall(memoryview(buffer)[:received])
        elif kind in (b"s", b"d"):
            (size,) = struct.unpack("!Q", connection.recv(8, socket.MSG_WAITALL))
            while size and kind == b"s":
                size -= connection.recv_into(buffer)
            for _ in range(size // len(BLOCK)):
                connection.sendall(BLOCK)
            connection.sendall(b"k" if kind == b"s" else b"")


def serve(host: str, ports: Sequence[int]) -> None:
    """Answer until killed."""
    for port in ports:
        threading.Thread(target=_accept, args=(socket.create_server((host, port), backlog=512),), daemon=True).start()
    print("serving", flush=True)
    threading.Event().wait()


def _accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def main(kind: str, host: str, *more: str) -> None:
    """Do what the arguments say."""
    match kind:
        case "serve":
            serve(host, [int(port) for port in more])
        case "load":
            print(json.dumps(asdict(measure((host, int(more[0]))))))
        case "hold":
            pairs = (each.rpartition(":") for each in (host, *more))
            print(json.dumps(asdict(hold([(name, int(port)) for name, _, port in pairs]))))
        case "reach":
            print(reach((host, int(more[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
