"""Which addresses strangers may make a host connect to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from moorage.reachable import PUBLIC, Reachable


@pytest.mark.parametrize("address", ["1.1.1.1", "168.63.129.17", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_i11_objection__public_address__none(address: str) -> None:
    assert PUBLIC.objection(ip_address(address)) is None


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "203.0.113.1"),
        *("::", "::1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "::ffff:168.63.129.16"),
    ],
)
def test_i11_objection__anything_else__is_told(address: str) -> None:
    assert PUBLIC.objection(ip_address(address)) == f"{ip_address(address)} is not a public address"


def test_objection__network_that_the_provider_names__is_open() -> None:
    inside = Reachable((ip_network("10.1.0.0/16"),))

    assert inside.objection(ip_address("::ffff:10.1.2.3")) is None
    assert inside.objection(ip_address("10.2.0.1")) is not None
