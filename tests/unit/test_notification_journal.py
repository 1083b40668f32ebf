"""The journal of notices: whole or not at all, one writer, and everything is still there after kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cli.core.agent_memory import Memory, Node, Ration
from cli.core.retries import Arrived, Delivery, DeliveryState, after
from cli.failures import Failure
from cli.notification_journal import Held, NotificationJournal, Written, looked_at

ROOT = Path(__file__).resolve().parents[2]
NOTICE = Written("evt_1", "lease.stale", 120, b'{"id": "evt_1"}')
OTHER = Written("evt_2", "lease.healed", 127, b'{"id": "evt_2"}')
MEMORY = Memory(
    2, {"0xab/web": Node(True, 3, 2, 7)}, {"0xab": "0x01"}, {"up 0xab": 5.0}, {"0xab/cluster.node.down": Ration(7, 2)}
)


def waiting(notice: str = "evt_1", recipient: str = "ops", due_seconds: float = 1_000) -> Delivery:
    return Delivery(notice, recipient, DeliveryState.WAITING, 1_000, due_seconds)


def opened(folder: Path) -> NotificationJournal:
    return NotificationJournal(folder / "ab.sqlite")


@pytest.fixture
def journal(tmp_path):
    journal = opened(tmp_path)
    yield journal
    journal.close()


def test_journal__new__is_empty_and_private(tmp_path, journal):
    assert (journal.file, journal.is_over, journal.memory, journal.deliveries()) == (None, False, Memory(), [])
    journal.add([NOTICE], [waiting()], MEMORY, False)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_journal__opened_again__has_everything_but_what_lasts(tmp_path, journal):
    journal.begin(Path("/srv/moorage.yml"))
    journal.add([NOTICE, OTHER], [waiting(), waiting("evt_2")], MEMORY, True)
    journal.close()

    again = opened(tmp_path)

    assert (again.file, again.is_over) == (Path("/srv/moorage.yml"), True)
    assert again.memory == replace(MEMORY, since_seconds={})
    assert again.notice("evt_1") == NOTICE and again.notice("evt_3") is None
    assert again.known() == {("evt_1", "ops"), ("evt_2", "ops")}
    again.close()


def test_journal__written_before_anything_was_left_out__is_read(tmp_path, journal):
    journal.close()
    with sqlite3.connect(journal.path) as database:
        written = """{"complete_stage": 1, "nodes": {"0xab/web": {"is_up": true, "changes": 3}}, "came_up": {}}"""
        database.execute("UPDATE about SET memory = ?", (written,))

    assert opened(tmp_path).memory == Memory(1, {"0xab/web": Node(True, 3)})


def test_h33_journal__same_notice_again__stays_as_it_was(journal):
    journal.add([NOTICE], [waiting()], Memory(), False)
    done = after(waiting(), Arrived(), 1_001, 0.0, 86_400)
    journal.update(done)

    journal.add([replace(NOTICE, body=b"other")], [waiting()], Memory(), False)

    assert journal.notice("evt_1") == NOTICE and journal.deliveries() == [done]


def test_journal__recipient_was_mended__what_waits_for_it_is_due_and_nothing_else(journal):
    journal.add([NOTICE, OTHER], [waiting("evt_1", "a", 5_000), waiting("evt_2", "b", 5_000)], Memory(), False)
    journal.add([], [waiting("evt_2", "a", 900)], Memory(), False)
    done = replace(waiting("evt_1", "c", 5_000), state=DeliveryState.FAILED)
    journal.add([], [done], Memory(), False)

    journal.hasten("a", 1_000)
    journal.hasten("c", 1_000)

    assert [(each.recipient, each.due_seconds) for each in journal.due(1_000)] == [("a", 900), ("a", 1_000)]
    assert done in journal.deliveries()


def test_journal__due__are_those_whose_time_has_come_in_the_order_of_their_making(journal):
    later = waiting("evt_2", due_seconds=2_000)
    journal.add([NOTICE, OTHER], [waiting("evt_2", "b"), waiting("evt_1", "a"), later], Memory(), False)
    journal.update(after(waiting("evt_1", "a"), Arrived(), 1_001, 0.0, 86_400))

    assert [(each.notice, each.recipient) for each in journal.due(1_000)] == [("evt_2", "b")]
    assert [(each.notice, each.recipient) for each in journal.due(2_000)] == [("evt_2", "b"), ("evt_2", "ops")]


def test_journal__given_up__is_what_waits_for_that_recipient_and_nothing_else(journal):
    done, other = after(waiting("evt_1", "a"), Arrived(), 1_001, 0.0, 86_400), waiting("evt_1", "b")
    journal.add([NOTICE, OTHER], [waiting("evt_1", "a"), waiting("evt_2", "a"), other], Memory(), False)
    journal.update(done)

    journal.give_up("a", "gone")

    given_up = replace(waiting("evt_2", "a"), state=DeliveryState.FAILED, problem="gone")
    assert journal.deliveries() == [done, given_up, other] and journal.waiting() == {"b"}


def test_h33_journal__second_watcher__is_kept_out_until_the_first_ends(tmp_path, journal):
    with pytest.raises(Held, match=f"process {os.getpid()}"):
        opened(tmp_path)
    looker = NotificationJournal(tmp_path / "ab.sqlite", is_shared=True)
    looker.close()

    journal.close()
    opened(tmp_path).close()


def test_journal__two_make_it_at_once__one_makes_it_and_the_other_finds_it(tmp_path, monkeypatch):
    path = tmp_path / "ab.sqlite"
    version = NotificationJournal._version
    others = iter([lambda: NotificationJournal(path).close()])

    def slow(self: NotificationJournal) -> int:
        if self._database.in_transaction:
            return version(self)
        next(others, lambda: None)()  # between the look at the version and what is done about it
        return 0

    monkeypatch.setattr("cli.notification_journal._locked", lambda _: None)
    monkeypatch.setattr(NotificationJournal, "_version", slow)

    NotificationJournal(path).close()


def test_journal__looked_at__writes_nothing_even_where_nothing_was_made_yet(tmp_path, journal):
    path = tmp_path / "cd.sqlite"
    path.touch()

    with looked_at(path) as unmade, looked_at(journal.path) as made:
        assert unmade is None and made is not None
        with pytest.raises(Failure, match="readonly"):
            made.begin(Path("/srv/other.yml"))

    assert path.read_bytes() == b""


def test_journal__looked_at_and_not_there__is_one_line(tmp_path):
    with pytest.raises(Failure, match=r"none\.sqlite"), looked_at(tmp_path / "none.sqlite"):
        pass

    assert not any(tmp_path.iterdir())


def test_journal__name_with_signs_of_an_address__is_opened(tmp_path):
    folder = tmp_path / "a?b#c%20d"

    NotificationJournal(folder / "ab.sqlite").close()

    assert (folder / "ab.sqlite").stat().st_size > 0


def test_journal__not_a_database__is_one_line_that_says_what_to_do(tmp_path):
    (tmp_path / "ab.sqlite").write_bytes(b"no database at all, but long enough to be read as one" * 40)

    with pytest.raises(Failure, match="put it aside"):
        opened(tmp_path)
    with pytest.raises(Failure, match="put it aside"):  # and the lock is free
        opened(tmp_path)


def test_journal__of_a_newer_version__is_left_alone(tmp_path, journal):
    journal.close()
    with sqlite3.connect(tmp_path / "ab.sqlite") as database:
        database.execute("PRAGMA user_version = 2")

    with pytest.raises(Failure, match="newer version"):
        opened(tmp_path)


def test_h33_journal__failure_in_the_middle__nothing_of_it_is_written(journal):
    with pytest.raises(Failure):
        journal.add([NOTICE], [waiting(), replace(waiting("evt_2"), due_seconds=None)], MEMORY, True)

    assert (journal.notice("evt_1"), journal.known(), journal.memory, journal.is_over) == (None, set(), Memory(), False)


KILLED = """
import os, signal, sys
from pathlib import Path
from cli.core.agent_memory import Memory
from cli.core.retries import Delivery, DeliveryState
from cli.notification_journal import NotificationJournal, Written
journal = NotificationJournal(Path(sys.argv[1]))
for number in range(50):
    name = f"evt_{number}"
    delivery = Delivery(name, "ops", DeliveryState.WAITING, 1, 1)
    journal.add([Written(name, "x", 1, b"{}")], [delivery], Memory(number), False)
journal._database.execute("BEGIN IMMEDIATE")
journal._database.execute("INSERT INTO notices VALUES ('half', 'x', 1, '')")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_h33_journal__killed_while_it_writes__keeps_what_was_written_and_nothing_of_the_rest(tmp_path):
    path = tmp_path / "ab.sqlite"

    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    journal = NotificationJournal(path)

    assert ended.returncode == -signal.SIGKILL
    assert len(journal.due(1)) == 50 and journal.memory == Memory(49) and journal.notice("half") is None
    journal.close()


def test_journal__directories_that_are_missing__are_nobody_elses(tmp_path):
    opened(tmp_path / "state" / "moorage" / "notifications").close()

    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
