"""The recipients of the deployments that a watcher follows, from their files, which may be mended while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.delivery_options import DeliveryOptions, refuse_unusable, warn_of
from cli.failures import ExitStatus, Failure
from cli.output import note
from cli.recipients import Recipient
from moorage.deployment_file import DeploymentFileError

READ_AGAIN_SECONDS = 10.0
"""How often it is looked whether a file was mended."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file as it was read."""

    read_seconds: float = -math.inf
    stamp: tuple[int, int] | None = None
    found: tuple[Recipient, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it names somebody, and everybody whom it names can be told."""
        return bool(self.found) and all(each.obstacle is None for each in self.found)


class RecipientFiles:
    """Reads recipients from deployment files: again when one was altered, and while something is to be mended."""

    def __init__(self, delivery: DeliveryOptions, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: one that never goes back, in seconds.
        """
        self._delivery = delivery
        self._clock = clock
        self._read: dict[Path, _Reading] = {}
        self._told: set[str] = set()

    def __call__(self, file: Path) -> Sequence[Recipient]:
        """Return the recipients of a file; where it can't be used now, which is told, those that it had before."""
        last = self._read.get(file, _Reading())
        if self._clock() - last.read_seconds >= READ_AGAIN_SECONDS:
            stamp = _stamp(file)
            is_as_it_was = last.is_whole and stamp == last.stamp
            found = last.found if is_as_it_was else self._recipients(file, last.found)
            self._read[file] = _Reading(self._clock(), stamp, found)
        return self._read[file].found

    def check(self, file: Path) -> None:
        """See that a file names somebody who can be told.

        Raises:
            DeploymentFileError, Failure: it can't be used, or names nobody.
        """
        found = self._delivery.recipients(file)
        refuse_unusable(file, found)
        if not found:
            raise Failure(ExitStatus.USAGE, f"{file} has no notifications: nobody to tell")

    def _recipients(self, file: Path, before: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        try:
            found = self._delivery.recipients(file)
        except (DeploymentFileError, Failure) as error:
            who = "those that it named before are told" if before else "nobody is told"
            self._tell_once(f"{who} of the deployments of {file}: {error}")
            return before
        if found != before:
            warn_of(file, found)
        return found

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            note(text)


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return what differs when a file was written; None while it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
