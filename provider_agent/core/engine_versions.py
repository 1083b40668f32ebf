"""Which versions of Docker and runc have known holes through which a workload gets out or at others.

Only what tenants of one machine could use against it or each other. A distribution may have mended an old version: then
its number says too little, and the operator has to know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Release = tuple[int, int, int, int]
"""Three numbers, and below 0 for a pre-release: -1 for rc99, -100 for rc0, so that they sort."""
_FORM = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-~.+]?rc\.?(\d{1,2}))?", re.ASCII)
NEWEST_RC = 100


@dataclass(frozen=True, slots=True)
class Hole:
    component: str
    """`engine` or `runc`."""
    names: tuple[str, ...]
    what: str
    fixed: tuple[str, ...]
    """The first versions without it, one for each branch that was mended."""
    since: str = "0.0"
    """The first version with it."""


HOLES = (
    Hole(
        "runc",
        ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"),
        "a container mounts over what runc writes to, and gets out",
        ("1.2.8", "1.3.3", "1.4.0-rc.3"),
    ),
    Hole("runc", ("CVE-2024-21626",), "a leaked descriptor leads out of the container", ("1.1.12",)),
    Hole("runc", ("CVE-2023-27561", "CVE-2023-28642"), "links in an image go around AppArmor and masks", ("1.1.5",)),
    Hole("runc", ("CVE-2021-30465",), "links swapped during a mount lead to the host", ("1.0.0-rc95",)),
    Hole("runc", ("CVE-2019-5736",), "a container overwrites runc itself", ("1.0.0-rc7",)),
    Hole(
        "engine",
        ("CVE-2024-29018",),
        "names are resolved outside for containers on internal networks",
        ("23.0.11", "25.0.5", "26.0.0"),
    ),
    Hole("engine", ("CVE-2025-54388",), "published ports are open to all after firewalld reloads", ("28.3.3",), "28.2"),
)
RUNC_BUNDLED: tuple[Hole, ...] = (
    Hole("engine", HOLES[0].names, HOLES[0].what, ("28.5.2",)),
    Hole("engine", HOLES[1].names, HOLES[1].what, ("24.0.9", "25.0.2")),
)
"""What the engine's own packages brought along: counts where the engine does not say which runc it has."""


def parse(version: str) -> Release | None:
    """Return a version as something that can be compared; None if it is none. What a distribution adds is left out."""
    match = _FORM.match(version.strip())
    if match is None:
        return None
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch or 0), 0 if candidate is None else int(candidate) - NEWEST_RC


def has_hole(version: Release, hole: Hole) -> bool:
    """Return whether a version is older than what mended its branch, or its branch was never mended."""
    fixed = sorted(release for release in map(parse, hole.fixed) if release is not None)
    since = parse(hole.since)
    if since is not None and version < since:
        return False
    of_branch = [release for release in fixed if release[:2] == version[:2]]
    return version < (of_branch or fixed)[-1]


def known_holes(engine: str, runc: str | None) -> tuple[Hole, ...]:
    """Return the holes of an engine of this version with this runc; None is an engine that does not say which."""
    versions = {"engine": parse(engine), "runc": parse(runc) if runc else None}
    candidates = HOLES if versions["runc"] is not None else (*HOLES, *RUNC_BUNDLED)
    found = []
    for hole in candidates:
        version = versions[hole.component]
        if version is not None and has_hole(version, hole):
            found.append(hole)
    return tuple(found)


def describe(holes: tuple[Hole, ...]) -> str:
    """Return holes in words."""
    return "; ".join(f"{' '.join(hole.names)} ({hole.what}; fixed in {', '.join(hole.fixed)})" for hole in holes)
