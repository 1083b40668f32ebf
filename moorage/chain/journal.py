"""What a key has signed, in SQLite, written before it is sent: after a crash nothing is lost, or done twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from moorage.chain.journal_rows import COLUMNS, Row, State, from_columns, to_columns
from moorage.chain.rpc import ChainError
from moorage.types import Address

LOCKED_SECONDS = 1.0
"""How long somebody else, such as a backup, may hold the file."""
KEPT = 200
"""Final transactions that stay for people to look at."""
MIGRATIONS = (
    """
    CREATE TABLE identity (chain_id INTEGER NOT NULL, address TEXT NOT NULL);
    CREATE TABLE transactions (
        nonce INTEGER PRIMARY KEY,
        state TEXT NOT NULL,
        kind TEXT NOT NULL,
        items TEXT NOT NULL,
        description TEXT NOT NULL,
        recipient TEXT NOT NULL,
        data BLOB NOT NULL,
        gas INTEGER NOT NULL,
        max_fee_wei TEXT NOT NULL,
        tip_wei TEXT,
        worth_wei TEXT,
        hashes TEXT NOT NULL,
        void_from INTEGER,
        raw TEXT NOT NULL,
        first_block INTEGER NOT NULL,
        last_block INTEGER NOT NULL,
        inclusion TEXT
    );
    CREATE TABLE spending (day INTEGER PRIMARY KEY, wei TEXT NOT NULL);
    """,
)
"""Scripts that lead from each version of the schema to the next."""


class JournalFault(ChainError):
    """The journal cannot be used: nothing is sent as long as it cannot. The message says what to do."""


class Journal:
    """The journal of one key on one chain. Every write is on the disk when it returns, or has not happened."""

    def __init__(self, path: Path | None, chain_id: int, address: Address) -> None:
        """
        Args:
            path: of the file, made if there is none; None for a journal in memory.
            chain_id: of the transactions.
            address: of the key.

        Raises:
            JournalFault: it cannot be opened, is damaged, or belongs to another key or a newer version.
        """
        self.path = path
        self._name = str(path) if path is not None else "the journal in memory"
        with self._faults():
            self._database = sqlite3.connect(path or ":memory:", timeout=LOCKED_SECONDS, isolation_level=None)
            try:
                self._open(chain_id, address)
            except BaseException:
                self._database.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def load(self) -> list[Row]:
        """Return everything that is not final, by nonce."""
        with self._faults():
            query = f"SELECT {COLUMNS} FROM transactions WHERE state != ? ORDER BY nonce"
            return [from_columns(columns) for columns in self._database.execute(query, (State.FINAL,))]

    def since(self, nonce: int) -> list[Row]:
        """Return what is known of a nonce and later ones, final ones too as long as they are kept."""
        with self._faults():
            query = f"SELECT {COLUMNS} FROM transactions WHERE nonce >= ? ORDER BY nonce"
            return [from_columns(columns) for columns in self._database.execute(query, (nonce,))]

    def next_nonce(self) -> int:
        """Return the one after the highest that was ever used and not released, 0 if there is none."""
        with self._faults():
            ((highest,),) = self._database.execute("SELECT MAX(nonce) FROM transactions")
            return 0 if highest is None else int(highest) + 1

    def final_nonce(self) -> int:
        """Return the highest that is final, -1 if there is none."""
        with self._faults():
            query = "SELECT MAX(nonce) FROM transactions WHERE state = ?"
            ((highest,),) = self._database.execute(query, (State.FINAL,))
            return -1 if highest is None else int(highest)

    def spent_wei(self, day: int) -> int:
        """Return what the final transactions of a day have cost."""
        with self._faults():
            found = self._database.execute("SELECT wei FROM spending WHERE day = ?", (day,)).fetchone()
            return int(found[0]) if found else 0

    def save(self, rows: Sequence[Row], released: Sequence[int] = (), day: int = 0) -> None:
        """Write rows, all of them or none.

        Args:
            rows: new or changed ones; what final ones cost is counted once.
            released: nonces that were never used after all.
            day: on which final ones are counted.

        Raises:
            JournalFault: nothing was written.
        """
        final = [row for row in rows if row.state is State.FINAL]
        with self._faults(), self._transaction():
            marks = ", ".join("?" * (COLUMNS.count(",") + 1))
            self._database.executemany(
                f"INSERT OR REPLACE INTO transactions ({COLUMNS}) VALUES ({marks})", [to_columns(row) for row in rows]
            )
            self._database.executemany("DELETE FROM transactions WHERE nonce = ?", [(nonce,) for nonce in released])
            if final:
                self._spend(day, sum(row.most_wei for row in final if row.inclusion is not None))
                self._database.execute(
                    "DELETE FROM transactions WHERE state = ? AND nonce <= (SELECT MAX(nonce) FROM transactions) - ?",
                    (State.FINAL, KEPT),
                )

    def _spend(self, day: int, wei: int) -> None:
        found = self._database.execute("SELECT wei FROM spending WHERE day = ?", (day,)).fetchone()
        total = wei + (int(found[0]) if found else 0)
        self._database.execute("INSERT OR REPLACE INTO spending VALUES (?, ?)", (day, str(total)))
        self._database.execute("DELETE FROM spending WHERE day < ?", (day - 31,))

    def _open(self, chain_id: int, address: Address) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        ((verdict,),) = self._database.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            raise JournalFault(f"{self._name} is damaged ({' '.join(verdict.split())}): {_REMEDY}")
        self._migrate()
        with self._transaction():
            known = self._database.execute("SELECT chain_id, address FROM identity").fetchone()
            if known is None:
                self._database.execute("INSERT INTO identity VALUES (?, ?)", (chain_id, address))
            elif tuple(known) != (chain_id, address):
                raise JournalFault(
                    f"{self._name} is of {known[1]} on chain {known[0]}, not of {address} on chain {chain_id}: "
                    "give each key a journal of its own"
                )

    def _migrate(self) -> None:
        ((version,),) = self._database.execute("PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise JournalFault(f"{self._name} was written by a newer version of this program: use that one")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            with self._transaction():
                for statement in filter(str.strip, script.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {number}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
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
            said = str(error)
            if any(words in said for words in _DAMAGED):
                raise JournalFault(f"{self._name} is damaged ({said}): {_REMEDY}") from error
            raise JournalFault(
                f"{self._name}: {said}: nothing is sent until it can be written: see whether its disk is full"
            ) from error


_DAMAGED = ("malformed", "not a database", "unsupported file format")
_REMEDY = (
    "put it aside and start again when no transaction of the key is waiting, the state is read from the chain anew"
)
