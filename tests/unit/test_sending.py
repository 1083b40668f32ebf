"""The key that a daemon sends with, as both settings files say it: a file or a signer, limits, and the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from facilitator_bot.settings import Given, load_settings
from moorage.chain.jobs import NobodyObserves
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.signer import SigningRefused, market_calls
from moorage.doctor.finding import Level
from moorage.doctor.key import check_library, check_sending
from moorage.keys import KeyFileError
from moorage.sending import Sending, address_of, opened_outbox
from moorage.settings_file import SettingsError
from moorage.types import Address
from tests.fakes.market_node import MARKET
from tests.fakes.node import Refusal, fake_node
from tests.fakes.pool import Pool

ACCOUNT: LocalAccount = Account.from_key(b"\x01" * 32)
ADDRESS = Address(ACCOUNT.address)
SIGNER = "http://127.0.0.1:9000"
TOKEN = "canary-5e0f"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder: Path, *lines: str, **given: Any) -> Sending | None:
    path = folder / "etc" / "bot.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(['market = "m.json"', 'data_dir = "data"', *lines]))
    return load_settings(path, Given(**given)).sending


def refused(folder: Path, *lines: str, **given: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, *lines, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def signed_by(url: str = SIGNER, address: Address = ADDRESS) -> Sending:
    return Sending(None, None, url, address, None, None, Path("transactions.db"))


# ------------------------------------------------------------------ what is set


def test_sending__table_of_the_file__is_read_in_its_units(folder: Path) -> None:
    lines = [f'signer = "{SIGNER}"', f'address = "{ADDRESS.lower()}"', 'fee_cap_gwei = "0.5"', "coins_per_day = 2"]

    sending = load(folder, "[sending]", *lines, 'journal = "/var/journal.db"')

    assert sending == Sending(None, None, SIGNER, ADDRESS, 5 * 10**8, 2 * 10**18, Path("/var/journal.db"))
    assert (sending.limits.fee_cap_wei, sending.limits.daily_wei) == (5 * 10**8, 2 * 10**18)
    assert address_of(sending) == ADDRESS


def test_sending__only_a_key__has_no_limits_and_its_journal_beside_the_data(folder: Path) -> None:
    path = folder / "etc"

    assert load(folder, 'key_file = "k"') == Sending(
        path / "k", None, None, None, None, None, path / "data" / "transactions.db"
    )
    assert load(folder) is None


def test_sending__options__win_over_the_file(folder: Path) -> None:
    lines = ["[sending]", f'signer = "{SIGNER}"', f'address = "{ADDRESS}"', "fee_cap_gwei = 5", 'journal = "j"']
    given = {"signer": "http://a:1", "fee_cap_gwei": "7", "coins_per_day": "0.1", "journal": Path("l")}

    won = load(folder, *lines, **given)

    assert won == Sending(None, None, "http://a:1", ADDRESS, 7 * 10**9, 10**17, Path("l"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['key_file = "k"', "[sending]", f'signer = "{SIGNER}"'], "sending.signer: key_file is there too"),
        (["[sending]", f'signer = "{SIGNER}"'], "sending.address: is missing"),
        (["[sending]", f'signer = "{TOKEN}"'], "sending.signer: has to be of the form http(s)://host:port"),
        (["[sending]", f'signer = ["{SIGNER}"]'], "sending.signer: has to be text in quotes"),
        (["[sending]", f'signer = "{SIGNER}"', 'address = "0x12"'], "sending.address: '0x12' is no address"),
        (
            ["[sending]", f'signer = "{SIGNER}"', f'address = "{ADDRESS.replace("E", "e", 1)}"'],
            "mistyped",
        ),
        (['key_file = "k"', "[sending]", "fee_cap_gwei = 0"], "sending.fee_cap_gwei: has to be more than 0"),
        (['key_file = "k"', "[sending]", "fee_cap_gwei = 0.5"], "sending.fee_cap_gwei: a number with a point"),
        (['key_file = "k"', "[sending]", 'coins_per_day = "much"'], "sending.coins_per_day: 'much' is not"),
        (['key_file = "k"', "[sending]", "limit = 1"], "sending.limit: unknown key; known are signer, address"),
    ],
)
def test_sending__something_is_wrong__names_file_and_key(folder: Path, lines: list[str], words: str) -> None:
    said = refused(folder, *lines)

    assert said.startswith(f"{folder / 'etc' / 'bot.toml'}: ") and words in said
    assert TOKEN not in said


def test_sending__key_file_as_an_option_and_a_signer_in_the_file__is_refused(folder: Path) -> None:
    lines = ["[sending]", f'signer = "{SIGNER}"', f'address = "{ADDRESS}"']

    assert "only one of them can have the key" in refused(folder, *lines, key_file=Path("k"))


def test_g26_sending__where_the_key_is__shows_no_token_of_the_signers_address() -> None:
    sending = signed_by(f"http://user:{TOKEN}@127.0.0.1:9000/{TOKEN}?key={TOKEN}")

    assert sending.where == "the signer at http://127.0.0.1:9000"


# ------------------------------------------------------------------ what is opened


async def test_g31_outbox__of_a_remote_signer__is_the_writer_of_its_key(tmp_path: Path) -> None:
    async with fake_node(lambda method, params: [ADDRESS.lower()]) as (_, rpc):
        sending = Sending(None, None, rpc.url, ADDRESS, None, 10**18, tmp_path / "j.db")
        async with opened_outbox(Pool().rpc, sending, market_calls(MARKET), NobodyObserves()) as outbox:
            assert outbox.address == ADDRESS
            assert (tmp_path / "j.db").exists()


async def test_outbox__signer_without_the_key__is_refused_at_the_start(tmp_path: Path) -> None:
    async with fake_node(lambda method, params: []) as (_, rpc):
        sending = Sending(None, None, rpc.url, ADDRESS, None, None, tmp_path / "j.db")
        with pytest.raises(SigningRefused, match=f"does not have the key of {ADDRESS}: give it the key"):
            async with opened_outbox(Pool().rpc, sending, market_calls(MARKET), NobodyObserves()):
                pass


async def test_outbox__signer_does_not_answer__is_said_at_the_start(tmp_path: Path) -> None:
    sending = Sending(None, None, "http://127.0.0.1:1", ADDRESS, None, None, tmp_path / "j.db")
    with pytest.raises(NodeUnavailable, match="is the signer running"):
        async with opened_outbox(Pool().rpc, sending, market_calls(MARKET), NobodyObserves()):
            pass


async def test_outbox__key_that_cannot_be_read__is_refused(tmp_path: Path) -> None:
    sending = Sending(tmp_path / "k", None, None, None, None, None, tmp_path / "j.db")
    with pytest.raises(KeyFileError, match="no such key file"):
        async with opened_outbox(Pool().rpc, sending, market_calls(MARKET), NobodyObserves()):
            pass


# ------------------------------------------------------------------ what doctor says


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ([ADDRESS.lower()], Level.OK, "it has the key of 0x"),
        ([], Level.FAILURE, "does not have the key of"),
        ("nonsense", Level.FAILURE, "does not have the key of"),
        (
            Refusal("the method eth_accounts does not exist", code=-32601),
            Level.WARNING,
            "does not tell whether it has the key",
        ),
    ],
)
async def test_doctor__remote_signer__is_asked_for_the_key(answer: Any, level: Level, words: str) -> None:
    def say(method: str, params: list[Any]) -> Any:
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async with fake_node(say) as (_, rpc):
        address, (finding,) = await check_sending(signed_by(rpc.url), "the operator")

    assert (address, finding.level) == (ADDRESS, level)
    assert words in finding.what


async def test_doctor__signer_does_not_answer__says_what_to_start() -> None:
    _, (finding,) = await check_sending(signed_by("http://127.0.0.1:1"), "the operator")

    assert (finding.level, finding.where) == (Level.FAILURE, "signer http://127.0.0.1:1")
    assert "start the signer" in finding.remedy


async def test_doctor__library_of_signatures_is_missing__says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "k"
    key.touch(mode=0o600)
    key.write_text("01" * 32)
    sending = Sending(key, None, None, None, None, None, tmp_path / "j.db")

    _, with_it = await check_sending(sending, "the operator")
    monkeypatch.setattr("moorage.doctor.key.LIBRARY", "coincurve_that_is_not_there")
    _, without = await check_sending(sending, "the operator")

    assert [each.level for each in with_it] == [Level.OK]
    assert [each.level for each in without] == [Level.OK, Level.WARNING]
    assert "pip install" in without[1].remedy and check_library()[0].where == "key"
