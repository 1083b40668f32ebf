"""The outbox when nothing goes wrong on the way: what is sent, in which order, for how much, and what is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Landed, Rejected
from moorage.chain.outbox import Outbox
from moorage.chain.refusals import LOST_RACES, reason_of
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.chain.signer import Allowed, LocalSigner
from moorage.chain.transactions import Signed, Transaction
from tests.bytecode import ROOT
from tests.fakes.outboxes import ACCOUNT, TO, Seen, advance, job, outbox, refused, reverting
from tests.fakes.pool import CHAIN_ID, USED, Pool

GWEI = 10**9
TOKEN = abi.load("ERC20")


async def test_submit__several_jobs__one_nonce_each_the_most_urgent_first() -> None:
    pool, seen = Pool(is_mining=False), Seen()
    async with outbox(pool, observer=seen) as sending:
        rejected = await sending.submit([job(3, priority=3), job(1), job(2, priority=1), job(4)])

        assert rejected == []
        assert [(entry.nonce, entry.data) for entry in pool.seen] == [(0, b"\1"), (1, b"\4"), (2, b"\2"), (3, b"\3")]
        assert sending.is_under_way("confirm", b"\1") and not sending.is_under_way("bid", b"\1")
        outcomes = await advance(pool, sending)

    assert outcomes[0] == Landed("confirm", (b"\1",), pool.seen[0].hash, 1, USED, ())
    assert [outcome.items for outcome in outcomes] == [(b"\1",), (b"\4",), (b"\2",), (b"\3",)]
    assert not sending.is_under_way("confirm", b"\1")
    assert sorted(seen.counts)[:4] == ["landed bid", "landed close", "landed confirm", "landed confirm"]
    assert len(seen.counts) == 8 and seen.balances == [pool.balance]


async def test_submit__under_way_or_twice_in_one_call__is_sent_once() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1, 2)])
        await sending.submit([job(2, 3), job(3, 4), job(1)])
        assert [entry.data for entry in pool.seen] == [b"\1\2", b"\3", b"\4"]

        await advance(pool, sending)
        await sending.submit([job(1, 2)])  # a period later, for example

    assert [entry.data for entry in pool.seen][3:] == [b"\1\2"]


async def test_submit__nothing_new__asks_the_node_for_nothing() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        asked = len(pool.calls)

        assert await sending.submit([job(1)]) == [] == await sending.submit([])

    assert len(pool.calls) == asked


async def test_advance__nothing_under_way__asks_the_node_for_nothing() -> None:
    pool = Pool(final_depth=0)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending, 3)
        asked = len(pool.calls)

        await advance(pool, sending, 5)

    assert len(pool.calls) == asked


async def test_g19_submit__one_would_revert__says_why_and_sends_the_others() -> None:
    pool = Pool(is_mining=False)
    pool.refusals["0x02"] = reverting("exchange: nothing is ready")
    async with outbox(pool) as sending:
        rejected = await sending.submit([job(1), job(2), job(3)])

    assert rejected == [Rejected("confirm", (b"\2",), "exchange: nothing is ready", Cause.LOST_RACE)]
    assert [(entry.nonce, entry.data) for entry in pool.seen] == [(0, b"\1"), (1, b"\3")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (reverting("order_book: book is full"), ("order_book: book is full", Cause.LOST_RACE)),
        (reverting("ledger: insufficient funds"), ("ledger: insufficient funds", Cause.INVALID)),
        (reverting("order_book: price above maximum"), ("order_book: price above maximum", Cause.INVALID)),
        (refused("execution reverted"), ("execution reverted", Cause.BUG)),
        (refused("out of gas"), ("out of gas", Cause.BUG)),
        (refused("insufficient funds for gas * price + value"), (None, Cause.NO_COIN)),
    ],
)
def test_g19_reason_of__refusals__are_told_apart(error: Exception, expected: tuple[str | None, Cause]) -> None:
    fields = error.error  # type: ignore[attr-defined]
    text, cause = reason_of(NodeRefused(fields["code"], fields["message"], fields.get("data")))

    assert cause is expected[1]
    assert expected[0] in (None, text)


def test_g19_reason_of__panic__is_a_bug() -> None:
    text, cause = reason_of(NodeRefused(3, "execution reverted", "0x4e487b71" + f"{0x11:064x}"))

    assert (text, cause) == ("panic 0x11", Cause.BUG)


def test_g19_table__texts_of_lost_races__are_texts_of_the_contracts() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")

    assert [text for text in sorted(LOST_RACES) if f"| `{text}` |" not in page] == []


@pytest.mark.parametrize(
    ("replay", "reason", "cause"),
    [
        (reverting("exchange: nothing is ready"), "exchange: nothing is ready", Cause.LOST_RACE),
        (reverting("order_book: not the operator"), "order_book: not the operator", Cause.INVALID),
        (refused("execution reverted"), "execution reverted", Cause.BUG),
        (refused("missing trie node"), "the node does not say why", Cause.INVALID),
        (None, "somebody else was faster", Cause.LOST_RACE),
    ],
)
async def test_g19_advance__reverted_in_its_block__is_classed_by_what_the_chain_says_there(
    replay: Exception | None, reason: str, cause: Cause
) -> None:
    pool = Pool(is_mining=False, status="0x0")
    pool.faults["eth_call"] = [NodeUnavailable("no answer"), replay]
    async with outbox(pool) as sending:
        await sending.submit([job(1)])

        assert await advance(pool, sending) == []  # the reason is asked for again
        assert await advance(pool, sending) == [Rejected("confirm", (b"\1",), f"reverted in block 1: {reason}", cause)]


async def test_d09_advance__all_of_the_gas_was_used_up__is_a_bug() -> None:
    pool = Pool(is_mining=False, status="0x0", gas=lambda data: USED * 100 // 130)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        (outcome,) = await advance(pool, sending)

    assert isinstance(outcome, Rejected) and outcome.cause is Cause.BUG
    assert "gas was used up" in outcome.reason


@pytest.mark.parametrize(("margin", "gas"), [(30, 130_000), (100, 200_000), (0, 100_000)])
async def test_d09_submit__estimate__is_exceeded_by_the_margin(margin: int, gas: int) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, gas_margin_percent=margin) as sending:
        await sending.submit([job(1)])

    assert pool.seen[0].fields["gas"] == gas


async def test_d10_submit__batch_of_too_much_gas__is_split_until_it_fits() -> None:
    pool = Pool(is_mining=False, gas=lambda data: 21_000 + 100_000 * len(data))
    async with outbox(pool) as sending:
        await sending.submit([job(*range(200))])

        assert all(sending.is_under_way("confirm", bytes([number])) for number in range(200))

    assert all(entry.fields["gas"] <= 8_000_000 for entry in pool.seen)
    assert b"".join(sorted(entry.data for entry in pool.seen)) == bytes(range(200))
    assert len(pool.seen) == 4


@pytest.mark.parametrize(
    ("estimate", "block_limit", "gas"),
    [(6_500_000, 30_000_000, 8_450_000), (14_000_000, 60_000_000, 2**24), (2_000_000, 2_200_000, 2_200_000)],
)
async def test_d10_submit__one_item_of_much_gas__is_sent_with_what_the_chain_allows(
    estimate: int, block_limit: int, gas: int
) -> None:
    pool = Pool(is_mining=False, gas=lambda data: estimate, gas_limit=block_limit)
    async with outbox(pool) as sending:
        assert await sending.submit([job(1)]) == []

    assert pool.seen[0].fields["gas"] == gas


async def test_d10_submit__more_than_any_transaction_may_need__is_refused() -> None:
    pool = Pool(is_mining=False, gas=lambda data: 2**24 + 1, gas_limit=10**8)
    async with outbox(pool) as sending:
        (rejected,) = await sending.submit([job(1)])

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.INVALID
    assert pool.seen == []


async def test_d10_submit__node_cannot_even_try_the_batch__its_parts_are_tried() -> None:
    pool = Pool(is_mining=False)
    pool.refusals["0x01020304"] = refused("gas required exceeds allowance (30000000)")
    async with outbox(pool) as sending:
        assert await sending.submit([job(1, 2, 3, 4)]) == []

    assert [entry.data for entry in pool.seen] == [b"\1\2", b"\3\4"]


async def test_g20_submit__one_odd_item_of_a_batch__is_found_and_the_others_are_sent() -> None:
    pool = Pool(is_mining=False)
    for data in ("01020304", "0304", "03"):
        pool.refusals[f"0x{data}"] = refused("execution reverted")
    async with outbox(pool) as sending:
        rejected = await sending.submit([job(1, 2, 3, 4)])

    assert rejected == [Rejected("confirm", (b"\3",), "execution reverted", Cause.BUG)]
    assert [entry.data for entry in pool.seen] == [b"\1\2", b"\4"]


async def test_g20_submit__one_that_cannot_be_encoded__does_not_keep_the_others() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        amounts = {b"\2": 2**256, b"\4": 5}
        items = tuple(amounts)

        def make(positions: Sequence[int]) -> Call:
            data = b"".join(TOKEN.encode("approve", TO, amounts[items[position]]) for position in positions)
            return Call(TO, data, "odd")

        rejected = await sending.submit([job(1), Job("confirm", items, make), job(3)])

    assert rejected == [Rejected("confirm", (b"\2",), "not encodable: ValueOutOfBounds", Cause.BUG)]
    assert [entry.data[-1:] for entry in pool.seen] == [b"\1", b"\3", b"\5"]


@pytest.mark.parametrize("method", ["eth_estimateGas", "eth_getBlockByNumber", "eth_getTransactionCount"])
async def test_g12_submit__node_does_not_answer__nothing_is_sent_or_kept(method: str) -> None:
    pool = Pool()
    async with outbox(pool) as sending:
        pool.faults[method] = [NodeUnavailable("no answer")] * 5

        with pytest.raises(NodeUnavailable):
            await sending.submit([job(1), job(2)])

        assert pool.seen == [] and not sending.is_under_way("confirm", b"\1")


@pytest.mark.parametrize(
    "hidden",
    [
        {"pending"},
        {"finalized"},
        {"eth_feeHistory", "eth_getBalance"},
        {"pending", "finalized", "eth_feeHistory", "eth_getBalance"},
    ],
    ids=lambda hidden: " ".join(sorted(hidden)),
)
@pytest.mark.parametrize("is_legacy", [False, True])
async def test_g28_outbox__node_lacks_methods_and_tags__works_all_the_same(
    hidden: set[str], is_legacy: bool, tmp_path: Path
) -> None:
    pool, seen = Pool(is_mining=False, hidden=hidden, is_legacy=is_legacy), Seen()
    async with outbox(pool, tmp_path / "journal.sqlite3", seen) as sending:
        await sending.submit([job(1), job(2)])
        pool.pool.clear()
        pool.pass_empty()
        await sending.advance(pool.head)
        pool.pass_empty(3)
        await sending.advance(pool.head)
        outcomes = await advance(pool, sending, 20)

    assert pool.effects() == [b"\1", b"\2"]
    assert [type(outcome) for outcome in outcomes] == [Landed, Landed]
    assert seen.spent_wei > 0  # both are done with


async def test_g28_outbox__chain_without_base_fees__replaces_by_its_gas_price() -> None:
    pool = Pool(is_mining=False, is_legacy=True)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.pass_empty(3)
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert [entry.fields["gasPrice"] for entry in pool.seen] == [GWEI, GWEI * 9 // 8]
    assert [entry.fields["v"] for entry in pool.seen] in ([v, w] for v in (62_709, 62_710) for w in (62_709, 62_710))
    assert pool.effects() == [b"\1"]


async def test_g31_outbox__call_that_the_key_is_not_for__is_rejected_and_takes_no_nonce() -> None:
    pool = Pool()
    allowed = Allowed(CHAIN_ID, {job(1).make([0]).to: frozenset({b"\1", b"\3"})})
    async with Outbox(pool.rpc, LocalSigner(ACCOUNT, allowed), CHAIN_ID) as sending:
        (rejected,) = await sending.submit([job(1), job(2), job(3)])

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.BUG
    assert "02 at" in rejected.reason
    assert pool.effects() == [b"\1", b"\3"]


async def test_submit__job_without_items__is_always_new() -> None:
    pool = Pool(is_mining=False)
    only = Job("once", (), lambda _: job(7).make([0]))
    async with outbox(pool) as sending:
        await sending.submit([only])
        await sending.submit([only])

    assert [entry.nonce for entry in pool.seen] == [0, 1]


async def test_g20_advance__receipt_of_one_is_nonsense__the_others_are_told_and_it_later() -> None:
    pool = Pool()
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        receipt = pool.receipts[pool.seen[0].hash]
        status = receipt.pop("status")
        first = await sending.advance(pool.head)
        receipt["status"] = status
        second = await sending.advance(pool.head)

    assert ([each.items for each in first], [each.items for each in second]) == ([(b"\2",)], [(b"\1",)])


class SilentSigner(LocalSigner):
    """Does not answer."""

    asked = 0

    async def sign(self, transaction: Transaction) -> Signed:
        self.asked += 1
        raise NodeUnavailable("no answer from the signer")


async def test_g31_submit__signer_does_not_answer__is_asked_once_and_nothing_is_sent() -> None:
    pool, signer = Pool(), SilentSigner(ACCOUNT)
    async with Outbox(pool.rpc, signer, CHAIN_ID) as sending:
        outcomes = await sending.submit([job(number) for number in range(5)])
        assert not sending.count_under_way

    assert (signer.asked, pool.seen) == (1, [])
    assert [each.cause for each in outcomes if isinstance(each, Rejected)] == [Cause.NO_ANSWER] * 5
