"""Checks whether other datacenters can reach the tunnels of this one."""

from __future__ import annotations

from moorage.doctor.finding import Finding, ok, warning
from provider_agent.core.gateway_container import GatewaySite
from provider_agent.core.tunnels import is_reachable
from provider_agent.shell.public_host import PublicHost


async def check_tunnel_address(site: GatewaySite, file: str) -> list[Finding]:
    """Return whether there is an address to tell other datacenters; that they get through has to be tried from there.

    Args:
        file: of the settings.
    """
    name = site.host.strip("[]")
    host = PublicHost(name)
    await host.resolve()
    remedy = f"set publish_address, or public_host if ports are bound to every address, in {file}"
    if host.address is None:
        return [warning("tunnels", f"{name} has no address: deployments with other datacenters stay apart", remedy)]
    if not is_reachable(host.address):
        return [warning("tunnels", f"other datacenters cannot connect to {host.address}", remedy)]
    ports = f"{site.ports.first}-{site.ports.last}"
    return [ok("tunnels", f"those of other datacenters come in at {host.address}, TCP ports {ports}")]
