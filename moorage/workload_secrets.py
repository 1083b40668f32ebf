"""What a workload is given that nobody else may read: its secrets, and what its image is pulled with.

The values show in no text that is made of these objects.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from moorage.closed import END, Closed

DIRECTORY = "/run/secrets"
"""Where a container finds its secrets, each in a file of its name."""
SECRET_NAME_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}" + END
REGISTRY_USER_PATTERN = r"^[!-9;-~]{1,256}" + END
"""Printable ASCII without a colon, which ends the name in HTTP's basic authentication (RFC 7617)."""
PASSWORD_PATTERN = r"^[!-~]{1,4096}" + END
MAX_SECRETS = 32
"""Of a workload."""
MAX_SECRET_CHARACTERS = 65_536

SecretName = Annotated[str, msgspec.Meta(pattern=SECRET_NAME_PATTERN)]


class Secret(Closed, frozen=True, kw_only=True):
    """What is in a secret's file."""

    value: Annotated[str, msgspec.Meta(max_length=MAX_SECRET_CHARACTERS)]

    def __repr__(self) -> str:
        return "Secret(...)"


class Credentials(Closed, frozen=True, kw_only=True):
    """What a registry is shown so that it lets an image be pulled."""

    user: Annotated[str, msgspec.Meta(pattern=REGISTRY_USER_PATTERN)]
    password: Annotated[str, msgspec.Meta(pattern=PASSWORD_PATTERN)]

    def __repr__(self) -> str:
        return "Credentials(...)"
