"""Decides which images a provider runs: patterns of registries and names, a refusal before a permission."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from provider_agent.core.image_names import image_name


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Patterns such as `docker.io/library/*`; a star takes everything, slashes too. Case counts but for hosts."""

    allow: tuple[str, ...] = ()
    """Empty: everything that is not refused."""
    deny: tuple[str, ...] = ()

    def objection(self, image: str) -> str | None:
        """Return why an image is not run, None if it is.

        Args:
            image: as a manifest has it: `[registry[:port]/]repository[:tag][@digest]`.
        """
        name = image_name(image).full
        if _matches(name, self.deny):
            return f"this provider does not run {name}"
        if self.allow and not _matches(name, self.allow):
            return f"this provider runs only images of its list, and {name} is not on it"
        return None

    def objections(self, images: Iterable[str]) -> tuple[str, ...]:
        """Return why images are not run, each reason once."""
        found = (self.objection(image) for image in images)
        return tuple(dict.fromkeys(reason for reason in found if reason is not None))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
