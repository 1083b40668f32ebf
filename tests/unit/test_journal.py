"""The journal on a disk that is full, held by others, damaged, older, newer or somebody else's."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moorage.chain import journal as module
from moorage.chain.journal import KEPT, Journal, JournalFault
from moorage.chain.journal_rows import Inclusion, Row, State
from moorage.chain.key_lock import KeyInUse, KeyLock
from moorage.chain.transactions import Fees
from moorage.types import Address
from tests.bytecode import ROOT

ADDRESS = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
OTHER = Address("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
ROW = Row(
    nonce=3,
    state=State.SENT,
    kind="submit_lease",
    items=(b"\1" * 32, b"\2" * 32),
    description="submit_lease 0x01",
    to=OTHER,
    data=b"\xff\0data",
    gas=100_000,
    fees=Fees(2**70, 2**65),
    worth_wei=2**80,
    hashes=("0x01", "0x02"),
    void_from=None,
    raw="0x02ff",
    first_block=7,
    last_block=9,
)
INCLUSION = Inclusion("0x02", 10, "0xab", 2**66)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def opened(path: Path | None, address: Address = ADDRESS, chain_id: int = 1) -> Journal:
    return Journal(path, chain_id, address)


@pytest.mark.parametrize(
    "row",
    [
        ROW,
        replace(ROW, fees=Fees(5, None), worth_wei=None, items=(), hashes=(), raw="", void_from=0, state=State.VOID),
        replace(ROW, state=State.MINED, inclusion=INCLUSION),
    ],
)
def test_journal__saved_and_opened_again__is_the_same(path: Path, row: Row) -> None:
    opened(path).save([row])

    again = opened(path)

    assert again.load() == [row]
    assert again.next_nonce() == 4


def test_journal__in_memory__works_the_same() -> None:
    journal = opened(None)
    journal.save([ROW, replace(ROW, nonce=4)], released=[])

    journal.save([replace(ROW, state=State.VOID)], released=[4])

    assert journal.load() == [replace(ROW, state=State.VOID)]
    assert journal.next_nonce() == 4


def test_g27_journal__final_rows__are_counted_on_their_day_for_good(path: Path) -> None:
    journal = opened(path)
    journal.save([replace(ROW, state=State.FINAL, inclusion=INCLUSION)], day=5)
    journal.save([replace(ROW, nonce=4, state=State.FINAL, inclusion=INCLUSION)], day=5)
    journal.save([replace(ROW, nonce=5, state=State.FINAL, inclusion=INCLUSION)], day=6)

    again = opened(path)

    assert [again.spent_wei(day) for day in (4, 5, 6)] == [0, 2**67, 2**66]
    assert again.load() == []
    assert again.final_nonce() == 5


def test_journal__thousands_of_final_rows__keeps_the_newest_only(path: Path) -> None:
    journal = opened(path)
    for start in range(0, 1_000, 250):
        journal.save([replace(ROW, nonce=nonce, state=State.FINAL) for nonce in range(start, start + 250)])

    with sqlite3.connect(path) as database:
        assert database.execute("SELECT COUNT(*), MAX(nonce) FROM transactions").fetchone() == (KEPT, 999)
    assert journal.next_nonce() == 1_000


def test_g22_journal__disk_is_full__says_so_and_changes_nothing(path: Path) -> None:
    journal = opened(path)
    journal.save([ROW])
    ((pages,),) = journal._database.execute("PRAGMA page_count")
    journal._database.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalFault, match=r"journal\.sqlite3: database or disk is full: nothing is sent until"):
        journal.save([replace(ROW, state=State.FINAL), *(replace(ROW, nonce=nonce) for nonce in range(4, 400))])

    assert journal.load() == opened(path).load() == [ROW]


def test_g22_journal__somebody_holds_the_file__says_so_after_a_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCKED_SECONDS", 0.05)
    journal = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(JournalFault, match="database is locked: nothing is sent"):
        journal.save([ROW])
    other.execute("ROLLBACK")

    journal.save([ROW])
    assert journal.load() == [ROW]


@pytest.mark.parametrize("where", [0, 30, 4_096])
def test_g22_journal__damaged_file__is_refused_with_what_to_do(path: Path, where: int) -> None:
    journal = opened(path)
    journal.save([replace(ROW, nonce=nonce) for nonce in range(200)])
    journal.close()
    content = bytearray(path.read_bytes())
    content[where : where + 3_000] = b"\xa5" * 3_000
    path.write_bytes(content)

    with pytest.raises(JournalFault, match=r"is damaged \(.*\): put it aside and start again"):
        opened(path)


def test_g22_journal__folder_is_missing__is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(JournalFault, match="unable to open database file"):
        opened(tmp_path / "missing" / "journal.sqlite3")


@pytest.mark.parametrize(("address", "chain_id"), [(OTHER, 1), (ADDRESS, 2)])
def test_g02_journal__of_another_key_or_chain__is_refused(path: Path, address: Address, chain_id: int) -> None:
    opened(path).close()

    with pytest.raises(JournalFault, match="give each key a journal of its own"):
        opened(path, address, chain_id)


def test_g29_journal__older_version__is_brought_up_and_keeps_what_is_under_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(path).save([ROW])
    added = "ALTER TABLE transactions ADD COLUMN note TEXT; CREATE TABLE notes (text TEXT)"
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, added))

    newer = opened(path)

    assert newer.load() == [ROW]
    assert newer._database.execute("SELECT note FROM transactions").fetchall() == [(None,)]
    assert newer._database.execute("PRAGMA user_version").fetchone() == (len(module.MIGRATIONS),)


def test_g29_journal__migration_fails_half_way__leaves_the_old_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(path).save([ROW])
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, "CREATE TABLE notes (text TEXT); nonsense"))

    with pytest.raises(JournalFault):
        opened(path)
    monkeypatch.undo()

    assert opened(path).load() == [ROW]


def test_g29_journal__newer_version__is_refused(path: Path) -> None:
    opened(path)._database.execute("PRAGMA user_version = 99")

    with pytest.raises(JournalFault, match="was written by a newer version of this program"):
        opened(path)


def test_journal__open__is_write_ahead_and_on_the_disk_at_each_commit(path: Path) -> None:
    journal = opened(path)

    assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_g02_key_lock__second_holder__is_told_which_process_has_it(tmp_path: Path) -> None:
    lock = KeyLock(tmp_path / "key.lock")

    with pytest.raises(KeyInUse, match=rf"key\.lock: process {os.getpid()} sends with this key: end it, or"):
        KeyLock(tmp_path / "key.lock")
    lock.release()

    KeyLock(tmp_path / "key.lock").release()


def test_g02_key_lock__holder_is_killed__the_next_one_takes_over_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key.lock"
    program = f"from pathlib import Path; from moorage.chain.key_lock import KeyLock; KeyLock(Path({str(path)!r}))"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{program}; print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(KeyInUse, match=f"process {holder.pid} "):
        KeyLock(path)

    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    KeyLock(path).release()
