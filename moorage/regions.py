"""The regions of the world as Moorage knows them, one bit each: on chain an order holds a mask, a provider one bit."""

from __future__ import annotations

from collections.abc import Iterable

REGIONS = (
    "us-west",
    "us-central",
    "us-east",
    "canada",
    "south-america",
    "europe-west",
    "europe-central",
    "europe-north",
    "africa",
    "middle-east",
    "asia-south",
    "asia-east",
    "asia-southeast",
    "oceania",
    "local",
)
"""The position in this list is the bit; only ever append. `local` is for development chains."""

REGION_GROUPS = {"europe": ("europe-west", "europe-central", "europe-north")}
"""Names that stand for any one of several regions."""

NAMES = REGIONS + tuple(REGION_GROUPS)


def mask_of(name: str) -> int:
    """Return the bit mask of a region or of a group of regions.

    Raises:
        KeyError: the name is neither.
    """
    members = REGION_GROUPS.get(name, (name,))
    try:
        return sum(1 << REGIONS.index(member) for member in members)
    except ValueError as error:
        raise KeyError(name) from error


def names_of(mask: int) -> tuple[str, ...]:
    """Return the regions in a mask, in the order of REGIONS."""
    return tuple(name for bit, name in enumerate(REGIONS) if mask >> bit & 1)


def describe(masks: Iterable[int]) -> str:
    """Return masks for people, `europe-west or europe-north`."""
    names = dict.fromkeys(name for mask in masks for name in names_of(mask))
    return " or ".join(names)
