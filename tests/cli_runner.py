"""Runs `moorage` inside of the test's process, in a thread of its own, and keeps what it prints."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cli.environment import Environment
from cli.failures import ExitStatus
from cli.main import run
from moorage.reachable import PUBLIC, Reachable
from tests.json_fields import problems

FAST_SCRYPT = 2
VARIABLES = ("RPC", "MARKET", "WALLET", "KEY_FILE", "PASSWORD_FILE", "KEY", "SIGNER", "ADDRESS", "CONTEXT", "DEBUG")
VARIABLES += ("SMTP", "SMTP_PASSWORD_FILE", "MAIL_FROM")


@dataclass(frozen=True)
class Result:
    status: ExitStatus
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of a run with `-o json` that takes time."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Person:
    """Somebody with a home directory and a shell."""

    home: Path
    variables: Mapping[str, str | None]
    is_interactive: bool = False
    scrypt_work: int = FAST_SCRYPT
    reachable: Reachable = PUBLIC
    tls: ssl.SSLContext | None = None

    @property
    def state(self) -> Path:
        return self.home / "state"

    def moorage(self, *arguments: str, typed: str | None = None) -> Result:
        """Run a command; `typed` is what the person answers to questions."""
        environment = Environment(
            home=self.home,
            state_directory=self.state,
            is_interactive=typed is not None,
            is_terminal=False,
            poll_seconds=0.05,
            scrypt_work=self.scrypt_work,
            reachable=self.reachable,
            tls=self.tls,
        )
        cleared: dict[str, str | None] = {f"MOORAGE_{name}": None for name in VARIABLES} | {"COLUMNS": None}
        with CliRunner().isolation(input=typed, env=cleared | dict(self.variables)) as (out, err, _):
            status = run(list(arguments), environment)
            result = Result(status, out.getvalue().decode(), err.getvalue().decode())
        if status is ExitStatus.OK and {"-o", "json"} <= set(arguments) and result.out:
            found = problems(arguments, result.out)
            assert not found, f"docs/for-programs.md: {found}"
        return result

    async def does(self, *arguments: str, typed: str | None = None) -> Result:
        """Run a command while the test goes on."""
        return await asyncio.to_thread(self.moorage, *arguments, typed=typed)

    def having(self, **variables: str | None) -> Person:
        """Return the same person with other variables set."""
        return replace(
            self, variables={**self.variables, **{f"MOORAGE_{name}": value for name, value in variables.items()}}
        )


def person(home: Path, **variables: str | None) -> Person:
    return Person(home, {}).having(**variables)
