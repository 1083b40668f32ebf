"""What an agent has to do with its peers, as a whole: it costs what has changed, and ends when the agent does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moorage.snapshot import Touched
from moorage.types import Address
from provider_agent import peering as peering_module
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.peering import Peering
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.peer_answers import PeerAnswers
from tests.markets import US, make_lease, make_order, make_snapshot

ORDER = make_order(0)
LEASES = [(ORDER, make_lease(ORDER, provider=US))]


@pytest.fixture
def peering(tmp_path: Path) -> Peering:
    never: Any = SimpleNamespace(nodes=())  # nobody is asked and nothing is signed as long as there are no leases
    return Peering(
        US,
        Address("0x" + "11" * 20),
        never,
        never,
        ManifestMemory(),
        ImagePolicy((), ()),
        never,
        PeerAnswers(tmp_path),
        lambda lease, peer: None,
        lambda lease: None,
        lambda lease, ends: None,
    )


async def test_peering__told_to_stop_while_nothing_happens__ends_at_once(peering: Peering) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(peering.run(stop))
    await asyncio.sleep(0.1)
    goes_on = not running.done()

    stop.set()

    assert goes_on
    await asyncio.wait_for(running, 60)


@pytest.mark.parametrize("which", ["roots", "manifests", "overlay"])
async def test_peering__a_part_of_it_fails__begins_again_and_does_not_end_the_agent(
    peering: Peering, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[None] = []
    has_begun_again = asyncio.Event()

    async def run(_: asyncio.Event) -> None:
        begun.append(None)
        if len(begun) > 1:
            has_begun_again.set()
        raise LookupError("nobody has thought of this")

    monkeypatch.setattr(peering_module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(getattr(peering, which), "run", run)
    stop = asyncio.Event()
    running = asyncio.create_task(peering.run(stop))

    await asyncio.wait_for(has_begun_again.wait(), 60)

    assert not running.done()
    stop.set()
    await asyncio.wait_for(running, 60)


def test_peering__block_in_which_nobody_comes_or_goes__looks_at_no_tunnel(
    peering: Peering, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    monkeypatch.setattr(peering.overlay, "wake", lambda: looks.append(None))
    peering.take(make_snapshot(1_000, leases=LEASES))
    assert len(looks) == 1

    peering.take(replace(make_snapshot(1_001, leases=LEASES), touched=Touched(frozenset([ORDER.id]))))

    assert len(looks) == 1
