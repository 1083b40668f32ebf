"""What an operator sets for isolation: what is read, and what is refused in which words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from moorage.settings_file import SettingsError, SettingsFile
from provider_agent.core.firewall import EgressPolicy
from provider_agent.isolation_settings import KNOWN, Isolation, read_isolation


def read(folder: Path, text: str) -> Isolation:
    path = folder / "provider.toml"
    path.write_text(text)
    return read_isolation(SettingsFile.read(path, KNOWN, "docs"))


def test_i07_read_isolation__nothing_is_set__lets_no_workload_out(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Isolation(None, EgressPolicy(is_allowed=False), True, 2 * 10**9)


def test_read_isolation__everything_is_set__is_read(tmp_path: Path) -> None:
    text = """
runtime = "runsc"
[egress]
internet = "allowed"
name_servers = ["9.9.9.9"]
allow = ["10.1.0.0/16"]
deny = ["198.51.100.0/24"]
deny_ports = [25, 3333]
peers = ["10.77.0.0/24"]
[disk]
floor = "5GB"
"""
    policy = EgressPolicy(
        is_allowed=True,
        name_servers=(IPv4Address("9.9.9.9"),),
        allow=(IPv4Network("10.1.0.0/16"),),
        deny=(IPv4Network("198.51.100.0/24"),),
        deny_ports=(25, 3333),
        peers=(IPv4Network("10.77.0.0/24"),),
    )

    assert read(tmp_path, text) == Isolation("runsc", policy, True, 5 * 10**9)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('internet = "on"', "egress.internet: 'on' is neither of off, allowed"),
        ('deny_ports = [26]\ninternet = "off"', 'egress.deny_ports: says nothing without internet = "allowed"'),
        ('name_servers = ["9.9.9.9"]', 'egress.name_servers: says nothing without internet = "allowed"'),
        (
            'internet = "allowed"\nname_servers = ["127.0.0.53"]',
            "egress.name_servers: '127.0.0.53' is an address of this host itself, which workloads do not reach",
        ),
        ('internet = "allowed"\nname_servers = ["0.0.0.0"]', "egress.name_servers: '0.0.0.0' is an address of this"),
        (
            'internet = "allowed"\ndeny_ports = [0]',
            "egress.deny_ports: has to be a list of ports, each from 1 to 65535",
        ),
        ('internet = "allowed"\ndeny_ports = ["25"]', "egress.deny_ports: has to be a list of whole numbers"),
        ('internet = "allowed"\ndeny_ports = [true]', "egress.deny_ports: has to be a list of whole numbers"),
        ('internet = "allowed"\nallow = ["10.1.0.1/16"]', "egress.allow: '10.1.0.1/16' is no range of IPv4 addresses"),
        ('internet = "allowed"\ndeny = ["drop; accept"]', "egress.deny: 'drop; accept' is no range of IPv4 addresses"),
        ('internet = "allowed"\nname_servers = ["::1"]', "egress.name_servers: '::1' is no IPv4 address"),
        ('firewall = "no"', "egress.firewall: 'no' is neither of on, off"),
        ('firewall = "off"\ninternet = "allowed"', "egress.firewall: has to be on where workloads are let out"),
        ('peers = ["fe80::/10"]', "egress.peers: 'fe80::/10' is no range of IPv4 addresses"),
    ],
)
def test_read_isolation__out_of_form__is_refused_in_words(tmp_path: Path, lines: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"[egress]\n{lines}\n")

    assert reason in str(caught.value)
