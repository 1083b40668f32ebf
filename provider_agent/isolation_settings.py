"""What an operator sets for the isolation of workloads: runtime, where they may go, what stays free of the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from moorage import units
from moorage.settings_file import SettingsFile
from provider_agent.core.firewall import MAIL, EgressPolicy

EGRESS, DISK = "egress", "disk"
KNOWN = {
    "runtime": (),
    EGRESS: ("internet", "firewall", "name_servers", "allow", "deny", "deny_ports", "peers"),
    DISK: ("floor",),
}
"""The keys and tables, as in provider_agent.settings."""
MODES = ("off", "allowed")
DEFAULT_FLOOR = "2GB"
LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Isolation:
    runtime: str | None = None
    """Of tenants' containers, as the engine knows it; None: its own."""
    egress: EgressPolicy = field(default_factory=EgressPolicy)
    has_firewall: bool = True
    """Whether the agent keeps rules of its own on the engine's host."""
    disk_floor_bytes: int = 2 * 10**9
    """What is to stay free of the disk that the engine is on."""


def read_isolation(file: SettingsFile) -> Isolation:
    """Read what is set.

    Raises:
        SettingsError: a value is out of form, or says nothing as it is.
    """
    return Isolation(
        runtime=file.text("runtime") if file.has("runtime") else None,
        egress=_egress(file),
        has_firewall=_has_firewall(file),
        disk_floor_bytes=file.parsed(f"{DISK}.floor", units.parse_size, DEFAULT_FLOOR),
    )


def _has_firewall(file: SettingsFile) -> bool:
    written = file.text(f"{EGRESS}.firewall", "on")
    if written not in ("on", "off"):
        raise file.error(f"{EGRESS}.firewall", f"{written!r} is neither of on, off")
    if written == "off" and file.text(f"{EGRESS}.internet", MODES[0]) != MODES[0]:
        raise file.error(f"{EGRESS}.firewall", "has to be on where workloads are let out: nothing else keeps them in")
    return written == "on"


def _egress(file: SettingsFile) -> EgressPolicy:
    mode = file.text(f"{EGRESS}.internet", MODES[0])
    if mode not in MODES:
        raise file.error(f"{EGRESS}.internet", f"{mode!r} is neither of {', '.join(MODES)}")
    is_allowed = mode == MODES[1]
    for name in ("name_servers", "allow", "deny", "deny_ports"):
        if not is_allowed and file.has(f"{EGRESS}.{name}"):
            raise file.error(f"{EGRESS}.{name}", f'says nothing without internet = "{MODES[1]}"')
    return EgressPolicy(
        is_allowed=is_allowed,
        name_servers=tuple(_name_server(file, each) for each in _texts(file, "name_servers")),
        allow=_ranges(file, "allow"),
        deny=_ranges(file, "deny"),
        deny_ports=_ports(file),
        peers=_ranges(file, "peers"),
    )


def _texts(file: SettingsFile, name: str) -> tuple[str, ...]:
    return file.texts(f"{EGRESS}.{name}")


def _ranges(file: SettingsFile, name: str) -> tuple[IPv4Network, ...]:
    key = f"{EGRESS}.{name}"
    found = []
    for written in _texts(file, name):
        try:
            found.append(IPv4Network(written))
        except ValueError:
            raise file.error(key, f"{written!r} is no range of IPv4 addresses, such as 10.1.0.0/16") from None
    return tuple(found)


def _name_server(file: SettingsFile, written: str) -> IPv4Address:
    key = f"{EGRESS}.name_servers"
    try:
        address = IPv4Address(written)
    except ValueError:
        raise file.error(key, f"{written!r} is no IPv4 address, such as 9.9.9.9") from None
    if address.is_loopback or address.is_unspecified:
        raise file.error(key, f"{written!r} is an address of this host itself, which workloads do not reach")
    return address


def _ports(file: SettingsFile) -> tuple[int, ...]:
    key = f"{EGRESS}.deny_ports"
    ports = file.numbers(key, (MAIL,))
    if not all(0 < port <= LAST_PORT for port in ports):
        raise file.error(key, f"has to be a list of ports, each from 1 to {LAST_PORT}")
    return ports
