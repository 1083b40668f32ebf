"""Everything that the demo has started, and how it goes away again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from demo.engine import Engine
from demo.processes import DemoFailed, Processes, Remembered, end_remembered

STATE = Path(__file__).resolve().parent.parent / ".demo.json"
"""Where the one demo that was left running is remembered."""
STOP_FIRST = "a demo was left running: stop it first with make demo-stop"


@dataclass(frozen=True, slots=True)
class Kept:
    """A demo that was left running."""

    folder: str
    chain_id: int
    engine_url: str
    processes: dict[str, Remembered]


async def clear(processes: Processes, engine: Engine | None) -> list[str]:
    """End all programs, remove all that providers have on the engine, and return what is left all the same."""
    await processes.end()
    try:
        left = [] if engine is None else await _empty(engine)
    finally:
        shutil.rmtree(processes.folder, ignore_errors=True)
    return left


def check_none_kept() -> None:
    """Refuse to leave a second demo running.

    Raises:
        DemoFailed: one is remembered.
    """
    if STATE.exists():
        raise DemoFailed(STOP_FIRST)


def keep(processes: Processes, engine: Engine, chain_id: int) -> None:
    """Remember a demo that goes on.

    Raises:
        DemoFailed: another one is remembered, and would be forgotten.
    """
    kept = Kept(str(processes.folder), chain_id, engine.url, processes.remembered())
    try:
        with STATE.open("xb") as file:
            file.write(msgspec.json.encode(kept))
    except FileExistsError:
        raise DemoFailed(STOP_FIRST) from None


async def stop_kept() -> str:
    """End the demo that was left running, and say so.

    Raises:
        DemoFailed: something of it could not be ended or removed; it stays remembered.
    """
    try:
        kept = msgspec.json.decode(STATE.read_bytes(), type=Kept)
    except FileNotFoundError:
        return "no demo is running"
    except msgspec.DecodeError as error:
        raise DemoFailed(f"{STATE}: not a demo that can be stopped: {error}") from None
    # agents first, and until they are gone: one that lives would put removed containers back
    await end_remembered(list(kept.processes.values()))
    if left := await _empty(Engine(kept.chain_id, kept.engine_url)):
        raise DemoFailed(f"still on the engine: {', '.join(left)}")
    shutil.rmtree(kept.folder, ignore_errors=True)
    STATE.unlink(missing_ok=True)
    return "the demo has ended and nothing of it is left"


async def _empty(engine: Engine) -> list[str]:
    """Remove all that providers have on the engine, and return what is left.

    Raises:
        DemoFailed: the engine does not answer.
    """
    try:
        await engine.remove()
        return await engine.left()
    except (aiohttp.ClientError, OSError) as error:
        raise DemoFailed(f"what providers have on the engine could not be removed: {error}") from error
