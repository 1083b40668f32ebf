"""Which market's file is used. A working directory may be somebody else's: what lies in it is asked about first."""

from __future__ import annotations

from pathlib import Path

from yarl import URL

from cli.contexts import Contexts
from cli.failures import ExitStatus, Failure
from cli.options import Options
from moorage.chain.market import Market, load_market

DEVELOPMENT_CHAINS = frozenset({31337, 1337})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def choose_market(options: Options, chain_id: int) -> tuple[Path, Market]:
    """Return the market that is asked for.

    Without one that is named it is the file of the working directory. On a development chain of this machine, whose
    tokens are worth nothing and whose signatures count nowhere else, it is used; elsewhere only if it was agreed to.

    Raises:
        MarketError: there is no such file, or it is not one.
        Failure: it is the directory's, and nobody has agreed to it.
    """
    if options.market_file is not None:
        return options.market_file, load_market(options.market_file)
    file = Path(f"deployments/{chain_id}.json")
    market = load_market(file)
    if not _is_development(options.rpc_url, market.chain_id):
        _check_agreed(options, file, market)
    return file, market


def _check_agreed(options: Options, file: Path, market: Market) -> None:
    environment = options.environment
    where = f"exchange {market.exchange} on chain {market.chain_id}"
    named = f"give --market {file} (MOORAGE_MARKET) if it is right, or make it part of a `moorage context add`"
    unasked = Failure(ExitStatus.USAGE, f"{file} of this directory names {where}, to which nobody has agreed: {named}")
    if environment is None:
        raise unasked
    contexts = Contexts(environment.config_directory)
    if contexts.is_agreed(market):
        return
    if options.is_agreed or not environment.is_interactive:
        raise unasked
    question = f"{file} of this directory names {where}, token {market.token}. Use this market from now on?"
    environment.confirm(question, is_agreed=False)
    contexts.agree(market)


def _is_development(rpc_url: str, chain_id: int) -> bool:
    try:
        return chain_id in DEVELOPMENT_CHAINS and URL(rpc_url).host in LOOPBACK
    except ValueError:
        return False
