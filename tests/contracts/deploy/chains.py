"""Chains of a test's own, beside Brownie's."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from web3 import Web3

from tests.free_ports import free_port


@contextmanager
def anvil(*options: str) -> Iterator[str]:
    """Run a chain and yield its URL."""
    port = free_port()
    states = TemporaryDirectory(prefix="anvil-")  # which it would leave behind elsewhere
    command = ["anvil", "--quiet", "--port", str(port), "--cache-path", states.name, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        web3 = Web3(Web3.HTTPProvider(url))
        deadline = time.monotonic() + 60
        while not web3.is_connected():
            assert time.monotonic() < deadline and process.poll() is None, "anvil does not start"
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)
        states.cleanup()
