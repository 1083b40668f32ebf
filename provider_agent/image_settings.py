"""What an operator sets about images: the table `images` of the agent's settings."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from moorage import units
from moorage.reachable import Reachable
from moorage.settings_file import SettingsFile
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.shell.images import ImageOptions

TABLE = "images"
KNOWN = ("allow", "deny", "inside", "insecure", "compressed", "unpacked", "pull_time", "pulls", "keep", "keep_room")
MAX_PULLS = 64
LEAST_SIZE = "1MB"
_AUTHORITY = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")


def read_image_policy(file: SettingsFile) -> ImagePolicy:
    """Return which images are run."""
    return ImagePolicy(file.texts(f"{TABLE}.allow"), file.texts(f"{TABLE}.deny"))


def read_image_options(file: SettingsFile) -> ImageOptions:
    """Return how images are pulled and kept.

    Raises:
        SettingsError: a value out of form.
    """
    return ImageOptions(
        reachable=Reachable(tuple(_network(file, written) for written in file.texts(f"{TABLE}.inside"))),
        insecure=tuple(_authority(file, written) for written in file.texts(f"{TABLE}.insecure")),
        compressed_bytes=file.parsed(f"{TABLE}.compressed", units.parse_size, "4GB", least=LEAST_SIZE),
        unpacked_bytes=file.parsed(f"{TABLE}.unpacked", units.parse_size, "10GB", least=LEAST_SIZE),
        pull_seconds=file.parsed(f"{TABLE}.pull_time", units.parse_duration, "15m", least="1s"),
        pulls=file.whole(f"{TABLE}.pulls", 4, MAX_PULLS),
        keep_seconds=file.parsed(f"{TABLE}.keep", units.parse_duration, "7d"),
        keep_bytes=file.parsed(f"{TABLE}.keep_room", units.parse_size, "20GB"),
    )


def _network(file: SettingsFile, written: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(written)
    except ValueError:
        raise file.error(f"{TABLE}.inside", f'{written!r} is not a network, such as "10.1.0.0/16"') from None


def _authority(file: SettingsFile, written: str) -> str:
    if not _AUTHORITY.fullmatch(written):
        raise file.error(f"{TABLE}.insecure", f'{written!r} is not a host, such as "registry.lan:5000"')
    return written
