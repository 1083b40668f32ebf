"""A disk that does not take a file: the line on stderr names the file, and says what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from moorage.daemon import run_program
from moorage.private_file import create_private, write_private


def told(error: OSError, capsys: pytest.CaptureFixture[str]) -> str:
    @click.group(invoke_without_command=True)
    def program() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["a-program"])
        run_program("a-program", program, ())
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_write_private__disk_is_full__the_error_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "intermediate.pem"
    path.write_bytes(b"before")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([".draft"] if call == "open" else []))

    monkeypatch.setattr(f"moorage.private_file.os.{call}", fail)
    with pytest.raises(OSError) as caught:
        write_private(path, b"after")

    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["intermediate.pem"]


@pytest.mark.parametrize("has_links", [True, False])
def test_create_private__twice__the_first_one_stays_whole_whatever_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if not has_links:
        monkeypatch.setattr("moorage.private_file.os.link", no_links)
    path = tmp_path / "wallet.json"
    create_private(path, b"first")

    with pytest.raises(FileExistsError) as caught:
        create_private(path, b"second")

    assert caught.value.filename == str(path) and path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_nlink == 1
    assert [each.name for each in tmp_path.iterdir()] == ["wallet.json"]


@pytest.mark.parametrize(("linked", "renamed"), [(errno.EPERM, errno.ENOSPC), (errno.ENOSPC, 0)])
def test_create_private__disk_full_when_it_gets_its_name__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: int, renamed: int
) -> None:
    def failing(number: int) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        return fail

    monkeypatch.setattr("moorage.private_file.os.link", failing(linked))
    if renamed:
        monkeypatch.setattr(Path, "replace", failing(renamed))

    with pytest.raises(OSError, match="No space") as caught:
        create_private(tmp_path / "wallet.json", b"key")

    assert caught.value.filename == str(tmp_path / "wallet.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "writable"),
        (errno.EACCES, "user that runs this"),
        (errno.ENOTDIR, "such as data_dir"),
    ],
)
def test_run_program__disk_fault__names_file_fault_and_remedy(
    number: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(OSError(number, os.strerror(number), "/data/intermediate.pem"), capsys)

    assert said.startswith(f"a-program: /data/intermediate.pem: {os.strerror(number)}: ")
    assert words in said


def test_run_program__full_disk_and_no_file__points_to_data_dir(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), capsys)

    assert said.startswith("a-program: data_dir: No space left on device: make room")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_run_program__fault_of_no_file__is_told_as_it_is(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(OSError(number, os.strerror(number)), capsys) == f"a-program: {os.strerror(number)}\n"
