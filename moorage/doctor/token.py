"""Checks of a settlement token: whether deposits need one transaction, and whether an allowance was left behind."""

from __future__ import annotations

from moorage.chain.contracts import Token
from moorage.chain.market import Market
from moorage.chain.permit import permit_message
from moorage.chain.rpc import Rpc
from moorage.doctor.finding import Finding, ok, warning
from moorage.types import Address


async def check_token(rpc: Rpc, market: Market, owner: Address) -> list[Finding]:
    """See whether the token takes permits, and whether the exchange may take tokens that nobody wants it to take.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    where = f"token {market.token_symbol}"
    if await permit_message(rpc, market, owner, 0, 0) is not None:
        findings = [ok(where, "takes permits (EIP-2612): a deposit is one transaction")]
    else:
        findings = [ok(where, "takes no permits (EIP-2612) that are known here: a deposit is two transactions")]
    allowed = await Token(rpc, market).allowance(None, owner, market.exchange)
    if allowed:
        what = f"the exchange may take {allowed} base units of {owner}: an allowance was left behind"
        findings.append(warning(where, what, "`moorage allowance revoke all` ends it"))
    return findings
