"""Checks of a provider's agent from outside: known by a certificate that is final on chain, and at home."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from moorage import pki, tls
from moorage.agent_client import Agent, origin
from moorage.agent_lookup import read_agent
from moorage.chain.contracts import Registry
from moorage.chain.index import read_block
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.doctor.finding import Finding, ok, warning
from moorage.types import Address, ProviderNumber

CONNECT_SECONDS = 5.0
STAYS_AWAY = "nothing now: an agent that stays away loses the lease and its collateral, and another provider gets it"


async def check_agent(rpc: Rpc, market: Market, provider: ProviderNumber) -> list[Finding]:
    """Look a provider's agent up, connect to it, and have it prove who it is.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    where = f"agent of provider {provider}"
    final, newest = await read_block(rpc, "finalized"), await read_block(rpc)
    agent = await read_agent(Registry(rpc, market), provider, final, newest)
    if agent is None or not agent.roots_der:
        what = f"it has no certificate that is final on chain (final is block {final.number})"
        return [warning(where, what, "wait until a newer block is final, manifests are delivered then")]
    fault = await connection_fault(agent, market.exchange)
    if fault is not None:
        return [warning(where, f"{agent.endpoint}: {fault}", STAYS_AWAY)]
    return [ok(where, f"{agent.endpoint} answers, with a certificate of the root that is final on chain")]


async def connection_fault(agent: Agent, exchange: Address) -> str | None:
    """Return why no connection can be made to an agent that is who it should be; None: it can."""
    try:
        url = origin(agent.endpoint)
        context = tls.ssl_client_context(*agent.roots_der)
        async with asyncio.timeout(CONNECT_SECONDS):
            name = pki.provider_name(agent.provider, exchange)
            _, writer = await asyncio.open_connection(url.host, url.port, ssl=context, server_hostname=name)
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await writer.wait_closed()
        return None
    except TimeoutError:
        return f"no answer in {CONNECT_SECONDS:.0f} s"
    except (OSError, ValueError, pki.PkiError) as error:
        return str(error) or type(error).__name__
