"""The ABIs in git are those of the contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import export_abi


def test_f14_export_abi__files_in_git__are_those_of_the_contracts() -> None:
    found = {path.stem: path.read_text() for path in export_abi.FOLDER.glob("*.json")}

    assert found == export_abi.abi_texts(), "run `make compile` and commit moorage/chain/abi"


def test_export_abi__other_folder__writes_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_abi, "FOLDER", tmp_path / "moorage" / "chain" / "abi")

    export_abi.main()

    written = {path.stem: path.read_text() for path in export_abi.FOLDER.iterdir()}
    assert written == export_abi.abi_texts()
