"""Finds the numeric address that other datacenters are told: they resolve no names for strangers."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import structlog

log = structlog.get_logger(__name__)


class PublicHost:
    """A host's name or address, with what it was last resolved to."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.address: str | None = None
        """None until a name is resolved for the first time."""
        try:
            self.address = str(ip_address(host))
            self._is_name = False
        except ValueError:
            self._is_name = True

    async def resolve(self) -> None:
        """Look a name up again; one that is not found keeps its address."""
        if not self._is_name:
            return
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._host, None, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
        except OSError as error:
            log.warning("public host not resolved", host=self._host, reason=str(error))
            return
        address = str(found[0][4][0])
        if address != self.address:
            log.info("public host resolved", host=self._host, address=address)
        self.address = address
