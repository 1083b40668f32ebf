"""docs/deployment-file.md: each piece of a file that it shows is valid; merging has tests of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moorage.deployment_file import load_text

PAGE = (Path(__file__).parents[2] / "docs" / "deployment-file.md").read_text("utf-8")
WHOLE, *PARTS = [block for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S) if block[0] != "#"]


def test_document__its_first_example__is_a_whole_file() -> None:
    spec = load_text(WHOLE, Path("moorage.yml"))

    assert [service.name for service in spec.services] == ["web"]


@pytest.mark.parametrize("part", [part for part in PARTS if "- run:" not in part])  # that is of a workflow
def test_document__each_part_of_a_file__is_valid_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "db-password").write_text("x")
    for variable in re.findall(r"env: ([A-Z_]+)", part):
        monkeypatch.setenv(variable, "whsec_eA==")
    text = WHOLE.replace("    expose:", f"{part}    expose:") if part.startswith("    ") else WHOLE + part

    load_text(text, tmp_path / "moorage.yml")
