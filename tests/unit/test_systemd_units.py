"""The units that systemd runs the daemons by: each directive that keeps them in is there, and systemd takes them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from moorage.cycles import CYCLE_SECONDS
from moorage.watchdog import LIMIT_SECONDS

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MOST_EXPOSED = 20
"""Tenths of what `systemd-analyze security` counts: 0 is nothing, 100 is everything."""
REQUIRED = {
    "NoNewPrivileges": ["yes"],
    "CapabilityBoundingSet": [""],
    "AmbientCapabilities": [""],
    "ProtectSystem": ["strict"],
    "ProtectHome": ["yes"],
    "PrivateTmp": ["yes"],
    "PrivateDevices": ["yes"],
    "ProtectKernelTunables": ["yes"],
    "ProtectKernelModules": ["yes"],
    "ProtectKernelLogs": ["yes"],
    "ProtectControlGroups": ["yes"],
    "ProtectClock": ["yes"],
    "ProtectHostname": ["yes"],
    "ProtectProc": ["invisible"],
    "ProcSubset": ["pid"],
    "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
    "RestrictNamespaces": ["yes"],
    "RestrictRealtime": ["yes"],
    "RestrictSUIDSGID": ["yes"],
    "LockPersonality": ["yes"],
    "MemoryDenyWriteExecute": ["yes"],
    "RemoveIPC": ["yes"],
    "SystemCallArchitectures": ["native"],
    "SystemCallFilter": ["@system-service", "~@privileged"],
    "UMask": ["0077"],
    "LimitCORE": ["0"],
    "StateDirectoryMode": ["0700"],
    "User": ["moorage"],
    "Type": ["notify"],
    "NotifyAccess": ["main"],
    "Restart": ["always"],
}


SECRETS = {
    "RuntimeDirectory": ["moorage-provider"],
    "RuntimeDirectoryMode": ["0700"],
    "RuntimeDirectoryPreserve": ["yes"],
}
"""What the provider's has beside: secrets are in memory, and stay there while it is started again."""


def directives(text: str) -> dict[str, list[str]]:
    """Return the values of each directive, in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", "[")):
            found.setdefault(name, []).append(value)
    return found


def missing(text: str) -> list[str]:
    found = directives(text)
    return [name for name, values in REQUIRED.items() if found.get(name) != values]


def analyze(verb: str, unit: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Have systemd look at a unit, with a program in it that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here: the units are only compared with the list")
    copy = folder / unit.name
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    options = ["--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager"] if verb == "security" else []
    command = ["systemd-analyze", verb, *options, str(copy)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_units__both_programs__have_one() -> None:
    assert [unit.name for unit in UNITS] == ["moorage-facilitator.service", "moorage-provider.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit__directives__are_those_of_the_list(unit: Path) -> None:
    assert missing(unit.read_text()) == []


def test_h11_unit__of_the_provider__keeps_secrets_in_memory_while_the_agent_is_started_again() -> None:
    found = directives(UNITS[1].read_text())

    assert {name: found.get(name) for name in SECRETS} == SECRETS


@pytest.mark.parametrize("name", REQUIRED)
def test_unit__a_directive_is_gone__is_noticed(name: str) -> None:
    text = UNITS[0].read_text()

    assert missing(re.sub(rf"^{name}=.*\n", "", text, flags=re.MULTILINE)) == [name]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_g24_unit__hang__is_ended_later_than_the_program_ends_itself(unit: Path) -> None:
    assert CYCLE_SECONDS < LIMIT_SECONDS < int(directives(unit.read_text())["WatchdogSec"][0])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_g26_unit__key__comes_as_a_credential_and_never_in_the_environment(unit: Path) -> None:
    found = directives(unit.read_text())

    assert [value.partition(":")[2] for value in found["LoadCredential"]] in (
        ["/etc/moorage/facilitator.key"],
        ["/etc/moorage/operator.key"],
    )
    assert all("=%d/" in value for value in found.get("Environment", []))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit__systemd_reads_it__has_no_complaint(unit: Path, tmp_path: Path) -> None:
    ended = analyze("verify", unit, tmp_path)

    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit__systemd_rates_it__is_little_exposed(unit: Path, tmp_path: Path) -> None:
    ended = analyze("security", unit, tmp_path)

    assert ended.returncode == 0, ended.stdout
