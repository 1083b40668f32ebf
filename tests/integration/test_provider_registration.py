"""`moorage-provider register` and `fund` on a real chain: killed anywhere, raced, and with tokens of any decimals."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from moorage import pki
from moorage.chain.contracts import provider_account
from moorage.types import ProviderNumber
from provider_agent.shell.authority import Authority, load_root_certificate
from tests.chain import ONE_TOKEN, deposit, register_provider
from tests.operator_desk import Desk, open_desk

POINTS = ("before-register_provider", "after-register_provider", "after-deposit")
RACED_POINTS = ("after-add_root", "after-remove_root")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def assert_registered(desk: Desk, number: int = 1) -> None:
    """Check chain and data directory against each other."""
    operator = await desk.registry.read(None, "operator_of", number)
    assert operator.lower() == desk.chain.operators[0].address.lower()
    root = pki.load(desk.folder / "data" / "root.pem")
    assert load_root_certificate(desk.folder / "data" / "root.pem") == root.certificate
    assert pki.name_of(root.certificate) == pki.provider_name(ProviderNumber(number), desk.market.exchange)
    (fingerprints,) = await desk.registry.fingerprints([ProviderNumber(number)])
    assert fingerprints == {keccak(root.der)}
    assert (await desk.account(number)).available == 10 * ONE_TOKEN
    assert await desk.tokens() == 90 * ONE_TOKEN
    assert f'"provider":{number}' in (desk.folder / "data" / "provider.json").read_text()
    assert [path.name for path in sorted((desk.folder / "data").glob("root*"))] == ["root.crt", "root.pem"]
    assert Authority(desk.folder / "data", root.certificate, datetime.now(UTC)).expires > datetime.now(UTC)


async def test_register__twice__registers_and_pays_once(desk: Desk) -> None:
    first = await desk.register()
    second = await desk.register()

    assert (first.status, first.err) == (0, "")
    assert "provider 1: owner" in first.out
    assert second.status == 0
    assert "nothing is paid" in second.out
    assert await desk.provider_count() == 1
    await assert_registered(desk)


@pytest.mark.parametrize("point", POINTS)
async def test_register__killed_and_run_again__registers_and_pays_once(desk: Desk, point: str) -> None:
    killed = await desk.register(crash_at=point)
    again = await desk.register()

    assert killed.status == -signal.SIGKILL
    assert again.status == 0, again.err
    assert await desk.provider_count() == 1
    await assert_registered(desk)


@pytest.mark.parametrize("point", ["", *RACED_POINTS])
async def test_register__somebody_takes_the_number_first__root_is_made_anew(desk: Desk, point: str) -> None:
    # a root for number 1 is in the data directory and, as provider 2, on chain
    await desk.register(crash_at="before-register_provider")
    await register_provider(desk.chain, desk.market, 1)
    root = pki.load(desk.folder / "data" / "root.pem")
    call = desk.registry.register_provider(
        desk.chain.operators[0].address, 1, 2**90 - 1, "https://127.0.0.1:8443", "{}", root.der
    )
    await desk.chain.transact(desk.chain.owners[0], call)

    if point:
        assert (await desk.register(crash_at=point)).status == -signal.SIGKILL
    ended = await desk.register()

    assert ended.status == 0, ended.err
    assert await desk.provider_count() == 2
    await assert_registered(desk, 2)


async def test_register__account_holds_some_of_6_decimals__pays_the_rest(tmp_path: Path) -> None:
    async with open_desk(tmp_path, token="testing/NoReturnToken", decimals=6) as desk:
        await desk.register("10", crash_at="after-register_provider")
        await deposit(desk.chain, desk.market, provider_account(ProviderNumber(1)), 4 * ONE_TOKEN)

        ended = await desk.register("10")

        assert ended.status == 0, ended.err
        assert (await desk.account(1)).available == 10 * ONE_TOKEN
        assert await desk.tokens() == 94_000_000

        funded = await desk.provider("fund", "--key-file", "owner", "2.5")

        assert funded.status == 0, funded.err
        assert (await desk.account(1)).available == 12_500 * ONE_TOKEN // 1_000
        assert await desk.tokens() == 91_500_000


async def test_fund__by_anyone__is_added_to_what_is_there(desk: Desk) -> None:
    await desk.register()

    ended = await desk.provider("fund", "--key-file", "owner", "0.5")

    assert (ended.status, ended.out) == (0, "provider 1: 0.5 MOOR paid in\n")
    assert (await desk.account(1)).available == 10_500 * ONE_TOKEN // 1_000


@pytest.mark.parametrize(
    ("deposit", "words"),
    [
        ("101", ("has 100 MOOR", "101 MOOR", "send it more tokens")),
        ("-1", ("--deposit",)),
        ("ten", ("--deposit",)),
        ("0.0000000000000000001", ("--deposit",)),
    ],
)
async def test_register__deposit_that_cannot_be__registers_nothing(
    desk: Desk, deposit: str, words: tuple[str, ...]
) -> None:
    ended = await desk.register(deposit)

    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert all(word in ended.err for word in words), ended.err
    assert await desk.provider_count() == 0


async def test_register__other_owner_completes_it__is_refused(desk: Desk) -> None:
    await desk.register(crash_at="after-register_provider")

    ended = await desk.register(owner="stranger", deposit="0")

    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert "use that owner's key" in ended.err


async def test_register__root_of_another_exchange__is_refused(desk: Desk) -> None:
    other = "0x000000000000000000000000000000000000dEaD"
    pki.store(pki.create_root(ProviderNumber(1), other, datetime.now(UTC)), desk.folder / "data" / "root.pem")

    ended = await desk.register()

    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert "use another data_dir" in ended.err
    assert await desk.provider_count() == 0
