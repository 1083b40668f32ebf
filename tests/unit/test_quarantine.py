"""What fails is tried alone, and more and more seldom; the others go on together."""

from __future__ import annotations

from itertools import pairwise

from moorage.quarantine import FORGOTTEN_BLOCKS, LONGEST_BLOCKS, Quarantine

ITEMS = [b"a", b"b", b"c"]


def test_g20_quarantine__one_of_a_batch_fails__all_are_tried_alone_and_then_only_that_one_is() -> None:
    quarantine = Quarantine()
    quarantine.blame("match", ITEMS, 10)

    assert quarantine.sort("match", ITEMS, 10) == ([], [])
    assert quarantine.sort("match", ITEMS, 11) == ([], [0, 1, 2])

    quarantine.absolve("match", [b"a", b"c"])
    quarantine.blame("match", [b"b"], 11)
    assert quarantine.sort("match", ITEMS, 12) == ([0, 2], [])
    assert quarantine.sort("match", ITEMS, 13) == ([0, 2], [1])


def test_g20_quarantine__another_kind__is_not_meant() -> None:
    quarantine = Quarantine()
    quarantine.blame("match", [b"a"], 10)

    assert quarantine.sort("end", [b"a"], 10) == ([0], [])


def test_g20_quarantine__fails_for_ever__is_tried_again_from_time_to_time() -> None:
    quarantine, tries, block = Quarantine(), [], 0
    while block < 3_000:
        if quarantine.sort("match", [b"a"], block) != ([], []):
            tries.append(block)
            quarantine.blame("match", [b"a"], block)
        block += 1

    pauses = [second - first for first, second in pairwise(tries)]
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[9:]) == {LONGEST_BLOCKS}


def test_g25_quarantine__no_fault_for_long__is_forgotten() -> None:
    quarantine = Quarantine()
    quarantine.blame("match", ITEMS, 10)

    quarantine.forget(10 + FORGOTTEN_BLOCKS)
    assert quarantine.sort("match", ITEMS, 2_000) == ([], [0, 1, 2])
    quarantine.forget(11 + FORGOTTEN_BLOCKS)
    assert quarantine.sort("match", ITEMS, 2_000) == ([0, 1, 2], [])


def test_quarantine__one_fault__does_not_count_and_a_second_one_does_for_its_time() -> None:
    quarantine = Quarantine()

    quarantine.blame("match", ITEMS, 10)  # somebody else was faster: the work is done
    assert quarantine.count(10) == 0
    quarantine.blame("match", [b"b"], 11)
    assert [quarantine.count(block) for block in (11, 12, 13)] == [1, 1, 0]
