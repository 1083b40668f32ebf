"""Files that a deployment file names are read only as long as they are files."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moorage.deployment_file import DeploymentFileError, includes, load, local_files, private
from moorage.deployment_file.local_files import read_bytes


def test_h08_read__file_that_is_replaced_by_a_pipe_meanwhile__is_refused_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    look = os.stat

    def look_too_early(name: str, **settings: Any) -> os.stat_result:
        found = look(name, **settings)
        (tmp_path / "a").unlink()
        os.mkfifo(tmp_path / "a")
        return found

    with pytest.raises(ValueError, match="it is not a regular file"), monkeypatch.context() as patch:
        patch.setattr(os, "stat", look_too_early)
        read_bytes(tmp_path / "a", 10, is_resolved=True)
    assert (tmp_path / "a").is_fifo()


@pytest.mark.parametrize("name", ["a", "inside", "inside/deeper"])
def test_h08_read__link_that_has_come_since_the_path_was_looked_at__is_not_followed(tmp_path: Path, name: str) -> None:
    for directory in ("inside/deeper/a", "outside/deeper/a"):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "a").write_bytes(b"content of " + directory.encode())
    swapped = tmp_path / "inside/deeper/a/a" if name == "a" else tmp_path / name
    meant = (tmp_path / "inside/deeper/a/a").resolve()
    assert read_bytes(meant, 100, is_resolved=True) == b"content of inside/deeper/a"

    swapped.rename(tmp_path / "aside")
    swapped.symlink_to(
        {"a": tmp_path / "outside/deeper/a/a", "inside": tmp_path / "outside"}.get(name, tmp_path / "outside/deeper")
    )

    with pytest.raises((OSError, ValueError)):
        read_bytes(meant, 100, is_resolved=True)
    assert read_bytes(meant, 100) == b"content of outside/deeper/a"


def test_h08_include__directory_that_becomes_a_link_meanwhile__is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project/parts").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a.yml").write_text('version: "0.1"\nservices: {stolen: {image: "a:1"}}\n')
    (tmp_path / "project/parts/a.yml").write_text('version: "0.1"\n')
    (tmp_path / "project/moorage.yml").write_text('version: "0.1"\ninclude: [parts/a.yml]\n')
    read = local_files.read_bytes

    def read_after_a_swap(path: Path, limit: int, **settings: bool) -> bytes:
        if path.name == "a.yml":
            (tmp_path / "project/parts").rename(tmp_path / "aside")
            (tmp_path / "project/parts").symlink_to(tmp_path / "private")
        return read(path, limit, **settings)

    monkeypatch.setattr(includes, "read_bytes", read_after_a_swap)

    with pytest.raises(DeploymentFileError) as caught:
        load(tmp_path / "project/moorage.yml")
    assert "the file" in str(caught.value) and "can't be read" in str(caught.value)
    assert "stolen" not in str(caught.value)


def test_h08_secret__directory_that_becomes_a_link_meanwhile__is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project/parts").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    meant = (tmp_path / "project/parts/key").resolve()
    (tmp_path / "elsewhere/key").write_text("stolen")

    def found_before_a_swap(*_: object) -> Path:
        (tmp_path / "project/parts").rmdir()
        (tmp_path / "project/parts").symlink_to(tmp_path / "elsewhere")
        return meant

    monkeypatch.setattr(private, "_found", found_before_a_swap)
    refused: list[str] = []
    reader = SimpleNamespace(refuse=lambda _, message: refused.append(message))

    assert private._content(reader, (), "parts/key") is None  # type: ignore[arg-type]
    assert len(refused) == 1


def test_read__file_of_the_limit_and_more__is_cut_behind_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")

    assert [read_bytes(tmp_path / "a", limit) for limit in (8, 9, 10)] == [b"012345678", b"0123456789", b"0123456789"]
