"""The outbox when transactions are lost, stuck, evicted, replaced or undone: every effect takes place, and once."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from moorage.chain import journal as journal_module
from moorage.chain.jobs import Cause, Landed, Rejected
from moorage.chain.journal import JournalFault
from moorage.chain.key_lock import KeyInUse
from moorage.chain.rpc import NodeUnavailable
from tests.fakes.outboxes import ACCOUNT, Seen, advance, fees, job, outbox, refused, reverting
from tests.fakes.pool import USED, Pool

GWEI = 10**9
SILENT = NodeUnavailable("no answer")
TEN = [job(number) for number in range(10)]
EACH_ONCE = [bytes([number]) for number in range(10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def test_g01_outbox__third_of_ten_is_swallowed__all_ten_take_place_once_each() -> None:
    pool = Pool(is_mining=False)
    real = pool.eth_sendRawTransaction

    def swallow_the_third(raw: str) -> str:
        pool.swallowed = int(len(pool.seen) == 2)
        return real(raw)

    pool.eth_sendRawTransaction = swallow_the_third  # type: ignore[method-assign]
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        outcomes = await advance(pool, sending, 2)

    assert pool.effects() == EACH_ONCE
    assert sorted(outcome.items for outcome in outcomes) == [(item,) for item in EACH_ONCE]
    assert len(pool.seen) == 11


async def test_g01_outbox__given_up_before_it_was_in_a_block__its_nonce_is_used_up_by_nothing() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        await sending.give_up("confirm", b"\1")
        await sending.advance(pool.head)
        outcomes = await advance(pool, sending)

    assert pool.effects() == [b"", b"\2"]
    assert pool.seen[2].fields["to"].hex() == ACCOUNT.address[2:].lower() and pool.seen[2].fields["value"] == 0
    assert all(new * 8 >= old * 9 for old, new in zip(fees(pool.seen[0]), fees(pool.seen[2]), strict=True))
    assert [outcome.items for outcome in outcomes] == [(b"\2",)]


async def test_g01_outbox__given_up_and_mined_all_the_same__is_told() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await sending.give_up("confirm", b"\1")
        await sending.advance(pool.head)
        pool.mine(pool.seen[0])
        (outcome,) = await sending.advance(pool.head)

    assert isinstance(outcome, Landed) and outcome.items == (b"\1",)


async def test_g01_outbox__node_takes_one_of_three_never__the_gap_is_filled_and_the_others_take_place() -> None:
    pool = Pool(is_mining=False)
    pool.refused[b"\2"] = refused("transaction type not supported")
    async with outbox(pool) as sending:
        (rejected,) = await sending.submit([job(1), job(2), job(3)])
        assert await sending.submit([job(2)]) == [
            Rejected("confirm", (b"\2",), "the node refuses it: transaction type not supported", Cause.NODE_REFUSED)
        ]
        await advance(pool, sending, 2)

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.NODE_REFUSED
    assert pool.effects() == [b"\1", b"", b"\3"]


async def test_g01_outbox__fees_have_fallen_far_below_those_of_a_gap__it_is_filled_all_the_same() -> None:
    pool = Pool(is_mining=False, base_fee=1_000 * GWEI)
    pool.refused[b"\1"] = refused("insufficient funds for gas")
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.base_fee = GWEI
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"", b"\2"]


@pytest.mark.parametrize("words", ["insufficient funds for gas * price + value", "exceeds block gas limit"])
async def test_g01_outbox__lost_and_not_taken_any_more__is_given_up_so_that_the_later_ones_take_place(
    words: str,
) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.pool.clear()
        pool.refused[b"\1"] = refused(words)
        (rejected,) = await sending.advance(pool.head)
        assert isinstance(rejected, Rejected) and rejected.items == (b"\1",)
        assert not sending.is_under_way("confirm", b"\1")
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"", b"\2"]


async def test_d03_outbox__no_coin_for_a_replacement__the_older_one_stays() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1)])
        pool.faults["eth_sendRawTransaction"] = [refused("insufficient funds for gas")] * 3
        for _ in range(3):
            pool.pass_empty()
            assert await sending.advance(pool.head) == []
        (landed,) = await advance(pool, sending)

    assert isinstance(landed, Landed)


async def test_g02_outbox__second_start_on_the_same_journal__is_refused_naming_the_holder(path: Path) -> None:
    pool = Pool()
    async with outbox(pool, path):
        with pytest.raises(KeyInUse, match="sends with this key"):
            await outbox(pool, path).open()

    async with outbox(pool, path) as third:
        await third.submit([job(1)])


async def test_g02_outbox__somebody_else_has_something_in_the_pool__refuses_to_start(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as other:
        await other.submit([job(1), job(2)])

    with pytest.raises(KeyInUse, match=f"{ACCOUNT.address} has 2 transactions in the pool that are not in {path}"):
        await outbox(pool, path).open()

    pool.pass_blocks()
    async with outbox(pool, path) as sending:  # the lock was let go of
        await sending.submit([job(3)])
    assert [entry.nonce for entry in pool.seen] == [0, 1, 2]


async def test_g02_outbox__its_own_are_in_the_pool__starts(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1), job(2)])

    async with outbox(pool, path) as again:
        assert again.is_under_way("confirm", b"\1")
        assert await again.submit([job(1), job(3)]) == []
        await advance(pool, again)

    assert pool.effects() == [b"\1", b"\2", b"\3"]


async def test_g02_outbox__another_program_sends_meanwhile__is_said_and_queued_behind(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        async with outbox(pool) as other:
            await other.submit([job(7)])
        with structlog.testing.capture_logs() as logs:
            await sending.submit([job(1)])
        await advance(pool, sending)

    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["another program sends with this key"]
    assert pool.effects() == [b"\7", b"\1"]


async def test_g02_outbox__another_program_has_used_the_nonce__is_told_when_that_is_deep() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, depth_blocks=5) as sending:
        await sending.submit([job(1)])
        pool.pool.clear()
        async with outbox(pool) as other:
            await other.submit([job(9)])
        assert await advance(pool, sending, 5) == []
        assert sending.is_under_way("confirm", b"\1")

        (outcome,) = await advance(pool, sending)

        assert isinstance(outcome, Rejected) and outcome.cause is Cause.BUG
        assert "has taken the nonce 0" in outcome.reason
        assert not sending.is_under_way("confirm", b"\1")
    assert pool.effects() == [b"\x09"]


async def test_g02_outbox__another_programs_transaction_before_ours_is_gone__the_gap_is_filled() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as other:
        await other.submit([job(9)])
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.pool.clear()
        await advance(pool, sending, 6)

    assert pool.effects() == [b"", b"\1"]


async def test_g02_outbox__chain_was_started_anew__refuses_the_old_journal(path: Path) -> None:
    pool = Pool(final_depth=0)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending, 2)

    with pytest.raises(JournalFault, match=r"the node counts 0 transactions of .* where 1 are final"):
        await outbox(Pool(), path).open()


async def test_g03_outbox__stuck__offers_an_eighth_more_on_both_fees_after_some_blocks() -> None:
    pool, seen = Pool(is_mining=False), Seen()
    async with outbox(pool, observer=seen, replace_after_blocks=3) as sending:
        await sending.submit([job(1)])
        for _ in range(9):
            pool.pass_empty()
            await sending.advance(pool.head)
        await advance(pool, sending)

    assert [entry.nonce for entry in pool.seen] == [0, 0, 0, 0]
    for before, after in zip(pool.seen, pool.seen[1:], strict=False):
        assert all(new * 8 >= old * 9 for old, new in zip(fees(before), fees(after), strict=True))
    assert seen.counts.count("replaced confirm") == 3
    assert pool.effects() == [b"\1"]


async def test_g03_outbox__base_fee_times_eight__all_that_are_stuck_offer_what_is_asked() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=2) as sending:
        await sending.submit(TEN)
        pool.base_fee *= 8
        await advance(pool, sending, 3)

    assert pool.effects() == EACH_ONCE
    assert all(fees(entry) == (17 * GWEI, 9 * GWEI // 8) for entry in pool.seen[10:])


async def test_g03_outbox__first_is_stuck_and_those_behind_it_offer_enough__only_it_is_replaced() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        pool.pass_empty(3)
        await sending.advance(pool.head)

    assert [entry.nonce for entry in pool.seen[10:]] == [0]


async def test_g03_outbox__replacement_is_underpriced_for_the_node__offers_more_the_next_time() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=2) as sending:
        await sending.submit([job(1)])
        pool.pass_empty(2)
        pool.faults["eth_sendRawTransaction"] = [refused("replacement transaction underpriced")]
        await sending.advance(pool.head)
        pool.pass_empty(2)
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 81 // 64]
    assert pool.effects() == [b"\1"]


@pytest.mark.parametrize("words", ["max fee per gas less than block base fee", "txpool is full", "FeeTooLow"])
async def test_g03_outbox__node_takes_it_not_now__is_tried_again_until_it_does(words: str) -> None:
    pool = Pool(is_mining=False)
    pool.refused[b"\1"] = refused(words)
    async with outbox(pool) as sending:
        assert await sending.submit([job(1), job(2)]) == []
        await advance(pool, sending, 2)
        pool.refused.clear()
        await advance(pool, sending, 2)

    assert pool.effects() == [b"\1", b"\2"]


async def test_g04_outbox__evicted_because_the_base_fee_rose__lands_once() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        pool.base_fee = 5 * GWEI
        pool.evict()
        assert pool.pool == {}
        await advance(pool, sending, 2)

    assert pool.effects() == EACH_ONCE


async def test_g04_outbox__evicted_from_a_full_pool__the_same_is_sent_again() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        del pool.pool[(ACCOUNT.address, 1)]
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"\1", b"\2"]
    assert pool.seen[2].hash == pool.seen[1].hash


@pytest.mark.parametrize("lost", [1, 3, 11, 25])
async def test_g05_outbox__accepted_but_answers_are_lost__each_takes_place_once(lost: int) -> None:
    pool = Pool(is_mining=False)
    pool.lost_answers["eth_sendRawTransaction"] = lost
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        outcomes = await advance(pool, sending, 4)

    assert pool.effects() == EACH_ONCE
    assert len(outcomes) == len({entry.hash for entry in pool.seen}) == 10


async def test_g05_outbox__replacement_never_reaches_the_node__is_sent_again_although_the_older_one_is_there() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=5) as sending:
        await sending.submit([job(1)])
        pool.pass_empty(5)
        pool.faults["eth_sendRawTransaction"] = [SILENT]
        await sending.advance(pool.head)
        assert len(pool.seen) == 1
        pool.pass_empty()
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 9 // 8]
    assert pool.effects() == [b"\1"]


async def test_g06_outbox__older_one_is_mined__is_found() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1)])
        for _ in range(3):
            pool.pass_empty()
            await sending.advance(pool.head)
        pool.mine(pool.seen[1])
        (outcome,) = await sending.advance(pool.head)

    assert len(pool.seen) == 4
    assert outcome == Landed("confirm", (b"\1",), pool.seen[1].hash, 4, USED, ())


@pytest.mark.parametrize("depth", [1, 3])
async def test_g07_outbox__block_is_undone__the_same_is_sent_again_and_takes_place_once(depth: int) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        assert len(await advance(pool, sending, 3)) == 2
        pool.reorganise(3)
        assert await sending.advance(pool.head) == []
        assert sending.is_under_way("confirm", b"\1")
        outcomes = await advance(pool, sending, depth)

    assert pool.effects() == [b"\1", b"\2"]
    assert [type(outcome) for outcome in outcomes] == [Landed, Landed]
    assert len({entry.hash for entry in pool.seen}) == 2


async def test_g07_outbox__block_is_undone_while_it_was_off__is_sent_again(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
    pool.reorganise(1)

    async with outbox(pool, path) as again:
        await again.advance(pool.head)
        (outcome,) = await advance(pool, again)

    assert isinstance(outcome, Landed)
    assert pool.effects() == [b"\1"]


async def test_g07_outbox__undone_and_mined_in_another_block__is_not_sent_again() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        pool.reorganise(1)
        pool.mine(pool.seen[0])
        (outcome,) = await sending.advance(pool.head)

    assert isinstance(outcome, Landed) and outcome.block_number == 3
    assert len(pool.seen) == 1


async def test_g07_outbox__undone_and_lost_the_race_the_second_time__is_told() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        pool.reorganise(1)
        pool.status = "0x0"
        pool.refusals["0x01"] = reverting("order_book: order not open")
        outcomes = [*await sending.advance(pool.head), *await advance(pool, sending)]

    assert outcomes == [
        Rejected("confirm", (b"\1",), "reverted in block 3: order_book: order not open", Cause.LOST_RACE)
    ]


async def test_g07_outbox__final_or_deep__is_not_looked_at_any_more() -> None:
    for pool in (Pool(is_mining=False, final_depth=2), Pool(is_mining=False, hidden={"finalized"})):
        async with outbox(pool, depth_blocks=4) as sending:
            await sending.submit([job(1)])
            await advance(pool, sending, 2 if pool.final_depth else 4)
            before = len(pool.calls)
            await advance(pool, sending)
            assert len(pool.calls) > before
            before = len(pool.calls)
            await advance(pool, sending)
            assert len(pool.calls) == before


async def test_g16_outbox__node_behind_a_load_balancer_lacks_the_block__nothing_is_concluded() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        head, real = pool.head, pool.eth_getBlockByNumber
        pool.eth_getBlockByNumber = lambda *_: None  # type: ignore[method-assign]
        assert await sending.advance(head) == []
        pool.eth_getBlockByNumber = real  # type: ignore[method-assign]

        assert not sending.is_under_way("confirm", b"\1")
    assert len(pool.seen) == 1


async def test_g16_outbox__receipt_is_of_a_block_after_the_head__is_told_with_that_block() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        old = pool.head
        pool.pass_blocks()

        assert await sending.advance(old) == []
        assert sending.is_under_way("confirm", b"\1")
        assert len(await sending.advance(pool.head)) == 1


async def test_g17_outbox__node_is_too_busy_to_take_anything__everything_is_sent_later() -> None:
    pool = Pool(is_mining=False)
    pool.faults["eth_sendRawTransaction"] = [SILENT] * 25
    async with outbox(pool) as sending:
        assert await sending.submit(TEN) == []
        await advance(pool, sending, 4)

    assert pool.effects() == EACH_ONCE


async def test_g17_outbox__node_is_too_busy_meanwhile__what_has_landed_is_told_later() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.mine(pool.seen[0])
        del pool.pool[(ACCOUNT.address, 1)]
        pool.hidden.add("eth_getBlockByNumber")  # after the receipt: no quote for what is missing
        with pytest.raises(NodeUnavailable):
            await sending.advance(pool.head)
        pool.hidden.clear()

        outcomes = [*await sending.advance(pool.head), *await advance(pool, sending)]

    assert [outcome.items for outcome in outcomes] == [(b"\1",), (b"\2",)]


async def test_g19_outbox__two_programs_race_for_the_same__one_lands_and_one_lost_the_race() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.status = "0x0"
        pool.refusals["0x01"] = reverting("exchange: nothing is ready")
        (outcome,) = await advance(pool, sending)

    assert outcome == Rejected("confirm", (b"\1",), "reverted in block 1: exchange: nothing is ready", Cause.LOST_RACE)


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


async def test_g27_outbox__replacement_beyond_what_it_is_worth__stays_as_it_is_and_is_said() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1, worth_wei=130_000 * 3 * GWEI)])
        pool.base_fee *= 10**6
        pool.pass_empty()
        with structlog.testing.capture_logs() as logs:
            await sending.advance(pool.head)
            pool.pass_empty()
            await sending.advance(pool.head)

    assert len(pool.seen) == 1
    assert [(log["event"], log["items"]) for log in logs] == [
        ("transaction at risk: its fees may not be raised any more", ["01"])
    ]


async def test_g27_outbox__replacement_beyond_the_cap_of_the_day__stays_as_it_is() -> None:
    pool = Pool(is_mining=False)
    most = 130_000 * 3 * GWEI
    async with outbox(pool, replace_after_blocks=1, daily_wei=most * 9 // 8) as sending:
        await sending.submit([job(1)])
        for _ in range(5):
            pool.pass_empty()
            await sending.advance(pool.head)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 9 // 8]


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
