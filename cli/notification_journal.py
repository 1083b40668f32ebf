"""What was made and sent of a deployment's notices, in SQLite: after a crash nothing is lost, some are sent again.

A write is on the disk when it returns, or has not happened. A notice is written before it is sent, with whom it is for;
that it has arrived is written after. Who is killed in between sends it again, with the same id.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import msgspec

from cli.core.agent_memory import Memory, kept
from cli.core.retries import Delivery, DeliveryState
from cli.failures import ExitStatus, Failure
from moorage.private_file import make_directory

LOCKED_SECONDS = 5.0
"""How long somebody else, such as a backup, may hold the file."""
VERSION = 1
SCHEMA = """
    CREATE TABLE about (only INTEGER PRIMARY KEY CHECK (only = 0), file TEXT, is_over INTEGER NOT NULL, memory TEXT);
    INSERT INTO about VALUES (0, NULL, 0, NULL);
    CREATE TABLE notices (id TEXT PRIMARY KEY, kind TEXT NOT NULL, block INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE deliveries (
        notice TEXT NOT NULL REFERENCES notices (id),
        recipient TEXT NOT NULL,
        state TEXT NOT NULL,
        first_seconds REAL NOT NULL,
        due_seconds REAL NOT NULL,
        attempts INTEGER NOT NULL,
        last_seconds REAL,
        problem TEXT,
        PRIMARY KEY (notice, recipient)
    );
    CREATE INDEX due ON deliveries (due_seconds) WHERE state = 'waiting';
"""
COLUMNS = "notice, recipient, state, first_seconds, due_seconds, attempts, last_seconds, problem"


@dataclass(frozen=True, slots=True)
class Written:
    """A notice as it is sent."""

    id: str
    kind: str
    block_number: int
    body: bytes


class Held(Exception):
    """Another program has the journal; the message says which."""


class NotificationJournal:
    """The journal of one deployment; whoever has opened it is the only one, until `close`."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """
        Args:
            path: of the file, made if there is none.
            is_shared: only to look, beside whoever writes.

        Raises:
            Held: somebody else writes it.
            Failure: it cannot be opened.
        """
        self.path = path
        self._lock = None if is_shared else _locked(path)
        try:
            with self._faults():
                address = f"{path.absolute().as_uri()}?mode={'ro' if is_shared else 'rwc'}"
                self._database = sqlite3.connect(address, timeout=LOCKED_SECONDS, isolation_level=None, uri=True)
                self._check() if is_shared else self._open()
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        """Let others have it."""
        self._database.close()
        self._unlock()

    @property
    def file(self) -> Path | None:
        """The deployment file that names the recipients."""
        ((file,),) = self._rows("SELECT file FROM about")
        return Path(file) if file is not None else None

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        ((is_over,),) = self._rows("SELECT is_over FROM about")
        return bool(is_over)

    @property
    def memory(self) -> Memory:
        """What was told of what agents have said."""
        ((text,),) = self._rows("SELECT memory FROM about")
        return msgspec.json.decode(text, type=Memory) if text is not None else Memory()

    @property
    def is_made(self) -> bool:
        """Whether there is something in it; who looks may come before whoever writes has made the tables."""
        return self._version() > 0

    def begin(self, file: Path | None) -> None:
        """Note whose recipients are told."""
        with self._transaction():
            self._database.execute("UPDATE about SET file = ?", (str(file) if file is not None else None,))

    def add(self, notices: Sequence[Written], deliveries: Sequence[Delivery], memory: Memory, is_over: bool) -> None:
        """Write what is new, with what is remembered: all of it or nothing. What is there stays as it is."""
        with self._transaction():
            self._database.executemany(
                "INSERT INTO notices VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [astuple(notice) for notice in notices],
            )
            self._database.executemany(
                f"INSERT INTO deliveries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [astuple(delivery) for delivery in deliveries],
            )
            text = msgspec.json.encode(kept(memory)).decode()
            self._database.execute("UPDATE about SET memory = ?, is_over = ?", (text, is_over))

    def update(self, delivery: Delivery) -> None:
        """Write how a delivery is after an attempt."""
        with self._transaction():
            notice, recipient, *rest = astuple(delivery)
            self._database.execute(
                "UPDATE deliveries SET state = ?, first_seconds = ?, due_seconds = ?, attempts = ?, last_seconds = ?, "
                "problem = ? WHERE notice = ? AND recipient = ?",
                (*rest, notice, recipient),
            )

    def known(self) -> set[tuple[str, str]]:
        """Return each notice with each recipient that it was made for."""
        return {(notice, recipient) for notice, recipient in self._rows("SELECT notice, recipient FROM deliveries")}

    def notice(self, identity: str) -> Written | None:
        """Return a notice."""
        found = self._rows("SELECT id, kind, block, body FROM notices WHERE id = ?", identity)
        return Written(*found[0]) if found else None

    def due(self, now_seconds: float) -> list[Delivery]:
        """Return what is to be sent now, the longest due first."""
        where = "WHERE state = 'waiting' AND due_seconds <= ? ORDER BY due_seconds, rowid"
        return [_delivery(row) for row in self._rows(f"SELECT {COLUMNS} FROM deliveries {where}", now_seconds)]

    def deliveries(self) -> list[Delivery]:
        """Return all that was made, the oldest first."""
        return [_delivery(row) for row in self._rows(f"SELECT {COLUMNS} FROM deliveries ORDER BY rowid")]

    def waiting(self) -> set[str]:
        """Return the recipients for whom something is still to be sent."""
        return {name for (name,) in self._rows("SELECT DISTINCT recipient FROM deliveries WHERE state = 'waiting'")}

    def hasten(self, recipient: str, now_seconds: float) -> None:
        """Write that what waits for a recipient is due now, unless it is already."""
        with self._transaction():
            self._database.execute(
                "UPDATE deliveries SET due_seconds = ? WHERE state = 'waiting' AND recipient = ? AND due_seconds > ?",
                (now_seconds, recipient, now_seconds),
            )

    def give_up(self, recipient: str, problem: str) -> None:
        """Write that nothing is sent any more of what waits for a recipient."""
        with self._transaction():
            self._database.execute(
                "UPDATE deliveries SET state = 'failed', problem = ? WHERE state = 'waiting' AND recipient = ?",
                (problem, recipient),
            )

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._faults():
            return self._database.execute(query, values).fetchall()

    def _open(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            self._check()
            if not self.is_made:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {VERSION}")

    def _check(self) -> None:
        if self._version() > VERSION:
            raise Failure(ExitStatus.ERROR, f"{self.path} was written by a newer version of this program: use that one")

    def _version(self) -> int:
        ((version,),) = self._rows("PRAGMA user_version")
        return int(version)

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._faults():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = f"{self.path}: {error}: nothing is sent without it; see whether its disk is full, or put it aside"
            raise Failure(ExitStatus.ERROR, text) from error


@contextmanager
def looked_at(path: Path) -> Iterator[NotificationJournal | None]:
    """Give a journal to look at, beside whoever writes it; None if it is only being made.

    Raises:
        Failure: it cannot be read.
    """
    journal = NotificationJournal(path, is_shared=True)
    try:
        yield journal if journal.is_made else None
    finally:
        journal.close()


def _locked(path: Path) -> int:
    make_directory(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))  # of the mode of its companions, too
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise Held(f"process {holder}") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _delivery(row: Sequence[Any]) -> Delivery:
    notice, recipient, state, *rest = row
    return Delivery(notice, recipient, DeliveryState(state), *rest)
