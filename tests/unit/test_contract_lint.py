"""Each rule of the contract lint has a source that it refuses; the same source without the fault passes."""

from pathlib import Path, PurePath

import pytest

from tests.contract_lint import COMPILER, LEDGER, PROBE, ROOT, lint, sources_of

CONTRACT = PurePath("contracts/Subject.vy")
MODULE = PurePath("contracts/_modules/subject.vy")

CLEAN = f"""\
# pragma version {COMPILER}
# pragma nonreentrancy on

from ethereum.ercs import IERC20

token: IERC20
words: HashMap[address, uint256]


@external
def pick(amount: uint256, first: bool):
    assert amount > 0, "subject: zero amount"
    self.words[msg.sender] = amount if first else 1
"""

A_CHOICE = """
@external
def choose(a: {0}, b: {1}, first: bool) -> {1}:
    return a if first else b
"""

AN_OR = """
@external
def mask(first: bool) -> uint256:
    return {} if first else 0
"""


def rules_broken(tmp_path: Path, source: str | bytes, path: PurePath = CONTRACT) -> set[str]:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_bytes(source if isinstance(source, bytes) else source.encode())
    return {finding.rule for finding in lint(tmp_path, path)}


def test_contract_lint__the_sources_of_the_project__have_no_findings() -> None:
    sources = sources_of(ROOT)

    findings = [str(finding) for path in sources for finding in lint(ROOT, path)]

    assert sources
    assert findings == []


def test_contract_lint__a_clean_source__has_no_findings(tmp_path: Path) -> None:
    assert rules_broken(tmp_path, CLEAN) == set()


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        pytest.param("ascii", CLEAN + "# caf\u00e9\n", id="letter"),
        pytest.param("ascii", CLEAN + "# a\u2028b\n", id="line separator"),
        pytest.param("ascii", b"\xef\xbb\xbf" + CLEAN.encode(), id="byte order mark"),
        pytest.param("ascii", CLEAN + "\f\n", id="form feed"),
        pytest.param("ascii", CLEAN.replace("\n", "\r\n"), id="carriage return"),
        pytest.param("version", CLEAN.replace("version 0", "version ^0"), id="range"),
        pytest.param("version", CLEAN.replace("version 0", "version ==0"), id="operator"),
        pytest.param("version", CLEAN.replace("# pragma version", "# version"), id="none"),
        pytest.param("pragma", CLEAN + "# pragma experimental-codegen\n", id="venom"),
        pytest.param("pragma", CLEAN + "# pragma optimize none\n", id="optimize"),
        pytest.param("compiles", CLEAN + "nonsense: uint257\n", id="type error"),
        pytest.param("reason", CLEAN.replace(', "subject: zero amount"', ""), id="bare assert"),
        pytest.param("reason", CLEAN.replace("subject: zero", "zero"), id="no module in the reason"),
        pytest.param("reason", CLEAN.replace("zero amount", "z" * 60), id="long reason"),
        pytest.param(
            "reason",
            CLEAN.replace("def pick(", "def pick(why: String[65], ").replace('"subject: zero amount"', "why"),
            id="reason of unknown length",
        ),
        pytest.param("reason", CLEAN + "\n@external\ndef stop():\n    raise\n", id="bare raise"),
        pytest.param("payable", CLEAN.replace("@external", "@external\n@payable"), id="payable"),
        pytest.param("tx-origin", CLEAN.replace("msg.sender", "tx.origin"), id="tx.origin"),
        pytest.param(
            "blueprint",
            CLEAN + "\n@external\ndef make(a: address):\n    b: address = create_from_blueprint(a)\n",
            id="create_from_blueprint",
        ),
        pytest.param("or-in-ternary", CLEAN + AN_OR.format("(len(msg.data) | 8)"), id="length of the call data"),
        pytest.param(
            "or-in-ternary",
            CLEAN + AN_OR.format("(1 | msg.value)").replace("@external", "@external\n@payable"),
            id="value of the call",
        ),
        pytest.param(
            "ternary",
            CLEAN + A_CHOICE.format("DynArray[uint256, 2]", "DynArray[uint256, 3]"),
            id="array",
        ),
        pytest.param(
            "ternary",
            CLEAN + '\n@external\ndef name(c: bool) -> String[3]:\n    return "a" if c else "b"\n',
            id="string",
        ),
    ],
)
def test_contract_lint__a_source_with_one_fault__is_refused_by_its_rule(
    tmp_path: Path, rule: str, source: str | bytes
) -> None:
    assert rule in rules_broken(tmp_path, source)


TOKEN_CALL = (
    CLEAN + "\n@external\ndef pay():\n    assert extcall self.token.transfer(msg.sender, 1), 'subject: refused'\n"
)
RAW_CALL = CLEAN + "\n@external\ndef pay(to: address):\n    raw_call(to, b'')\n"


@pytest.mark.parametrize("source", [TOKEN_CALL, RAW_CALL])
@pytest.mark.parametrize("path", [CONTRACT, MODULE])
def test_a05_contract_lint__a_token_call_outside_the_ledger__is_refused(
    tmp_path: Path, source: str, path: PurePath
) -> None:
    assert rules_broken(tmp_path, source, path) == {"token-call"}


@pytest.mark.parametrize("path", [LEDGER, PROBE, PurePath("contracts/testing/Mock.vy")])
def test_contract_lint__a_token_call_of_the_ledger_the_probe_or_a_mock__is_allowed(
    tmp_path: Path, path: PurePath
) -> None:
    assert rules_broken(tmp_path, TOKEN_CALL, path) == set()


@pytest.mark.parametrize(("reason", "broken"), [("subject: no", set()), ("no", {"reason"})])
def test_contract_lint__a_reason_given_to_the_refusing_module__is_checked(
    tmp_path: Path, reason: str, broken: set[str]
) -> None:
    refuse = tmp_path / "contracts" / "refuse.vy"
    refuse.parent.mkdir()
    refuse.write_bytes((ROOT / "contracts/_modules/refuse.vy").read_bytes())
    source = CLEAN.replace("token: IERC20", "from .. import refuse\n\ntoken: IERC20")
    source += f'\n@external\ndef stop():\n    refuse.because("{reason}")\n'

    assert rules_broken(tmp_path, source, MODULE) == broken


def test_contract_lint__a_payable_function_of_an_interface__is_refused(tmp_path: Path) -> None:
    source = f"# pragma version {COMPILER}\n\n@external\n@payable\ndef give():\n    ...\n"

    assert rules_broken(tmp_path, source, PurePath("interfaces/ISubject.vyi")) == {"payable"}
