"""How it is found out whether a workload works: asked over HTTP, connected to, or by a command in its container."""

from __future__ import annotations

from typing import Annotated

import msgspec

from moorage.closed import END, Closed

HTTP_PATH_PATTERN = r"^/[A-Za-z0-9._~:@%/?=&,;+-]*" + END
"""A path with a possible query; without what a proxy's configuration could take for something else."""
MAX_SECONDS = 3_600
MAX_RETRIES = 20

HttpPath = Annotated[str, msgspec.Meta(pattern=HTTP_PATH_PATTERN, max_length=256)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=MAX_SECONDS)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)]


class HttpCheck(Closed, frozen=True, kw_only=True):
    """A GET, which is answered with a status of 200 to 399."""

    path: HttpPath
    port: Port


class Health(Closed, frozen=True, kw_only=True):
    """A check that is made again and again; exactly one of the three ways to make it is given."""

    http: HttpCheck | None
    tcp_port: Port | None
    """A port that takes connections."""
    command: Words | None
    """Runs in the container, without a shell, and ends with 0."""
    interval_seconds: Seconds
    timeout_seconds: Seconds
    retries: Annotated[int, msgspec.Meta(ge=1, le=MAX_RETRIES)]
    """Failures in a row after which the workload does not work."""
    start_seconds: Annotated[int, msgspec.Meta(ge=0, le=MAX_SECONDS)]
    """Failures so long after the start do not count."""

    @property
    def ways(self) -> int:
        """How many ways of checking are given."""
        return sum(way is not None for way in (self.http, self.tcp_port, self.command))

    @property
    def port(self) -> int | None:
        """The port that is asked, or connected to; None: a command is run."""
        return self.http.port if self.http is not None else self.tcp_port


def written(health: Health) -> str:
    """Return a check in a line of its own."""
    return msgspec.json.encode(health).decode()


def read(text: str) -> Health | None:
    """Return the check that was written; None: the text is none."""
    try:
        return msgspec.json.decode(text, type=Health)
    except (msgspec.DecodeError, UnicodeError):
        return None
