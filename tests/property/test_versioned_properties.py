"""Each version is what a copy of the whole mapping would be, in whatever order versions are read."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st

from moorage.versioned import Versioned

KEYS = st.integers(0, 6)
CHANGES = st.dictionaries(KEYS, st.none() | st.integers(0, 2), max_size=4)
"""None: gone."""


@given(st.dictionaries(KEYS, st.integers(0, 2)), st.lists(st.tuples(CHANGES, st.booleans()), max_size=6), st.data())
def test_versioned__any_changes__every_version_is_as_a_copy_would_be(first, steps, data) -> None:
    versions, copies = [Versioned(first)], [dict(first)]
    for changes, is_from_an_older_one in steps:
        at = data.draw(st.integers(0, len(versions) - 1)) if is_from_an_older_one else -1
        new = {key: value for key, value in changes.items() if value is not None}
        copies.append({key: value for key, value in (copies[at] | new).items() if key not in changes or key in new})
        versions.append(versions[at].replaced(changes.keys(), new))

    for at in data.draw(st.permutations(range(len(versions)))):
        assert [versions[at].get(key) for key in range(7)] == [copies[at].get(key) for key in range(7)]
        if data.draw(st.booleans()):
            assert (versions[at], len(versions[at])) == (copies[at], len(copies[at]))


def test_versioned__no_change__is_the_same_version() -> None:
    version = Versioned({1: 2})

    assert version.replaced({1, 3}, {1: 2}) is version
    assert version.replaced({1}, {1: 3}) is not version


def test_versioned__next_version_made_while_one_is_gone_through__is_as_it_was() -> None:
    version = Versioned(dict.fromkeys(range(4), 0))
    seen = []

    for key, value in version.items():
        seen.append((key, value))
        version.replaced({key, 3}, {}) if key == 0 else None

    assert seen == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_g25_versioned__thousands_of_versions__those_that_nobody_holds_are_gone() -> None:
    held_by_others = _held()
    version = Versioned({0: 0})

    for number in range(1, 3_000):
        version = version.replaced({0, number}, {0: number})

    assert _held() - held_by_others < 20
    assert version == {0: 2_999}


def _held() -> int:
    """Return how many versions the whole process holds."""
    gc.collect()
    return len([each for each in gc.get_objects() if type(each) is Versioned])
