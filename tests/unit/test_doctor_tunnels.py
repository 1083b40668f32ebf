"""What an operator is told about the address at which tunnels come in."""

from __future__ import annotations

import pytest

from moorage.doctor.finding import Level
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.core.ports import PortRange
from provider_agent.core.tunnels import is_reachable
from provider_agent.doctor_tunnels import check_tunnel_address
from provider_agent.shell.public_host import PublicHost


@pytest.mark.parametrize("host", ["203.0.113.9", "10.0.0.1", "100.64.0.1", "2001:db8::1", "fd00::1"])
def test_is_reachable__address_of_some_host__counts(host: str) -> None:
    assert is_reachable(host)


SPECIAL = ("127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1")
SPECIAL_6 = ("::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1")
NO_ADDRESSES = ("example.org", "1.2.3", "", "1.2.3.4 x", "1.2.3.4\n")


@pytest.mark.parametrize("host", [*SPECIAL, *SPECIAL_6, *NO_ADDRESSES])
def test_h24_is_reachable__special_addresses_and_names__do_not_count(host: str) -> None:
    assert not is_reachable(host)


async def test_check__address_for_others__is_told_with_its_ports() -> None:
    site = GatewaySite("/g", publish_address="203.0.113.9", ports=PortRange(31_000, 31_009))

    (finding,) = await check_tunnel_address(site, "provider.toml")

    assert finding.level is Level.OK
    assert "203.0.113.9, TCP ports 31000-31009" in finding.what


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid"])
async def test_check__nowhere_for_others__is_a_warning(host: str) -> None:
    (finding,) = await check_tunnel_address(GatewaySite("/g", publish_address="0.0.0.0", public_host=host), "p.toml")

    assert finding.level is Level.WARNING
    assert host in finding.what and "p.toml" in (finding.remedy or "")


async def test_public_host__name_is_not_found_any_more__keeps_its_address() -> None:
    host = PublicHost("localhost")
    await host.resolve()
    assert host.address == "127.0.0.1"

    host._host = "nobody.invalid"
    await host.resolve()

    assert host.address == "127.0.0.1"
