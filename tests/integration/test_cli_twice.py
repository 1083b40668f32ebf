"""A command that is run twice, or again after it was killed: nothing is paid twice without being told."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cli.environment import Environment
from cli.failures import ExitStatus
from tests.chain import ONE_TOKEN
from tests.cli_world import World, assert_failed, press, pressed, sent_by, world


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def killed(here: World, point: str, *arguments: str) -> None:
    """Run a command that kills itself at a place."""
    code, error = await pressed(here, *arguments, dies_at=point)
    assert code == -signal.SIGKILL, error


@pytest.mark.parametrize("point", ["outbox-journaled", "outbox-sent", "outbox-included"])
async def test_j04_deposit__killed_and_pressed_again__is_paid_once_and_told(tmp_path, point):
    async with world(tmp_path) as here:
        await killed(here, point, "register", "--deposit", "2", "--yes")

        again = await here.tenant.does("register", "--deposit", "2", "--yes")
        third = await here.tenant.does("register", "--deposit", "2", "--yes")

        assert again.status is third.status is ExitStatus.OK, again.err
        assert "this deposit was made by that run: nothing is paid again" in again.err
        assert "has sent deposit" in again.err and "another run" not in third.err
        assert (await here.account()).available == 4 * ONE_TOKEN and await sent_by(here) == 2


async def test_j04_deposit__killed_before_it_was_signed__is_paid_by_the_next_run(tmp_path):
    async with world(tmp_path) as here:
        await killed(here, "outbox-signed", "register", "--deposit", "2", "--yes")

        again = await here.tenant.does("register", "--deposit", "2", "--yes")

        assert again.status is ExitStatus.OK and "nothing is paid again" not in again.err
        assert (await here.account()).available == 2 * ONE_TOKEN


async def test_j04_revoke__killed_and_pressed_again__is_told_and_sent_where_that_is_harmless(tmp_path):
    async with world(tmp_path) as here:
        await here.chain.transact(here.chain.tenant, here.token.approve(here.market.exchange, 7))
        await killed(here, "outbox-sent", "allowance", "revoke", here.market.exchange, "--yes")

        again = await here.tenant.does("allowance", "revoke", "all", "--yes")

        assert again.status is ExitStatus.OK and "nothing to revoke" in again.err
        assert await here.allowance() == 0


@pytest.mark.parametrize("problem", ["damaged", "another chain's"])
async def test_j04_journal__cannot_be_used__is_one_line_and_nothing_is_sent(tmp_path, problem):
    async with world(tmp_path) as here:
        await here.tenant.does("allowance", "revoke", here.market.exchange, "--yes")
        await here.tenant.does("register", "--deposit", "1", "--yes")
        (journal,) = here.tenant.state.rglob("*.db")
        if problem == "damaged":
            journal.write_bytes(b"nonsense" * 1_000)
        else:
            await here.chain.mine(4)
            await here.tenant.does("register", "--deposit", "1", "--yes")
            await here.chain.rpc.call("anvil_setNonce", here.address, "0x0")
        before = await sent_by(here)

        result = await here.tenant.does("register", "--deposit", "2", "--yes")

        assert_failed(result, ExitStatus.ERROR, str(journal))
        assert await sent_by(here) == before


async def test_j04_deposit__pressed_again_after_it_was_told__is_paid_again(tmp_path):
    async with world(tmp_path) as here:
        for _ in range(2):
            result = await here.tenant.does("register", "--deposit", "2", "--yes")
            assert result.status is ExitStatus.OK and "another run" not in result.err

        assert (await here.account()).available == 4 * ONE_TOKEN


async def test_j04_deposit__another_run_pays_while_this_one_asks__is_not_sent(tmp_path, monkeypatch):
    async with world(tmp_path) as here:
        loop, confirm = asyncio.get_running_loop(), Environment.confirm

        def slow(self, question, *, is_agreed):
            confirm(self, question, is_agreed=is_agreed)
            paying = pressed(here, "register", "--deposit", "2", "--yes")
            assert asyncio.run_coroutine_threadsafe(paying, loop).result(120)[0] == ExitStatus.OK

        monkeypatch.setattr(Environment, "confirm", slow)
        result = await here.tenant.does("register", "--deposit", "2", typed="y\n")

        assert_failed(result, ExitStatus.REFUSED, "has sent something else since this was shown: nothing was sent now")
        assert (await here.account()).available == 2 * ONE_TOKEN


async def test_j04_deposit__pressed_while_another_one_is_under_way__is_told_and_paid_once(tmp_path):
    async with world(tmp_path) as here:
        await here.chain.rpc.call("evm_setAutomine", False)
        first = await press(here, "register", "--deposit", "2", "--yes")
        for _ in range(600):
            if await sent_by(here):
                break
            await asyncio.sleep(0.1)
        second = await press(here, "register", "--deposit", "2", "--yes")
        assert second.stderr is not None
        waiting = (await second.stderr.readline()).decode()
        await here.chain.rpc.call("evm_setAutomine", True)
        await here.chain.mine(1)
        (_, _), (_, told) = await asyncio.gather(first.communicate(), second.communicate())

        assert (first.returncode, second.returncode) == (0, 0), told.decode()
        assert f"process {first.pid} is sending with wallet" in waiting and "this run waits until" in waiting
        assert b"nothing is paid again" in told
        assert (await here.account()).available == 2 * ONE_TOKEN
