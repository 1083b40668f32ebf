"""What gets into the project from outside, and what must not leave it: locks, known holes, secrets."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from eth_account import Account
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("build", "brownie", "development", "production")
PROGRAMS = ("moorage", "facilitator_bot", "provider_agent", "cli")
CONTRACT_TOOLS = ("boa", "brownie", "vyper", "web3")
CONTRACT_TOOL_PACKAGES = {"eth-brownie", "titanoboa", "vyper", "web3"}


# ------------------------------------------------------------------------------------------------------- locks


LINE_OF_LOCK = re.compile(
    r"(?P<package>[a-z0-9]+([.-][a-z0-9]+)*)(\[[a-z0-9,-]+\])?==(?P<version>[\w.+!]+)( ; [^@:]+)?"
    r"(?P<hashes>( --hash=sha256:[0-9a-f]{64})*)"
)


def logical_lines(text: str) -> list[str]:
    """Return the lines of a requirements file without comments, with continued ones joined."""
    without_comments = re.sub(r"(^|\s)#.*", "", text)
    joined = re.sub(r"\s*\\\n\s*", " ", without_comments)
    return [line.strip() for line in joined.splitlines() if line.strip()]


def faults_of_lock(text: str) -> list[str]:
    """Return the lines that are not a package at one version with its hashes."""
    faults = []
    for line in logical_lines(text):
        match = LINE_OF_LOCK.fullmatch(line)
        if line != "--no-binary eth-brownie" and (match is None or not match["hashes"]):
            faults.append(line)
    return faults


def pinned_versions(text: str) -> dict[str, Version]:
    matches = filter(None, map(LINE_OF_LOCK.match, logical_lines(text)))
    return {canonicalize_name(match["package"]): Version(match["version"]) for match in matches}


def lock_text(name: str) -> str:
    return (REQUIREMENTS / f"{name}.lock").read_text(encoding="ascii")


# -------------------------------------------------------------------------------------------------- K1: holes


def known_holes(lock: str, versions: dict[str, Version], advisories: list[dict]) -> list[str]:
    return [
        f"{advisory['package']} {versions[advisory['package']]}: {advisory['id']}"
        for advisory in advisories
        if advisory["package"] in versions
        and versions[advisory["package"]] < Version(advisory["first_fixed"])
        and lock not in advisory.get("accepted", {})
    ]


def test_k01_advisories__versions_around_the_fix__only_older_ones_are_holes() -> None:
    advisory = {"package": "sieve", "first_fixed": "1.10", "id": "CVE-1", "accepted": {"brownie": "why"}}

    assert known_holes("production", {"sieve": Version("1.9")}, [advisory]) == ["sieve 1.9: CVE-1"]
    assert known_holes("production", {"sieve": Version("1.10")}, [advisory]) == []
    assert known_holes("production", {}, [advisory]) == []
    assert known_holes("brownie", {"sieve": Version("1.9")}, [advisory]) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_k01_lock__against_the_advisories__has_no_known_hole(lock: str) -> None:
    advisories = tomllib.loads((REQUIREMENTS / "advisories.toml").read_text())["advisory"]

    assert known_holes(lock, pinned_versions(lock_text(lock)), advisories) == []


def test_k01_advisories__for_production__accept_nothing() -> None:
    advisories = tomllib.loads((REQUIREMENTS / "advisories.toml").read_text())["advisory"]

    assert [advisory["id"] for advisory in advisories if "production" in advisory.get("accepted", {})] == []


def test_k01_production_lock__its_closure__has_no_contract_tool() -> None:
    assert CONTRACT_TOOL_PACKAGES & pinned_versions(lock_text("production")).keys() == set()


def modules_of_programs() -> list[str]:
    """Return the names of all modules that production runs."""
    paths = [path.relative_to(ROOT) for program in PROGRAMS for path in sorted((ROOT / program).rglob("*.py"))]
    parts = [path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts for path in paths]
    return [".".join(part) for part in parts if part[-1] != "__main__"]


IMPORT_WITHOUT = """
import importlib, sys

blocked = set(sys.argv[1].split(","))


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not there in production", name=name)


sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def import_without(blocked: set[str], modules: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", IMPORT_WITHOUT, ",".join(sorted(blocked)), *modules]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_k01_production_modules__without_any_package_that_is_not_in_their_lock__import() -> None:
    locked = pinned_versions(lock_text("production")).keys()
    absent = {
        module
        for module, distributions in packages_distributions().items()
        if not {canonicalize_name(distribution) for distribution in distributions} & {*locked, "moorage"}
    }

    result = import_without(absent | set(CONTRACT_TOOLS), modules_of_programs())

    assert {"pytest", "vyper"} <= absent
    assert result.returncode == 0, result.stderr


def test_k01_production_modules__one_that_imports_a_contract_tool__is_noticed() -> None:
    result = import_without({"vyper"}, ["json", "vyper.ast"])

    assert "vyper is not there in production" in result.stderr


# -------------------------------------------------------------------------------------------------- K2: origin


@pytest.mark.parametrize("lock", LOCKS)
def test_k02_lock__every_line__is_one_version_with_hashes(lock: str) -> None:
    assert faults_of_lock(lock_text(lock)) == []
    assert pinned_versions(lock_text(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_k02_lock__all_of_it__names_no_index(lock: str) -> None:
    assert re.findall(r"\w+://|--(?:extra-)?index|--find-links|--trusted-host", lock_text(lock)) == []


HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        "sieve>=1 " + HASH,
        "sieve==1.* " + HASH,
        "sieve==1.0",
        "sieve==1.0 \\\n    --hash=md5:" + "0" * 32,
        "sieve @ https://example.org/sieve.whl " + HASH,
        "git+https://example.org/sieve",
        "-e .",
        "--extra-index-url https://example.org/simple",
        "--no-binary :all:",
    ],
)
def test_k02_lock__a_line_that_leaves_the_origin_open__is_a_fault(line: str) -> None:
    good = f"sound==1.0 ; sys_platform == 'linux' \\\n    {HASH}\n    # via nothing\n"

    assert faults_of_lock(good) == []
    assert len(faults_of_lock(good + line)) == 1


@pytest.mark.parametrize("lock", ["brownie", "production"])
def test_k02_lock__what_was_asked_for__is_pinned_within_its_range(lock: str) -> None:
    versions = pinned_versions(lock_text(lock))

    for line in logical_lines((REQUIREMENTS / f"{lock}.in").read_text()):
        requirement = Requirement(line)
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier


def test_k02_development_lock__packages_of_production__are_the_same_versions() -> None:
    production, development = pinned_versions(lock_text("production")), pinned_versions(lock_text("development"))

    assert production.items() <= development.items()


def test_k02_npm_lock__every_package__has_a_hash_and_no_address() -> None:
    text = (ROOT / "tools/package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "resolved" not in text
    assert "://" not in text


def test_k02_setup__every_install__requires_hashes_or_is_the_project_itself() -> None:
    scripts = [*(ROOT / "setup").glob("*.sh"), ROOT / ".ci/run", ROOT / "Makefile"]
    lines = [
        line for script in scripts for line in script.read_text().splitlines() if not line.lstrip().startswith("#")
    ]
    pip = [line for line in lines if re.search(r"\bpip install\b", line)]
    npm = [line for line in lines if re.search(r"\bnpm (ci|i|install)\b", line)]

    assert pip
    assert all("--require-hashes" in line or ("--no-deps" in line and "--editable ." in line) for line in pip)
    assert npm
    assert all("npm ci" in line or "--package-lock-only" in line for line in npm)


# ------------------------------------------------------------------------------------------------- K4: secrets


@dataclass(frozen=True, slots=True)
class Secret:
    kind: str
    line: int


SECRETS = {
    "pem": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*(?:\\n)?[\w+/=]{8}"),
    "aws": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "token": re.compile(r"\b(?:gh[opsu]_\w{36}|github_pat_\w{40,}|npm_\w{36}|pypi-AgE\w{40,}|xox[abp]-[\w-]{20,})"),
    "hex": re.compile(
        r"(?:key|secret|seed|password)\w*[\"']?\s*(?::[\s\w]+)?[:=]+>?\s*(?:[\w.]+\()*[\"']?(?:0x)?(?P<value>[0-9a-f]{64})\b",
        re.IGNORECASE,
    ),
    "mnemonic": re.compile(
        r"mnemonic\w*[\"']?\s*[:= ]\s*[\"']?(?P<value>[a-z]{3,8}(?: [a-z]{3,8}){11,23})", re.IGNORECASE
    ),
}

# The accounts of every development chain, known to the whole world.
WELL_KNOWN_MNEMONIC = "test test test test test test test test test test test junk"


def well_known_keys() -> set[str]:
    Account.enable_unaudited_hdwallet_features()
    accounts = (Account.from_mnemonic(WELL_KNOWN_MNEMONIC, account_path=f"m/44'/60'/0'/0/{n}") for n in range(10))
    return {bytes(account.key).hex() for account in accounts}


# The example of web3.js's documentation, with which the keystore tests work.
DOCUMENTED_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

ALLOWED = well_known_keys() | {DOCUMENTED_KEY, WELL_KNOWN_MNEMONIC}


def is_obviously_fake(value: str) -> bool:
    """Return whether a hexadecimal key is of at most four different bytes, as those made up for tests."""
    return bool(re.fullmatch(r"[0-9a-f]{64}", value)) and len({value[i : i + 2] for i in range(0, 64, 2)}) <= 4


def scan(text: str) -> Iterator[Secret]:
    for kind, pattern in SECRETS.items():
        for match in pattern.finditer(text):
            value = match.groupdict().get("value", "").lower()
            if value not in ALLOWED and not is_obviously_fake(value):
                yield Secret(kind, text.count("\n", 0, match.start()) + 1)


def test_k04_repository__all_files__hold_no_secret() -> None:
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    paths = [ROOT / os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]

    found = [(path, secret) for path in paths if path.is_file() for secret in scan(path.read_text(encoding="latin-1"))]

    assert ROOT / "pyproject.toml" in paths
    assert found == []


# Put together here so that this file holds none itself.
SOME_KEY = "8f2a" + "559490cc9b1f0e6d3c7a" + "41d2b8e7f6053a9c" * 2 + "77aa01fe"
SOME_WORDS = " ".join(
    ["legal", "winner", "thank", "year", "wave", "sausage", "worth", "useful", "legal", "will", "thank"]
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pem", "-----BEGIN " + "PRIVATE KEY-----\nMIGHAgEA"),
        ("pem", "-----BEGIN EC " + "PRIVATE KEY-----\nMIGHAgEA"),
        ("pem", "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNz"),
        ("aws", "id = AKIA" + "IOSFODNN7EXAMPLE"),
        ("token", "ghp_" + "a1B2" * 9),
        ("hex", f"DEPLOYER_KEY=0x{SOME_KEY}"),
        ("hex", f'private_key = "{SOME_KEY}"'),
        ("hex", f"privateKey: '0x{SOME_KEY}'"),
        ("hex", f'{{"secret": "0x{SOME_KEY.upper()}"}}'),
        ("hex", f'KEY: Final = bytes.fromhex("{SOME_KEY}")'),
        ("mnemonic", f'MNEMONIC = "{SOME_WORDS} yellow"'),
    ],
)
def test_k04_scanner__a_secret_of_each_kind__is_found_at_its_line(kind: str, text: str) -> None:
    assert list(scan("first line\n" + text)) == [Secret(kind, 2)]


@pytest.mark.parametrize(
    "text",
    [
        f"KEY = '0x{min(well_known_keys())}'",
        f"mnemonic: {WELL_KNOWN_MNEMONIC}",
        f"key = '{'11' * 32}'",
        f"block_hash = '0x{SOME_KEY}'",
        "the header -----BEGIN " + "PRIVATE KEY----- starts a key",
    ],
)
def test_k04_scanner__what_is_public_or_no_key__is_let_pass(text: str) -> None:
    assert list(scan(text)) == []
