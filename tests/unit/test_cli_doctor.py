"""What the tenant's doctor concludes from what it has read, and what it says where there is nothing to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli.core.view import DeploymentView
from cli.doctor_judgement import judge_file, judge_leases, judge_manifests, judge_purse, judge_records
from cli.failures import ExitStatus
from cli.records import Record
from moorage import manifest
from moorage.chain.market import Market
from moorage.doctor.finding import Finding, Level
from moorage.doctor.token import check_token
from moorage.types import Address, DeploymentState, OrderState, Version
from tests.cli_runner import Person, person
from tests.factories.deployments import (
    DEPLOYMENT,
    FACILITATOR,
    MONEY,
    ONE,
    OTHER_VERSION,
    TENANT,
    attempt,
    lease,
    view,
)
from tests.fakes.market_node import MARKET
from tests.fakes.node import Refusal, fake_node

GWEI = 10**9
MANIFEST = b'{"a":1}'
RECORD = Record(DEPLOYMENT, Path("/app/moorage.yml"), b"\x05" * 32, MANIFEST, b"\x06" * 32, 1)


def told(findings: list[Finding]) -> list[str]:
    return [f"{each.level.value} {each.where}: {each.what} -> {each.remedy}" for each in findings]


def deployed(**changes: object) -> DeploymentView:
    return view(**{"version": manifest.version_of(MANIFEST), **changes})


# ------------------------------------------------------------------ money


@pytest.mark.parametrize(
    ("coin_wei", "level", "words"),
    [
        (0, Level.FAILURE, "has none: nothing can be sent"),
        (3_000_000 * GWEI - 1, Level.WARNING, "a deployment may take 0.003"),
        (3_000_000 * GWEI, Level.OK, "0.003 coins to pay for gas"),
    ],
)
def test_judge_purse__coin__has_to_do_for_a_deployment(coin_wei, level, words):
    coin, tokens = judge_purse(TENANT, coin_wei, GWEI, ONE, 0, MONEY)

    assert (coin.level, tokens.level) == (level, Level.OK)
    assert TENANT in coin.what and words in coin.what
    assert TENANT in coin.remedy or level is Level.OK


@pytest.mark.parametrize(("tokens", "account", "level"), [(0, 0, Level.WARNING), (1, 0, Level.OK), (0, ONE, Level.OK)])
def test_judge_purse__tokens__may_be_in_the_wallet_or_on_the_exchange(tokens, account, level):
    assert judge_purse(TENANT, ONE, GWEI, tokens, account, MONEY)[1].level is level


# ------------------------------------------------------------------ records and manifests


def test_judge_records__all_fit__is_one_line():
    assert told(judge_records([deployed()], [RECORD])) == ["ok records: 1, each fits the chain -> "]


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([], "was prepared and has not arrived on chain -> `moorage deploy -f /app/moorage.yml` sends it once more"),
        ([deployed(state=DeploymentState.CLOSED)], f"is closed -> `moorage delete --deployment 0x{'de' * 32}` removes"),
        ([deployed(version=OTHER_VERSION)], "the chain wants version 0x02020202…, here is another one"),
    ],
)
def test_judge_records__one_does_not_fit__says_what_to_do(views, words):
    (line,) = told(judge_records(views, [RECORD]))

    assert line.startswith("warning record 0xdededede…: of /app/moorage.yml: ") and words in line


def test_judge_manifests__deployment_of_another_machine__is_a_warning():
    (line,) = told(judge_manifests([deployed()], []))

    assert line.startswith("warning deployment 0xdededede…: its manifest is not on this machine")
    assert judge_manifests([deployed()], [RECORD]) == []


# ------------------------------------------------------------------ leases


def leased(block: int = 100, **changes: object) -> DeploymentView:
    return view(attempt(lease=lease(**changes)), block=block)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            leased(block=105, funded_block=105 + 7_199),
            "prepaid for 1h 59m only -> prepay more: `moorage fund --deployment",
        ),
        (leased(block=100, funded_block=100, is_awaiting=True), "prepaid for 0s only"),
        (leased(block=3_702, confirmed_block=3_700), "is used up -> `moorage fund`, or its workloads are stopped"),
        (leased(block=116), "is overdue, but no facilitator has ended it -> `moorage stale"),
        (view(attempt(OrderState.OPEN), block=96), "no provider has bid for group west yet"),
    ],
)
def test_judge_leases__something_is_to_be_done__says_what(seen, words):
    assert words in " | ".join(told(judge_leases([seen], MONEY)))
    assert all(finding.level is Level.WARNING for finding in judge_leases([seen], MONEY))


def test_judge_leases__prepaid_for_long_enough__counts_them():
    seen = leased(block=105, funded_block=105 + 7_200)

    assert told(judge_leases([seen], MONEY)) == ["ok deployments: 1 live, with 1 lease and 0 open orders -> "]


def test_judge_leases__long_periods__two_of_them_have_to_be_prepaid():
    seen = replace(leased(block=105, funded_block=20_104), period_blocks=10_000)

    assert [finding.level for finding in judge_leases([seen], MONEY)] == [Level.WARNING]
    assert judge_leases([replace(seen, period_blocks=9_999)], MONEY)[0].level is Level.OK


# ------------------------------------------------------------------ the token


WORD = {"name": "0x" + f"{32:064x}{4:064x}" + b"MOOR".hex().ljust(64, "0"), "nonces": "0x" + "0" * 64}


async def look_at_token(separator: bytes | None, allowed: int = 0) -> list[str]:
    from moorage.chain import abi

    erc20 = abi.load("ERC20")
    selectors = {
        f"0x{erc20.encode(name, *arguments).hex()[:8]}": name
        for name, arguments in [
            ("DOMAIN_SEPARATOR", ()),
            ("name", ()),
            ("nonces", (TENANT,)),
            ("allowance", (TENANT, FACILITATOR)),
        ]
    }

    def answer(method: str, params: list[object]) -> str:
        asked = selectors[str(params[0]["data"])[:10]]  # type: ignore[index]
        if asked == "DOMAIN_SEPARATOR":
            if separator is None:
                raise Refusal("execution reverted")
            return f"0x{separator.hex()}"
        return f"0x{allowed:064x}" if asked == "allowance" else WORD[asked]

    async with fake_node(answer) as (_, rpc):
        return told(await check_token(rpc, MARKET, TENANT))


def expected_separator(market: Market, version: str) -> bytes:
    """As eth_account makes it, which is another implementation."""
    from eth_account.messages import encode_typed_data

    domain = {"name": "MOOR", "version": version, "chainId": market.chain_id, "verifyingContract": market.token}
    return bytes(encode_typed_data(domain, {"Nothing": [{"name": "x", "type": "uint256"}]}, {"x": 0}).header)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_check_token__permits_of_the_standard__take_one_transaction(version):
    (line,) = await look_at_token(expected_separator(MARKET, version))

    assert line == "ok token MOOR: takes permits (EIP-2612): a deposit is one transaction -> "


async def test_check_token__without_permits_or_with_other_ones__says_that_it_takes_two():
    other = replace(MARKET, token=Address(FACILITATOR))

    for separator in (None, expected_separator(other, "1")):
        assert "takes no permits (EIP-2612) that are known here" in (await look_at_token(separator))[0]


async def test_a12_check_token__allowance_left_behind__is_a_warning():
    _, line = await look_at_token(None, allowed=7)

    assert line.startswith(f"warning token MOOR: the exchange may take 7 base units of {TENANT}")


# ------------------------------------------------------------------ nothing there


@pytest.fixture
def nobody(tmp_path, monkeypatch) -> Person:
    monkeypatch.chdir(tmp_path)
    return person(tmp_path, RPC="http://127.0.0.1:1")


def found(nobody: Person, *arguments: str) -> dict[str, tuple[str, str, str]]:
    result = nobody.moorage("doctor", "-o", "json", *arguments)
    assert result.status == (ExitStatus.OK if result.json["sound"] else ExitStatus.ERROR)
    return {each["where"]: (each["level"], each["what"], each["remedy"]) for each in result.json["findings"]}


def test_doctor__no_node_no_wallet_no_file__says_what_is_missing_and_what_was_not_examined(nobody):
    seen = found(nobody)

    assert seen["node http://127.0.0.1:1"][0] == "failure" and "--rpc" in seen["node http://127.0.0.1:1"][2]
    level, what, remedy = seen[f"wallet {nobody.home}/.config/moorage/wallet.json"]
    assert (level, what) == ("failure", "no wallet") and remedy.startswith("`moorage register` makes one")
    assert seen["deployment file"][0] == "warning"
    assert seen["not examined"][1].startswith("contracts, money, deployments")
    assert seen[f"state {nobody.home}/state/moorage"][0] == "ok"
    assert seen["python"][0] == "ok"


def test_doctor__nothing_there__tells_it_in_lines_too(nobody):
    result = nobody.moorage("doctor")

    assert (result.status, result.err) == (ExitStatus.ERROR, "")
    assert result.out.splitlines()[-1] == "failures: 2, warnings: 2, in order: 2"


@pytest.mark.parametrize(("text", "level"), [(None, "failure"), ("version: 3", "failure"), ("", "failure")])
def test_doctor__deployment_file_named_but_no_good__is_a_failure(nobody, text, level):
    if text is not None:
        Path("app.yml").write_text(text)

    level, _, remedy = found(nobody, "-f", "app.yml")["deployment file app.yml"]

    assert (level, remedy) == ("failure", "`moorage validate -f app.yml` shows all and where")


def test_doctor__key_that_others_may_read__is_a_failure(nobody):
    key = nobody.home / "key"
    key.write_text("11" * 32)
    key.chmod(0o644)

    level, what, remedy = found(nobody.having(KEY_FILE=str(key)))[f"wallet {key}"]

    assert (level, what, remedy) == ("failure", "others may read this key", f"run chmod 600 {key}")


def test_doctor__state_directory_that_may_not_be_used__is_told(nobody):
    (nobody.home / "state").mkdir()
    (nobody.home / "state" / "moorage").write_text("no directory")

    assert found(nobody)[f"state {nobody.home}/state/moorage"][0] == "failure"


def test_judge_file__several_problems__tells_the_first_and_how_many():
    class Problem:
        message = "unknown key 'x'"

    (finding,) = judge_file(Path("a.yml"), [Problem(), Problem()])  # type: ignore[list-item]

    assert finding.what == "unknown key 'x' (and 1 more)"


def test_version__of_the_plain_record__is_the_views():
    assert manifest.version_of(MANIFEST) == deployed().version != Version(OTHER_VERSION)
