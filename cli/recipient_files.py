"""The recipients of the deployments that a watcher follows, from their files, which may be mended while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.delivery_options import DeliveryOptions, refuse_unusable, warn_of
from cli.failures import ExitStatus, Failure
from cli.output import note
from cli.recipients import Recipient
from moorage.deployment_file import DeploymentFileError

READ_AGAIN_SECONDS = 10.0
"""How often it is looked whether a file that names nobody does so by now."""


class RecipientFiles:
    """Reads recipients from deployment files: once, but again and again those that name nobody."""

    def __init__(self, delivery: DeliveryOptions, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: one that never goes back, in seconds.
        """
        self._delivery = delivery
        self._clock = clock
        self._read: dict[Path, tuple[float, tuple[Recipient, ...]]] = {}
        self._told: set[str] = set()

    def __call__(self, file: Path) -> Sequence[Recipient]:
        """Return the recipients of a file; none if it can't be used now, which is told."""
        read_seconds, found = self._read.get(file, (-math.inf, ()))
        if not found and self._clock() - read_seconds >= READ_AGAIN_SECONDS:
            found = self._recipients(file)
            self._read[file] = self._clock(), found
        return found

    def check(self, file: Path) -> None:
        """See that a file names somebody who can be told.

        Raises:
            DeploymentFileError, Failure: it can't be used, or names nobody.
        """
        found = self._delivery.recipients(file)
        refuse_unusable(file, found)
        if not found:
            raise Failure(ExitStatus.USAGE, f"{file} has no notifications: nobody to tell")

    def _recipients(self, file: Path) -> tuple[Recipient, ...]:
        try:
            found = self._delivery.recipients(file)
        except (DeploymentFileError, Failure) as error:
            return self._refuse(f"nobody is told of the deployments of {file}: {error}")
        warn_of(file, found)
        return found

    def _refuse(self, text: str) -> tuple[Recipient, ...]:
        if text not in self._told:
            self._told.add(text)
            note(text)
        return ()
