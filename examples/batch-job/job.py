"""Computes digits of pi, prints them, and ends with 0: the job is done.

The result is kept on a volume, too: if the job is started again before it has ended, it does not compute it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

RESULT = Path("/var/tmp/pi.txt")


def digits_of_pi() -> Iterator[int]:
    """Yield 3, 1, 4, ... (Gibbons, "Unbounded spigot algorithms for the digits of pi", 2006)."""
    q, r, t, k, n, m = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < n * t:
            yield n
            q, r, n = 10 * q, 10 * (r - n * t), 10 * (3 * q + r) // t - 10 * n
        else:
            q, r, t, k, n, m = q * k, (2 * q + r) * m, t * m, k + 1, (q * (7 * k + 2) + r * m) // (t * m), m + 2


def work() -> None:
    """Do the job. The result has its name only when it is whole."""
    draft = RESULT.with_suffix(".draft")
    draft.write_text("".join(map(str, islice(digits_of_pi(), int(os.environ["DIGITS"])))), encoding="ascii")
    draft.replace(RESULT)


if __name__ == "__main__":
    if not RESULT.exists():
        work()
    print(RESULT.read_text(encoding="ascii"))
