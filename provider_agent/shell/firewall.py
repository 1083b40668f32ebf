"""Keeps a provider's rules in the host's firewall, through a container of the gateway's image that has nft(8)."""

from __future__ import annotations

import structlog

from provider_agent.core.containers import Labels
from provider_agent.core.firewall import EgressPolicy, remove, render, table_name
from provider_agent.shell.engine import EngineError, EngineRefused
from provider_agent.shell.errand import Errand, run_errand

NFT = "/usr/sbin/nft"
NO_SUCH_TABLE = "No such file or directory"
NOT_YET = "they were not applied yet"
EVERY_SECONDS = 120
"""How often it is seen that the rules are still there."""

log = structlog.get_logger(__name__)


class Firewall:
    """The rules of one provider, in the network namespace of its engine."""

    def __init__(self, url: str, owner: Labels, image: str, policy: EgressPolicy) -> None:
        """
        Args:
            url: the engine's.
            image: has nft.
        """
        self._url = url
        self._owner = owner
        self._image = image
        self._policy = policy
        self._applied: str | None = None
        self.fault: str | None = NOT_YET
        """Why the rules are not known to be in place."""
        self.is_gone = False
        """Whether they are known not to be, and could not be put back."""

    async def keep(self) -> None:
        """See that the rules are there as they were applied, and apply them if they are not."""
        is_right: bool | None = None
        try:
            is_right = self._applied is not None and await self._listed() == self._applied
            if not is_right:
                await self._apply()
        except EngineError as error:
            self.is_gone = is_right is False and self._applied is not None
            if str(error) != self.fault:
                log.warning("firewall not in place", reason=str(error))
            self.fault = str(error)
            return
        self.fault = None
        self.is_gone = False

    async def remove(self) -> None:
        """Take the rules away; those of others stay.

        Raises:
            EngineError
        """
        await self._nft(remove(self._owner))

    async def is_there(self) -> bool:
        """Return whether there are rules, of whatever content.

        Raises:
            EngineError: it could not be found out.
        """
        return await self._listed() is not None

    async def _apply(self) -> None:
        await self._nft(render(self._policy, self._owner))
        had_been, self._applied = self._applied is not None, await self._listed()
        log.info("firewall applied", table=table_name(self._owner), again=had_been)

    async def _listed(self) -> str | None:
        """Return the rules in nft's own words, None if there are none."""
        try:
            return await self._nft("-s", f"list table inet {table_name(self._owner)}")
        except EngineRefused as error:
            if NO_SUCH_TABLE in str(error):
                return None
            raise

    async def _nft(self, *arguments: str) -> str:
        name = f"mh-{table_name(self._owner)}"
        return await run_errand(self._url, Errand(name, "firewall", self._image, (NFT, *arguments), ("NET_ADMIN",)))
