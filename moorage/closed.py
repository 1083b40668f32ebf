"""The base of what a manifest is made of: values with exactly the keys that they have."""

from __future__ import annotations

import msgspec

END = r"$(?!\n)"
"""The end of a pattern: `$` alone lets a line break through."""


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value with exactly these keys: no default, so that there is one form only."""
