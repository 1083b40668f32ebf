"""The settings that the operations pages show are read as they stand there, and each key that there is is on them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facilitator_bot import settings as facilitator_settings
from facilitator_bot.options import OPTIONS
from facilitator_bot.settings import Given
from provider_agent import settings as provider_settings

PAGES = Path(__file__).parents[2] / "docs" / "operations"
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


def uncommented(text: str) -> str:
    """Return settings with the examples of what may be left out."""
    return re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text)


def keys(known: dict[str, tuple[str, ...]]) -> set[str]:
    return {inner for key, table in known.items() for inner in (table or (key,))}


@pytest.mark.parametrize("change", [str, uncommented], ids=["as it stands", "with what may be left out"])
def test_provider_page__settings__are_read(tmp_path: Path, change: type[str]) -> None:
    (text,) = blocks("provider.md", "toml")
    path = tmp_path / "provider.toml"
    path.write_text(change(text))

    settings = provider_settings.load_settings(path)

    assert settings.sending.key_file == Path("/run/credentials/moorage-provider.service/operator.key")
    assert settings.sending.fee_cap_wei == 300 * 10**9


@pytest.mark.parametrize("change", [str, uncommented], ids=["as it stands", "with what may be left out"])
def test_facilitator_page__settings__are_read(tmp_path: Path, change: type[str]) -> None:
    (text,) = blocks("facilitator.md", "toml")
    path = tmp_path / "facilitator.toml"
    path.write_text(change(text))

    settings = facilitator_settings.load_settings(path, Given(key_file=Path("k")))

    assert settings.sending is not None and settings.sending.daily_cap_wei == 5 * 10**17


def test_readme__table_of_the_key__is_read_by_both(tmp_path: Path) -> None:
    (table,) = blocks("README.md", "toml")
    table = uncommented(table).replace("0x...", ADDRESS)
    (provider,), path = blocks("provider.md", "toml"), tmp_path / "settings.toml"
    provider = re.sub(r"(?m)^operator_key_file.*\n", "", provider.partition("[sending]")[0])
    path.write_text(f'coins_per_token = "0.1"\n{provider}{table}')
    given = Given(market=Path("m"))

    ours = provider_settings.load_settings(path)
    path.write_text(re.sub(r"(?m)^value_at_risk.*\n", "", table))
    theirs = facilitator_settings.load_settings(path, given)

    assert ours.sending == theirs.sending
    assert (ours.sending.signer_address, ours.value_at_risk) == (ADDRESS, 1)


def test_pages__each_key_of_the_settings__is_on_them() -> None:
    shown = "\n".join(
        block for page in ("README.md", "provider.md", "facilitator.md") for block in blocks(page, "toml")
    )
    known = keys(provider_settings.KNOWN) | keys(facilitator_settings.KNOWN)
    written = set(re.findall(r"(?m)^(?:# )?([a-z_]+) = ", shown))

    assert written == known


def test_facilitator__each_setting__is_an_option_too() -> None:
    settings = {"signer_address" if key == "address" else key for key in keys(facilitator_settings.KNOWN)}

    assert settings - {"ws"} == set(Given.__slots__)
    assert len(OPTIONS) == len(Given.__slots__) + 1  # and --config
