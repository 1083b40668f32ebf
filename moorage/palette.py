"""Colours on terminals: each can be read on black and on white, and none says what no word says."""

from __future__ import annotations

GOOD = "color(28)"
CAUTION = "bold color(130)"
BAD = "bold color(160)"
"""Of the 256 colours of xterm, whose values no theme changes; rich takes the nearest where a terminal has fewer."""
