"""Layers as archives: what is passed by, and what would become more than it is."""

from __future__ import annotations

import io
import tarfile

import pytest

from provider_agent.core.layer import Layer, LayerError
from tests.image_registry import layer_of, sparse_layer


def archive(*entries: tuple[str, bytes, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar of entries: name, kind and content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as opened:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def read(content: bytes, step: int, *, may_be_unpacked: bool = True) -> int:
    layer = Layer(may_be_unpacked=may_be_unpacked)
    for start in range(0, len(content), step):
        layer.read(content[start : start + step])
    return layer.entries


USUAL = archive(
    ("etc/", tarfile.DIRTYPE, b""),
    ("etc/passwd", tarfile.REGTYPE, b"root" * 400),
    ("etc/" + "n" * 300, tarfile.REGTYPE, b"x"),
    ("etc/old", tarfile.AREGTYPE, b""),
    ("etc/link", tarfile.SYMTYPE, b""),
)


@pytest.mark.parametrize("step", [1, 7, 512, 700, 10**6])
def test_i11_read__usual_layer_in_pieces_of_any_size__counts_its_entries(step: int) -> None:
    assert read(USUAL, step) == 6  # a long name is an entry before the one that it is for


@pytest.mark.parametrize("step", [1, 512, 10**6])
@pytest.mark.parametrize(
    "content",
    [
        sparse_layer(2**40),
        archive(("first", tarfile.REGTYPE, b"x" * 600)).rstrip(b"\0").ljust(1536, b"\0") + sparse_layer(2**40),
        archive(("x", tarfile.GNUTYPE_SPARSE, b"")),
        archive(("contiguous", tarfile.CONTTYPE, b"")),
        archive(("directory/", tarfile.AREGTYPE, b"x" * 512)),
        archive(("x", tarfile.XHDTYPE, b"20 size=100000000000\n")),
        archive(("x", tarfile.XHDTYPE, b"+9 a=b\n20 size=1\n")),
        archive(("x", tarfile.XHDTYPE, b"a" * (2**20 + 1))),
        archive(("x", tarfile.GNUTYPE_LONGNAME, b"a" * (2**20 + 1))),
        archive(("x", tarfile.REGTYPE, b""))[:124] + b"\x80" + b"\0" * 10 + b"\1" + bytes(376),
        bytes(512) + USUAL,
    ],
)
def test_i11_read__what_becomes_more_or_is_odd__is_refused(content: bytes, step: int) -> None:
    with pytest.raises(LayerError):
        read(content, step)


def test_i11_read__sparse_words_within_a_file__are_only_words() -> None:
    assert read(layer_of({"tarfile.py": b"\n20 GNU.sparse.major=1\n", "BZh": b""}), 512, may_be_unpacked=False) == 2


def test_i11_read__after_the_end__is_not_looked_at() -> None:
    assert read(USUAL + b"anything" * 512, 512) == 6
