"""Where node, market and key of a run come from: options, variables, contexts, defaults, in this order."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import pytest
from eth_account import Account

from cli import wallet
from cli.commands.context import command as contexts
from cli.contexts import Context, Contexts
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.main import COMMANDS
from cli.market_choice import choose_market
from cli.options import Options, market_options
from moorage.private_file import lock
from tests.chain import write_market
from tests.cli_runner import Person, person
from tests.factories.calls import MARKET

KEY = "0x" + "5e" * 32
ADDRESS = str(Account.from_key(KEY).address)
OTHER = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("MOORAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tenant(home) -> Person:
    return person(home)


def given(home: Path, *arguments: str, is_interactive: bool = False) -> Options:
    """Return the options that a command gets."""
    found: list[Options] = []

    @click.command()
    @market_options(asks=True)
    def command(environment: Environment, options: Options) -> None:
        found.append(options)

    environment = Environment(home, home / "state", is_interactive=is_interactive, is_terminal=False)
    command.main(list(arguments), standalone_mode=False, obj=environment)
    return found[0]


def key_of(options: Options) -> tuple[Any, ...]:
    return options.wallet_file.name, options.key_file, options.key, options.signer_url, options.address


def keep(home: Path, **settings: str) -> None:
    Contexts(home / ".config" / "moorage").add("home", Context(**settings))


def test_settings__nothing_said__are_the_defaults(home):
    options = given(home)

    assert (options.rpc_url, options.is_rpc_given, options.market_file) == ("http://127.0.0.1:8545", False, None)
    assert key_of(options) == ("wallet.json", None, None, None, None)


def test_settings__option_variable_context__count_in_this_order(home, monkeypatch):
    keep(home, rpc="http://context", market="/context.json", wallet="/context-wallet.json")
    of_context = given(home)
    monkeypatch.setenv("MOORAGE_RPC", "http://variable")
    monkeypatch.setenv("MOORAGE_MARKET", "variable.json")
    monkeypatch.setenv("MOORAGE_WALLET", "variable-wallet.json")
    of_variable = given(home)
    of_option = given(home, "--rpc", "http://option", "--market", "o.json", "--wallet", "option-wallet.json")

    assert [each.rpc_url for each in (of_context, of_variable, of_option)] == [
        "http://context",
        "http://variable",
        "http://option",
    ]
    assert [str(each.market_file) for each in (of_context, of_variable, of_option)] == [
        "/context.json",
        "variable.json",
        "o.json",
    ]
    assert [each.wallet_file.name for each in (of_context, of_variable, of_option)] == [
        "context-wallet.json",
        "variable-wallet.json",
        "option-wallet.json",
    ]
    assert of_context.is_rpc_given


def test_settings__named_context__goes_before_the_one_in_use(home, monkeypatch):
    keep(home, rpc="http://first")
    Contexts(home / ".config" / "moorage").add("other", Context(rpc="http://other"))

    assert given(home).rpc_url == "http://first"
    assert given(home, "--context", "other").rpc_url == "http://other"
    monkeypatch.setenv("MOORAGE_CONTEXT", "other")
    assert given(home).rpc_url == "http://other"
    with pytest.raises(Failure, match="no context 'gone': there are home, other"):
        given(home, "--context", "gone")


@pytest.mark.parametrize(
    ("variables", "arguments", "expected"),
    [
        ({"KEY": KEY}, (), ("wallet.json", None, KEY, None, None)),
        ({"KEY": KEY, "WALLET": "w.json"}, (), ("wallet.json", None, KEY, None, None)),
        ({"KEY": KEY}, ("--wallet", "w.json"), ("w.json", None, None, None, None)),
        ({"KEY_FILE": "k"}, ("--address", OTHER), ("wallet.json", None, None, None, OTHER)),
        ({"ADDRESS": OTHER}, ("--signer", "http://s"), ("wallet.json", None, None, "http://s", OTHER)),
        ({"SIGNER": "http://s", "ADDRESS": OTHER}, (), ("wallet.json", None, None, "http://s", OTHER)),
        ({"SIGNER": "http://s", "ADDRESS": OTHER}, ("--key-file", "k"), ("wallet.json", Path("k"), None, None, None)),
        ({"ADDRESS": OTHER}, (), ("wallet.json", None, None, None, OTHER)),
    ],
)
def test_settings__key__is_named_by_one_level_alone(home, monkeypatch, variables, arguments, expected):
    keep(home, wallet="/context-wallet.json")
    for name, value in variables.items():
        monkeypatch.setenv(f"MOORAGE_{name}", value)

    assert key_of(given(home, *arguments)) == expected


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({}, ("--key-file", "k", "--wallet", "w")),
        ({}, ("--key-file", "k", "--signer", "http://s")),
        ({}, ("--key-fd", "0", "--key-file", "k")),
        ({"KEY": KEY, "KEY_FILE": "k"}, ()),
        ({"KEY": KEY, "SIGNER": "http://s"}, ()),
        ({}, ("--wallet", "w", "--address", OTHER)),
        ({}, ("--key-file", "k", "--address", OTHER)),
        ({}, ("--wallet", "w", "--signer", "http://s", "--address", OTHER)),
        ({"KEY_FILE": "k", "ADDRESS": OTHER}, ()),
    ],
)
def test_settings__two_keys_at_one_level__are_refused(home, monkeypatch, variables, arguments):
    for name, value in variables.items():
        monkeypatch.setenv(f"MOORAGE_{name}", value)

    with pytest.raises(click.UsageError, match="two ways to name one key"):
        given(home, *arguments)


def test_contexts__changed_by_several_at_once__keep_what_each_of_them_did(home):
    directory = home / ".config" / "moorage"
    opened = [(f"context-{number}", Contexts(directory)) for number in range(8)]

    with ThreadPoolExecutor(len(opened)) as threads:
        for _ in threads.map(lambda each: each[1].add(each[0], Context(rpc="http://node")), opened):
            pass
    Contexts(directory).agree(MARKET)
    opened[0][1].use("context-7")

    now = Contexts(directory)
    assert sorted(now.all) == [name for name, _ in opened]
    assert now.current == "context-7" and now.is_agreed(MARKET)


def test_contexts__being_changed_by_another_run__are_waited_for(home):
    directory = home / ".config" / "moorage"
    with ThreadPoolExecutor(1) as threads:
        with lock(directory / ".contexts.json.lock", is_waiting=False):
            adding = threads.submit(Contexts(directory).add, "home", Context())
            with pytest.raises(TimeoutError):
                adding.result(0.1)
        adding.result(10)

    assert list(Contexts(directory).all) == ["home"]


def test_j03_key__from_an_open_file_or_the_environment__is_never_shown(home, monkeypatch):
    (home / "raw").write_text(KEY + "\n")
    with open(home / "raw") as file:
        by_descriptor = given(home, "--key-fd", str(file.fileno()))
    monkeypatch.setenv("MOORAGE_KEY", KEY)
    by_variable = given(home)

    for options in (by_descriptor, by_variable):
        assert wallet.address_of(options) == ADDRESS
        assert "5e5e" not in repr(options)


def test_j03_key__closed_file_or_no_key__is_refused_without_telling_it(home, monkeypatch):
    with pytest.raises(Failure, match="--key-fd 250: no key can be read") as caught:
        given(home, "--key-fd", "250")
    assert caught.value.status is ExitStatus.WALLET
    monkeypatch.setenv("MOORAGE_KEY", "canary")

    with pytest.raises(Exception, match="MOORAGE_KEY, or the file of --key-fd: neither") as told:
        wallet.address_of(given(home))
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("validate", "context")])
def test_j03_options__no_command__takes_a_key_or_password_as_a_word(tenant, name):
    text = tenant.moorage(name, "--help").out

    assert "--password " not in text and "--key " not in text and "--private-key" not in text


def test_signer__without_an_address__says_what_is_missing(home):
    with pytest.raises(Failure, match="--signer needs --address"):
        wallet.address_of(given(home, "--signer", "http://127.0.0.1:1"))


# ------------------------------------------------------------------ contexts


def test_j12_contexts__round_trip__is_what_was_kept(tenant, home):
    market_file(home, 1).rename(home / "market.json")
    added = tenant.moorage("context", "add", "main", "--rpc", "http://node/secret-canary", "--market", "market.json")
    second = tenant.moorage("context", "add", "cold", "--signer", "http://s", "--address", OTHER.lower())
    used = tenant.moorage("context", "use", "cold")

    kept = tenant.moorage("context", "list", "-o", "json").json
    text = tenant.moorage("context", "list").out

    assert added.status is second.status is used.status is ExitStatus.OK
    assert kept == {
        "current": "cold",
        "contexts": {
            "main": {"rpc": "http://node/secret-canary", "market": str(home / "market.json")},
            "cold": {"signer": "http://s", "address": OTHER},
        },
    }
    assert "* cold" in text and f"{OTHER} by http://s" in text and "canary" not in text
    copied = person(home / "elsewhere")
    path = home / "elsewhere/.config/moorage/contexts.json"
    path.parent.mkdir(parents=True)
    path.write_bytes((home / ".config/moorage/contexts.json").read_bytes())
    path.chmod(0o600)
    assert copied.moorage("context", "list", "-o", "json").json == kept
    assert tenant.moorage("context", "remove", "cold").status is ExitStatus.OK
    assert tenant.moorage("context", "list", "-o", "json").json["current"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "a", "--wallet", "w", "--signer", "s", "--address", OTHER), "two ways to name one key"),
        (("add", "a", "--signer", "s"), "--signer needs --address"),
        (("add", "a", "--address", "0x12"), "no address, or a mistyped one"),
        (("add", "a/b"), "a name has letters"),
        (("add", ""), "a name has letters"),
        (("use", "gone"), "no context 'gone'"),
        (("remove", "gone"), "no context 'gone'"),
    ],
)
def test_contexts__wrong_usage__is_one_line_and_changes_nothing(tenant, home, arguments, words):
    result = tenant.moorage("context", *arguments)

    assert result.status is ExitStatus.USAGE
    assert words in result.err and result.err.count("\n") == 1
    assert not (home / ".config/moorage/contexts.json").exists()


def test_contexts__market_is_none__is_refused(tenant, home):
    (home / "market.json").write_text("{}")

    assert tenant.moorage("context", "add", "a", "--market", "market.json").status is ExitStatus.WRONG_MARKET
    assert tenant.moorage("context", "add", "a", "--market", "gone.json").status is ExitStatus.WRONG_MARKET


def test_contexts__name_is_taken__is_never_overwritten(tenant):
    tenant.moorage("context", "add", "a", "--rpc", "http://one")

    result = tenant.moorage("context", "add", "a", "--rpc", "http://two")

    assert result.status is ExitStatus.USAGE and "there is a context 'a'" in result.err


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("{}", 0o644, "chmod 600"),
        ("{}", 0o620, "chmod 600"),
        ("nonsense", 0o600, "not a file of contexts"),
        ('{"format": 1, "rpc": "http://x"}', 0o600, "not a file of contexts"),
        ('{"format": 2}', 0o600, "newer version"),
    ],
)
def test_j02_contexts__file_of_others_or_of_another_form__is_refused(tenant, home, text, mode, words):
    path = home / ".config/moorage/contexts.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)

    result = tenant.moorage("list")

    assert (result.status, result.err.count("\n")) == (ExitStatus.WALLET, 1)
    assert words in result.err


def test_contexts__made__are_private(home):
    keep(home, rpc="http://node/token")

    path = home / ".config/moorage/contexts.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_contexts__commands__are_those_of_the_document():
    assert set(contexts.commands) == {"add", "use", "remove", "list"}


# ------------------------------------------------------------------ markets of a directory


def market_file(home: Path, chain_id: int) -> Path:
    from dataclasses import replace

    path = home / "deployments" / f"{chain_id}.json"
    hashes = dict.fromkeys((MARKET.exchange, MARKET.registry, MARKET.token), b"\x01" * 32)
    write_market(replace(MARKET, chain_id=chain_id, code_hashes=hashes), path)
    return path


@pytest.mark.parametrize(
    ("chain_id", "rpc", "is_used"),
    [
        (31337, "http://127.0.0.1:8545", True),
        (1337, "http://localhost:8545", True),
        (31337, "http://[::1]:8545", True),
        (31337, "http://node.example:8545", False),
        (31337, "http://127.0.0.1.example", False),
        (1, "http://127.0.0.1:8545", False),
    ],
)
def test_j09_market__of_the_directory__is_used_unasked_only_on_a_development_chain(home, chain_id, rpc, is_used):
    market_file(home, chain_id)
    options = given(home, "--rpc", rpc)

    if is_used:
        assert choose_market(options, chain_id)[1].chain_id == chain_id
        return
    with pytest.raises(Failure, match="to which nobody has agreed") as caught:
        choose_market(options, chain_id)
    assert caught.value.status is ExitStatus.USAGE


def test_j09_market__file_for_another_chain_than_its_name__is_not_taken_for_a_development_one(home):
    market_file(home, 1).rename(home / "deployments" / "31337.json")

    with pytest.raises(Failure, match="on chain 1, to which nobody has agreed"):
        choose_market(given(home), 31337)


@pytest.mark.parametrize("arguments", [(), ("--yes",)])
def test_j09_market__nobody_to_ask_or_agreed_to_everything__is_refused(home, arguments):
    market_file(home, 1)

    with pytest.raises(Failure, match="--market"):
        choose_market(given(home, *arguments, is_interactive=bool(arguments)), 1)


def test_j09_market__named_by_option_or_context__is_used_unasked(home):
    path = market_file(home, 1)
    assert choose_market(given(home, "--market", str(path)), 0)[0] == path
    keep(home, market=str(path))

    assert choose_market(given(home), 0)[0] == path


def test_j09_market__agreed_to_once__is_remembered_with_its_code(home, monkeypatch):
    path = market_file(home, 1)
    _, market = choose_market(given(home, "--market", str(path)), 0)
    Contexts(home / ".config/moorage").agree(market)
    assert choose_market(given(home), 1)[1] == market

    document = json.loads(path.read_text())
    document["contracts"]["Token"]["code_hash"] = "0x" + "02" * 32
    path.write_text(json.dumps(document))

    with pytest.raises(Failure, match="to which nobody has agreed"):
        choose_market(given(home), 1)
