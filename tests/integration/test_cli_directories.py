"""Directories of somebody else, and rights that somebody else was given, on a real chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.failures import ExitStatus
from moorage.types import Account, Address
from tests.chain import ONE_TOKEN, write_market
from tests.cli_world import World, assert_failed, world


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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
