"""Reads along in a layer's tar archive, and refuses what an engine would unpack to more than was read.

It is as strict as needed to see the same entries as the engine, which reads archives with Go's archive/tar: sparse
files, of which an archive of 10 KB can have terabytes, sizes beyond the octal ones, and kinds that no layer needs.
"""

from __future__ import annotations

import re

BLOCK_BYTES = 512
MAX_RECORDS_BYTES = 2**20
"""Of what extends an entry: an engine keeps it in memory."""
COMPRESSED = (
    b"BZh",
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    *(b"%c*M\x18" % each for each in range(80, 96)),
)
"""How bzip2, gzip, xz and zstd begin: an engine unpacks what begins like this, whatever it is called."""
SIZE, KIND = slice(124, 136), slice(156, 157)
EMPTY = (b"1", b"2", b"3", b"4", b"5", b"6")
"""Links, devices, directories and pipes: nothing follows them, whatever size they tell."""
RECORDS, NAMES = (b"x", b"g"), (b"L", b"K")
_OCTAL = re.compile(rb"[0-7]*")
_REFUSED = re.compile(rb"(?:^|\n)[^ ]* (?:size=|GNU\.sparse\.)")


class LayerError(ValueError):
    """The archive is not taken; the message is the reason."""


class Layer:
    """One archive, which comes in pieces of any size."""

    def __init__(self, *, may_be_unpacked: bool) -> None:
        """
        Args:
            may_be_unpacked: whether an engine gets these very bytes, and looks whether they are compressed.
        """
        self._is_checked = not may_be_unpacked
        self._head = bytearray()
        self._left_bytes = 0
        """Of what follows a header, up to the next one."""
        self._records: bytearray | None = None
        self._empty_blocks = 0
        self.entries = 0

    def read(self, piece: bytes) -> None:
        """Take in the next piece.

        Raises:
            LayerError: it is not taken.
        """
        position = 0
        while position < len(piece) and self._empty_blocks < 2:
            length = self._left_bytes or BLOCK_BYTES - len(self._head)
            part = piece[position : position + length]
            position += len(part)
            if self._left_bytes:
                self._follow(part)
            else:
                self._head += part
                if not self._is_checked and self._head.startswith(COMPRESSED):
                    raise LayerError("the image has a layer that is compressed and does not say so")
                if len(self._head) == BLOCK_BYTES:
                    self._header(bytes(self._head))
                    self._head.clear()

    def _follow(self, part: bytes) -> None:
        self._left_bytes -= len(part)
        if self._records is not None:
            self._records += part
            if not self._left_bytes:
                if _REFUSED.search(self._records):
                    raise LayerError("the image has a layer with sparse files, or files of 8 GB and more")
                self._records = None

    def _header(self, head: bytes) -> None:
        self._is_checked = True
        if not any(head):
            self._empty_blocks += 1
            return
        if self._empty_blocks:
            raise LayerError("the image has a layer that is not a tar archive")
        self.entries += 1
        self._begin(head[KIND], _size(head[SIZE]))

    def _begin(self, kind: bytes, size: int) -> None:
        if kind in EMPTY:
            return
        if kind in (*RECORDS, *NAMES):
            if size > MAX_RECORDS_BYTES:
                raise LayerError("the image has a layer with names that are too long")
            self._records = bytearray() if kind in RECORDS and size else None
        elif kind != b"0" and (kind != b"\0" or size):
            raise LayerError("the image has a layer with entries of a kind that is not taken")
        self._left_bytes = size + -size % BLOCK_BYTES


def _size(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not _OCTAL.fullmatch(digits):
        raise LayerError("the image has a layer that is not a tar archive, or has files of 8 GB and more")
    return int(digits or b"0", 8)
