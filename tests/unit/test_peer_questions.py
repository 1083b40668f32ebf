"""When peers are asked: each in its own time, whatever the others do."""

from __future__ import annotations

import asyncio

from moorage.types import OrderId
from provider_agent.shell.peer_answers import Pair
from provider_agent.shell.peer_questions import PeerQuestions

ONE: Pair = (OrderId(b"\x01" * 32), OrderId(b"\x02" * 32))
OTHER: Pair = (OrderId(b"\x01" * 32), OrderId(b"\x03" * 32))


class Asked:
    """Peers of which some never answer and some make trouble."""

    def __init__(self, silent: Pair | None = None, odd: Pair | None = None) -> None:
        self.silent, self.odd = silent, odd
        self.pairs: list[Pair] = []
        self.broken_off: list[Pair] = []

    async def __call__(self, pair: Pair) -> float:
        self.pairs.append(pair)
        if pair == self.odd:
            raise AssertionError("a fault of our own")
        if pair == self.silent:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                self.broken_off.append(pair)
                raise
        return 60


async def ended(questions: PeerQuestions) -> None:
    await questions.changed.wait()
    questions.changed.clear()


async def test_questions__one_is_never_answered__others_are_and_it_is_broken_off_in_the_end() -> None:
    asked = Asked(silent=ONE)
    questions = PeerQuestions(asked)
    questions.keep([ONE, OTHER])

    assert questions.begin() == float("inf")
    await ended(questions)
    assert asked.pairs == [ONE, OTHER]
    assert 59 < questions.begin() <= 60
    questions.hurry(OTHER)
    questions.begin()
    await ended(questions)
    assert asked.pairs == [ONE, OTHER, OTHER]

    questions.close()
    await asyncio.sleep(0)
    assert asked.broken_off == [ONE]
    assert questions.begin() == float("inf")


async def test_questions__fault_of_our_own__is_asked_again_later() -> None:
    asked = Asked(odd=ONE)
    questions = PeerQuestions(asked)
    questions.keep([ONE])

    questions.begin()
    await ended(questions)

    assert 0 < questions.begin() <= 30


async def test_questions__pairs_change__is_told_and_only_those_are_asked() -> None:
    questions = PeerQuestions(Asked())

    assert questions.keep([ONE]) is True
    assert questions.keep([ONE]) is False
    assert questions.keep([OTHER]) is True
