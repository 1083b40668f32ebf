"""Computes digits of pi, keeps them in a file, and serves the folder; what is there already is not computed again.

A container that ends is started anew, so a job does not end: it waits for somebody to fetch what came out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

FOLDER = Path("/var/tmp/result")
RESULT = FOLDER / "pi.txt"


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
    FOLDER.mkdir(exist_ok=True)
    draft = RESULT.with_suffix(".draft")
    draft.write_text("".join(map(str, islice(digits_of_pi(), int(os.environ["DIGITS"])))) + "\n", encoding="ascii")
    draft.replace(RESULT)


if __name__ == "__main__":
    if RESULT.exists():
        print("done before", flush=True)
    else:
        work()
        print("done", flush=True)
    ThreadingHTTPServer(("", 8000), partial(SimpleHTTPRequestHandler, directory=FOLDER)).serve_forever()
