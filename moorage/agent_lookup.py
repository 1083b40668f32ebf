"""Finds a provider's agent in the registry, with the root certificates that count: whom to believe is decided here."""

from __future__ import annotations

from moorage.agent_client import Agent
from moorage.chain.contracts import Registry
from moorage.snapshot import Block
from moorage.types import ProviderNumber


async def read_agent(registry: Registry, provider: ProviderNumber, final: Block, newest: Block) -> Agent | None:
    """Return an agent as of a final block, None if its provider is not in that.

    A root that a reorganisation could take back does not count. One that is removed does not either, even if its
    removal is not final yet.

    Raises:
        NodeUnavailable: the node does not tell.
    """
    found = await registry.provider(final, provider)
    if found is None:
        return None
    remaining = await registry.roots(newest, provider)
    roots = tuple(root for root in await registry.roots(final, provider) if root in remaining)
    return Agent(provider, found.endpoint, roots)
