"""What waits on a market for a facilitator, and what doctor and status say of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from facilitator_bot.core.decisions import SubmitLeases
from facilitator_bot.core.summary import Summary, summarise
from facilitator_bot.settings import Given, Settings, SettingsError, load_settings
from facilitator_bot.shell.executor import to_job
from facilitator_bot.status import Status, Wallet, as_text, document
from moorage.chain.contracts import Exchange
from moorage.chain.rpc import Rpc
from moorage.doctor.finding import Level
from moorage.doctor.work import judge_work
from moorage.money import Money
from moorage.sending import Sending
from moorage.types import DeploymentState, OrderState
from tests.fakes.market_node import MARKET
from tests.markets import TENANT, make_deployment, make_lease, make_order, make_snapshot

MONEY = Money("MOOR", 18, Fraction(12))
DUE, WAITS, STALE, RUNS = (
    make_order(0, bid_count=2, match_block=960),
    make_order(1, bid_count=1, match_block=1_002),
    make_order(2),
    make_order(3),
)
BUSY = make_snapshot(
    orders=[DUE, WAITS, make_order(4, match_block=900)],
    leases=[(STALE, make_lease(STALE, confirmed_block=880)), (RUNS, make_lease(RUNS))],
    deployments=[make_deployment(state=DeploymentState.CLOSING, live_groups=0)],
)


def test_summarise__busy_market__counts_what_is_due_and_for_how_long() -> None:
    assert summarise(BUSY) == Summary(
        block=BUSY.block,
        orders=3,
        bids=3,
        active_leases=2,
        closing_leases=0,
        deployments=1,
        closing_deployments=1,
        due={"submit_lease": 1, "submit_stale_lease": 1, "finish_leases": 0, "deployment_closed": 1},
        oldest_due_blocks=40,
    )


def test_summarise__stale_lease_alone__has_waited_since_the_block_after_its_deadline() -> None:
    snapshot = make_snapshot(leases=[(STALE, make_lease(STALE, confirmed_block=880))])

    assert summarise(snapshot).oldest_due_blocks == 19


def test_summarise__quiet_market__has_nothing_waiting() -> None:
    closing = make_lease(RUNS, state=OrderState.LEASE_CLOSING, confirmed_block=990)

    found = summarise(make_snapshot(orders=[WAITS], leases=[(RUNS, closing)]))

    assert (sum(found.due.values()), found.oldest_due_blocks, found.closing_leases) == (0, 0, 1)


def test_d07_doctor__no_facilitator_alive__says_what_waits_and_since_when_somebody_acted() -> None:
    alone = judge_work(3, 40, None, BUSY.block, MONEY)
    late = judge_work(3, 40, 700, BUSY.block, MONEY)
    quiet = judge_work(0, 0, 999, BUSY.block, MONEY)

    assert alone.level is Level.WARNING
    assert alone.what == ("3 items are due, the oldest for 40 blocks; no facilitator has acted in the last 5000 blocks")
    assert "a facilitator acted 1h ago, in block 700" in late.what
    assert (quiet.level, quiet.what) == (
        Level.OK,
        "nothing has been waiting; a facilitator acted 12s ago, in block 999",
    )


def test_status__with_and_without_a_key__is_told() -> None:
    wallet = Wallet(TENANT, 5 * 10**17, 10**18)
    with_key, dry = Status(summarise(BUSY), wallet, True), Status(summarise(BUSY), None, False)

    assert document(with_key, MONEY)["wallet"] == {"address": TENANT, "coin_wei": str(5 * 10**17), "tips": "1"}
    assert document(dry, MONEY)["wallet"] is None
    text = "\n".join(as_text(with_key, MONEY))
    assert "due now      1 submit_lease, 1 submit_stale_lease, 1 deployment_closed" in text
    assert "waiting      for 40 blocks (8m)" in text
    assert "maintenance  on" in text
    assert "dry mode" in "\n".join(as_text(dry, MONEY))


# ------------------------------------------------------------------ settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys_of(key_file: Path) -> Sending:
    journal = Path("/var/lib/moorage-facilitator/transactions.db")
    return Sending(key_file, None, None, None, None, None, journal)


def test_load_settings__only_a_market__has_the_defaults(folder: Path) -> None:
    assert load_settings(None, Given(market=Path("m.json"))) == Settings(
        rpc_urls=("http://127.0.0.1:8545",),
        market_file=Path("m.json"),
        sending=None,
        data_dir=folder / "facilitator-data",
        ws_url=None,
        metrics=("127.0.0.1", 9422),
        coins_per_token=None,
    )


def test_load_settings__file_and_options__options_win(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "etc" / "bot.toml"
    path.parent.mkdir()
    path.write_text('rpc = ["http://a:1", "http://b:1"]\nmarket = "m.json"\nkey_file = "k"\nmetrics = ""\n')
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/moorage-facilitator")

    read = load_settings(path, Given())
    given = Given(rpc=("http://c:1",), market=Path("n.json"), key_file=Path("l"), metrics="127.0.0.1:1")
    won = load_settings(path, given)

    assert read == Settings(
        ("http://a:1", "http://b:1"),
        path.parent / "m.json",
        keys_of(path.parent / "k"),
        Path("/var/lib/moorage-facilitator"),
        None,
        None,
        None,
    )
    assert (won.rpc_urls, won.market_file, won.sending) == (("http://c:1",), Path("n.json"), keys_of(Path("l")))
    assert won.metrics == ("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "market: is missing"),
        ('market = "m"\nkey = "k"', "key: unknown key; known are rpc, market"),
        ('market = "m"\nrpc = []', "rpc: is empty"),
        ('market = "m"\nrpc = ["canary-5e0f"]', "rpc: has to be of the form http(s)://host:port"),
        ('market = "m"\nrpc = ["http://a:1", "http://a:1"]', "rpc: has one of its addresses twice"),
        ('market = "m"\nmetrics = "9422"', "metrics: has to be of the form address:port"),
    ],
)
def test_load_settings__something_is_wrong__names_file_and_key(folder: Path, content: str, words: str) -> None:
    path = folder / "bot.toml"
    path.write_text(content)

    with pytest.raises(SettingsError) as caught:
        load_settings(path, Given())

    assert str(caught.value).startswith(f"{path}: {words}")
    assert "canary" not in str(caught.value)


def test_load_settings__no_market_at_all__says_how_to_name_it() -> None:
    with pytest.raises(SettingsError, match=r"--market \(MOORAGE_MARKET\) or --config: is missing"):
        load_settings(None, Given())


def test_g26_load_settings__node_on_the_command_line_out_of_form__is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, Given(rpc=("canary-5e0f",), market=Path("m")))

    assert "canary" not in str(caught.value)


def test_g27_to_job__value_of_a_tip_is_known__each_item_is_worth_one() -> None:
    exchange = Exchange(Rpc("http://127.0.0.1:1"), MARKET)
    intent = SubmitLeases((DUE.key, WAITS.key))

    assert to_job(exchange, intent, 5).worth_wei == (5, 5)
    assert to_job(exchange, intent).worth_wei is None
