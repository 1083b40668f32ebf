"""Checks the places at which gateways and edge are to listen, where the engine is on this host."""

from __future__ import annotations

import errno

from moorage.doctor.finding import Finding, failure, ok
from moorage.doctor.host import bind_fault, is_answering
from provider_agent.core.gateway_container import GatewaySite


def check_publish_address(site: GatewaySite, file: str) -> list[Finding]:
    """Return a failure if gateways' ports can't be bound to the address, for this host has it not.

    Args:
        file: of the settings.
    """
    if bind_fault((site.publish_address, 0)) is None:
        return []
    what = f"{site.publish_address} is not an address of this host: no gateway could open a port"
    return [failure("publish_address", what, f"name one of this host's, or 0.0.0.0 for all of them, in {file}")]


async def check_edge(site: GatewaySite, file: str) -> list[Finding]:
    """Return for each address of the edge whether it is free, or answers: as the edge does, if it runs."""
    if site.edge is None:
        return []
    found = []
    for where, (host, port) in (("edge.http", site.edge.http), ("edge.https", site.edge.https)):
        fault = bind_fault((host, port))
        shown = f"{host}:{port}"
        if fault == errno.EADDRINUSE and await is_answering(host, port):
            found.append(ok(where, f"{shown} is taken and answers: by the edge, if the agent runs"))
        elif fault in (None, errno.EACCES):  # the engine may what this user may not
            found.append(ok(where, f"{shown} is not taken: the edge does not run now"))
        else:
            found.append(failure(where, f"{shown} can't be bound", f"name a free address of this host in {file}"))
    return found
