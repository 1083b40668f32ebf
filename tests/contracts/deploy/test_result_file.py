"""The file that describes a market: when it may be replaced, and that it is never half a file."""

from __future__ import annotations

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from scripts.deployment import DeploymentRefused, result
from scripts.deployment.result import ROOT, json_number, result_path, sources_hash, write_result


def test_result_path__no_folder_given__is_that_of_the_project() -> None:
    assert result_path(424242, None, may_redeploy=False) == ROOT / "deployments" / "424242.json"


def test_result_path__chain_has_a_market__is_refused(tmp_path: Path) -> None:
    (tmp_path / "5.json").write_text("{}")

    with pytest.raises(DeploymentRefused, match=r"5\.json exists: chain 5 has a market; set MOORAGE_REDEPLOY=1"):
        result_path(5, str(tmp_path), may_redeploy=False)


@pytest.mark.parametrize(("chain_id", "may_redeploy"), [(5, True), (31337, False), (1337, False)])
def test_result_path__may_be_replaced__is_the_same(tmp_path: Path, chain_id: int, may_redeploy: bool) -> None:
    path = tmp_path / f"{chain_id}.json"
    path.write_text("{}")

    assert result_path(chain_id, str(tmp_path), may_redeploy) == path


def test_write_result__no_folder_yet__makes_it(tmp_path: Path) -> None:
    path = tmp_path / "deployments" / "5.json"

    write_result(path, {"chain_id": 5})

    assert json.loads(path.read_text()) == {"chain_id": 5}
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["5.json"]


def test_write_result__disk_fails__leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "5.json"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="no space"):
        write_result(path, {"chain_id": 5})
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["5.json"]


@pytest.mark.parametrize(("value", "expected"), [("12", 12), ("12.0", 12), ("0.25", "0.25"), ("1e-1", "0.1")])
def test_json_number__whole_or_not__is_exact(value: str, expected: int | str) -> None:
    assert json_number(Decimal(value)) == expected


def test_f10_sources_hash__any_byte_of_a_source_or_its_name__counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("contracts", "interfaces"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    of_the_project = sources_hash()
    monkeypatch.setattr(result, "ROOT", tmp_path)

    assert sources_hash() == of_the_project
    assert len(bytes.fromhex(of_the_project)) == 32
    hashes = [of_the_project]
    for name in ("contracts/Exchange.vy", "contracts/_modules/refuse.vy", "interfaces/IProviderRegistry.vyi"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
        hashes.append(sources_hash())
    (tmp_path / "interfaces" / "IExchange.vyi").rename(tmp_path / "interfaces" / "IOther.vyi")
    hashes.append(sources_hash())
    assert len(set(hashes)) == 5
