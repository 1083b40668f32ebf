"""Frames of an engine's log, in whatever pieces they come."""

from __future__ import annotations

import struct

import pytest

from moorage.streams import MAX_TEXT_BYTES, Source
from provider_agent.core.log_frames import MAX_FRAME_BYTES, BrokenFrames, FrameReader, OutputLine

TIME = "2026-01-02T03:04:05.000000006Z"


def frame(data: bytes, stream: int = 1, time: str = TIME) -> bytes:
    message = time.encode() + b" " + data
    return struct.pack(">B3xL", stream, len(message)) + message


def test_frames__cut_anywhere__give_the_same_lines() -> None:
    data = frame(b"one\n") + frame(b"two \xff\n", 2) + frame(b"\n")
    expected = [
        OutputLine(TIME, Source.STDOUT, "one"),
        OutputLine(TIME, Source.STDERR, "two \ufffd"),
        OutputLine(TIME, Source.STDOUT, ""),
    ]

    for place in range(len(data) + 1):
        reader = FrameReader()
        assert reader.feed(data[:place]) + reader.feed(data[place:]) == expected


def test_h18_frames__line_in_several_pieces__is_told_once_and_as_cut() -> None:
    piece = b"x" * MAX_TEXT_BYTES
    reader = FrameReader()

    told = reader.feed(frame(piece) + frame(piece) + frame(b"other\n", 2) + frame(b"end\n") + frame(b"next\n"))

    assert told == [
        OutputLine(TIME, Source.STDOUT, piece.decode(), is_cut=True),
        OutputLine(TIME, Source.STDERR, "other"),
        OutputLine(TIME, Source.STDOUT, "next"),
    ]


def test_h18_frames__longest_line__is_whole_and_a_longer_one_is_cut() -> None:
    reader = FrameReader()

    longest, longer = reader.feed(frame(b"x" * MAX_TEXT_BYTES + b"\n") + frame(b"x" * (MAX_TEXT_BYTES + 1) + b"\n"))

    assert (len(longest.text), longest.is_cut) == (MAX_TEXT_BYTES, False)
    assert (len(longer.text), longer.is_cut) == (MAX_TEXT_BYTES, True)


@pytest.mark.parametrize(
    "data",
    [
        frame(b"a\n", 3),
        frame(b"a\n", 0),
        struct.pack(">B3xL", 1, MAX_FRAME_BYTES + 1),
        frame(b"a\n", time="yesterday"),
        frame(b"a\n", time="2026-01-02T03:04:05Z"),
    ],
    ids=["stream 3", "stream 0", "huge", "no time", "other time"],
)
def test_frames__nonsense__are_broken(data: bytes) -> None:
    with pytest.raises(BrokenFrames):
        FrameReader().feed(data)
