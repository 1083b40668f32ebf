"""The commands that do a facilitator's work by hand, on a real chain on which nobody else does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.failures import ExitStatus
from cli.review import review
from moorage.chain.contracts import provider_account
from moorage.types import OrderId
from tests.chain import ONE_TOKEN
from tests.cli_desk import Desk, open_desk
from tests.cli_world import assert_failed
from tests.lease_story import GRACE, PERIOD, WAIT

TIP = ONE_TOKEN // 1_000


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    async with open_desk(tmp_path) as opened:
        yield opened


def name(order: bytes) -> str:
    return f"0x{order.hex()}"


async def open_order(desk: Desk, *, is_due: bool = True) -> OrderId:
    order = await desk.story.order()
    await desk.story.bid(order)
    if is_due:
        await desk.story.chain.mine(WAIT)
    return order


async def test_match__first_digits_of_a_due_order_and_of_one_that_is_not__earns_one_tip(desk: Desk) -> None:
    due = await open_order(desk)
    young = await open_order(desk, is_due=False)

    result = await desk.does(desk.stranger, "match", name(due)[:12], name(young)[:10], "--yes")

    assert result.status is ExitStatus.OK, result.err
    assert f"order {name(due)} of group dock: 1 bid\n" in result.out
    assert "tips  0.001 MOOR to your account on the exchange\n" in result.out
    assert "gas   " in result.out and "now 0.0" in result.out
    assert "matched 1, tips of 0.001 MOOR earned" in result.out
    assert f"skipped {name(young)}: from block" in result.err and "3 blocks to go (3s)" in result.err
    assert (await desk.account(desk.story.chain.stranger)).available == TIP
    assert (await desk.story.snapshot()).leases.keys() == {due}


async def test_match__all__matches_what_is_due_and_tells_programs(desk: Desk) -> None:
    due = [await open_order(desk, is_due=False) for _ in range(2)]
    await desk.story.chain.mine(WAIT)
    young = await open_order(desk, is_due=False)

    result = await desk.does(desk.stranger, "match", "--all", "--yes", "-o", "json")

    assert result.status is ExitStatus.OK, result.err
    told = result.json
    assert told["ready"] == told["done"] == [name(order) for order in due]
    assert (told["tips"], told["tips_earned"], told["skipped"]) == ("0.002", "0.002", {})
    assert told["transactions"][0]["gas_used"] <= told["gas"] and int(told["gas_wei"]) > 0
    assert (await desk.story.snapshot()).orders.keys() == {young}


async def test_match__nothing_due__all_is_done_and_what_is_named_says_why(desk: Desk) -> None:
    young = await open_order(desk, is_due=False)

    everything = await desk.does(desk.stranger, "match", "--all", "--yes")
    named = await desk.does(desk.stranger, "match", name(young), "--yes")

    assert (everything.status, everything.out) == (ExitStatus.OK, f"nothing to match at block {await height(desk)}\n")
    assert_failed(named, ExitStatus.REFUSED, "nothing to match", name(young), "3 blocks to go")


async def height(desk: Desk) -> int:
    return await desk.story.chain.block_number()


async def test_crank__not_agreed_to_or_dry__sends_nothing(desk: Desk) -> None:
    order = await open_order(desk)

    dry = await desk.does(desk.stranger, "match", name(order), "--dry-run")
    declined = await desk.does(desk.stranger, "match", name(order), typed="n\n")
    alone = await desk.does(desk.stranger, "match", name(order), "--no-input")

    assert (dry.status, declined.status, alone.status) == (ExitStatus.OK, ExitStatus.ABORTED, ExitStatus.USAGE)
    assert "Match 1 order?" in declined.err and "--yes" in alone.err
    assert order in (await desk.story.snapshot()).orders


@pytest.mark.parametrize("command", ["match", "stale", "finish", "claim", "release"])
async def test_crank__wrong_ids__say_what_is_meant_by_one(desk: Desk, command: str) -> None:
    order = await open_order(desk)
    deployment = await desk.deployment_of(order)

    wrong = {
        "0xabababab": "no order or lease of this market has this id",
        "0xab": "an id is 0x and 64 hex digits, or at least its first 8",
        "hello": "an id is 0x and 64 hex digits",
    }
    for identifier, words in wrong.items():
        assert_failed(await desk.does(desk.stranger, command, identifier, "--yes"), ExitStatus.USAGE, identifier, words)
    neither = await desk.does(desk.stranger, command, "--yes")
    both = await desk.does(desk.stranger, command, name(order), "--all", "--yes")
    assert_failed(neither, ExitStatus.USAGE, "by its id, or give --all")
    assert_failed(both, ExitStatus.USAGE, "by its id, or give --all")
    owner = await desk.does(desk.stranger, command, deployment, "--yes")
    if command == "finish":
        assert_failed(owner, ExitStatus.REFUSED, "only its tenant can give it up")
    else:
        assert_failed(owner, ExitStatus.USAGE, "is a deployment", f"moorage status --deployment {deployment}")


async def test_stale__lease_that_nobody_confirms__pays_the_tenant_and_the_caller(desk: Desk) -> None:
    lease = await desk.story.leased()
    before = (await desk.account(desk.story.chain.tenant)).available

    early = await desk.does(desk.stranger, "stale", name(lease), "--yes")
    await desk.story.chain.mine(PERIOD)
    late = await desk.does(desk.stranger, "stale", "--all", "--yes", "-o", "json")

    assert_failed(early, ExitStatus.REFUSED, "unless it confirms it is stale from block", "blocks to go")
    assert late.status is ExitStatus.OK, late.err
    assert late.json["done"] == [name(lease)]
    assert (await desk.account(desk.story.chain.stranger)).available == TIP
    assert (await desk.account(desk.story.chain.tenant)).available > before + ONE_TOKEN // 2


async def test_finish__lease_and_deployment_after_the_grace__both_pay_a_tip(desk: Desk) -> None:
    lease = await desk.story.leased()
    deployment = await desk.deployment_of(lease)
    await desk.story.close(lease)

    early = await desk.does(desk.stranger, "finish", name(lease), deployment, "--yes")
    await desk.story.chain.mine(GRACE)
    finished = await desk.does(desk.stranger, "finish", "--all", "--yes")
    closed = await desk.does(desk.stranger, "finish", deployment[:10], "--yes", "-o", "json")

    assert_failed(early, ExitStatus.REFUSED, "has time to confirm the closing", "1 group of it alive")
    assert finished.status is closed.status is ExitStatus.OK, finished.err + closed.err
    assert closed.json["done"] == [deployment]
    assert (await desk.account(desk.story.chain.stranger)).available == 2 * TIP
    again = await desk.does(desk.stranger, "finish", deployment, name(lease), "--yes")
    assert_failed(again, ExitStatus.REFUSED, "the deployment is closed already", "the lease is closed already")


async def test_claim__provider_of_one_of_two_leases__only_its_own_is_claimed(desk: Desk) -> None:
    lease = await desk.story.leased()
    await desk.story.chain.mine(2)
    await desk.story.confirm(lease)

    others = await desk.does(desk.stranger, "claim", "--all", "--provider", str(desk.story.others), "--yes")
    claimed = await desk.does(desk.stranger, "claim", "--all", "--provider", str(desk.story.us), "--yes")
    again = await desk.does(desk.stranger, "claim", name(lease), "--yes")

    assert others.out.startswith("nothing to claim at block")
    assert claimed.status is ExitStatus.OK, claimed.err
    assert "MOOR to provider 1\ntips  none\n" in claimed.out and "claimed for 1\n" in claimed.out
    assert_failed(again, ExitStatus.REFUSED, "nothing is earned that was not claimed")
    (account,) = await desk.story.exchange.accounts(None, [provider_account(desk.story.us)])
    assert account.available == 999 * ONE_TOKEN + 3 * 1_000


async def test_claim__stale_lease__what_it_had_earned_is_found(desk: Desk) -> None:
    lease = await desk.story.leased()
    await desk.story.chain.mine(2)
    await desk.story.confirm(lease)
    await desk.story.chain.mine(PERIOD)
    await desk.story.end_stale(lease)

    claimed = await desk.does(desk.stranger, "claim", "--all", "--yes", "-o", "json")

    assert claimed.json["done"] == [name(lease)]


async def test_release__loser_of_a_match__gets_its_collateral(desk: Desk) -> None:
    order = await open_order(desk, is_due=False)
    await desk.story.bid(order, desk.story.others)
    early = await desk.does(desk.stranger, "release", name(order), "--yes")
    await desk.story.chain.mine(WAIT)
    await desk.story.match(order)

    released = await desk.does(desk.stranger, "release", "--all", "--yes")
    again = await desk.does(desk.stranger, "release", name(order), "--yes")

    assert_failed(early, ExitStatus.REFUSED, "the order is open: nobody has lost yet")
    assert released.status is ExitStatus.OK, released.err
    assert f"lease {name(order)} of group dock: collateral of provider 2\n" in released.out
    assert_failed(again, ExitStatus.REFUSED, "no bid that has lost locks collateral")
    (account,) = await desk.story.exchange.accounts(None, [provider_account(desk.story.others)])
    assert account.committed == 0


async def test_release__order_that_was_closed_with_bids__frees_each_of_them(desk: Desk) -> None:
    order = await open_order(desk)
    await desk.story.bid(order, desk.story.others)
    await desk.story.close(order)

    released = await desk.does(desk.stranger, "release", "--all", "--provider", "2", "--yes")
    rest = await desk.does(desk.stranger, "release", "--all", "--yes", "-o", "json")

    assert f"order {name(order)} of group dock: collateral of provider 2\n" in released.out, released.err
    assert (rest.json["ready"], rest.json["done"], rest.json["tips"]) == ([name(order)], [name(order)], "0")
    accounts = [provider_account(provider) for provider in (desk.story.us, desk.story.others)]
    assert [each.committed for each in await desk.story.exchange.accounts(None, accounts)] == [0, 0]


async def test_crank__somebody_else_is_faster__is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    order = await open_order(desk)
    loop = asyncio.get_running_loop()

    async def agree_late(*arguments: Any) -> bool:
        matched = asyncio.run_coroutine_threadsafe(desk.story.match(order), loop)
        await asyncio.wrap_future(matched)
        return await review(*arguments)

    monkeypatch.setattr("cli.cranking.review", agree_late)
    result = await desk.does(desk.stranger, "match", name(order), "--yes")

    assert_failed(result, ExitStatus.REFUSED, "nothing is ready: somebody else was faster")
