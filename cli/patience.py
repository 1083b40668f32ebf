"""What is waited for, told to whoever looks on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from moorage.terminal_width import width_of

QUIET_SECONDS = 1.0
"""Nobody wonders before that."""
GONE = "\r\x1b[K"
"""Makes the terminal forget the line that it is on (ECMA-48, EL)."""


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Say on a terminal that something is waited for, if the block takes long; when it ends the words are gone.

    Nothing else may be written in the block, and it has to be in a running event loop.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    shown = f"waiting for {what}"[: int(min(width_of(sys.stderr), 1_000)) - 1]  # a line alone can be taken back
    is_told = False

    def tell() -> None:
        nonlocal is_told
        is_told = True
        click.echo(shown, err=True, nl=False)

    later = asyncio.get_running_loop().call_later(QUIET_SECONDS, tell)
    try:
        yield
    finally:
        later.cancel()
        if is_told:
            click.echo(GONE, err=True, nl=False)
