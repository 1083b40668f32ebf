"""The desk of a tenant whose node is a pool in this process."""

from __future__ import annotations

from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from cli.desk import Desk, desk_of
from cli.environment import Environment
from cli.options import Format, Options
from cli.session import Session
from cli.signers import KeySigner
from cli.tenant_reader import TenantReader
from moorage.chain.contracts import Exchange, Token
from moorage.chain.signer import market_calls
from moorage.types import Address
from tests.factories.calls import MARKET
from tests.factories.deployments import MONEY
from tests.fakes.pool import Pool

KEY: LocalAccount = Account.from_key(b"\x07" * 32)


def pool_desk(pool: Pool, folder: Path, *, is_agreed: bool = True) -> Desk:
    """Return a desk where nobody can be asked.

    Args:
        is_agreed: as with --yes.
    """
    environment = Environment(folder, folder, is_interactive=False, is_terminal=False)
    options = Options("", False, None, Format.TEXT, folder / "wallet.json", None, None, is_agreed)
    contracts = Exchange(pool.rpc, MARKET), Token(pool.rpc, MARKET), TenantReader(pool.rpc, MARKET)
    session = Session(pool.rpc, MARKET, folder / "market.json", MONEY, *contracts)
    signer = KeySigner(Address(KEY.address), lambda: KEY, market_calls(MARKET))
    return desk_of(environment, options, session, signer)
