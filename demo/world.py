"""Everything that the demo has started, and how it goes away again."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from demo.engine import Engine
from demo.processes import DemoFailed, Processes, end_pids

STATE = Path(__file__).resolve().parent.parent / ".demo.json"
"""Where a demo that was left running is remembered."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A demo that was left running."""

    folder: str
    chain_id: int
    pids: dict[str, int]


async def clear(processes: Processes, engine: Engine | None) -> list[str]:
    """End all programs, remove all that providers have on the engine, and return what is left all the same."""
    await processes.end()
    left = []
    if engine is not None:
        await engine.remove()
        left = await engine.left()
    shutil.rmtree(processes.folder, ignore_errors=True)
    return left


def keep(processes: Processes, chain_id: int) -> None:
    """Remember a demo that goes on."""
    STATE.write_bytes(msgspec.json.encode(Kept(str(processes.folder), chain_id, processes.pids())))


async def stop_kept() -> str:
    """End the demo that was left running, and say so.

    Raises:
        DemoFailed: something of it could not be removed.
    """
    try:
        kept = msgspec.json.decode(STATE.read_bytes(), type=Kept)
    except FileNotFoundError:
        return "no demo is running"
    end_pids(kept.pids)
    engine = Engine(kept.chain_id)
    await engine.remove()
    if left := await engine.left():
        raise DemoFailed(f"still on the engine: {', '.join(left)}")
    shutil.rmtree(kept.folder, ignore_errors=True)
    with suppress(FileNotFoundError):
        STATE.unlink()
    return "the demo has ended and nothing of it is left"
