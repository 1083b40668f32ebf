"""What mutants have to get through: stages in an order, each in a process of its own."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from tests.mutation.children import in_children
from tests.mutation.stages import FOLDERS, WALKS, Budget, Result, Stages


def stages(*names: str) -> Stages:
    items: Any = [SimpleNamespace(nodeid=name) for name in names]
    return Stages(items, Budget(first_seeds=3, seeds=3, full_books=0))


def test_stage__tests_likely_to_fail__go_first_unless_they_share_fixtures_with_others() -> None:
    walks, folder = ([f"{place}::{number}" for number in range(3)] for place in (WALKS[0], f"{FOLDERS[0]}/test_a.py"))
    all_stages = stages(*walks, *folder)
    likely = [folder[2], walks[2], "machine:any:1", "gone"]

    tests = {stage: all_stages.tests(stage, likely) for stage in all_stages.names()}

    assert tests == {
        "walks": [walks[2], walks[0], walks[1]],
        "state machine, at first": ["machine:any:1", "machine:any:0", "machine:any:2"],
        FOLDERS[0]: folder,
    }


def test_stages__some_likely_to_kill__go_first_and_empty_ones_are_passed_over() -> None:
    all_stages = stages(f"{WALKS[0]}::0", f"{FOLDERS[0]}/test_a.py::0", f"{FOLDERS[1]}/test_a.py::0")

    order = all_stages.order([FOLDERS[1], "gone", FOLDERS[2], "walks"])

    assert order == [FOLDERS[1], "walks", "state machine, at first", FOLDERS[0]]


@pytest.mark.parametrize("reason", ["a balance is wrong", "previous item was not torn down properly"])
def test_stage__test_fails__is_the_result_but_an_order_of_tests_is_an_error(reason: str) -> None:
    watchers: list[Any] = []
    failed = SimpleNamespace(excinfo=SimpleNamespace(value=AssertionError(reason), errisinstance=lambda _: False))
    following: list[str | None] = []

    def run(*, item: Any, nextitem: Any) -> None:
        following.append(nextitem and nextitem.nodeid)
        if item.nodeid == names[1]:
            watchers[-1].pytest_runtest_makereport(item, failed)

    plugins = SimpleNamespace(register=watchers.append, unregister=lambda _: None)
    config = SimpleNamespace(pluginmanager=plugins, hook=SimpleNamespace(pytest_runtest_protocol=run))
    names = [f"{FOLDERS[0]}/test_a.py::{number}" for number in range(2)]
    items: Any = [SimpleNamespace(nodeid=name, config=config) for name in names]
    in_order = Stages(items, Budget())

    with pytest.raises(RuntimeError) if "torn down" in reason else nullcontext():
        assert in_order.run(FOLDERS[0]) == Result(names[1], f"AssertionError: {reason}")
    assert following == [names[1], None]


def test_children__children_of_their_own__have_what_is_set_there_and_leave_nothing() -> None:
    found = {}

    def count(number: int) -> int:
        found["here"] = found.get("here", 0) + number
        return found["here"]

    def count_twice(number: int) -> list[int | None]:
        found["here"] = 10 * number
        return [done.result for done in in_children([1, 2], count, 1, 60)]

    results = {done.task: done.result for done in in_children([1, 2], count_twice, 2, 60)}

    assert results == {1: [11, 12], 2: [21, 22]}
    assert not found


def test_children__late__end_with_their_own_children() -> None:
    """What all of them hold open is closed; the innermost would write to it otherwise."""
    receiver, sender = os.pipe()

    def write_late(_: None) -> int:
        time.sleep(60)
        return os.write(sender, b"alive")

    def wait_for_it(_: None) -> int | None:
        [done] = in_children([None], write_late, 1, 60)
        return done.result

    [done] = in_children([None], wait_for_it, 1, 0.5)
    os.close(sender)

    assert done.is_late
    with open(receiver, "rb") as pipe:
        assert pipe.read() == b""


def test_children__one_dies__the_others_have_results() -> None:
    def half(number: int) -> float:
        return 1 / number if number else os._exit(1)

    results = {done.task: done.result for done in in_children([0, 2], half, 1, 60)}

    assert results == {0: None, 2: 0.5}
