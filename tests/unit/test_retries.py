"""When a notice is sent again: later and later, for a day."""

from __future__ import annotations

from functools import partial

import pytest

from cli.core import retries
from cli.core.retries import Arrived, Delivery, DeliveryState, Outcome, Refused, Unanswered

after = partial(retries.after, give_up_seconds=86_400)

NEW = Delivery("evt_1", "ops", DeliveryState.WAITING, 1_000, 1_000)
SILENT = Unanswered("no answer")


def attempts(outcome: Outcome, chance: float = 0.0) -> list[float]:
    """Return the times of all attempts with the same outcome, in seconds after the first."""
    delivery, times = NEW, []
    while delivery.state is DeliveryState.WAITING and len(times) < 100:
        times.append(delivery.due_seconds - NEW.first_seconds)
        delivery = after(delivery, outcome, delivery.due_seconds, chance)
    assert delivery.state is DeliveryState.FAILED
    return times


def test_after__arrived__is_over():
    done = after(NEW, Arrived(), 1_003, 0.5)

    assert done == Delivery("evt_1", "ops", DeliveryState.DELIVERED, 1_003, 1_000, 1, 1_003, None)


def test_after__refused__is_final_with_the_reason():
    done = after(NEW, Refused("it answers 404"), 1_003, 0.5)

    assert (done.state, done.problem, done.attempts) == (DeliveryState.FAILED, "it answers 404", 1)


def test_h33_after__never_an_answer__waits_longer_and_longer_and_gives_up_after_a_day():
    times = attempts(SILENT)

    assert times == [0, 5, 25, 105, 425, 1_705, 6_825, 21_225, 35_625, 50_025, 64_425, 78_825]


def test_after__given_up__says_after_how_many_attempts():
    last = after(Delivery("evt_1", "ops", DeliveryState.WAITING, 0, 86_000, 11), SILENT, 86_000, 0.0)

    assert last.problem == "given up after 12 attempts: no answer"


def test_after__other_limit__is_given_up_then():
    assert retries.after(NEW, SILENT, 1_000, 0.0, 5).state is DeliveryState.WAITING
    assert retries.after(NEW, SILENT, 1_000, 0.0, 4).state is DeliveryState.FAILED


def test_after__chance__makes_waits_up_to_a_fifth_longer():
    assert attempts(SILENT, 1.0)[:3] == [0, 6, 30]


def test_after__recipient_asks_for_a_longer_wait__gets_it_and_not_a_shorter_one():
    assert after(NEW, Unanswered("429", 600), 1_000, 0.0).due_seconds == 1_600
    assert after(NEW, Unanswered("429", 1), 1_000, 0.0).due_seconds == 1_005


@pytest.mark.parametrize("attempts_before", [0, 3, 10])
def test_h33_after__machine_was_asleep__gets_as_many_attempts_as_if_it_had_not_been(attempts_before):
    delivery, count = NEW, 0
    while delivery.state is DeliveryState.WAITING:
        asleep = 3 * 86_400 if count == attempts_before else 0
        delivery = after(delivery, SILENT, delivery.due_seconds + asleep, 0.0)
        count += 1

    assert count == 12


def test_after__clock_was_set_back__does_not_lengthen_the_day():
    assert after(NEW, SILENT, 500, 0.0).first_seconds == 1_000
