"""What the tenant's program shows, asks and signs, on a real chain: local keys, signers elsewhere, cold keys."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cli.environment import Environment
from cli.failures import ExitStatus
from moorage.chain import permit
from moorage.chain.rpc import Rpc
from moorage.types import Account, Address
from tests.chain import ONE_TOKEN, write_market
from tests.cli_world import ROOT, World, assert_failed, key_file, world
from tests.signer_site import signer_site


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def sent_by(here: World) -> int:
    """Return how many transactions the tenant has sent."""
    return int(await here.chain.rpc.call("eth_getTransactionCount", here.address, "pending"), 16)


# ------------------------------------------------------------------ what is shown


async def test_j01_deposit__before_the_question__shows_permit_call_and_balances(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.does("register", "--deposit", "2.5", typed="n\n")

        shown, exchange = result.err, here.market.exchange
        for words in (
            f"wallet {here.address} signs on chain 31337, as the node at {here.chain.url} tells it:",
            f"1. allow the exchange {exchange} to take exactly 2.5 MOOR",
            f"2. pay 2.5 MOOR from the wallet into its own account {here.address}",
            "wallet      1000 MOOR -> 997.5 MOOR (-2.5 MOOR)",
            "account     0 MOOR -> 2.5 MOOR (+2.5 MOOR)",
            "gas         at most 0.000",
        ):
            assert words in shown, shown
        assert "allowance" not in shown.partition("what it changes")[2]
        assert shown.index("1. allow") < shown.index("Pay 2.5 MOOR from wallet")
        assert (result.status, await sent_by(here)) == (ExitStatus.ABORTED, 0)


async def test_j01_dry_run__for_programs__is_one_document_and_sends_nothing(tmp_path):
    async with world(tmp_path) as here:
        for output, read in (("json", json.loads), ("yaml", _yaml)):
            result = await here.tenant.does("register", "--deposit", "2.5", "--dry-run", "-o", output)

            document = read(result.out)
            assert (result.status, document["node"]) == (ExitStatus.OK, here.chain.url)
            assert (document["before"]["wallet"], document["after"]["wallet"]) == ("1000", "997.5")
            assert [step[-1].split()[0] for step in document["steps"]] == ["permit", "deposit"]
        assert await sent_by(here) == 0


def _yaml(text: str):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)


async def test_j01_simulation__would_be_refused__is_refused_before_anything_is_signed(tmp_path):
    async with world(tmp_path, token="testing/FeeOnTransferToken") as here:
        assert_failed(
            await here.tenant.does("register", "--deposit", "3", "--yes"), ExitStatus.REFUSED, "ledger: short transfer"
        )

        assert await sent_by(here) == 0


async def test_j01_simulation__node_without_it__says_so_and_goes_on(tmp_path, monkeypatch):
    call = Rpc.call

    async def older(rpc, method, *params, **settings):
        return await call(rpc, "no_such_method" if method == "eth_simulateV1" else method, *params, **settings)

    async with world(tmp_path) as here:
        monkeypatch.setattr(Rpc, "call", older)

        result = await here.tenant.does("register", "--deposit", "2.5", "--yes")

        assert result.status is ExitStatus.OK, result.err
        assert "could NOT be tried: this node has no eth_simulateV1" in result.err
        assert "wallet      1000 MOOR stay" in result.err


async def test_a12_permit__what_is_signed__is_what_was_shown(tmp_path, monkeypatch):
    signed = []
    sign_permit = permit.sign_permit

    async def remember(signer, data, deadline_seconds):
        signed.append(data.message)
        return await sign_permit(signer, data, deadline_seconds)

    async with world(tmp_path) as here:
        monkeypatch.setattr("cli.funding.sign_permit", remember)
        result = await here.tenant.does("register", "--deposit", "2.5", "--yes")

        (message,) = signed
        assert (message["value"], message["spender"]) == (5 * ONE_TOKEN // 2, here.market.exchange)
        assert result.err.count("take exactly 2.5 MOOR") == 1 and await here.allowance() == 0


async def test_no_input__question_or_password__says_which_option_answers(tmp_path):
    async with world(tmp_path) as here:
        asked = await here.tenant.does("register", "--deposit", "1", "--no-input", typed="y\n")
        assert_failed(asked, ExitStatus.USAGE, "give --yes to agree")
        locked = here.tenant.having(KEY_FILE=None)
        raw = key_file(tmp_path, here.chain.tenant)
        assert (await locked.does("wallet", "import", raw, typed="secret\nsecret\n")).status is ExitStatus.OK

        asked = await locked.does("register", "--deposit", "1", "--yes", "--no-input", typed="secret\n")

        assert_failed(asked, ExitStatus.WALLET, "--password-file")
        assert await sent_by(here) == 0


@pytest.mark.parametrize("forged", ["code", "balance"])
async def test_j05_node__forges_answers__is_named_and_nothing_is_signed(tmp_path, monkeypatch, forged):
    call, batch = Rpc.call, Rpc.batch

    async def lying_batch(rpc, calls, *rest):
        found = await batch(rpc, calls, *rest)
        return ["0x60016000"] * len(found) if forged == "code" and calls[0][0] == "eth_getCode" else found

    async def lying_call(rpc, method, *params, **settings):
        found = await call(rpc, method, *params, **settings)
        if forged == "balance" and method == "eth_simulateV1":
            for each in found[0].calls:
                each.return_data = "0x"
        return found

    async with world(tmp_path) as here:
        monkeypatch.setattr(Rpc, "call", lying_call)
        monkeypatch.setattr(Rpc, "batch", lying_batch)

        result = await here.tenant.does("register", "--deposit", "1", "--yes")

        status = {"code": ExitStatus.WRONG_MARKET, "balance": ExitStatus.CHAIN_UNAVAILABLE}[forged]
        words = {"code": "other code than the deployments file says", "balance": f"{here.chain.url} does not say"}
        assert_failed(result, status, words[forged])
        assert await sent_by(here) == 0


KEYS = {
    ("register",): {
        "wallet", "address", "chain_id", "exchange", "token", "coin", "symbol", "tokens", "account",
    },
    ("register", "--deposit", "1", "--dry-run"): {
        "chain_id", "node", "wallet", "steps", "block", "before", "after", "symbol", "gas_at_most",
    },
    ("allowance", "list"): {"spender", "amount", "is_unlimited", "is_exchange"},
    ("allowance", "revoke", "all", "--yes"): {"block", "transaction"},
    ("wallet", "list"): {"address", "file", "problem"},
    ("context", "list"): {"current", "contexts"},
}  # fmt: skip


async def test_j10_output__for_programs__is_one_document_with_the_same_keys_and_nothing_else(tmp_path):
    async with world(tmp_path) as here:
        await here.chain.transact(here.chain.tenant, here.token.approve(here.market.exchange, 7))
        tenant = here.tenant.having(KEY_FILE=None)
        raw = key_file(tmp_path, here.chain.tenant)
        assert (await tenant.does("wallet", "import", raw, typed="secret\nsecret\n")).status is ExitStatus.OK
        (tmp_path / "password").write_text("secret")
        tenant = tenant.having(PASSWORD_FILE=str(tmp_path / "password"))

        for arguments, keys in KEYS.items():
            result = await tenant.does(*arguments, "-o", "json")

            assert result.status is ExitStatus.OK, (arguments, result.err)
            documents = result.json if isinstance(result.json, list) else [result.json]
            assert documents and all(set(each) == keys for each in documents), (arguments, documents)


def test_j10_exit_codes__of_the_program__are_those_of_the_document():
    text = (ROOT / "docs/command-line.md").read_text()

    assert all(f"| {status.value} | {status.name} |" in text for status in ExitStatus)


# ------------------------------------------------------------------ signers


async def test_signer__elsewhere__signs_permit_and_transaction(tmp_path):
    async with world(tmp_path) as here, signer_site(here.chain.tenant) as site:
        tenant = here.tenant.having(KEY_FILE=None, SIGNER=site.url, ADDRESS=here.address)

        result = await tenant.does("register", "--deposit", "2", "--yes", "-o", "json")

        assert result.status is ExitStatus.OK, result.err
        assert result.json["account"] == "2"
        assert site.asked == ["eth_accounts", "eth_signTypedData_v4", "eth_signTransaction"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rejected": ("eth_signTypedData_v4",)}, "the owner said no"),
        ({"rejected": ("eth_signTransaction",)}, "the owner said no"),
        ({"silent": ("eth_signTransaction",)}, "not in time"),
        ({"silent": ("eth_accounts",)}, "not in time"),
        ({"silent": ("eth_signTypedData_v4",)}, "not in time"),
        ({"accounts": ("0x90F79bf6EB2c4f870365E785982E1f101E93b906",)}, "does not have the key of"),
        ({"change": {"value": 10**30}}, "signed something else, or with another key"),
        ({"change": {"data": "0xdeadbeef"}}, "signed something else: another data"),
        ({"change": {"maxFeePerGas": hex(10**15)}}, "another maximum fee"),
    ],
    ids=["permit", "call", "silent", "silent-at-once", "silent-permit", "address", "other-permit", "other-call", "fee"],
)
async def test_j06_signer__does_not_sign_what_it_is_asked__is_one_line_and_nothing_half_done(
    tmp_path, monkeypatch, settings, words
):
    monkeypatch.setattr("moorage.chain.rpc.QUICK_SECONDS", 1.0)
    async with world(tmp_path) as here, signer_site(here.chain.tenant, **settings) as site:
        tenant = here.tenant.having(KEY_FILE=None, SIGNER=site.url, ADDRESS=here.address)

        result = await tenant.does("register", "--deposit", "2", "--yes")

        assert_failed(result, ExitStatus.SIGNER, words)
        assert await sent_by(here) == 0 and await here.allowance() == 0
        assert (await here.tenant.does("register", "--deposit", "2", "--yes")).status is ExitStatus.OK


async def test_j06_signer__has_another_key_and_does_not_say__is_refused(tmp_path):
    async with world(tmp_path) as here, signer_site(here.chain.stranger, accounts=(here.address,)) as site:
        tenant = here.tenant.having(KEY_FILE=None, SIGNER=site.url, ADDRESS=here.address)

        result = await tenant.does("register", "--deposit", "2", "--yes")

        assert_failed(result, ExitStatus.SIGNER, "another key", "nothing was signed")


async def test_j06_signer__nobody_there__is_one_line(tmp_path):
    async with world(tmp_path) as here:
        tenant = here.tenant.having(KEY_FILE=None, SIGNER="http://127.0.0.1:1/token-canary", ADDRESS=here.address)

        result = await tenant.does("register", "--deposit", "2", "--yes")

        assert_failed(result, ExitStatus.SIGNER, "the signer at http://127.0.0.1:1", "is its address right?")
        assert "canary" not in result.err


async def test_dry_run__no_wallet__makes_none(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.having(KEY_FILE=None).does("register", "--dry-run", typed="one\none\n")

        assert_failed(result, ExitStatus.WALLET, "no wallet")
        assert not (tmp_path / ".config").exists()


async def test_address_alone__for_what_is_only_looked_at__needs_no_key(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)

        assert (await watcher.does("list")).status is ExitStatus.OK
        assert (await watcher.does("register", "-o", "json")).json["address"] == here.address
        assert (await watcher.does("register", "--deposit", "1", "--dry-run")).status is ExitStatus.OK
        signing = await watcher.does("register", "--deposit", "1", "--yes")
        assert_failed(signing, ExitStatus.WALLET, "is not here: --unsigned-out")


# ------------------------------------------------------------------ keys that are not on this machine


async def test_cold_key__unsigned_out_and_signed_in__deposits(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)
        cold = here.tenant.having(RPC="http://127.0.0.1:1", MARKET="deployments/31337.json")

        written = await watcher.does("register", "--deposit", "2.5", "--unsigned-out", "pay.json")
        signed = await cold.does("wallet", "sign", "pay.json", typed="y\n")
        sent = await watcher.does("send", "pay.json.signed", typed="y\n")
        again = await watcher.does("send", "pay.json.signed", "--yes")

        assert [each.status for each in (written, signed, sent)] == [ExitStatus.OK] * 3, signed.err + sent.err
        assert f"let the exchange {here.market.exchange} take up to 2.5 MOOR" in signed.err
        assert "without a node" in signed.err and "pay 2.5 MOOR from the wallet" in signed.err
        assert "wallet      1000 MOOR -> 997.5 MOOR" in sent.err and sent.out.count("block") == 2
        assert (await here.account()).available == 5 * ONE_TOKEN // 2 and await here.allowance() == 0
        assert_failed(again, ExitStatus.REFUSED, "all of it was sent before")
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


# ------------------------------------------------------------------ nothing twice


async def pressed(here: World, *arguments: str, dies_at: str = "") -> tuple[int | None, str]:
    """Run a command in a process of its own, which may kill itself at a place; return how it ended and what it said."""
    variables = {name: value for name, value in here.tenant.variables.items() if value is not None}
    environment = {
        **os.environ,
        **variables,
        "HOME": str(here.tenant.home),
        "XDG_STATE_HOME": str(here.tenant.state),
        "PYTHONPATH": str(ROOT),
        "MOORAGE_CRASH_AT": dies_at,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    return process.returncode, error.decode()


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
            assert asyncio.run_coroutine_threadsafe(paying, loop).result(60)[0] == ExitStatus.OK

        monkeypatch.setattr(Environment, "confirm", slow)
        result = await here.tenant.does("register", "--deposit", "2", typed="y\n")

        assert_failed(result, ExitStatus.REFUSED, "has sent something else since this was shown: nothing was sent now")
        assert (await here.account()).available == 2 * ONE_TOKEN


async def test_j04_deposit__pressed_twice_at_once__second_one_is_told(tmp_path):
    async with world(tmp_path, block_time=1) as here:
        presses = [pressed(here, "register", "--deposit", "2", "--yes") for _ in range(2)]

        (one, other) = await asyncio.gather(*presses)

        assert sorted((one[0], other[0])) in ([0, 0], [0, ExitStatus.REFUSED]), (one, other)
        told = "nothing is paid again", "has sent something else since this was shown: nothing was sent now"
        assert sum(any(words in error for words in told) for _, error in (one, other)) == 1, (one, other)
        assert (await here.account()).available == 2 * ONE_TOKEN


# ------------------------------------------------------------------ who may take tokens


async def test_a12_allowance__given_elsewhere__is_listed_and_revoked(tmp_path):
    async with world(tmp_path) as here:
        stranger = Address(here.chain.stranger.address)
        await here.chain.transact(here.chain.tenant, here.token.approve(stranger, 2**256 - 1))
        await here.chain.transact(here.chain.tenant, here.token.approve(here.market.exchange, 3 * ONE_TOKEN))

        text = await here.tenant.does("allowance", "list")
        document = (await here.tenant.does("allowance", "list", "-o", "json")).json
        one = await here.tenant.does("allowance", "revoke", stranger, typed="y\n")
        rest = await here.tenant.does("allowance", "revoke", "all", "--yes", "-o", "json")
        none = await here.tenant.does("allowance", "list")

        assert "everything, without a limit" in text.out and "3 MOOR" in text.out
        assert [(each["spender"], each["is_unlimited"]) for each in document] == [
            (stranger, True),
            (here.market.exchange, False),
        ]
        assert (one.status, len(rest.json)) == (ExitStatus.OK, 1)
        assert f"let {stranger} take nothing from this wallet any more" in one.err
        assert f"nobody may take MOOR from wallet {here.address}" in none.out


@pytest.mark.parametrize("spender", ["0x12", "everybody", "0x70997970c51812dc3a010c7d01b50e0d17dc79C8"])
async def test_a19_allowance__mistyped_spender__is_one_line(tmp_path, spender):
    async with world(tmp_path) as here:
        result = await here.tenant.does("allowance", "revoke", spender, "--yes")

        assert_failed(result, ExitStatus.USAGE, "no address, or a mistyped one")


# ------------------------------------------------------------------ whose market


async def test_j09_directory__names_a_market_on_another_chain__is_asked_about_once(tmp_path):
    async with world(tmp_path, chain_id=777) as here:
        alone = await here.tenant.does("list")
        agreeing = await here.tenant.does("register", "--deposit", "1", "--yes", typed="y\ny\n")
        refused = await here.tenant.does("list", typed="n\n")
        agreed = await here.tenant.does("list", typed="y\n")
        later = await here.tenant.does("list")

        for each in (alone, agreeing):
            assert_failed(each, ExitStatus.USAGE, "to which nobody has agreed", "--market", "context add")
        assert refused.status is ExitStatus.ABORTED and here.market.exchange in refused.err
        assert agreed.status is later.status is ExitStatus.OK, later.err

        write_market(replace(here.market, code_hashes=_other_code(here)), tmp_path / "deployments" / "777.json")
        assert_failed(await here.tenant.does("list"), ExitStatus.USAGE, "to which nobody has agreed")


def _other_code(here: World) -> dict[Address, bytes]:
    return {**here.market.code_hashes, here.market.token: b"\x01" * 32}


async def test_j09_directory__hostile_repository__chooses_neither_node_nor_key_nor_market(tmp_path, monkeypatch):
    async with world(tmp_path, chain_id=777) as here, world(tmp_path / "evil", chain_id=777) as evil:
        hostile = tmp_path / "evil"
        write_market(here.market, tmp_path / "real.json")
        tenant = here.tenant.having(MARKET=str(tmp_path / "real.json"))
        for name in (".env", ".moorage.json", "moorage.toml", "contexts.json", ".config/moorage/contexts.json"):
            (hostile / name).parent.mkdir(parents=True, exist_ok=True)
            (hostile / name).write_text(f"MOORAGE_RPC={evil.chain.url}\nMOORAGE_KEY={'5e' * 32}\n")
        keys = f"rpc: {evil.chain.url}\nwallet: wallet.json\nmarket: deployments/777.json\n"
        monkeypatch.chdir(hostile)

        result = await tenant.does("register", "-o", "json")
        (hostile / "moorage.yml").write_text(keys + (hostile / "moorage.yml").read_text())
        file = await tenant.does("deploy", "--yes")

        assert (result.json["exchange"], result.json["address"]) == (here.market.exchange, here.address)
        assert file.status is ExitStatus.INVALID_FILE and "unknown key 'rpc'" in file.err
        assert (await here.account(), await evil.account()) == (Account(0, 0), Account(0, 0))
