"""What agents tell of workloads in words: phrases that both sides know, and how a stranger's words are shown."""

from __future__ import annotations

VERSION_BEFORE = "the version before goes on"
"""In the reason of a workload that runs, but not in the version of the manifest."""
BEING_TRIED = "is tried"
"""Behind it, as long as nothing is wrong with the new version."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that is not shown."""


def printable(text: str) -> str:
    """Return a stranger's text without the characters that could drive a terminal or forge a log line.

    The number of characters stays.
    """
    return "".join(
        character if character.isprintable() else " " if character == "\t" else REPLACEMENT for character in text
    )
