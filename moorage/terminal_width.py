"""How wide what is shown may be."""

from __future__ import annotations

import math
import os
import re
from typing import IO

VARIABLE = "COLUMNS"
"""What other programs heed, too; shells keep it to themselves unless it is exported."""

WIDTH = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


def width_of(stream: IO[str]) -> float:
    """Return the columns of the terminal that a stream writes to, or that COLUMNS says; math.inf if there are none.

    So each line stays one line in files and pipes.
    """
    told = os.environ.get(VARIABLE, "")
    if WIDTH.fullmatch(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or math.inf
    except (OSError, ValueError):  # no terminal, or no file at all
        return math.inf
