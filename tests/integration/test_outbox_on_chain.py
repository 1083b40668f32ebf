"""The outbox on a real chain: what anvil evicts, undoes or takes in hundreds lands, and once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.jobs import Job, Landed, Limits, Outcome
from moorage.chain.outbox import Outbox
from moorage.chain.signer import LocalSigner
from moorage.types import Address
from tests.chain import Chain, start_chain

TOKEN = abi.load("ERC20")
GWEI = 10**9
FIRST = 2**32
"""Of the receivers: addresses that nobody has."""


@dataclass(frozen=True)
class World:
    chain: Chain
    token: Address

    def job(self, number: int) -> Job:
        """Return a job that gives one unit of the token to a receiver of its own."""
        data = TOKEN.encode("transfer", receiver(number), 1)
        return Job("transfer", (number.to_bytes(4, "big"),), lambda _: Call(self.token, data, f"transfer {number}"))

    async def received(self, numbers: Sequence[int]) -> list[int]:
        calls = [
            ("eth_call", ({"to": self.token, "data": f"0x{TOKEN.encode('balanceOf', receiver(each)).hex()}"}, "latest"))
            for each in numbers
        ]
        return [int(answer, 16) for answer in await self.chain.rpc.batch(calls)]

    async def advance(self, sending: Outbox, blocks: int = 1) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for _ in range(blocks):
            await self.chain.mine()
            outcomes += await sending.advance(await read_block(self.chain.rpc))
        return outcomes

    def outbox(self, path: Path) -> Outbox:
        limits = Limits(replace_after_blocks=2)
        return Outbox(self.chain.rpc, LocalSigner(self.chain.treasury), self.chain.chain_id, path, limits)


def receiver(number: int) -> Address:
    return Address(to_checksum_address((FIRST + number).to_bytes(20, "big")))


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with start_chain(is_manual=True, slots_in_an_epoch=32) as chain:
        yield World(chain, await chain.create("MoorageToken", ["uint256"], [10**24]))


async def test_g04_outbox_on_chain__base_fee_rises_above_what_is_offered__evicted_ones_land_once(tmp_path: Path):
    async with world() as here, here.outbox(tmp_path / "journal.sqlite3") as sending:
        numbers = range(5)
        assert await sending.submit([here.job(number) for number in numbers]) == []
        await here.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(100 * GWEI))
        await here.chain.mine()
        assert (await here.chain.rpc.call("txpool_status"))["pending"] == "0x0"
        await sending.advance(await read_block(here.chain.rpc))

        outcomes = await here.advance(sending, 2)

        assert [type(outcome) for outcome in outcomes] == [Landed] * 5
        assert await here.received(numbers) == [1] * 5


@pytest.mark.parametrize("depth", [1, 3])
async def test_g07_outbox_on_chain__reorganisation__undone_ones_land_again_and_once(tmp_path: Path, depth: int):
    async with world() as here, here.outbox(tmp_path / "journal.sqlite3") as sending:
        numbers = range(3)
        await sending.submit([here.job(number) for number in numbers])
        assert len(await here.advance(sending, depth)) == 3
        await here.chain.rpc.call("anvil_reorg", depth, [])
        assert await here.received(numbers) == [0] * 3

        outcomes = await here.advance(sending, 3)

        assert [type(outcome) for outcome in outcomes] == [Landed] * 3
        assert await here.received(numbers) == [1] * 3


async def test_g03_outbox_on_chain__stuck_below_the_tips_of_others__is_replaced_and_lands_once(tmp_path: Path):
    async with world() as here, here.outbox(tmp_path / "journal.sqlite3") as sending:
        await sending.submit([here.job(0)])
        await here.chain.rpc.call("anvil_dropTransaction", sending.newest_hash("transfer", (0).to_bytes(4, "big")))
        await here.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))

        outcomes = await here.advance(sending, 4)

        assert [type(outcome) for outcome in outcomes] == [Landed]
        assert await here.received([0]) == [1]


async def test_g21_outbox_on_chain__five_hundred_over_a_restart_without_answers__land_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with world() as here:
        path, numbers = tmp_path / "journal.sqlite3", range(500)
        async with here.outbox(path) as sending:
            monkeypatch.setattr("moorage.chain.outbox.crash_point", _die)
            with pytest.raises(KeyboardInterrupt):
                await sending.submit([here.job(number) for number in numbers[:250]])
        monkeypatch.undo()

        async with here.outbox(path) as sending:
            assert await sending.submit([here.job(number) for number in numbers]) == []
            outcomes = await here.advance(sending, 6)

            assert sending.count_under_way == 0
        assert len(outcomes) == 500
        assert await here.received(numbers) == [1] * 500


def _die(name: str) -> None:
    if name == "outbox-journaled":
        raise KeyboardInterrupt
