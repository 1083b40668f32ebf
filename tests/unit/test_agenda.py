"""What is due is what a search through everything would find, and old entries do not pile up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moorage.agenda import SLACK, Agenda

ITEMS = st.sampled_from([bytes([number]) for number in range(8)])
STEPS = st.lists(st.tuples(ITEMS, st.none() | st.integers(0, 40)), max_size=60)


@given(STEPS)
def test_agenda__any_changes__due_is_what_a_search_finds(steps: list[tuple[bytes, int | None]]) -> None:
    agenda, plain = Agenda[bytes](), dict[bytes, int]()

    for block, (item, when) in enumerate(steps):
        agenda.set(item, when)
        plain[item] = when if when is not None else 10**9
        found = agenda.due(block)

        assert sorted(found) == sorted(each for each in plain if plain[each] <= block)
        assert agenda.is_due(block) == bool(found)


def test_agenda__due_and_not_done__stays_due_the_longest_first() -> None:
    agenda = Agenda[bytes]()
    agenda.set(b"b", 3)
    agenda.set(b"a", 5)

    assert agenda.due(2) == []
    assert agenda.due(5) == [b"b", b"a"] == agenda.due(9)

    agenda.set(b"b", 20)
    assert agenda.due(9) == [b"a"]


def test_g25_agenda__moved_again_and_again__stays_small() -> None:
    agenda = Agenda[bytes]()
    for block in range(10_000):
        for item in (b"a", b"b", b"c"):
            agenda.set(item, 1_000_000 + block)

    assert len(agenda._queue) <= 2 * 3 + SLACK + 1
    assert sorted(agenda.due(2_000_000)) == [b"a", b"b", b"c"]
