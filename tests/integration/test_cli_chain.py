"""The tenant's program on a real chain, with providers that speak TLS and an engine that is a word."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import replace

import pytest

from cli.failures import ExitStatus
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import Sender
from moorage.types import Account, Address, OrderState
from tests.chain import ONE_TOKEN, write_market
from tests.cli_world import BLOCK_SECONDS, FILE, PATIENT_PERIOD, World, assert_failed, key_file, started, until, world
from tests.market_crew import crew


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------ the right market


COMMANDS = ("register", "deploy", "status", "list", "delete")


@pytest.mark.parametrize("command", COMMANDS)
async def test_market__other_chain_other_code_no_code__nothing_is_done(tmp_path, command):
    async with world(tmp_path) as here:
        market = here.market
        other_code = {**market.code_hashes, market.exchange: b"\x01" * 32}
        nowhere = Address("0x000000000000000000000000000000000000dEaD")
        hashes = {nowhere: b"\x01" * 32, market.registry: b"\x01" * 32, market.token: b"\x01" * 32}
        wrong = {
            "is on chain 31337, the contracts are on chain 5": replace(market, chain_id=5),
            "has other code than the deployments file says": replace(market, code_hashes=other_code),
            f"no contract at {nowhere}": replace(market, exchange=nowhere, code_hashes=hashes),
        }
        for words, each in wrong.items():
            write_market(each, tmp_path / "wrong.json")
            assert_failed(await here.tenant.does(command, "--market", "wrong.json"), ExitStatus.WRONG_MARKET, words)
        assert await here.account() == Account(0, 0)


@pytest.mark.parametrize("command", COMMANDS)
async def test_wallet__missing_key_file__is_one_line(tmp_path, command):
    async with world(tmp_path) as here:
        tenant = here.tenant.having(KEY_FILE="no-such-key")

        assert_failed(await tenant.does(command), ExitStatus.WALLET, "no-such-key: no such key file")


# ------------------------------------------------------------------ register


async def test_register__new_wallet__is_made_once_and_shown(tmp_path):
    async with world(tmp_path) as here:
        tenant = here.tenant.having(KEY_FILE=None)

        first = await tenant.does("register", typed="secret\nsecret\n")
        second = await tenant.does("register", "-o", "json")

        assert first.status is second.status is ExitStatus.OK
        assert (tmp_path / ".config/moorage/wallet.json").stat().st_mode & 0o777 == 0o600
        assert second.json["address"] in first.out
        assert (second.json["tokens"], second.json["account"]) == ("0", "0")


async def test_a19_register__imported_key_and_deposit__asks_with_full_addresses(tmp_path):
    async with world(tmp_path) as here:
        tenant = here.tenant.having(KEY_FILE=None)
        raw = key_file(tmp_path, here.chain.tenant)

        result = await tenant.does(
            "register", "--import-key-file", raw, "--deposit", "2.5", typed="secret\nsecret\ny\n"
        )

        assert result.status is ExitStatus.OK
        question = f"Pay 2.5 MOOR from wallet {here.address} into its account on exchange {here.market.exchange}?"
        assert question in result.err
        assert (await here.account()).available == 5 * ONE_TOKEN // 2


async def test_register__deposit_not_agreed_to__pays_nothing(tmp_path):
    async with world(tmp_path) as here:
        assert_failed(await here.tenant.does("register", "--deposit", "1"), ExitStatus.USAGE, "--yes")
        refused = await here.tenant.does("register", "--deposit", "1", typed="n\n")

        assert refused.status is ExitStatus.ABORTED
        assert await here.account() == Account(0, 0)


@pytest.mark.parametrize(
    ("token", "decimals", "transactions"),
    [
        ("MoorageToken", 18, 1),
        ("testing/StandardToken", 6, 1),
        ("testing/StandardToken", 24, 1),
        ("testing/NoReturnToken", 6, 2),
        ("testing/PhantomPermitToken", 18, 2),
        ("testing/DaiPermitToken", 18, 2),
    ],
)
async def test_a12_deposit__any_token__arrives_exactly_and_leaves_no_allowance(tmp_path, token, decimals, transactions):
    async with world(tmp_path, token=token, decimals=decimals) as here:
        result = await here.tenant.does("register", "--deposit", "3", "--yes", "-o", "json")

        assert result.status is ExitStatus.OK, result.err
        assert (result.json["account"], result.json["tokens"]) == ("3", "997")
        assert await here.allowance() == 0
        nonce = int(await here.chain.rpc.call("eth_getTransactionCount", here.address, "latest"), 16)
        assert nonce == transactions
        told, _, shown_again = result.err.partition("so it is paid in another way than was shown:")
        assert ("the token does not take the permit" in told) == (token == "testing/DaiPermitToken")
        assert ("take up to 3 " in (shown_again or told)) == (transactions == 2)


async def test_a14_deposit__allowance_from_before__is_replaced_and_used_up(tmp_path):
    async with world(tmp_path, token="testing/NoReturnToken") as here:
        await here.chain.transact(here.chain.tenant, here.token.approve(here.market.exchange, 7))

        result = await here.tenant.does("register", "--deposit", "3", "--yes")

        assert result.status is ExitStatus.OK, result.err
        assert await here.allowance() == 0


async def test_a12_deposit__token_that_the_exchange_refuses__leaves_no_allowance(tmp_path):
    async with world(tmp_path, token="testing/FeeOnTransferToken") as here:
        result = await here.tenant.does("register", "--deposit", "3", "--yes")

        assert_failed(result, ExitStatus.REFUSED, "deposit: ledger: short transfer")
        assert await here.allowance() == 0


async def test_deposit__too_few_tokens__is_told_before_anything_is_sent(tmp_path):
    async with world(tmp_path, tokens=1) as here:
        result = await here.tenant.does("register", "--deposit", "3", "--yes")

        assert_failed(result, ExitStatus.WALLET, "has 1 MOOR, 3 MOOR are needed", here.address)


async def test_deposit__no_coin_for_gas__is_one_line(tmp_path):
    async with world(tmp_path) as here:
        await here.chain.rpc.call("anvil_setBalance", here.address, "0x0")

        result = await here.tenant.does("register", "--deposit", "3", "--yes")

        assert_failed(result, ExitStatus.REFUSED, here.address, "coin")


@pytest.mark.parametrize(
    ("amount", "words"), [("3 MOOR", "is not an amount"), ("-1", "--deposit"), ("0", "nothing to pay")]
)
async def test_deposit__wrong_amount__is_one_line(tmp_path, amount, words):
    async with world(tmp_path) as here:
        result = await here.tenant.does("register", f"--deposit={amount}", "--yes")

        assert_failed(result, ExitStatus.USAGE, words)


# ------------------------------------------------------------------ deploy, status, list, delete


async def test_deploy__from_file_to_addresses_and_back__adds_up(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path):
        deployed = await here.tenant.does("deploy", "--yes", "--detach", "--fund", "1h")

        assert deployed.status is ExitStatus.OK, deployed.err
        for words in (
            "at most 1 MOOR/h, collateral 24 MOOR",
            "provider 1 bids 0.8 MOOR/h",
            "provider 2 bids 0.9 MOOR/h",
            "matched: provider 1 at 0.8 MOOR/h",
            "manifest delivered to provider 1",
            "workload web running at http://127.0.0.1:9001",
            "all workloads run: web at http://127.0.0.1:9001",
        ):
            assert words in deployed.out
        assert await here.allowance() == 0

        status = await here.tenant.does("status", "-o", "json", "-v")
        (group,) = status.json["groups"]
        assert (group["state"], group["provider"], group["runway_hours"]) == ("lease-active", 1, "1.2")
        assert group["price_per_hour"].startswith("0.79999") or group["price_per_hour"].startswith("0.8")
        assert group["workloads"] == [
            {
                "name": "web",
                "state": "running",
                "reason": None,
                "update": None,
                "addresses": ["http://127.0.0.1:9001"],
                "connections": [],
            }
        ]
        assert [entry["event"] for entry in status.json["history"]][:2] == ["submitted", "ordered"]
        (listed,) = await here.deployments()
        assert listed["deployment"] == status.json["deployment"]
        assert listed["file"] == str((tmp_path / "moorage.yml").resolve())

        deleted = await here.tenant.does("delete", "--yes", "-o", "json")
        settled = deleted.events[-1]
        assert (deleted.status, settled["event"], settled["text"]) == (ExitStatus.OK, "settlement", "closed")
        paid, back = _units(settled["paid"]), _units(settled["came_back"])
        assert paid > 0 and _units(settled["tips"]) == 2 * ONE_TOKEN // 1_000
        assert _units(settled["put_in"]) == paid + back + _units(settled["tips"])
        assert (await here.account()).available == back

        again = await here.tenant.does("delete", "--yes")
        assert (again.status, again.out) == (ExitStatus.OK, "")
        assert "nothing to delete" in again.err
        assert not list(here.tenant.state.rglob("*.json"))


def _units(tokens: str) -> int:
    whole, _, part = tokens.partition(".")
    return int(whole) * ONE_TOKEN + int(part.ljust(18, "0") or 0)


async def test_deploy__run_again__takes_the_same_deployment_up(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        first = await here.tenant.does("deploy", "--yes", "--detach", "-o", "json")
        second = await here.tenant.does("deploy", "--detach", "-o", "json")

        assert first.status is second.status is ExitStatus.OK
        assert "taking up deployment" in second.err
        assert [event["event"] for event in second.events][-1] == "running"
        assert len(await here.deployments()) == 1


async def test_deploy__file_has_changed__refuses_and_says_what_to_do(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        await here.tenant.does("deploy", "--yes", "--detach")
        file = tmp_path / "moorage.yml"
        changes = {
            "nginx:1.22": "nginx:1.23",
            "max-price: 0.5": "max-price: 0.6",
        }

        for old, new in changes.items():
            file.write_text(FILE.replace(old, new))
            result = await here.tenant.does("deploy", "--yes", "--detach")
            assert_failed(result, ExitStatus.REFUSED, "has changed since", "moorage update -f moorage.yml", "--new")

        file.write_text(f"# only a comment\n{FILE}")
        assert (await here.tenant.does("deploy", "--detach")).status is ExitStatus.OK


async def test_deploy__new__makes_another_one_and_delete_asks_which(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        for _ in range(2):
            assert (await here.tenant.does("deploy", "--yes", "--detach", "--new")).status is ExitStatus.OK
        ids = [entry["deployment"] for entry in await here.deployments()]

        which = await here.tenant.does("delete", "--yes")
        assert_failed(which, ExitStatus.USAGE, "has 2 deployments, name one with --deployment", *map(str, ids))
        assert (await here.tenant.does("delete", "--yes", "--deployment", str(ids[0])[:12])).status is ExitStatus.OK
        assert (await here.tenant.does("status", "-o", "json")).json["deployment"] == ids[1]


@pytest.mark.parametrize("identifier", ["0x" + "ab" * 32, "0xabababab", "0xab", "hello", "0x" + "ab" * 33])
async def test_deployment__unknown_id__is_one_line(tmp_path, identifier):
    async with world(tmp_path) as here:
        for command in ("status", "delete"):
            assert_failed(await here.tenant.does(command, "--deployment", identifier), ExitStatus.USAGE, "--deployment")


async def test_deployment__of_another_tenant__is_not_found(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        await here.tenant.does("deploy", "--yes", "--detach")
        (mine,) = await here.deployments()
        stranger = here.tenant.having(KEY_FILE=key_file(tmp_path, here.chain.stranger))

        result = await stranger.does("delete", "--yes", "--deployment", str(mine["deployment"]))

        assert_failed(result, ExitStatus.USAGE, "no deployment of wallet")


async def test_deploy__not_agreed_to__orders_nothing_and_remembers_nothing(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.does("deploy", typed="n\n")

        assert result.status is ExitStatus.ABORTED
        assert "Deploy?" in result.err and here.address in result.out and here.market.exchange in result.out
        assert await here.deployments() == [] and not list(here.tenant.state.rglob("*.json"))


async def test_deploy__longer_than_anybody_can_prepay__says_how_long_is_possible(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.does("deploy", "--yes", "--new", "--fund", "99999999999h")

        assert_failed(result, ExitStatus.USAGE, "--fund: at most 1193046h: that is 4294967295 blocks")
        little, least = [(await here.tenant.does("plan", "--fund", time)).err for time in ("1s", "1h")]
        assert (
            re.search(r"--fund: raised to \S+ \(\d+ blocks\), the least: two periods", little) and "raised" not in least
        )
        assert await here.deployments() == [] and not list(here.tenant.state.rglob("*.json"))


async def test_file__asks_for_terms_that_the_exchange_refuses__nobody_is_asked_to_sign(tmp_path):
    async with world(tmp_path, tip=10 * ONE_TOKEN) as here:
        (tmp_path / "moorage.yml").write_text(FILE.replace("collateral: 1d", "collateral: 1"))
        refused = ":15:9: error: collateral of datacenter 'dock' is 2, this market takes 10 or more: raise pricing.coll"

        for command in (["validate"], ["plan"], ["search"], ["create", "--yes"], ["deploy", "--yes", "--detach"]):
            result = await here.tenant.does(*command)
            assert result.status is ExitStatus.INVALID_FILE and refused in result.err
            assert "signs on chain" not in result.err

        assert not list(here.tenant.state.rglob("*.json"))


@pytest.mark.parametrize("is_sent", [False, True])
async def test_deploy__dies_around_the_transaction__run_again_orders_once(tmp_path, monkeypatch, is_sent):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        await here.tenant.does("register", "--deposit", "100", "--yes")
        send_all = Sender.send_all

        async def die(sender, calls, *settings):
            if sender.address == here.address:
                if is_sent:
                    await send_all(sender, calls, *settings)
                raise NodeUnavailable("the answer was lost")
            return await send_all(sender, calls, *settings)

        with monkeypatch.context() as patched:
            patched.setattr(Sender, "send_all", die)
            dead = await here.tenant.does("deploy", "--yes", "--detach")
        assert_failed(dead, ExitStatus.CHAIN_UNAVAILABLE, "the answer was lost")
        (path,) = here.tenant.state.rglob("*.json")

        alive = await here.tenant.does("deploy", "--yes", "--detach")

        assert alive.status is ExitStatus.OK, alive.err
        assert ("taking up" if is_sent else "once more") in alive.err
        (only,) = await here.deployments()
        assert only["deployment"] == f"0x{path.stem}"


async def test_deploy__two_at_once__only_one_submits(tmp_path):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        crew(here.chain, here.market, tmp_path, (80,)),
        started(here, "deploy", "--yes", "--detach") as first,
        started(here, "deploy", "--yes", "--detach") as second,
    ):
        outputs = await asyncio.gather(first.communicate(), second.communicate())

        assert len(await here.deployments()) == 1, outputs


async def test_deploy__provider_fails__tells_collateral_and_new_addresses_then_ctrl_c_leaves_it(tmp_path):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        crew(here.chain, here.market, tmp_path) as (first, _),
        started(here, "deploy", "--yes", "-o", "json") as process,
    ):
        async with asyncio.timeout(120):
            assert (await until(process, "running"))["addresses"] == "http://127.0.0.1:9001"
            first.fail()
            await here.chain.mine(PATIENT_PERIOD)
            stale = await until(process, "stale")
            again = await until(process, "ordered-again")
            matched = await until(process, "matched")
            assert (await until(process, "running"))["addresses"] == "http://127.0.0.1:9002"
        process.send_signal(signal.SIGINT)
        _, error = await process.communicate()

        assert (stale["provider"], stale["collateral_received"]) == (1, "23.999")
        assert (again["excluded_provider"], matched["provider"]) == (1, 2)
        assert process.returncode == ExitStatus.ABORTED
        assert "lives on" in error.decode().splitlines()[-1]
        (listed,) = await here.deployments()
        assert listed["state"] == "active"


@pytest.mark.parametrize("is_confirming", [True, False])
async def test_delete__no_facilitator__does_its_work_and_gets_the_tips(tmp_path, is_confirming):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS, grace=6) as here,
        crew(here.chain, here.market, tmp_path, (80,), has_facilitator=False) as (provider,),
    ):
        provider.is_closing = is_confirming
        deploying = asyncio.create_task(here.tenant.does("deploy", "--yes", "--detach", "--fund", "1h"))
        await _match_by_hand(here)
        assert (await deploying).status is ExitStatus.OK

        deleted = await here.tenant.does("delete", "--yes", "-o", "json")

        assert deleted.status is ExitStatus.OK, deleted.err
        assert "close deployment" in deleted.err
        assert "see as closed" not in deleted.err  # no dearer than what was agreed to
        settled = deleted.events[-1]
        assert settled["text"] == "closed"
        assert _units(settled["tips"]) == ONE_TOKEN // 1_000  # of the match; the others came back
        assert _units(settled["came_back"]) == (await here.account()).available


async def _match_by_hand(here: World) -> None:
    """Match the tenant's order as a stranger would."""
    from moorage.chain.reader import MarketReader

    reader = MarketReader(here.chain.rpc, here.market)
    sender = Sender(here.chain.rpc, here.chain.stranger, here.market.chain_id)
    async with asyncio.timeout(120):
        while True:
            snapshot = await reader.snapshot()
            ready = [order for order in snapshot.orders.values() if order.bid_count]
            if ready and snapshot.block.number >= ready[0].match_block:
                await sender.send(here.exchange.submit_lease([ready[0].key]))
                return
            await asyncio.sleep(0.1)


async def test_delete__order_without_bids__everything_but_nothing_was_paid(tmp_path):
    async with (
        world(tmp_path, block_time=BLOCK_SECONDS) as here,
        started(here, "deploy", "--yes", "-o", "json", "--fund", "1h") as process,
    ):
        async with asyncio.timeout(120):
            await until(process, "no-bids")
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == ExitStatus.ABORTED

        detached = await here.tenant.does("delete", "--yes", "--detach", "-o", "json")
        unasked = await here.tenant.does("delete")
        deleted = await here.tenant.does("delete", "-o", "json", typed="y\n")

        assert detached.events[-1]["text"] == "closing"
        assert_failed(unasked, ExitStatus.USAGE, "Send this? Nobody to ask: give --yes")
        assert all("see as closed" in each.err for each in (unasked, deleted))
        settled = deleted.events[-1]
        assert (settled["text"], settled["paid"], settled["tips"]) == ("closed", "0", "0")
        assert settled["put_in"] == settled["came_back"]


async def test_status__locked_wallet__shows_the_chain_and_says_what_is_missing(tmp_path):
    async with world(tmp_path, block_time=BLOCK_SECONDS) as here, crew(here.chain, here.market, tmp_path, (80,)):
        tenant = here.tenant.having(KEY_FILE=None)
        raw = key_file(tmp_path, here.chain.tenant)
        await tenant.does("register", "--import-key-file", raw, typed="secret\nsecret\n")
        deployed = await tenant.does("deploy", "--detach", typed="y\nsecret\n")
        assert deployed.status is ExitStatus.OK, deployed.err

        locked = await tenant.does("status")
        opened = await tenant.does("status", typed="secret\n")

        assert locked.status is ExitStatus.OK
        assert "leased" in locked.out and "running" not in locked.out
        assert "workloads are not shown" in locked.err and "--password-file" in locked.err
        assert "running" in opened.out and OrderState.OPEN not in opened.out
