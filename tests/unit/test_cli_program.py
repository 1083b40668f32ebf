"""The program without a chain: help, exit statuses, one line for each failure."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.failures import ExitStatus, Failure, explain
from cli.main import COMMANDS
from moorage.agent_client import AgentRefused, AgentUnreachable
from moorage.chain.market import MarketError
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.chain.sender import NotSent, Undecided
from moorage.keys import KeyFileError
from moorage.units import UnitError
from tests.bytecode import ROOT
from tests.cli_runner import Person, person
from tests.fakes.node import raw_node

VALID = (Path(__file__).parent.parent.parent / "examples/webapp/moorage.yml").read_text()


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as closed_at_the_end:
        closed_at_the_end.bind(("127.0.0.1", 0))
        return int(closed_at_the_end.getsockname()[1])


@pytest.fixture
def tenant(tmp_path, monkeypatch, unused_port) -> Person:
    monkeypatch.chdir(tmp_path)
    return person(tmp_path, RPC=f"http://127.0.0.1:{unused_port}")


def test_program__help__imports_no_command():
    code = "import sys; from cli.main import run; run(['--help']); print(sorted(sys.modules))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert all(name in out for name in COMMANDS)
    for heavy in ("eth_account", "aiohttp", "rich.live", "ruamel.yaml"):
        assert f"'{heavy}'" not in out


def test_program__help_of_notify__imports_nothing_of_chain_and_network():
    code = "import sys; from cli.main import run; run(['notify', '--help']); print(sorted(sys.modules))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "watch" in out
    for heavy in (
        "eth_account",
        "eth_abi",
        "aiohttp",
        "aiosmtplib",
        "jsonschema",
        "structlog",
        "moorage.deployment_file",
    ):
        assert f"'{heavy}'" not in out


def test_program__nothing_said__is_its_help(tenant):
    result = tenant.moorage()

    assert (result.status, result.err) == (ExitStatus.OK, "")
    assert result.out.startswith("Usage: moorage")


@pytest.mark.parametrize("name", COMMANDS)
def test_program__help_of_a_command__is_there(tenant, name):
    result = tenant.moorage(name, "--help")

    assert (result.status, result.err) == (ExitStatus.OK, "")
    assert result.out.startswith(f"Usage: moorage {name}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("depoly",), "No such command 'depoly'. Did you mean 'deploy'? See `moorage --help`"),
        (("xyz",), "No such command 'xyz': see `moorage --help`"),
        (("deploy", "--fnud", "1h"), "Did you mean '--fund'? See `moorage deploy --help`"),
        (("schema", "extra"), "Got unexpected extra argument (extra): see `moorage schema --help`"),
        (("deploy", "a.yml"), "argument (a.yml), a deployment file is named with -f: see `moorage deploy --help`"),
        (("deploy", "--fund", "1 fortnight"), "--fund: '1 fortnight' is not a time"),
        (("status", "-o", "xml"), "'xml' is not one of"),
        (("status", "--wallet", "a", "--key-file", "b"), "two ways to name one key"),
    ],
)
def test_program__wrong_usage__is_one_line(tenant, arguments, words):
    result = tenant.moorage(*arguments)

    assert result.status is ExitStatus.USAGE
    assert words in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        *(
            ("register",),
            ("deploy",),
            ("status",),
            ("list",),
            ("delete",),
            ("fund", "--for", "1h"),
            ("withdraw", "all"),
        ),
        *(("match", "--all"), ("stale", "--all"), ("finish", "--all"), ("claim", "--all"), ("release", "--all")),
        *(("manager", "list"), ("manager", "set", "0x12", "--can", "update"), ("manager", "revoke", "0x12")),
    ],
)
def test_program__no_node_at_the_address__is_one_line(tenant, command):
    Path("moorage.yml").write_text(VALID)

    result = tenant.moorage(*command)

    assert result.status is ExitStatus.CHAIN_UNAVAILABLE
    node = tenant.variables["MOORAGE_RPC"]
    assert result.err == f"moorage: no answer from the node at {node}: Connection refused: check --rpc (MOORAGE_RPC)\n"


@pytest.mark.parametrize("url", ["ftp://node", "nowhere", "", "http://", "http://127.0.0.1:99999"])
def test_program__address_of_the_node_is_none__is_one_line(tenant, url):
    result = tenant.moorage("list", "--rpc", url)

    assert (result.status, result.err.count("\n")) == (ExitStatus.USAGE, 1)
    assert "http(s)://host:port: check --rpc" in result.err


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('"result":"0x' + "f" * 5_000 + '"', "where a number belongs"),
        ('"result":12', "where a number belongs"),
        ('"error":{"code":-32601,"message":"no such method"}', "does not say which chain it is on: no such method"),
    ],
    ids=("too long a number", "no text", "an error"),
)
async def test_program__node_that_does_not_say_which_chain__is_not_the_market_that_is_wrong(tenant, answer, words):
    async with raw_node(f'{{"jsonrpc":"2.0","id":1,{answer}}}') as rpc:
        result = await tenant.does("list", "--rpc", rpc.url)

    assert (result.status, result.err.count("\n")) == (ExitStatus.CHAIN_UNAVAILABLE, 1)
    assert words in result.err


@pytest.mark.parametrize(
    ("command", "closed", "status"),
    [
        ("--help", ">&-", 0),
        ("validate", "<&-", 3),
        ("validate", ">&- 2>&- <&-", 3),
        ("nosuch", "2>&-", 2),
        ("validate", ">&-", 3),
    ],
)
def test_program__standard_files_are_closed__ends_as_with_them(tmp_path, command, closed, status):
    script = f'"$1" -m cli.main {command} {closed}'
    paths = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}

    ended = subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable], capture_output=True, cwd=tmp_path, env=paths
    )

    assert ended.returncode == status
    assert b"internal error" not in ended.stderr and b"Traceback" not in ended.stderr


def test_closed__standard_files__take_no_other_files_numbers():
    script = "import os, sys; from cli.main import fill_streams; fill_streams()\n"
    script += "print('kept', file=sys.stdout); sys.exit(os.open('/', 0) != 3)"

    ended = subprocess.run(["/bin/sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", script], capture_output=True)

    assert (ended.returncode, ended.stdout) == (0, b"kept\n")


def test_program__secret_in_the_nodes_address__is_not_shown(tenant):
    url = f"{tenant.variables['MOORAGE_RPC']}/v3/canary-token?key=canary-key"

    result = tenant.moorage("list", "--rpc", url)

    assert "canary" not in result.err + result.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file: get the market's file from whoever runs the market"),
        ("", "not a file of the deploy script"),
        ("{}", "not a file of the deploy script"),
        ("[1]", "not a file of the deploy script"),
    ],
)
def test_program__market_file_is_none__is_one_line(tenant, tmp_path, content, words):
    file = tmp_path / "market.json"
    if content is not None:
        file.write_text(content)

    result = tenant.moorage("list", "--market", str(file))

    assert result.status is ExitStatus.WRONG_MARKET
    assert words in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "moorage.yml:1:1: error: the file is empty"),
        (VALID.replace("env:", "enviroment:", 1), "error: unknown key 'enviroment'"),
        (VALID.replace("128MiB", "128MX", 1), "error: '128MX' is not a size"),
        (VALID.replace("region: local", "region: moon", 1), "'moon'"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "deploy"])
def test_program__invalid_file__shows_line_and_caret(tenant, command, text, problem):
    Path("moorage.yml").write_text(text)

    result = tenant.moorage(command)

    assert result.status is ExitStatus.INVALID_FILE
    assert problem in result.err
    assert result.err.startswith("moorage.yml:") and "\n    " in result.err and "^" in result.err


def test_program__no_deployment_file__says_so(tenant):
    result = tenant.moorage("validate")

    assert result.status is ExitStatus.INVALID_FILE
    assert result.err.startswith("moorage.yml: error: ") and result.err.count("\n") == 1


def test_validate__two_problems__tells_both(tenant):
    Path("moorage.yml").write_text(VALID.replace("128MiB", "128MX", 1).replace("250m", "x", 1))

    result = tenant.moorage("validate", "-o", "json")

    assert result.status is ExitStatus.INVALID_FILE
    assert [problem["line"] for problem in result.json["problems"]] == sorted(
        index + 1 for index, line in enumerate(VALID.splitlines()) if "128MiB" in line or "250m" in line
    )


def test_validate__valid_file_and_no_market__is_summed_up_without_cost(tenant):
    Path("moorage.yml").write_text(VALID)

    result = tenant.moorage("validate", "--rpc", tenant.variables["MOORAGE_RPC"])

    assert result.status is ExitStatus.OK
    assert result.out.splitlines()[:3] == [
        "moorage.yml is valid",
        "services: front, app, cache",
        "datacenter dock in local: 1 x front, 2 x app, 1 x cache",
    ]
    assert "no market in reach" in result.out


def test_program__debugging__shows_where(tenant):
    result = tenant.having(DEBUG="1").moorage("list")

    assert "Traceback" in result.err


def test_program__without_debugging__shows_no_traceback(tenant, monkeypatch):
    monkeypatch.setattr("cli.commands.list.open_session", lambda options: 1 / 0)

    result = tenant.moorage("list")

    assert result.status is ExitStatus.ERROR
    assert result.err == (
        "moorage: internal error, ZeroDivisionError: division by zero (MOORAGE_DEBUG=1 shows where; please report it)\n"
    )


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Failure(ExitStatus.AGENT, "x"), ExitStatus.AGENT, "x"),
        (NodeUnavailable("no answer"), ExitStatus.CHAIN_UNAVAILABLE, "no answer: check --rpc"),
        (
            NodeRefused(1, "nope", None),
            ExitStatus.CHAIN_UNAVAILABLE,
            "the node refuses: nope: try another one with --rpc (MOORAGE_RPC)",
        ),
        (MarketError("other chain"), ExitStatus.WRONG_MARKET, "other chain"),
        (KeyFileError("k: no such key file"), ExitStatus.WALLET, "k: no such key file"),
        (NotSent("deposit: ledger: token refused"), ExitStatus.REFUSED, "deposit: ledger: token refused"),
        (Undecided("x: not in a block; it may still get there"), ExitStatus.CHAIN_UNAVAILABLE, "same command again"),
        (
            Undecided("deposit: not in a block after 120 s; it may still get there"),
            ExitStatus.CHAIN_UNAVAILABLE,
            "before you pay in again",
        ),
        (
            Undecided("deposit_with_permit: not in a block after 120 s; it may still get there"),
            ExitStatus.CHAIN_UNAVAILABLE,
            "before you pay in again",
        ),
        (NotSent("submit: ledger: insufficient funds"), ExitStatus.REFUSED, "register --deposit"),
        (NotSent("submit: terms: collateral below tip"), ExitStatus.REFUSED, "pricing.collateral"),
        (AgentUnreachable("gone"), ExitStatus.AGENT, "gone"),
        (AgentRefused(409, "other version"), ExitStatus.AGENT, "409: other version"),
        (UnitError("no amount"), ExitStatus.USAGE, "no amount"),
        (click.UsageError("bad"), ExitStatus.USAGE, "bad"),
        (KeyboardInterrupt(), ExitStatus.ABORTED, "aborted"),
        (click.Abort(), ExitStatus.ABORTED, "aborted"),
        (asyncio.CancelledError(), ExitStatus.ABORTED, "aborted"),
        (PermissionError(13, "Permission denied", "/state"), ExitStatus.ERROR, "/state: Permission denied"),
        (OSError(28, "No space left on device"), ExitStatus.ERROR, "No space left on device"),
        (
            OSError(28, "No space left on device", "/s/d.json"),
            ExitStatus.ERROR,
            "/s/d.json: No space left on device: make room on that disk, then run the same command again",
        ),
    ],
)
def test_explain__error__has_its_status_and_says_what_to_do(error, status, words):
    failure = explain(error)

    assert failure.status is status
    assert words in failure.message and "\n" not in failure.message


@pytest.mark.parametrize("description", ["deposit", "deposit_with_permit"])
def test_explain__undecided_deposit__does_not_promise_that_it_is_not_done_twice(description):
    failure = explain(Undecided(f"{description}: not in a block after 120 s; it may still get there"))

    assert "twice" not in failure.message and "same command again" not in failure.message


def test_program__value_of_a_wrong_form_where_nobody_looks_for_it__is_one_line(tenant, monkeypatch):
    def refuse(options):
        raise UnitError("'x' is not a size")

    monkeypatch.setattr("cli.commands.list.open_session", refuse)

    result = tenant.moorage("list")

    assert (result.status, result.err) == (ExitStatus.USAGE, "moorage: 'x' is not a size\n")


def test_j10_log__of_what_the_program_uses__is_never_part_of_the_result():
    script = "import structlog; from cli.environment import Environment\n"
    script += "async def acts():\n    [getattr(structlog.get_logger(), each)(each) for each in ('warning', 'error')]\n"
    script += "Environment.of_process().run(acts())"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT, text=True)

    assert ended.stdout == "" and "error" in ended.stderr and "warning" not in ended.stderr
