"""What surrounds a run of the program: its terminal, directories, clocks. Tests make one of their own."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import termios
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cli.failures import ExitStatus, Failure
from moorage.reachable import PUBLIC, Reachable

if TYPE_CHECKING:
    from cli.agents import Agents
    from moorage.request_auth import Domain
    from moorage.typed_data import TypedDataSigner

Value = TypeVar("Value")

SCRYPT_WORK = 2**18
"""The n of scrypt: a second for whoever has the file, for each password that is tried."""


def _connect_agents(domain: Domain, signer: TypedDataSigner) -> Agents:
    from moorage.agent_client import AgentClient

    return AgentClient(domain, signer)


@dataclass(frozen=True, slots=True)
class Environment:
    """One run's surroundings."""

    home: Path
    state_directory: Path
    """$XDG_STATE_HOME or what stands for it; ours is a directory in it."""
    is_interactive: bool
    """Whether somebody can be asked."""
    is_terminal: bool
    """Whether the output is a terminal that can be drawn on."""
    streams: tuple[int, int, int] = (0, 1, 2)
    """Numbers of the files that a remote command reads from and writes to."""
    poll_seconds: float = 0.5
    scrypt_work: int = SCRYPT_WORK
    config_home: Path | None = None
    """$XDG_CONFIG_HOME; None for what stands for it."""
    is_process: bool = False
    """Whether the process is ours alone, so that its log is ours to send somewhere."""
    clock: Callable[[], float] = field(default=time.monotonic)
    reachable: Reachable = PUBLIC
    """Where webhooks may be."""
    tls: ssl.SSLContext | None = None
    """Whom webhooks and mail servers are believed by; None: this machine's authorities."""
    connect_agents: Callable[[Domain, TypedDataSigner], Agents] = field(default=_connect_agents)

    @classmethod
    def of_process(cls) -> Environment:
        """Return the surroundings of this process."""
        home = Path.home()
        state = os.environ.get("XDG_STATE_HOME", "")
        config = os.environ.get("XDG_CONFIG_HOME", "")
        return cls(
            home=home,
            state_directory=Path(state) if state.startswith("/") else home / ".local" / "state",
            config_home=Path(config) if config.startswith("/") else None,
            is_interactive=sys.stdin.isatty(),
            is_terminal=sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb",
            is_process=True,
        )

    @property
    def config_directory(self) -> Path:
        """Where wallets and contexts are."""
        return (self.config_home or self.home / ".config") / "moorage"

    def run(self, program: Coroutine[None, None, Value]) -> Value:
        """Run a program to its end; Ctrl-C and SIGTERM cancel it."""
        import asyncio  # imported here: what needs no node starts faster without

        if self.is_process:
            _keep_log_apart()
        return asyncio.run(_cancelled_by_sigterm(program))

    def ask_password(self, prompt: str, *, is_new: bool = False) -> str:
        """Return what is typed from now on, without being shown; twice if it is new.

        Raises:
            Failure: nobody is there.
            click.Abort: Ctrl-C.
        """
        if not self.is_interactive:
            raise Failure(ExitStatus.WALLET, f"{prompt}: nobody to ask, give --password-file (MOORAGE_PASSWORD_FILE)")
        with _interruptible():
            _discard_typed()
            return str(click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True))

    def confirm(self, question: str, *, is_agreed: bool) -> None:
        """Return if the person agrees: what was typed before the question is no answer to it.

        Raises:
            Failure: nobody is there.
            click.Abort: it does not agree.
        """
        if is_agreed:
            return
        if not self.is_interactive:
            raise Failure(ExitStatus.USAGE, f"{question} Nobody to ask: give --yes to agree")
        with _interruptible():
            _discard_typed()
            click.confirm(question, abort=True, err=True)


def _discard_typed() -> None:
    """Forget what is typed already: who types before anything is shown has not seen it."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _keep_log_apart() -> None:
    """Send what the chain client logs to the error output, and of that only faults: the result is nothing else's."""
    import logging

    import structlog

    wrapper = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=wrapper, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


async def _cancelled_by_sigterm(program: Coroutine[None, None, Value]) -> Value:
    import asyncio

    task = asyncio.current_task()
    if task is not None and _is_main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await program


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a question at once: asyncio's own handlers would wait for the answer."""
    if not _is_main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
