"""What the tenant's program shows, asks and signs, on a real chain: with local keys and signers elsewhere."""

from __future__ import annotations

import asyncio
import json

import pytest

from cli.environment import Environment
from cli.failures import ExitStatus
from cli.signers import KeySigner
from moorage.chain import permit
from moorage.chain.rpc import Rpc
from moorage.chain.transactions import Signed, Transaction
from tests.chain import ONE_TOKEN
from tests.cli_desk import gas_at_most
from tests.cli_world import ROOT, World, assert_failed, key_file, sent_by, world
from tests.signer_site import signer_site


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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
            "gas         at most 0.00",
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
            assert [step[-1].split()[:2] for step in document["steps"]] == [["permit", "of"], ["calls", "deposit"]]
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

    async def pruned(rpc, method, *params, **settings):
        found = await call(rpc, method, *params, **settings)
        return None if method == "eth_getBlockByNumber" and params[0] == "0x0" else found

    async with world(tmp_path) as here:
        with monkeypatch.context() as patch:
            patch.setattr(Rpc, "call", pruned)
            nameless = await here.tenant.does("register", "--deposit", "2.5", "--yes")
        assert_failed(nameless, ExitStatus.CHAIN_UNAVAILABLE, "does not tell block 0, by which the chain is known")
        assert not list(here.tenant.state.rglob("*.db")) and await sent_by(here) == 0
        monkeypatch.setattr(Rpc, "call", older)

        result = await here.tenant.does("register", "--deposit", "2.5", "--yes")

        assert result.status is ExitStatus.OK, result.err
        assert "could NOT be tried: this node has no eth_simulateV1" in result.err
        assert "wallet      1000 MOOR stay" in result.err


def dearer(here: World, times: int):
    """Return a person that takes long to agree: meanwhile gas costs so many times as much."""
    loop = asyncio.get_running_loop()

    def confirm(environment: Environment, question: str, *, is_agreed: bool) -> None:
        async def rise() -> None:
            block = await here.chain.rpc.call("eth_getBlockByNumber", "latest", False)
            base = int(block["baseFeePerGas"], 16)
            await here.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(times * base))
            await here.chain.mine(1)

        asyncio.run_coroutine_threadsafe(rise(), loop).result(120)

    return confirm


def signed_by(monkeypatch: pytest.MonkeyPatch) -> list[Transaction]:
    """Return what the keys in this process are going to sign."""
    signed: list[Transaction] = []
    sign = KeySigner.sign

    async def remember(signer: KeySigner, transaction: Transaction) -> Signed:
        signed.append(transaction)
        return await sign(signer, transaction)

    monkeypatch.setattr(KeySigner, "sign", remember)
    return signed


async def test_j01_gas__has_become_dearer_than_what_was_shown__is_not_signed(tmp_path, monkeypatch):
    async with world(tmp_path) as here:
        with monkeypatch.context() as patch:
            patch.setattr(Environment, "confirm", dearer(here, times=40))
            result = await here.tenant.does("register", "--deposit", "2.5", "--yes")

        assert_failed(result, ExitStatus.REFUSED, "its gas costs", "no more than was shown: run the same command again")
        assert await sent_by(here) == 0
        monkeypatch.setattr(Environment, "confirm", dearer(here, times=3))
        transactions = signed_by(monkeypatch)
        paid = await here.tenant.does("create", "--yes")
        assert paid.status is ExitStatus.OK and len(transactions) == 2, paid.err
        assert sum(each.gas * each.fees.max_wei for each in transactions) <= gas_at_most(paid)


async def test_a12_permit__what_is_signed__is_what_was_shown(tmp_path, monkeypatch):
    signed = []
    sign_permit = permit.sign_permit

    async def remember(signer, data, deadline_seconds):
        signed.append(data.message)
        return await sign_permit(signer, data, deadline_seconds)

    async with world(tmp_path) as here:
        monkeypatch.setattr("cli.funding.sign_permit", remember)
        monkeypatch.setattr(Environment, "confirm", dearer(here, times=3))
        transactions = signed_by(monkeypatch)
        result = await here.tenant.does("register", "--deposit", "2.5", "--yes")

        (message,) = signed
        (transaction,) = transactions
        assert transaction.fees.max_wei > 3 * 10**9
        assert transaction.gas * transaction.fees.max_wei <= gas_at_most(result)
        assert (message["value"], message["spender"]) == (5 * ONE_TOKEN // 2, here.market.exchange)
        assert result.err.count("take exactly 2.5 MOOR") == 1 and await here.allowance() == 0


async def test_a12_j01_permit__runs_out_before_it_is_signed__the_new_one_is_shown_and_asked_about(
    tmp_path, monkeypatch
):
    async with world(tmp_path) as here:
        loop, confirm = asyncio.get_running_loop(), Environment.confirm

        def slow(self, question, *, is_agreed):
            confirm(self, question, is_agreed=is_agreed)
            if question == "Pay it in so?":
                return
            later = here.chain.rpc.call("evm_increaseTime", 3_600)
            asyncio.run_coroutine_threadsafe(later, loop).result(120)
            asyncio.run_coroutine_threadsafe(here.chain.mine(1), loop).result(120)

        monkeypatch.setattr(Environment, "confirm", slow)
        monkeypatch.setattr("cli.allowances.PERMIT_SECONDS", 3_500)
        for typed, yes, status in (
            ("y\nn\n", (), ExitStatus.ABORTED),
            ("y\ny\n", (), ExitStatus.OK),
            (None, ("--yes",), ExitStatus.OK),
        ):
            result = await here.tenant.does("register", "--deposit", "2.5", *yes, typed=typed)

            assert "the permit that was shown has run out, so it is paid in another way than was shown:" in result.err
            assert result.err.count("take exactly 2.5 MOOR") == 2
            assert result.status is status, result.err
        assert await sent_by(here) == 2 and await here.allowance() == 0


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
        tenant = here.tenant.having(KEY_FILE=None)
        result = await tenant.does("register", "--dry-run", typed="one\none\n")
        imported = ("register", "--import-key-file", key_file(tmp_path, here.chain.tenant))
        shown = [
            await tenant.does(*imported, *more, "--dry-run", typed="one\none\n") for more in ((), ("--deposit", "1"))
        ]
        written = await tenant.does(*imported, "--deposit", "1", "--unsigned-out", "pay.json", typed="one\none\n")

        assert_failed(result, ExitStatus.WALLET, "no wallet")
        assert [each.status for each in (*shown, written)] == [ExitStatus.OK] * 3, written.err
        assert all("is not taken into" in each.err for each in (*shown, written)) and here.address in shown[0].out
        assert not (tmp_path / ".config").exists()


async def test_address_alone__for_what_is_only_looked_at__needs_no_key(tmp_path):
    async with world(tmp_path) as here:
        watcher = here.tenant.having(KEY_FILE=None, ADDRESS=here.address)

        assert (await watcher.does("list")).status is ExitStatus.OK
        assert (await watcher.does("register", "-o", "json")).json["address"] == here.address
        assert (await watcher.does("register", "--deposit", "1", "--dry-run")).status is ExitStatus.OK
        signing = await watcher.does("register", "--deposit", "1", "--yes")
        assert_failed(signing, ExitStatus.WALLET, "is not here: --unsigned-out")
