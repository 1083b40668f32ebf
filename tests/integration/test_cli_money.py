"""Prolonging leases, taking money out and letting other keys act, by the tenant's program on a real chain."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from cli.failures import ExitStatus
from cli.turns import Turn
from moorage import terms
from moorage.chain.contracts import Call, Token
from moorage.chain.sender import NotSent, Refused, Sender, Sent
from moorage.types import Address, OrderId
from tests.chain import ONE_TOKEN, accounts
from tests.cli_desk import Desk, open_desk, units_of
from tests.cli_runner import Person, Result
from tests.cli_world import assert_failed
from tests.lease_story import PERIOD, WAIT
from tests.markets import make_group

CHARGE = 1_000
PRICE = ONE_TOKEN // 1_000
"""For a block, of leases that cost something."""
DEAR = make_group(price=PRICE, collateral=ONE_TOKEN)
HOUR = 3_600
"""Blocks, of a second each."""


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    async with open_desk(tmp_path) as opened:
        yield opened


async def fund(desk: Desk, who: Person, order: OrderId, *arguments: str, **answers: str) -> Result:
    return await desk.does(who, "fund", "--deployment", await desk.deployment_of(order), *arguments, **answers)


async def dear_lease(desk: Desk) -> OrderId:
    """Return a lease for 3.6 tokens an hour that is prepaid for two periods."""
    order = await desk.story.order(DEAR, blocks=0)
    await desk.story.bid(order, price=PRICE)
    await desk.story.chain.mine(WAIT)
    await desk.story.match(order)
    await desk.story.confirm(order)
    return order


async def lease_of(desk: Desk, order: OrderId):
    return (await desk.story.snapshot()).leases[order]


# ------------------------------------------------------------------ fund


async def test_fund__lease__lasts_longer_and_shows_how_long_before_and_after(desk: Desk) -> None:
    lease = await desk.story.leased(blocks=HOUR)
    before = await lease_of(desk, lease)
    had = (await desk.account(desk.story.chain.tenant)).available

    result = await fund(desk, desk.tenant, lease, "--for", "24h", "--yes")

    assert result.status is ExitStatus.OK, result.err
    assert "1.0 h (1h)  25.0 h (1d 1h)" in result.out
    assert "group dock is funded and lasts 25.0 h (1d 1h)" in result.out
    assert (await lease_of(desk, lease)).funded_block == before.funded_block + 24 * HOUR
    assert (await desk.account(desk.story.chain.tenant)).available == had - 24 * HOUR * CHARGE


async def test_fund__open_order__takes_blocks_at_the_maximum_price(desk: Desk) -> None:
    order = await desk.story.order()
    held = (await desk.story.snapshot()).orders[order]

    result = await fund(desk, desk.tenant, order, "--group", "dock", "--for", "1h", "--yes", "-o", "json")

    (group,) = result.json["groups"]
    assert (group["blocks"], group["runway_after_blocks"] - group["runway_blocks"]) == (HOUR, HOUR)
    assert result.json["paid_by"] == "tenant"
    paid = (await desk.story.snapshot()).orders[order].deposit - held.deposit
    assert paid == HOUR * terms.max_charge_of(held.key) == units_of(result.json["total"])


async def test_fund__up_to_what_it_lasts_already__does_nothing(desk: Desk) -> None:
    lease = await desk.story.leased(blocks=2 * HOUR)
    before = await lease_of(desk, lease)

    result = await fund(desk, desk.tenant, lease, "--up-to", "1h", "--yes")

    assert (result.status, result.out) == (ExitStatus.OK, "group dock lasts 2.0 h (2h) already\n")
    assert await lease_of(desk, lease) == before


async def test_fund__used_up_lease__is_revived_and_awaits_its_provider(desk: Desk) -> None:
    lease = await desk.story.leased(blocks=0)
    await desk.story.chain.mine(PERIOD - 1)
    await desk.story.confirm(lease)
    await desk.story.until((await lease_of(desk, lease)).funded_block)

    shown = await fund(desk, desk.tenant, lease, "--for", "1s", "--dry-run")
    result = await fund(desk, desk.tenant, lease, "--for", "1s", "--yes", "-o", "json")

    assert "group dock is used up: this revives it, with two periods at least" in shown.out
    assert result.status is ExitStatus.OK, result.err
    (group,) = result.json["groups"]
    revived = await lease_of(desk, lease)
    unpaid = PERIOD  # its provider has missed them
    assert revived.is_awaiting and revived.funded_block - revived.confirmed_block == unpaid + 2 * PERIOD
    assert (group["blocks"], group["runway_after_blocks"]) == (2 * PERIOD, unpaid + 2 * PERIOD)


async def test_fund__lease_that_cannot_be_funded__says_what_ends_it(desk: Desk) -> None:
    lease = await desk.story.leased()
    await desk.story.chain.mine(PERIOD + 1)
    stale = await fund(desk, desk.tenant, lease, "--for", "1h", "--yes")
    closing = await desk.story.leased()
    await desk.story.close(closing)

    assert_failed(stale, ExitStatus.REFUSED, f"group dock is stale: `moorage stale 0x{lease.hex()}` ends it")
    closed = await fund(desk, desk.tenant, closing, "--for", "1h", "--yes")
    assert_failed(closed, ExitStatus.REFUSED, "nothing of deployment", "group dock is closing")


async def test_fund__wrong_wish__is_one_line(desk: Desk) -> None:
    order = await desk.story.order()
    wrong = {
        (): "one of --for TIME, --up-to TIME, --amount TOKENS",
        ("--for", "1h", "--amount", "1"): "one of --for TIME",
        ("--for", "soon"): "--for: 'soon' is not a time",
        ("--for", ""): "--for: '' is not a time",
        ("--amount", "-1"): "--amount",
        ("--for", "0s"): "nothing to fund",
        ("--for", "1h", "--group", "west"): "no group 'west' in deployment 0x",
        ("--for", "99999d"): "group dock can last 49710d",
        ("--amount", "0.000000000000000001"): "is too little: at least",
    }
    for arguments, words in wrong.items():
        assert_failed(await fund(desk, desk.tenant, order, *arguments), ExitStatus.USAGE, words)


async def test_fund__account_too_small__wallet_pays_in_by_permit_after_it_was_shown(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_desk(tmp_path, tokens=accounts()[1:2]) as desk:
        lease = await dear_lease(desk)
        tenant = desk.story.chain.tenant
        await desk.does(desk.tenant, "withdraw", "all", "--yes")

        declined = await fund(desk, desk.tenant, lease, "--amount", "2.5", typed="n\n")
        result = await fund(desk, desk.tenant, lease, "--amount", "2.5", "--yes", "-o", "json")

        assert declined.status is ExitStatus.ABORTED
        assert "paid in from your wallet  2.5 MOOR" in declined.out and "with 2.5 MOOR?" in declined.err
        assert (result.status, result.json["paid_in"]) == (ExitStatus.OK, "2.5"), result.err
        assert len(result.json["transactions"]) == 2
        assert (await desk.account(tenant)).available == 0


async def test_fund__wallet_too_poor__is_told_before_anything_is_sent(desk: Desk) -> None:
    lease = await dear_lease(desk)
    before = await lease_of(desk, lease)

    result = await fund(desk, desk.tenant, lease, "--amount", "1000", "--yes")

    assert_failed(result, ExitStatus.WALLET, "has 0 MOOR", "are needed")
    assert await lease_of(desk, lease) == before


async def test_fund__somebody_elses_deployment__is_a_gift_and_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_desk(tmp_path, tokens=accounts()[3:4]) as desk:
        lease = await desk.story.leased()
        tenant_had = await desk.account(desk.story.chain.tenant)

        result = await fund(desk, desk.stranger, lease, "--for", "1h", "--yes")

        assert result.status is ExitStatus.OK, result.err
        assert "from your account, as a gift: what is not used goes to the tenant" in result.out
        assert await desk.account(desk.story.chain.tenant) == tenant_had


async def refused(sender: Sender, calls: Sequence[Call], most_wei: int | None) -> list[Refused]:
    return [Refused(call, "not today") for call in calls]


async def test_j04_fund__killed_and_run_again__is_paid_once_and_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = await desk.story.leased()
    before = await lease_of(desk, lease)
    had = (await desk.account(desk.story.chain.tenant)).available
    deployment = await desk.deployment_of(lease)

    await desk.killed(desk.tenant, "outbox-sent", "fund", "--deployment", deployment, "--for", "1h", "--yes")
    declined = await fund(desk, desk.tenant, lease, "--for", "2h", typed="n\n")
    with monkeypatch.context() as patch:
        patch.setattr(Sender, "send_all", refused)
        in_vain = await desk.does(desk.tenant, "withdraw", "1", "--yes")
    again = await fund(desk, desk.tenant, lease, "--for", "1h", "--yes")
    third = await fund(desk, desk.tenant, lease, "--for", "1h", typed="n\n")

    assert (again.status, third.status) == (ExitStatus.OK, ExitStatus.ABORTED), again.err
    assert declined.status is ExitStatus.ABORTED and "interrupted" in declined.err
    assert_failed(in_vain, ExitStatus.REFUSED, "not today")
    assert "group dock was funded by the run that was interrupted" in again.err
    assert "interrupted" not in third.err
    assert (await lease_of(desk, lease)).funded_block == before.funded_block + HOUR
    assert (await desk.account(desk.story.chain.tenant)).available == had - HOUR * CHARGE


async def test_j04_fund__refused_after_a_part_has_landed_and_run_again__pays_no_part_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = await desk.story.leased()
    before = await lease_of(desk, lease)
    send = Turn.send

    async def fails_after_one(turn: Turn, call: Call) -> Sent:
        await send(turn, call)
        raise NotSent("the next group: no coin for gas")

    with monkeypatch.context() as patch:
        patch.setattr(Turn, "send", fails_after_one)
        first = await fund(desk, desk.tenant, lease, "--for", "1h", "--yes")
    again = await fund(desk, desk.tenant, lease, "--for", "1h", "--yes")

    assert_failed(first, ExitStatus.REFUSED, "no coin for gas")
    assert again.status is ExitStatus.OK and "group dock was funded by the run" in again.err, again.err
    assert (await lease_of(desk, lease)).funded_block == before.funded_block + HOUR


async def test_j01_money__dry_runs_for_programs__are_one_document_and_send_nothing(desk: Desk) -> None:
    lease = await desk.story.leased()
    named = ("--deployment", await desk.deployment_of(lease))
    stranger = desk.story.chain.stranger.address
    height = await desk.story.chain.block_number()

    for command in (
        ("fund", "--for", "1h", *named),
        ("withdraw", "all"),
        ("manager", "set", stranger, "--can", "update", *named),
    ):
        result = await desk.does(desk.tenant, *command, "--dry-run", "-o", "json")
        assert result.status is ExitStatus.OK, result.err
        assert len(result.json["steps"]) == 1 and "nothing was sent" in result.err
    assert await desk.story.chain.block_number() == height


# ------------------------------------------------------------------ managers


async def set_manager(desk: Desk, order: OrderId, *arguments: str) -> Result:
    key = desk.story.chain.stranger.address
    deployment = await desk.deployment_of(order)
    return await desk.does(desk.tenant, "manager", "set", key, "--deployment", deployment, "--yes", *arguments)


async def test_e01_manager__may_fund_within_its_cap__spends_the_tenants_account_and_no_more(desk: Desk) -> None:
    lease = await desk.story.leased()
    cap = "0.0000000000072"  # two hours of it
    granted = await set_manager(desk, lease, "--can", "fund", "--spend-cap", cap, "--expires", "1h")
    had = (await desk.account(desk.story.chain.tenant)).available

    funded = await fund(desk, desk.stranger, lease, "--for", "2h", "--yes")
    again = await fund(desk, desk.stranger, lease, "--for", "1s", "--yes")

    assert "may now     nothing\nmay then    fund, until block" in granted.out
    assert funded.status is ExitStatus.OK, funded.err
    assert "from the tenant's account, as its manager" in funded.out
    assert "you may spend still" in funded.out and "what is taken counts, not the limit" in funded.out
    assert "is taken, at the price of its lease" in funded.err
    assert re.search(r"     tenant's    .* -> .*, its account", funded.err)
    assert (await desk.account(desk.story.chain.tenant)).available == had - 2 * HOUR * CHARGE
    assert_failed(again, ExitStatus.USAGE, "above what wallet", "may spend still: 0 MOOR")


async def test_e01_manager__tenants_account_too_small__is_told_and_pays_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_desk(tmp_path, tokens=accounts()[3:4]) as desk:
        lease = await dear_lease(desk)
        await set_manager(desk, lease, "--can", "fund", "--spend-cap", "1000")
        before = await lease_of(desk, lease)

        result = await fund(desk, desk.stranger, lease, "--amount", "200", "--yes")

        assert_failed(result, ExitStatus.WALLET, "has 99.9", "200 MOOR are needed: it has to pay in")
        assert await lease_of(desk, lease) == before


async def test_manager__listed_changed_and_revoked__is_as_the_chain_has_it(desk: Desk) -> None:
    lease = await desk.story.leased()
    deployment = await desk.deployment_of(lease)
    key = desk.story.chain.stranger.address
    await set_manager(desk, lease, "--can", "update,fund", "--spend-cap", "2.5", "--expires", "1d")

    by_itself = await desk.does(desk.stranger, "manager", "list", "--deployment", deployment[:10], "-o", "json")
    listed = await desk.does(desk.tenant, "manager", "list", "--deployment", deployment)
    changed = await set_manager(desk, lease, "--can", "update")
    revoked = await desk.does(desk.tenant, "manager", "revoke", key, "--deployment", deployment, "--yes")
    nothing = await desk.does(desk.tenant, "manager", "revoke", key, "--deployment", deployment, "--yes")
    empty = await desk.does(desk.tenant, "manager", "list", "--deployment", deployment)

    (entry,) = by_itself.json
    assert (entry["manager"], entry["can"], entry["spendable"]) == (key, ["update", "fund"], "2.5")
    assert key in listed.out and "update,fund" in listed.out and "2.5 MOOR" in listed.out
    assert "may now     update,fund, until" in changed.out and "may spend 0 MOOR" in changed.out
    assert f"{key} may do nothing" in revoked.out
    assert (nothing.status, nothing.out) == (ExitStatus.OK, "") and "nothing to revoke" in nothing.err
    assert empty.out == f"deployment {deployment} has no managers\n"


async def test_manager__beyond_what_the_exchange_takes__is_one_line(desk: Desk) -> None:
    order = await desk.story.order()
    wrong = {
        ("--can", "close"): "'close' is nothing that a manager can be let do: update, fund, scale",
        ("--can", "fund"): "--can fund spends of your account: say how much with --spend-cap AMOUNT",
        ("--can", "update", "--expires", "later"): "--expires: 'later' is not a time",
        ("--can", "update", "--expires", "0s"): "--expires: at least one block from now",
        ("--can", "update", "--expires", "99999999d"): "--expires: at least one block from now, at most",
        ("--can", "fund", "--spend-cap", "much"): "--spend-cap: 'much' is not an amount",
        ("--can", "fund", "--spend-cap", "99999999999999"): "--spend-cap: at most 79,228,162,514",
    }
    for arguments, words in wrong.items():
        assert_failed(await set_manager(desk, order, *arguments), ExitStatus.USAGE, words)


async def test_e03_manager__tenants_own_commands__are_refused_and_say_whose_it_is(desk: Desk) -> None:
    lease = await desk.story.leased()
    deployment = await desk.deployment_of(lease)
    tenant, key = desk.story.chain.tenant.address, desk.story.chain.stranger.address
    foreign = await desk.does(desk.stranger, "status", "--deployment", deployment)
    await set_manager(desk, lease, "--can", "update")

    assert_failed(foreign, ExitStatus.USAGE, f"no deployment of wallet {key} has this id")
    for command in (("delete",), ("manager", "revoke", tenant)):
        refused = await desk.does(desk.stranger, *command, "--deployment", deployment, "--yes")
        assert_failed(refused, ExitStatus.USAGE, f"is of tenant {tenant}", "only the tenant can do this")
    seen = await desk.does(desk.stranger, "status", "--deployment", deployment)
    assert seen.status is ExitStatus.OK and f"wallet {key} is a manager: update, until block" in seen.err
    unable = await fund(desk, desk.stranger, lease, "--for", "1h", "--yes")
    assert_failed(unable, ExitStatus.USAGE, "is a manager that may not fund")


async def test_manager__address_that_is_none_or_the_tenants__is_one_line(desk: Desk) -> None:
    deployment = await desk.deployment_of(await desk.story.order())
    mistyped = "0x90f79bf6EB2c4f870365E785982E1f101E93b906"
    for bad in ("0x12", "0x" + "0" * 40, mistyped, desk.story.chain.tenant.address):
        for arguments in (("set", bad, "--can", "update"), ("revoke", bad)):
            result = await desk.does(desk.tenant, "manager", *arguments, "--deployment", deployment, "--yes")
            assert_failed(result, ExitStatus.USAGE, bad)


# ------------------------------------------------------------------ withdraw


async def test_withdraw__part_and_then_all__leaves_what_deployments_hold_and_shows_it(desk: Desk) -> None:
    lease = await desk.story.leased()
    tenant, wallet = desk.story.chain.tenant, Address(desk.story.chain.tenant.address)
    had = (await desk.account(tenant)).available

    part = await desk.does(desk.tenant, "withdraw", "1.5", "--yes", "-o", "json")
    rest = await desk.does(desk.tenant, "withdraw", "all", "--yes")
    again = await desk.does(desk.tenant, "withdraw", "all", "--yes")

    assert part.status is rest.status is again.status is ExitStatus.OK, part.err + rest.err
    (held,) = part.json["held"]
    assert held["deployment"] == await desk.deployment_of(lease)
    taken = 100 * ONE_TOKEN - had  # all that the story has paid in, less what it took out
    match_tip = ONE_TOKEN // 1_000
    assert sum(units_of(held[each]) for each in ("unused", "earned", "tips")) == taken - match_tip
    assert f"stays in deployment {held['deployment']}" in rest.out
    assert "to be withdrawn     nothing" in again.out
    assert (await desk.account(tenant)).available == 0
    assert await Token(desk.story.chain.rpc, desk.story.market).balance(None, wallet) == had


async def test_withdraw__to_another_address__asks_with_the_whole_address(desk: Desk) -> None:
    other = desk.story.chain.owners[0].address

    result = await desk.does(desk.tenant, "withdraw", "2", "--to", other.lower(), typed="y\n")

    assert result.status is ExitStatus.OK, result.err
    assert f"Withdraw 2 MOOR to {other}?" in result.err
    assert await Token(desk.story.chain.rpc, desk.story.market).balance(None, Address(other)) == 2 * ONE_TOKEN


async def test_withdraw__more_than_there_is__says_what_is_held_and_where(desk: Desk) -> None:
    await desk.story.order()

    result = await desk.does(desk.tenant, "withdraw", "100", "--yes")

    assert_failed(result, ExitStatus.REFUSED, "the account has 99.99", "held by 1 live deployment", "withdraw all")


async def test_withdraw__nothing_there__does_not_advise_to_take_it(desk: Desk) -> None:
    result = await desk.does(desk.stranger, "withdraw", "1", "--yes")

    assert_failed(result, ExitStatus.REFUSED, "the account has 0 MOOR")
    assert "withdraw all" not in result.err


async def test_withdraw__to_a_contract_of_the_market__is_refused(desk: Desk) -> None:
    for address in (desk.story.market.exchange, desk.story.market.registry, desk.story.market.token):
        result = await desk.does(desk.tenant, "withdraw", "1", "--to", address, "--yes")
        assert_failed(result, ExitStatus.USAGE, f"--to {address}", "what it gets is lost")


async def test_withdraw__wrong_amount_or_address__is_one_line(desk: Desk) -> None:
    wrong = {
        ("1", "--to", "0x12"): "--to '0x12'",
        ("1", "--to", "0x" + "0" * 40): "nobody has this address",
        ("0",): "nothing to withdraw",
        ("-1",): "-1: an amount is above 0",
        ("some",): "AMOUNT: 'some' is not an amount",
        ("0.0000000000000000001",): "AMOUNT",
    }
    for arguments, words in wrong.items():
        result = await desk.does(desk.tenant, "withdraw", *arguments, "--yes")
        assert_failed(result, ExitStatus.USAGE, words)
