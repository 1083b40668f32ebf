"""What a check finds, and how all checks are run: beside each other, and none can hold up or break the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHECK_SECONDS = 30.0


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what doctor says."""

    level: Level
    where: str
    """What was looked at: `rpc http://127.0.0.1:8545`, `docker`, a file, …"""
    what: str
    remedy: str = ""
    """What to do; empty if nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. What it finds may be several things."""

    where: str
    look: Callable[[], Awaitable[Sequence[Finding]]]


def ok(where: str, what: str) -> Finding:
    return Finding(Level.OK, where, what)


def warning(where: str, what: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, where, what, remedy)


def failure(where: str, what: str, remedy: str) -> Finding:
    return Finding(Level.FAILURE, where, what, remedy)


def at_once(look: Callable[[], Sequence[Finding]]) -> Callable[[], Awaitable[Sequence[Finding]]]:
    """Make a check of a function that waits for nothing."""

    async def call() -> Sequence[Finding]:
        return look()

    return call


def is_sound(findings: Sequence[Finding]) -> bool:
    """Return whether nothing keeps the program from working."""
    return all(finding.level is not Level.FAILURE for finding in findings)


async def examine(
    checks: Sequence[Check], expected: tuple[type[Exception], ...], seconds: float = CHECK_SECONDS
) -> list[Finding]:
    """Run all checks and return what they find, in their order.

    Args:
        expected: what checks may raise whose messages are fit to be shown.
    """
    found = await asyncio.gather(*(_run(check, expected, seconds) for check in checks))
    return [finding for each in found for finding in each]


async def _run(check: Check, expected: tuple[type[Exception], ...], seconds: float) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(seconds):
            return await check.look()
    except TimeoutError:  # before what it is a kind of
        return [failure(check.where, f"no answer in {seconds:.0f} s", "see whether it hangs, then run this again")]
    except expected as error:
        return [failure(check.where, " ".join(str(error).split()), "")]  # what to do stands in it
    except Exception as error:  # the other checks still say what they find; the text could hold a secret
        return [failure(check.where, f"the check itself failed: {type(error).__name__}", "please report this")]
