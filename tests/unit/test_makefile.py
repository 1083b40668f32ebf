"""The Makefile's targets install what they run, and `make help` lists those that people call."""

from __future__ import annotations

import re

import pytest

from tests.bytecode import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
RULE = re.compile(
    r"^(?P<target>[a-z-]+):(?! folders = )(?P<needs>[a-z -]*)(?P<help>## .+)?\n(?P<recipe>(?:\t.*\n)*)", re.MULTILINE
)
RULES = {rule["target"]: rule for rule in RULE.finditer(MAKEFILE)}
TOOLS = re.compile(r"\$\(python\)|\.venv")


@pytest.mark.parametrize("target", sorted({*RULES} - {"clean"}))
def test_makefile__target_that_runs_what_is_installed__installs_it_first(target: str) -> None:
    rule = RULES[target]

    assert not TOOLS.search(rule["recipe"]) or {"environments", "setup"} & set(rule["needs"].split())


def test_makefile__tests_on_an_engine__have_one() -> None:
    assert RULES["test-system"]["needs"].split() == ["environments", "engine"]


def test_makefile__tests_on_hosts_of_their_own__have_the_programs_for_them_where_they_can_run() -> None:
    first, *_ = RULES["test-system"]["recipe"].splitlines()

    assert first == '\t@[ "$$(id -u)" != 0 ] || setup/hosts.sh'


def test_makefile__help__lists_every_target() -> None:
    described = {target for target, rule in RULES.items() if rule["help"]}

    assert described == RULES.keys()
    assert re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE) == list(RULES)
