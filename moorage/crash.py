"""Named places at which a test can kill a daemon, to prove that it picks up where it was."""

from __future__ import annotations

import os
import signal


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL if MOORAGE_CRASH_AT names this place; do nothing otherwise."""
    if os.environ.get("MOORAGE_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
