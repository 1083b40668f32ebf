"""`moorage validate`: everything that is wrong with a deployment file, or what it asks for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from cli.annotations import annotation
from cli.environment import Environment
from cli.options import DEFAULT_FILE, FORMATS, Format, Options, include_options, market_options, path_option
from cli.output import emit, say
from cli.session import open_session
from moorage import regions, terms
from moorage.chain.rpc import ChainError
from moorage.deployment_file import (
    CompiledDeployment,
    DeploymentFileError,
    DeploymentSpec,
    IncludeRules,
    Position,
    Problem,
    compile,
    dump,
    load_file,
    write_lock,
)

TYPICAL_SECONDS_PER_BLOCK = Fraction(12)
"""For what has to be checked without a market."""
NO_SALT = bytes(32)


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@click.option("--lock", "is_locking", is_flag=True, help="Write the digests of all included files to the lock.")
@click.option("--show", "is_shown", is_flag=True, help="Show the file with everything that it includes.")
@market_options(has_wallet=False, formats=(*FORMATS, Format.GITHUB))
def command(
    environment: Environment, options: Options, file: Path, rules: IncludeRules, is_locking: bool, is_shown: bool
) -> None:
    """Check a deployment file. With a market in reach, also say what it costs."""
    if is_locking and rules.is_frozen:
        raise click.UsageError("--lock writes what --frozen only reads: give one of them")
    try:
        whole = load_file(file, replace(rules, is_locking=is_locking))
        document, lines = environment.run(_validate(options, file, whole.spec))
    except DeploymentFileError as error:
        _emit_problems(options.output, error)
        raise
    if is_shown:
        document["text"] = dump(whole.root, file.resolve().parent)
        lines = document["text"].splitlines()
    if is_locking:
        document["lock"] = str(write_lock(file, whole.digests))
        lines += [] if is_shown else [f"included files in {document['lock']}: {len(whole.digests)}"]
    if options.output in (Format.JSON, Format.YAML):
        emit(document, options.output)
    else:
        for line in lines:
            say(line)


def _emit_problems(output: Format, error: DeploymentFileError) -> None:
    if output in (Format.JSON, Format.YAML):
        emit({"valid": False, "problems": [_problem(problem) for problem in error.problems]}, output)
    if output is Format.GITHUB:
        for problem in error.problems:
            say(annotation(problem))


async def _validate(options: Options, file: Path, spec: DeploymentSpec) -> tuple[dict[str, Any], list[str]]:
    document = {
        "valid": True,
        "services": [service.name for service in spec.services],
        "datacenters": [datacenter.name for datacenter in spec.datacenters],
    }
    lines = [f"{file} is valid", *_summary(spec)]
    try:
        async with open_session(options) as session:
            market = session.market
            decimals = market.parameters.token_decimals
            compiled = compile(spec, seconds_per_block=market.seconds_per_block, salt=NO_SALT, token_decimals=decimals)
            charge = sum(terms.max_charge(group, market.parameters) for group in compiled.groups)
            document |= {"token": session.money.symbol, "max_price_per_hour": session.money.hourly_number(charge)}
            lines.append(f"at most {session.money.per_hour(charge)}, interest on collateral included")
    except ChainError as error:
        _compiled_anyhow(spec)
        if options.is_rpc_given or options.market_file is not None:
            lines.append(f"cost: no market in reach ({error})")
    return document, lines


def _compiled_anyhow(spec: DeploymentSpec) -> CompiledDeployment:
    return compile(spec, seconds_per_block=TYPICAL_SECONDS_PER_BLOCK, salt=NO_SALT)


def _summary(spec: DeploymentSpec) -> list[str]:
    lines = [f"services: {', '.join(service.name for service in spec.services)}"]
    for datacenter in spec.datacenters:
        placed = ", ".join(f"{placement.nodes} x {placement.service}" for placement in datacenter.placements)
        lines.append(f"datacenter {datacenter.name} in {regions.describe([datacenter.regions])}: {placed}")
    return lines


def _problem(problem: Problem) -> dict[str, Any]:
    included = [_place(position) for position in problem.position.chain]
    return {**_place(problem.position), "message": problem.message, "included_at": included}


def _place(position: Position) -> dict[str, Any]:
    return {
        "file": position.source.name,
        "line": None if position.line is None else position.line + 1,
        "column": None if position.line is None else position.column + 1,
    }
