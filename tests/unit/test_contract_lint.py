"""Each rule of the contract lint has a source that it refuses; the same source without the fault passes.

The sources are in tests/fixtures/vyper. Their comments say which line has to be refused by which rule, and at which
place of the project the source has to be taken for.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

import pytest

from tests import contract_lint, contract_rules
from tests.contract_lint import COMPILER, ROOT, lint, sources_of
from tests.contract_rules import LEDGER, PROBE

FIXTURES = ROOT / "tests" / "fixtures" / "vyper"
CONTRACT = PurePath("contracts/Subject.vy")
MODULE = PurePath("contracts/_modules/subject.vy")

PLACE = re.compile(r"^# at (\S+)$", re.MULTILINE)
REFUSED = re.compile(r"  # refused: ([a-z, -]+)$")
RULES = re.compile(r'(?:yield |Finding\([^"]*?)"([a-z-]+)", ')

CLEAN = f"""\
# pragma version {COMPILER}
# pragma nonreentrancy on

from ethereum.ercs import IERC20

TOKEN: immutable(IERC20)
words: HashMap[address, uint256]


@deploy
def __init__(token: IERC20):
    TOKEN = token


@external
def pick(amount: uint256, first: bool):
    assert amount > 0, "subject: zero amount"
    self.words[msg.sender] = amount if first else 1
"""


def fixtures(prefix: str = "") -> list[Path]:
    return sorted(FIXTURES.glob(f"{prefix}*.vy"))


def found(tmp_path: Path, source: str | bytes, path: PurePath = CONTRACT) -> list[tuple[int, str]]:
    """Return line and rule of each finding in a source."""
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(source if isinstance(source, bytes) else source.encode())
    return sorted((finding.line, finding.rule) for finding in lint(tmp_path, path))


def rules_broken(tmp_path: Path, source: str | bytes, path: PurePath = CONTRACT) -> set[str]:
    return {rule for _, rule in found(tmp_path, source, path)}


def check_fixtures(tmp_path: Path, prefix: str) -> None:
    """Hold what is found in the sources of a row against what they say themselves."""
    assert fixtures(prefix)
    for file in fixtures(prefix):
        source = file.read_text(encoding="ascii")
        lines = enumerate(source.splitlines(), start=1)
        marks = [(number, mark[1]) for number, line in lines if (mark := REFUSED.search(line))]
        place = PLACE.search(source)

        assert marks
        assert found(tmp_path, source, PurePath(place[1]) if place else CONTRACT) == sorted(
            (number, rule) for number, rules in marks for rule in rules.split(", ")
        ), file.name


def test_f16_contract_lint__the_sources_of_the_project__have_no_findings() -> None:
    sources = sources_of(ROOT)

    findings = [str(finding) for path in sources for finding in lint(ROOT, path)]

    assert sources
    assert findings == []


def test_f16_contract_lint__each_of_its_rules__has_refused_a_source() -> None:
    sources = [Path(module.__file__ or "").read_text() for module in (contract_lint, contract_rules)]
    rules = {rule for source in sources for rule in RULES.findall(source)}
    tests = Path(__file__).read_text()

    marked = {
        rule
        for file in fixtures()
        for rules in re.findall(REFUSED.pattern, file.read_text(), re.MULTILINE)
        for rule in rules.split(", ")
    }

    assert len(rules) > 15
    assert {rule for rule in rules - marked if f'"{rule}"' not in tests} == set()


def test_contract_lint__a_clean_source__has_no_findings(tmp_path: Path) -> None:
    assert rules_broken(tmp_path, CLEAN) == set()


def test_a04_contract_lint__a_token_that_may_answer_nothing__is_asked_accordingly(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "a04")


def test_a05_f13_contract_lint__an_answer_that_nobody_looks_at__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "a05")


def test_a16_f13_contract_lint__raw_calls_without_a_bound__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "a16")


def test_b19_contract_lint__loops_of_many_rounds__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "b19")


def test_e05_contract_lint__origin_and_code_as_authority__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "e05")


def test_e06_e08_contract_lint__anything_that_an_owner_could_write__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "e06")


def test_e12_contract_lint__an_exchange_that_can_end__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "e12")


def test_b21_f01_contract_lint__ether_and_its_use_in_ternaries__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f01")


def test_f02_f13_contract_lint__ternaries_of_more_than_a_word__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f02")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(CLEAN + "# caf\u00e9\n", id="letter"),
        pytest.param(CLEAN + "# a\u2028b\n", id="line separator"),
        pytest.param(b"\xef\xbb\xbf" + CLEAN.encode(), id="byte order mark"),
        pytest.param(CLEAN + "\f\n", id="form feed"),
        pytest.param(CLEAN.replace("\n", "\r\n"), id="carriage return"),
        pytest.param(CLEAN + "#\tx\n", id="tab"),
    ],
)
def test_f03_contract_lint__bytes_that_shift_offsets__are_refused(tmp_path: Path, source: str | bytes) -> None:
    assert rules_broken(tmp_path, source) == {"ascii"}


def test_f04_contract_lint__a_contract_that_makes_others__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f04")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(CLEAN.replace("version 0", "version ^0"), id="range"),
        pytest.param(CLEAN.replace("version 0", "version ==0"), id="operator"),
        pytest.param(CLEAN.replace("version 0.4.3", "version 0.4.2"), id="older"),
        pytest.param(CLEAN.replace("# pragma version", "# version"), id="none"),
        pytest.param(CLEAN + f"# pragma version {COMPILER}\n", id="two"),
    ],
)
def test_f05_contract_lint__another_version_of_the_compiler__is_refused(tmp_path: Path, source: str) -> None:
    assert "version" in rules_broken(tmp_path, source)


def test_f06_contract_lint__functions_without_the_lock__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f06")


def test_f07_contract_lint__a_function_that_returns_less_than_its_interface__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f07")


def test_f08_contract_lint__reverts_without_a_short_reason__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f08")


@pytest.mark.parametrize(("reason", "broken"), [("subject: no", set()), ("no", {"reason"})])
def test_f08_contract_lint__a_reason_given_to_the_refusing_module__is_checked(
    tmp_path: Path, reason: str, broken: set[str]
) -> None:
    refuse = tmp_path / "contracts" / "_modules" / "refuse.vy"
    refuse.parent.mkdir(parents=True)
    refuse.write_bytes((ROOT / "contracts/_modules/refuse.vy").read_bytes())
    source = CLEAN.replace("TOKEN: imm", "from . import refuse\n\nTOKEN: imm")
    source += f'\n@external\ndef stop():\n    refuse.because("{reason}")\n'

    assert rules_broken(tmp_path, source, MODULE) == broken


def test_f09_contract_lint__a_function_that_is_a_docstring_alone__is_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f09")


def test_f10_contract_lint__loops_set_up_by_calls_and_imports_by_other_paths__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f10")


def test_f14_contract_lint__events_outside_of_the_interfaces__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f14")


@pytest.mark.parametrize(
    "pragma", ["experimental-codegen", "venom-experimental", "optimize none", "evm-version paris", "enable-decimals"]
)
def test_f18_contract_lint__settings_of_one_source_alone__are_refused(tmp_path: Path, pragma: str) -> None:
    assert "pragma" in rules_broken(tmp_path, CLEAN + f"# pragma {pragma}\n")


def test_f19_contract_lint__modules_of_others__are_refused(tmp_path: Path) -> None:
    check_fixtures(tmp_path, "f19")


def test_contract_lint__a_source_that_does_not_compile__is_refused(tmp_path: Path) -> None:
    assert rules_broken(tmp_path, CLEAN + "nonsense: uint257\n") == {"compiles"}


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        pytest.param("word: uint257\n", 3, id="type"),
        pytest.param("def (:\n", 4, id="syntax"),
        pytest.param("from . import nothing\n", 3, id="import"),
        pytest.param("@internal\ndef f():\n    word: uint256 = other\n", 5, id="name"),
    ],
)
def test_contract_lint__a_module_that_does_not_compile__is_named_once_at_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str, line: int
) -> None:
    monkeypatch.setattr(contract_lint, "ROOT", tmp_path)
    module = tmp_path / MODULE
    module.parent.mkdir(parents=True)
    module.write_text(f"# pragma version {COMPILER}\n# pragma nonreentrancy on\n{fault}")
    for name in ("One", "Other"):
        source = CLEAN.replace("TOKEN: imm", "from ._modules import subject\n\nTOKEN: imm")
        (tmp_path / "contracts" / f"{name}.vy").write_text(source)

    assert contract_lint.main([]) == 1

    *findings, last = capsys.readouterr().out.splitlines()
    assert [finding.partition(": compiles: ")[0] for finding in findings] == [f"{MODULE}:{line}"]
    assert last == "3 Vyper sources, 1 findings"


@pytest.mark.parametrize("argument", ["contracts/Exchange.vy", "--fix"])
def test_contract_lint__an_argument__is_refused(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        contract_lint.main([argument])

    assert f"unrecognized arguments: {argument}" in capsys.readouterr().err


TOKEN_CALL = """
@external
def pay():
    assert extcall TOKEN.transfer(msg.sender, 1, default_return_value=True), "subject: refused"
"""
RAW_CALL = """
@external
def pay(to: address) -> bool:
    return raw_call(to, b"", revert_on_failure=False)
"""


@pytest.mark.parametrize("function", [TOKEN_CALL, RAW_CALL])
@pytest.mark.parametrize("path", [CONTRACT, MODULE])
def test_a05_contract_lint__a_token_call_outside_the_ledger__is_refused(
    tmp_path: Path, function: str, path: PurePath
) -> None:
    assert rules_broken(tmp_path, CLEAN + function, path) == {"token-call"}


@pytest.mark.parametrize("function", [TOKEN_CALL, RAW_CALL])
@pytest.mark.parametrize("path", [LEDGER, PROBE, PurePath("contracts/testing/Mock.vy")])
def test_contract_lint__a_token_call_of_the_ledger_the_probe_or_a_mock__is_allowed(
    tmp_path: Path, function: str, path: PurePath
) -> None:
    assert rules_broken(tmp_path, CLEAN + function, path) == set()


@pytest.mark.parametrize(("path", "broken"), [(CONTRACT, {"reason"}), (PurePath("contracts/testing/Mock.vy"), set())])
def test_f08_contract_lint__a_revert_without_a_reason__is_for_mocks_alone(
    tmp_path: Path, path: PurePath, broken: set[str]
) -> None:
    source = CLEAN + '\n\n@external\ndef stop():\n    raw_revert(b"")\n'

    assert rules_broken(tmp_path, source, path) == broken


def test_b21_contract_lint__a_payable_function_of_an_interface__is_refused(tmp_path: Path) -> None:
    source = f"# pragma version {COMPILER}\n\n@external\n@payable\ndef give():\n    ...\n"

    assert rules_broken(tmp_path, source, PurePath("interfaces/ISubject.vyi")) == {"payable"}
