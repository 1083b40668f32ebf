"""When a lease counts as over: two proofs of different final blocks, and of different nodes if there are several."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.types import OrderId
from provider_agent.core.endings import (
    ALONE_BLOCKS,
    REMOVE_AFTER_BLOCKS,
    STOP_AFTER_BLOCKS,
    Endings,
    Over,
    Proof,
    Standing,
)
from tests.factories.proofs import proof

ROOT = Path(__file__).resolve().parents[2]
LEASE, OTHER = OrderId(b"\x01" * 32), OrderId(b"\x02" * 32)


def after(*proofs: Proof) -> Endings:
    endings = Endings()
    endings.suspect(LEASE)
    for each in proofs:
        endings.take(each)
    return endings


def test_g12_take__two_final_blocks_say_so__is_over() -> None:
    endings = after(proof(LEASE, 1), proof(LEASE, 2))

    assert endings.over == (Over(proof(LEASE, 1), proof(LEASE, 2)),)
    assert (endings.open, endings.resting) == ((), frozenset())


TOO_LITTLE = {
    "nothing": (),
    "one": (proof(LEASE, 1),),
    "the same block twice": (proof(LEASE, 1), proof(LEASE, 1)),
    "of another lease": (proof(LEASE, 1), proof(OTHER, 2)),
    "one node says it twice, and there are two": (
        proof(LEASE, 1, node=0, nodes=2),
        proof(LEASE, 2, node=0, nodes=2),
        proof(LEASE, 3, node=0, nodes=2),
    ),
    "two nodes say it of the same block": (proof(LEASE, 1, node=0, nodes=2), proof(LEASE, 1, node=1, nodes=2)),
    "it lives": (proof(LEASE, 1, Standing.LIVE), proof(LEASE, 2, Standing.LIVE)),
    "it lives in between": (proof(LEASE, 1), proof(LEASE, 2, Standing.LIVE), proof(LEASE, 3)),
    "it was never ours, then it is over": (proof(LEASE, 1, Standing.NEVER), proof(LEASE, 2)),
    "it was never ours": (proof(LEASE, 1, Standing.NEVER), proof(LEASE, STOP_AFTER_BLOCKS, Standing.NEVER)),
}


@pytest.mark.parametrize("proofs", TOO_LITTLE.values(), ids=TOO_LITTLE.keys())
def test_g12_take__too_little_is_proved__changes_nothing(proofs: tuple[Proof, ...]) -> None:
    endings = after(*proofs)

    assert (endings.over, endings.resting, endings.open) == ((), frozenset(), (LEASE,))


def test_g12_take__another_node_says_it_of_another_block__is_over() -> None:
    endings = after(proof(LEASE, 1, node=0, nodes=2), proof(LEASE, 2, node=1, nodes=2))

    assert [each.lease for each in endings.over] == [LEASE]


@pytest.mark.parametrize(("blocks", "is_over"), [(ALONE_BLOCKS - 1, False), (ALONE_BLOCKS, True)])
def test_d05_take__the_other_node_is_gone_for_good__one_that_says_it_for_long_suffices(
    blocks: int, is_over: bool
) -> None:
    endings = after(*(proof(LEASE, 1 + block, node=0, nodes=2) for block in range(blocks + 1)))

    assert bool(endings.over) is is_over


def test_g15_take__the_other_node_contradicts_meanwhile__starts_from_nothing() -> None:
    proofs = [proof(LEASE, 1 + block, node=0, nodes=2) for block in range(ALONE_BLOCKS + 1)]
    living = proof(LEASE, ALONE_BLOCKS, Standing.LIVE, node=1, nodes=2)

    assert after(*proofs[:-1], living, proofs[-1]).over == ()


def test_i19_take__never_ours_for_long__rests_first_and_is_removed_much_later() -> None:
    endings = after(proof(LEASE, 1, Standing.NEVER), proof(LEASE, 1 + STOP_AFTER_BLOCKS, Standing.NEVER))
    assert (endings.over, endings.resting, endings.open) == ((), {LEASE}, (LEASE,))

    endings.take(proof(LEASE, REMOVE_AFTER_BLOCKS, Standing.NEVER))
    assert endings.over == ()
    endings.take(proof(LEASE, 1 + REMOVE_AFTER_BLOCKS, Standing.NEVER))

    assert [each.lease for each in endings.over] == [LEASE]
    assert endings.resting == frozenset()


@pytest.mark.parametrize("is_acquitted", [False, True])
def test_g08_take__rests_and_lives_again__starts_from_nothing(is_acquitted: bool) -> None:
    endings = after(proof(LEASE, 1, Standing.NEVER), proof(LEASE, 1 + STOP_AFTER_BLOCKS, Standing.NEVER))

    if is_acquitted:
        endings.acquit([LEASE])
        endings.suspect(LEASE)
    else:
        endings.take(proof(LEASE, 2 + STOP_AFTER_BLOCKS, Standing.LIVE))
    endings.take(proof(LEASE, 9 + REMOVE_AFTER_BLOCKS, Standing.NEVER))

    assert (endings.over, endings.resting) == ((), frozenset())


def test_take__lease_that_nobody_suspects__is_not_remembered() -> None:
    endings = Endings()

    for block in (1, 2):
        endings.take(proof(LEASE, block))

    assert (endings.over, endings.open) == ((), ())


@pytest.mark.parametrize(
    "proofs",
    [
        (proof(LEASE, 1), proof(LEASE, 1)),
        (proof(LEASE, 1), proof(OTHER, 2)),
        (proof(LEASE, 1, Standing.LIVE), proof(LEASE, 2, Standing.LIVE)),
        (proof(LEASE, 1, Standing.NEVER), proof(LEASE, 2)),
        (proof(LEASE, 1, node=0, nodes=2), proof(LEASE, 2, node=0, nodes=2)),
    ],
)
def test_g12_over__proofs_do_not_suffice__cannot_be_made(proofs: tuple[Proof, Proof]) -> None:
    with pytest.raises(ValueError, match="not proved"):
        Over(*proofs)


def makers(name: str) -> Iterator[str]:
    """Yield the files of the programs in which something is made of a class."""
    for package in ("moorage", "provider_agent", "facilitator_bot", "cli"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                    yield path.relative_to(ROOT).as_posix()


def test_g12_proof__is_made_only_where_a_final_block_is_read() -> None:
    assert list(makers("Proof")) == ["provider_agent/shell/prover.py"]
    assert list(makers("Over")) == ["provider_agent/core/endings.py"]
