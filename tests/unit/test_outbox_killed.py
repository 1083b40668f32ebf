"""The outbox when its program is killed, replaced or can't write: nothing is lost, done twice or given away."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from moorage.chain import journal as journal_module
from moorage.chain.jobs import Landed
from moorage.chain.journal import JournalFault
from moorage.chain.key_lock import KeyInUse
from tests.fakes.outboxes import ACCOUNT, advance, job, outbox, refused
from tests.fakes.pool import Pool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


class Abandoned(BaseException):
    """The process was killed here."""


CRASH_POINTS = ["outbox-simulated", "outbox-signed", "outbox-journaled", "outbox-sent", "outbox-included"]


@pytest.mark.parametrize("place", [*CRASH_POINTS, "outbox-replaced"])
async def test_g21_outbox__killed_at_a_named_place__a_new_one_brings_each_effect_about_once(
    place: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(is_mining=False)
    wanted = [job(1), job(2), job(3)]

    def die(name: str) -> None:
        if name == place:
            raise Abandoned

    with monkeypatch.context() as patched:
        for module in ("outbox", "inclusions", "delivery"):
            patched.setattr(f"moorage.chain.{module}.crash_point", die)
        dead = outbox(pool, path)
        await dead.open()
        with pytest.raises(Abandoned):
            await dead.submit(wanted)
            if place == "outbox-replaced":
                pool.pass_empty(5)
            await advance(pool, dead, 1 if place == "outbox-included" else 0)
            await dead.advance(pool.head)
        dead.close()  # as the kernel does

    async with outbox(pool, path) as alive:
        not_yet = [each for each in wanted if each.items[0] not in pool.effects()]
        assert await alive.submit(not_yet) == []
        await advance(pool, alive, 5)

        assert alive.count_under_way == 0
    assert sorted(pool.effects()) == [b"\1", b"\2", b"\3"]


@pytest.mark.parametrize("fault", ["full", "locked"])
async def test_g22_outbox__journal_cannot_be_written__nothing_is_sent_until_it_can(
    fault: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LOCKED_SECONDS", 0.01)
    pool = Pool(is_mining=False)
    many = [job(number) for number in range(100)]
    async with outbox(pool, path) as sending:
        assert sending._journal is not None
        database = sending._journal._database
        other = journal_module.sqlite3.connect(path, isolation_level=None)
        if fault == "full":
            database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
        else:
            other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(JournalFault):
            await sending.submit(many)
        assert pool.seen == [] and not sending.is_under_way("confirm", b"\1")

        database.execute("PRAGMA max_page_count = 10000")
        if fault == "locked":
            other.execute("ROLLBACK")
        assert await sending.submit(many) == []
        await advance(pool, sending)

    assert pool.effects() == [bytes([number]) for number in range(100)]


async def test_g22_outbox__disk_fills_while_something_is_under_way__is_told_when_there_is_room(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1)])
        assert sending._journal is not None
        real, sending._journal.save = sending._journal.save, _full  # type: ignore[method-assign]
        with pytest.raises(JournalFault):
            await advance(pool, sending)
        sending._journal.save = real  # type: ignore[method-assign]

        (outcome,) = await advance(pool, sending)

    assert isinstance(outcome, Landed)


def _full(*_: object) -> None:
    raise JournalFault("database or disk is full")


async def test_g26_outbox__everything_that_it_says_and_keeps__has_nothing_of_the_key(path: Path) -> None:
    pool = Pool(is_mining=False)
    pool.refused[b"\1"] = refused("transaction type not supported")
    secret = bytes(ACCOUNT.key).hex()
    said: list[str] = []
    with structlog.testing.capture_logs() as logs:
        async with outbox(pool, path, replace_after_blocks=1) as sending:
            said.append(repr(await sending.submit([job(1), job(2, worth_wei=1), job(3)])))
            said += [repr(sending), repr(vars(sending))]
            pool.pass_empty(2)
            await sending.advance(pool.head)
            with pytest.raises(KeyInUse) as caught:
                await outbox(pool, path).open()
            said.append(repr(caught.value))

    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert len(logs) > 2 and len(kept) > 10_000
    assert not any(secret in text for text in (*said, repr(logs)))
    assert bytes.fromhex(secret) not in kept and secret.encode() not in kept


async def test_g29_outbox__newer_program_after_a_kill__finishes_what_the_older_one_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(is_mining=False)
    old = outbox(pool, path)
    await old.open()
    await old.submit([job(1), job(2)])
    old.close()
    pool.pool.clear()
    later = "ALTER TABLE transactions ADD COLUMN note TEXT"
    monkeypatch.setattr(journal_module, "MIGRATIONS", (*journal_module.MIGRATIONS, later))

    async with outbox(pool, path) as new:
        await new.advance(pool.head)
        assert len(await advance(pool, new)) == 2

    assert pool.effects() == [b"\1", b"\2"]
