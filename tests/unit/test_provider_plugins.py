"""An operator's own functions: loaded by name, and one clear error for each way in which they can't be."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from moorage.types import ComputeUnit
from provider_agent import plugins
from provider_agent.core.pricing import PricePolicy, price_per_block
from provider_agent.settings import SettingsError, load_settings
from tests.markets import UNIT, make_order, make_snapshot
from tests.unit.test_provider_settings import MINIMAL

MODULE = """
def policy(snapshot, order, prices): return "never"
def pricing(compute, prices): return compute.milli_cpu
async def waits(snapshot, order, prices): ...
def two(a, b): ...
value = 7
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "operators_own_rules.py").write_text(MODULE)
    (tmp_path / "operators_broken_rules.py").write_text("raise RuntimeError('no table')")
    return tmp_path


def test_plugins__example_of_the_documentation__is_loaded_and_decides(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations" / "provider.md").read_text(encoding="utf-8")
    code = page.partition("```python\n# my_rules.py\n")[2].partition("```")[0]
    (folder / "my_rules.py").write_text(code)
    prices = PricePolicy(Fraction(1, 100), Fraction(0), Fraction(0), 1)

    policy, pricing = load(folder, 'policy = "my_rules:admit"'), load(folder, 'pricing = "my_rules:price"')

    assert policy(make_snapshot(), make_order(), (36,)) is None
    assert policy(make_snapshot(), make_order(), (37,)) == "it pays too little above our price"
    assert (pricing(UNIT, prices), pricing(replace(UNIT, memory_bytes=2**36), prices)) == (10, 20)


def load(folder: Path, line: str) -> Any:
    path = folder / "provider.toml"
    path.write_text(f"{line}\n{MINIMAL}")
    settings = load_settings(path)
    return plugins.load_pricing(settings) if line.startswith("pricing") else plugins.load_policy(settings)


def test_plugins__none_named__are_ours(folder: Path) -> None:
    path = folder / "provider.toml"
    path.write_text(MINIMAL)
    settings = load_settings(path)

    assert (plugins.load_policy(settings), plugins.load_pricing(settings)) == (None, price_per_block)


def test_plugins__named__are_loaded(folder: Path) -> None:
    assert load(folder, 'policy = "operators_own_rules:policy"')(None, None, ()) == "never"
    assert load(folder, 'pricing = "operators_own_rules:pricing"')(ComputeUnit(5, 6, 7), None) == 5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('policy = "operators_own_rules"', "has to be of the form module:function"),
        ('policy = "os:path:join"', "has to be of the form module:function"),
        ('policy = "no_such_rules:policy"', "module no_such_rules can't be imported: ModuleNotFoundError"),
        ('policy = "operators_broken_rules:policy"', "can't be imported: RuntimeError: no table"),
        ('policy = "operators_own_rules:absent"', "module operators_own_rules has no function absent"),
        ('policy = "operators_own_rules:value"', "module operators_own_rules has no function value"),
        ('policy = "operators_own_rules:waits"', "may not be async"),
        ('policy = "operators_own_rules:two"', "has to take 3 arguments"),
        ('pricing = "operators_own_rules:policy"', "has to take 2 arguments"),
    ],
)
def test_plugins__cannot_be_loaded__says_why_and_which_key(folder: Path, line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(folder, line)

    assert str(caught.value).startswith(f"{folder / 'provider.toml'}: {line.partition(' ')[0]}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
