"""The settings of the leases' gateways: where and how they are reached, and what they are made of."""

from __future__ import annotations

import os
import re
from pathlib import Path

from moorage.manifest import IMAGE_PATTERN
from moorage.settings_file import LOOPBACK, SettingsFile
from provider_agent.core.gateway_container import DEFAULT_IMAGE, EdgeSite, GatewaySite
from provider_agent.core.ports import PortRange

TABLE = "gateway"
KNOWN = ("image", "ports")
EDGE_TABLE = "edge"
EDGE_KNOWN = ("domain", "http", "https")
MAX_IMAGE = 512
DEFAULT_PORTS = "30000-32767"
UNPRIVILEGED = (65_534, 65_534)
"""User and group of the gateways of an agent that runs as root."""

_IMAGE = re.compile(rf"{IMAGE_PATTERN}|^sha256:[0-9a-f]{{64}}\Z")
"""A name, or the id that the engine gave it."""
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
_DOMAIN = re.compile(r"(?=.{1,150}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""Short enough that a service's and a lease's name before it still make a name."""


def gateway_owner() -> tuple[int, int] | None:
    """Return whom the files of gateways have to be given to; None: they are the agent's, as the gateways are."""
    return UNPRIVILEGED if os.getuid() == 0 else None


def read_gateways(file: SettingsFile, data_dir: Path) -> GatewaySite:
    """Return what the gateways are to be.

    Raises:
        SettingsError: values out of form.
    """
    uid, gid = gateway_owner() or (os.getuid(), os.getgid())
    return GatewaySite(
        directory=str((data_dir / "gateways").absolute()),
        image=_image(file),
        user=f"{uid}:{gid}",
        publish_address=file.address("publish_address", file.text("publish_address", LOOPBACK)),
        ports=_ports(file),
        public_host=file.text("public_host", LOOPBACK),
        edge=_edge(file),
    )


def _image(file: SettingsFile) -> str:
    key = f"{TABLE}.image"
    image = file.text(key, DEFAULT_IMAGE)
    if len(image) > MAX_IMAGE or not _IMAGE.search(image):
        raise file.error(key, f"{image[:60]!r} is not the name of an image, such as {DEFAULT_IMAGE}")
    return image


def _ports(file: SettingsFile) -> PortRange:
    key = f"{TABLE}.ports"
    found = _PORTS.fullmatch(file.text(key, DEFAULT_PORTS))
    if found is None:
        raise file.error(key, f'has to be of the form first-last, such as "{DEFAULT_PORTS}"')
    first, last = int(found[1]), int(found[2])
    if not 1_024 <= first <= last < 2**16:
        raise file.error(key, "has to be within 1024-65535, the smaller one first")
    return PortRange(first, last)


def _edge(file: SettingsFile) -> EdgeSite | None:
    if not file.has(EDGE_TABLE):
        return None
    domain = file.text(f"{EDGE_TABLE}.domain")
    if _DOMAIN.fullmatch(domain) is None:
        raise file.error(f"{EDGE_TABLE}.domain", f"{domain!r} is not a domain of at most 150 characters")
    http = file.listening(f"{EDGE_TABLE}.http", "0.0.0.0:80")
    https = file.listening(f"{EDGE_TABLE}.https", "0.0.0.0:443")
    return EdgeSite(domain, http, https)
