"""Ends that nobody wants: each says what happened, what is safe and what is next, and can be gone on from."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from cli.failures import ExitStatus
from tests.chain import give_tokens, write_market
from tests.cli_world import BLOCK_SECONDS, ROOT, assert_failed, sent_by, started, until, world
from tests.market_crew import crew
from tests.relay import relay_to


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def test_deploy__nobody_bids__ends_with_where_the_money_is_and_what_helps(tmp_path):
    async with world(tmp_path, block_time=0.1) as here:
        result = await here.tenant.does("deploy", "--yes", "--detach", "--fund", "1h")

        assert_failed(
            result,
            ExitStatus.UNMATCHED,
            "no provider has bid for group dock at up to 1 MOOR/h",
            "come back when it ends",
            "`moorage search`",
            "`moorage update`",
            "`moorage delete`",
        )
        (only,) = await here.deployments()
        assert only["state"] == "active"


@pytest.mark.parametrize("command", ["create", "deploy"])
async def test_order__wallet_without_tokens__says_what_it_lacks_and_goes_on_once_it_has_them(tmp_path, command):
    async with world(tmp_path, tokens=0) as here:
        result = await here.tenant.does(command, "--yes", "--fund", "1h")

        assert_failed(result, ExitStatus.WALLET, "has 0 MOOR, 1.003 MOOR are needed: send it tokens of", here.address)
        assert not list(here.tenant.state.rglob("*.json"))
        await give_tokens(here.chain, here.market, here.address, 2)
        assert (await here.tenant.does("create", "--yes", "--fund", "1h")).status is ExitStatus.OK


async def test_j04_order__wallet_without_coin_for_gas__says_so_before_it_asks_and_goes_on_once_it_has_some(tmp_path):
    async with world(tmp_path) as here:
        coin = await here.chain.rpc.call("eth_getBalance", here.address, "latest")
        await here.chain.rpc.call("anvil_setBalance", here.address, hex(10**14))

        result = await here.tenant.does("create", typed="y\n")

        words = "too little of the chain's coin to pay for gas, 0.0001 where 0.000"
        assert_failed(result, ExitStatus.REFUSED, words, "then run the same command again")
        assert "Create?" not in result.err and await sent_by(here) == 0
        await here.chain.rpc.call("anvil_setBalance", here.address, coin)
        assert (await here.tenant.does("create", "--yes")).status is ExitStatus.OK
        assert len(await here.deployments()) == 1


@pytest.mark.parametrize("command", ["plan", "search", "create", "update"])
async def test_market__other_chain_or_no_file__is_one_line_and_nothing_is_done(tmp_path, command):
    async with world(tmp_path) as here:
        write_market(replace(here.market, chain_id=5), tmp_path / "wrong.json")
        other = await here.tenant.does(command, "--market", "wrong.json")
        missing = await here.tenant.does(command, "--market", "missing.json")

        words = "is on chain 31337, the contracts are on chain 5: use a node of that chain or the deployments file"
        assert_failed(other, ExitStatus.WRONG_MARKET, words)
        assert_failed(missing, ExitStatus.WRONG_MARKET, "missing.json: no such file")
        assert await here.deployments() == []


async def test_deploy__node_dies_while_it_watches__waits_says_so_and_goes_on(tmp_path):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        crew(here.chain, here.market, tmp_path, (80,)),
        relay_to(here.chain.url) as between,
    ):
        watched = replace(here, tenant=here.tenant.having(RPC=between.url))
        async with started(watched, "deploy", "--yes", "--detach", "-o", "json", "--fund", "1h") as process:
            async with asyncio.timeout(120):
                await until(process, "ordered")
                between.cut()
                told = await until(process, "node")
                between.mend()
                await until(process, "node-back")
                await until(process, "running")
            assert (await process.wait(), "waiting" in str(told["text"])) == (0, True)


async def test_deploy__node_dies_before_it_submits__nothing_is_lost_and_the_next_run_orders_once(tmp_path):
    async with world(tmp_path) as here, relay_to(here.chain.url) as between:
        watched = here.tenant.having(RPC=between.url)
        assert (await watched.does("create", "--dry-run")).status is ExitStatus.OK
        between.cut()

        dead = await watched.does("create", "--yes")
        between.mend()
        alive = await watched.does("create", "--yes")

        assert_failed(dead, ExitStatus.CHAIN_UNAVAILABLE, "check --rpc")
        assert alive.status is ExitStatus.OK, alive.err
        assert len(await here.deployments()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_j04_deposit__interrupted_while_it_waits__says_what_to_do(tmp_path, number):
    async with world(tmp_path) as here:
        await here.chain.rpc.call("evm_setAutomine", False)
        async with started(here, "register", "--deposit", "2", "--yes", "-o", "json") as process:
            async with asyncio.timeout(120):
                while not await sent_by(here):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                process.send_signal(number)
                out, err = await process.communicate()

        last = err.decode().splitlines()[-1]
        assert (process.returncode, out) == (ExitStatus.ABORTED, b""), err
        assert last.startswith("moorage: interrupted while wallet") and "run the same command again" in last


ASKING = """
from pathlib import Path
from cli.environment import Environment

async def ask():
    here.confirm("Sure?", is_agreed=False)

here = Environment(Path(), Path(), is_interactive=True, is_terminal=False)
here.run(ask())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_j04_question__signal_while_a_person_is_asked__ends_it_without_an_answer(number):
    process, terminal = pty.fork()
    if not process:
        os.execve(sys.executable, [sys.executable, "-c", ASKING], {**os.environ, "PYTHONPATH": str(ROOT)})
    said, until, is_told = b"", time.monotonic() + 120, False
    with suppress(OSError):  # nobody is at the other end any more
        while time.monotonic() < until:
            if select.select([terminal], [], [], 0.1)[0]:
                said += os.read(terminal, 1_000)
            elif b"Sure?" in said and not is_told:  # a second signal may meet an interpreter that is about to end
                os.kill(process, number)
                is_told = True
    os.close(terminal)

    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 1 and b"Abort" in said
