"""Keys that are not on this machine: unsigned transactions out, signed ones in, on a real chain."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli.failures import ExitStatus
from moorage.types import Address
from tests.chain import ONE_TOKEN, write_market
from tests.cli_desk import gas_at_most
from tests.cli_world import assert_failed, key_file, sent_by, world


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def test_cold_key__unsigned_out_and_signed_in__deposits(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)
        cold = here.tenant.having(RPC="http://127.0.0.1:1", MARKET="deployments/31337.json")

        written = await watcher.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        signed = await cold.does("wallet", "sign", "pay.json", typed="y\n")
        repeated = await watcher.does("register", "--deposit", "1", "--unsigned-out", "pay.json")
        resigned = await cold.does("wallet", "sign", "pay.json", "--yes")
        await here.chain.mine(1)  # gas costs something else now
        sent = await watcher.does("send", "pay.json.signed", typed="y\n")
        again = await watcher.does("send", "pay.json.signed", "--yes")

        assert [each.status for each in (written, signed, sent)] == [ExitStatus.OK] * 3, signed.err + sent.err
        assert_failed(repeated, ExitStatus.USAGE, "pay.json: there is something already; it is never overwritten")
        assert "signs on chain" not in repeated.err
        assert_failed(resigned, ExitStatus.USAGE, "pay.json.signed: there is something already")
        assert f"let the exchange {here.market.exchange} take up to 2.5 MOOR" in signed.err
        assert "without a node" in signed.err and "pay 2.5 MOOR from the wallet" in signed.err
        assert "wallet      1000 MOOR -> 997.5 MOOR" in sent.err and sent.out.count("block") == 2
        assert (await here.account()).available == 5 * ONE_TOKEN // 2 and await here.allowance() == 0
        assert_failed(again, ExitStatus.REFUSED, "all of it was sent before")
        asked = [
            each["gas"] * each["max_fee_wei"]
            for each in json.loads((tmp_path / "pay.json").read_text())["transactions"]
        ]
        assert gas_at_most(written) == gas_at_most(sent) == sum(asked)
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("pay.json", "pay.json.signed")} == {0o600}


def tampered(path: Path, **changes: object) -> None:
    document = json.loads(path.read_text())
    document["transactions"][-1] |= changes
    path.write_text(json.dumps(document))


async def test_j01_cold_key__file_was_tampered_with__shows_what_it_really_does(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)
        cold = here.tenant.having(RPC=None, MARKET="deployments/31337.json")
        await watcher.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        stranger = Address(here.chain.stranger.address)

        tampered(tmp_path / "pay.json", to=here.market.token, data=_data(here.token.transfer(stranger, 10**21)))
        stolen = await cold.does("wallet", "sign", "pay.json", typed="n\n")
        tampered(tmp_path / "pay.json", data="0xdeadbeef")
        unknown = await cold.does("wallet", "sign", "pay.json", "--yes")
        tampered(tmp_path / "pay.json", to=stranger, data=_data(here.token.transfer(stranger, 1)))
        elsewhere = await cold.does("wallet", "sign", "pay.json", "--yes")
        tampered(tmp_path / "pay.json", words="deposit")
        extra = await cold.does("wallet", "sign", "pay.json", "--yes")

        assert "pay 1000 MOOR" in stolen.err and f"to {stranger}" in stolen.err
        assert stolen.status is ExitStatus.ABORTED
        assert_failed(unknown, ExitStatus.REFUSED, "no call that can be shown in words")
        assert_failed(elsewhere, ExitStatus.REFUSED, stranger, "no call that can be shown in words")
        assert_failed(extra, ExitStatus.USAGE, "pay.json", "words")
        assert not (tmp_path / "pay.json.signed").exists()


def _data(call) -> str:
    return f"0x{call.data.hex()}"


async def test_cold_key__other_chain_other_key_no_market__is_one_line(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)
        cold = here.tenant.having(RPC=None, MARKET="deployments/31337.json")
        await watcher.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        write_market(replace(here.market, chain_id=5), tmp_path / "five.json")
        stranger = cold.having(KEY_FILE=key_file(tmp_path, here.chain.stranger))

        for person, arguments, status, words in (
            (cold.having(MARKET=None), ("pay.json",), ExitStatus.USAGE, "--market"),
            (cold.having(MARKET="five.json"), ("pay.json",), ExitStatus.WRONG_MARKET, "is for chain 31337"),
            (stranger, ("pay.json",), ExitStatus.WALLET, f"is for wallet {here.address}"),
            (cold, ("moorage.yml",), ExitStatus.USAGE, "not a file of transactions"),
            (cold, ("gone.json",), ExitStatus.ERROR, "gone.json"),
            (cold, (".",), ExitStatus.ERROR, "Is a directory"),
        ):
            assert_failed(await person.does("wallet", "sign", *arguments, "--yes"), status, words)


async def test_send__wallet_has_sent_something_else_since__is_refused(tmp_path):
    async with world(tmp_path) as here:
        cold = here.tenant.having(MARKET="deployments/31337.json")
        await cold.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        assert (await cold.does("wallet", "sign", "pay.json", "--yes")).status is ExitStatus.OK
        await here.tenant.does("register", "--deposit", "1", "--yes")

        result = await here.tenant.does("send", "pay.json.signed", "--yes")

        assert_failed(result, ExitStatus.REFUSED, "transaction number 0", "was another one")
        assert (await here.account()).available == ONE_TOKEN


async def test_j04_send__interrupted_and_run_again__goes_on_with_what_the_node_has(tmp_path):
    async with world(tmp_path) as here:
        cold = here.tenant.having(MARKET="deployments/31337.json")
        await cold.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        assert (await cold.does("wallet", "sign", "pay.json", "--yes")).status is ExitStatus.OK
        first, _ = json.loads((tmp_path / "pay.json.signed").read_text())["transactions"]
        await here.chain.rpc.call("evm_setAutomine", False)
        await here.chain.rpc.call("eth_sendRawTransaction", first)

        sending = asyncio.create_task(here.tenant.does("send", "pay.json.signed", "--yes", "-o", "json"))
        await asyncio.sleep(1)
        await here.chain.rpc.call("evm_setAutomine", True)
        await here.chain.mine(1)
        result = await sending

        assert (result.status, len(result.json)) == (ExitStatus.OK, 2), result.err
        assert (await here.account()).available == 5 * ONE_TOKEN // 2


async def test_send__something_is_missing_before_it__is_refused(tmp_path):
    async with world(tmp_path) as here:
        cold = here.tenant.having(MARKET="deployments/31337.json")
        await cold.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        document = json.loads((tmp_path / "pay.json").read_text())
        document["transactions"] = document["transactions"][1:]
        (tmp_path / "pay.json").write_text(json.dumps(document))
        assert (await cold.does("wallet", "sign", "pay.json", "--yes")).status is ExitStatus.OK

        result = await here.tenant.does("send", "pay.json.signed", "--yes")

        assert_failed(result, ExitStatus.REFUSED, "goes on at transaction number 1", "the next one is 0")
        assert await sent_by(here) == 0


async def test_j01_cold_key__signs_an_order_and_its_end__shows_the_same_id_and_no_words_of_the_file(
    tmp_path,
):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)
        cold = here.tenant.having(RPC="http://127.0.0.1:1", MARKET="deployments/31337.json")

        await watcher.does("create", "--fund", "1h", "--unsigned-out", "order.json")
        ordering = await cold.does("wallet", "sign", "order.json", "--yes")
        assert (await watcher.does("send", "order.json.signed", "--yes")).status is ExitStatus.OK
        (only,) = await here.deployments()
        ended = await watcher.does("delete", "--unsigned-out", "end.json")
        document = json.loads((tmp_path / "end.json").read_text()) | {"groups": [{"name": "trustme"}]}
        (tmp_path / "end.json").write_text(json.dumps(document))
        ending = await cold.does("wallet", "sign", "end.json", "--yes")

        assert f"     id {only['deployment']}\n" in ordering.err and "group dock in local" in ordering.err
        assert "group dock" in ended.err and f"1. close deployment {only['deployment']}\n" in ending.err
        assert "dock" not in ending.err and "trustme" not in ending.err
