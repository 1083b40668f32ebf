"""The facilitator's program: every expected failure is one line and exit code 2."""

from __future__ import annotations

import json
import sys

import pytest

from facilitator_bot import main
from facilitator_bot.commands import doctor
from moorage.chain.rpc import ChainError
from moorage.doctor.finding import Finding, Level
from moorage.keys import KeyFileError
from moorage.units import UnitError


@pytest.mark.parametrize("error", [ChainError("no answer"), KeyFileError("no such key"), UnitError("no block time")])
def test_main__expected_failure__is_one_line(monkeypatch, capsys, error):
    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr(main, "program", fail)

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err == f"moorage-facilitator: {error}\n"


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.WARNING, 0), (Level.FAILURE, 1)])
def test_doctor__something_keeps_it_from_working__ends_with_one(monkeypatch, capsys, level, code):
    async def find(settings: object) -> list[Finding]:
        return [Finding(level, "clock", "wrong")]

    monkeypatch.setattr(doctor, "diagnose", find)
    monkeypatch.setattr(sys, "argv", ["moorage-facilitator", "doctor", "--market", "market.json", "-o", "json"])

    try:
        main.main()
        ended = 0
    except SystemExit as stopped:
        ended = stopped.code

    assert ended == code
    assert json.loads(capsys.readouterr().out)["sound"] is (code == 0)
