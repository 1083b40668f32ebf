"""Files that a deployment file names are read only as long as they are files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from moorage.deployment_file.local_files import read_bytes


class Exchanged(type(Path())):  # type: ignore[misc]
    """A path whose file somebody replaces by a pipe, right after it was looked at for the last time."""

    looks = 0

    def stat(self, **settings: bool) -> os.stat_result:
        found: os.stat_result = super().stat(**settings)
        Exchanged.looks += 1
        if Exchanged.looks == 2:  # the first look is that for links
            self.unlink()
            os.mkfifo(self)
        return found


def test_h08_read__file_that_is_replaced_by_a_pipe_meanwhile__is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")

    with pytest.raises(ValueError, match="it is not a regular file"):
        read_bytes(Exchanged(tmp_path / "a"), 10)
    assert (tmp_path / "a").is_fifo()


def test_read__file_of_the_limit_and_more__is_cut_behind_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")

    assert [read_bytes(tmp_path / "a", limit) for limit in (8, 9, 10)] == [b"012345678", b"0123456789", b"0123456789"]
