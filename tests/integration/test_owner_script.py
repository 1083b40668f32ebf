"""What only the owner may do is done by the script of the operations page, as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage.types import ProviderNumber
from tests.bytecode import ROOT
from tests.operator_desk import Desk, open_desk

PAGE = ROOT / "docs" / "operations" / "provider.md"
PATIENCE_SECONDS = 120


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def test_owner_page__script__withdraws_and_changes_the_operator(desk: Desk) -> None:
    (script,) = re.findall(r"```python\n(import asyncio\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    await desk.register(deposit="20")
    values = {
        "http://127.0.0.1:8545": desk.chain.url,
        "deployments/31337.json": "market.json",
        '"owner.key"': '"owner"',
        "0x...": desk.chain.stranger.address,
    }
    for old, new in values.items():
        assert script.count(old) == 1
        script = script.replace(old, new)
    (desk.folder / "owner_acts.py").write_text(script)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "owner_acts.py"),
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, _ = await process.communicate()

    assert (process.returncode, out.decode().split()) == (0, ["available", "10", "MOOR", "committed", "0", "MOOR"])
    profile = await desk.registry.provider(None, ProviderNumber(1))
    assert profile is not None and profile.operator == desk.chain.stranger.address
