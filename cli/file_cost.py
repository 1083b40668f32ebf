"""What a deployment file would cost on the market in reach. Slow to import: node, contracts and all that they need."""

from __future__ import annotations

from typing import Any

from cli.core.costs import describe_most, most_document
from cli.options import Options
from cli.session import open_session
from moorage import terms
from moorage.chain.rpc import ChainError
from moorage.deployment_file import DeploymentSpec, compile

NO_SALT = bytes(32)


async def cost(options: Options, spec: DeploymentSpec) -> tuple[dict[str, Any], list[str]]:
    """Return the most that a deployment can cost per hour, for programs and for people; why not if no market answers.

    Raises:
        DeploymentFileError: it is beyond what the market can hold.
    """
    try:
        async with open_session(options) as session:
            market = session.market
            decimals = market.parameters.token_decimals
            compiled = compile(spec, seconds_per_block=market.seconds_per_block, salt=NO_SALT, token_decimals=decimals)
            charge = sum(terms.max_charge(group, market.parameters) for group in compiled.groups)
            interest = sum(terms.interest(terms.collateral(group), market.parameters) for group in compiled.groups)
            return most_document(charge, interest, session.money), [describe_most(charge, interest, session.money)]
    except ChainError as error:
        is_expected = options.is_rpc_given or options.market_file is not None
        return {}, [f"cost: no market in reach ({error})"] if is_expected else []
