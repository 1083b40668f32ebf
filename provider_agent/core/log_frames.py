"""Reads what an engine tells of a container's output: frames with a stream and a time, longer lines in several pieces.

Docker Engine API 1.41, "Stream format" of attach and `timestamps=1` of logs: each message is a frame of its own, and
one that does not end with a line break goes on in the next frame of its stream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from moorage.streams import MAX_TEXT_BYTES, Source, is_time

_HEADER = struct.Struct(">B3xL")
MAX_FRAME_BYTES = 1 << 20
"""An engine's own frames have 16 KiB and a time."""
SOURCES = {1: Source.STDOUT, 2: Source.STDERR}


class BrokenFrames(ValueError):
    """This is not what an engine sends."""


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line that a container has written."""

    time: str
    """By the engine's clock, see moorage.streams.TIME."""
    stream: Source
    text: str
    is_cut: bool = False


class FrameReader:
    """Makes lines of bytes as they come; it holds one frame, and nothing of a line that is too long."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._going_on: set[Source] = set()
        """Streams whose line has been told and is not over."""
        self.frames = 0
        """How many there were: what an engine takes for a line when it is asked for the last ones."""

    def feed(self, data: bytes) -> list[OutputLine]:
        """Return the lines that are there now.

        Raises:
            BrokenFrames
        """
        self._buffer += data
        lines, place = [], 0
        while (end := self._end_of_frame(place)) <= len(self._buffer):
            line = self._line(SOURCES[self._buffer[place]], bytes(self._buffer[place + _HEADER.size : end]))
            place = end
            self.frames += 1
            if line is not None:
                lines.append(line)
        del self._buffer[:place]
        return lines

    def _end_of_frame(self, place: int) -> int:
        """Return where the frame ends that begins at a place, beyond all that is there if its header is not."""
        if len(self._buffer) - place < _HEADER.size:
            return len(self._buffer) + 1
        number, size = _HEADER.unpack_from(self._buffer, place)
        if number not in SOURCES or size > MAX_FRAME_BYTES:
            raise BrokenFrames(f"a frame of stream {number} with {size} bytes")
        return int(place + _HEADER.size + size)

    def _line(self, stream: Source, message: bytes) -> OutputLine | None:
        """Return what one message tells; the pieces after the first of a long line tell nothing."""
        time, _, data = message.partition(b" ")
        is_whole = data.endswith(b"\n")
        is_new = stream not in self._going_on
        if is_whole:
            self._going_on.discard(stream)
        else:
            self._going_on.add(stream)
        if not is_new:
            return None
        written = time.decode("ascii", "replace")
        if not is_time(written):
            raise BrokenFrames("a message without its time")
        text = data.removesuffix(b"\n")
        is_cut = not is_whole or len(text) > MAX_TEXT_BYTES
        return OutputLine(written, stream, text[:MAX_TEXT_BYTES].decode("utf-8", "replace"), is_cut)
