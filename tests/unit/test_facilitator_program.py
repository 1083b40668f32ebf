"""The facilitator's program: every expected failure is one line and exit code 2."""

from __future__ import annotations

import pytest

from facilitator_bot import main
from moorage.chain.rpc import ChainError
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
