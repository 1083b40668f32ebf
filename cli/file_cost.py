"""What a deployment file would cost on the market in reach. Slow to import: node, contracts and all that they need."""

from __future__ import annotations

from typing import Any

from cli.core.costs import describe_most, most_document
from cli.options import Options
from cli.session import open_session
from cli.submission import NO_SALT, compiled_for
from moorage import terms
from moorage.chain.rpc import ChainError
from moorage.deployment_file import DeploymentSpec


async def cost(options: Options, spec: DeploymentSpec) -> tuple[dict[str, Any], list[str]]:
    """Return the most that a deployment can cost per hour, for programs and for people; why not if no market answers.

    Raises:
        DeploymentFileError: the exchange would refuse it.
    """
    try:
        async with open_session(options) as session:
            parameters, groups = session.market.parameters, compiled_for(session, spec, NO_SALT).groups
            charge = sum(terms.max_charge(group, parameters) for group in groups)
            interest = sum(terms.interest(terms.collateral(group), parameters) for group in groups)
            return most_document(charge, interest, session.money), [describe_most(charge, interest, session.money)]
    except ChainError as error:
        is_expected = options.is_rpc_given or options.market_file is not None
        return {}, [f"cost: no market in reach ({error})"] if is_expected else []
