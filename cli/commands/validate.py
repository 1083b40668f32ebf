"""`moorage validate`: everything that is wrong with a deployment file, or what it asks for."""

from __future__ import annotations

import socket
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli.annotations import annotation
from cli.environment import Environment
from cli.options import DEFAULT_FILE, FORMATS, Format, Options, include_options, market_options, path_option
from cli.output import emit, note_all, say, write
from moorage import regions
from moorage.deployment_file import (
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
CONNECT_SECONDS = 1


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
        whole = load_file(file, replace(rules, is_locking=is_locking), are_secrets_needed=False)
        document, lines = _summary(file, whole.spec)
        document["warnings"] = [_problem(warning) for warning in whole.warnings]
        if _is_market_in_reach(options):
            from cli.file_cost import cost  # takes longer than all the rest

            price, price_lines = environment.run(cost(options, whole.spec))
            document, lines = document | price, lines + price_lines
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
        return
    for warning in whole.warnings:
        if options.output is Format.GITHUB:
            write(annotation(warning))
        else:
            note_all(str(warning))
    for line in lines:
        (write if is_shown else say)(line)


def _emit_problems(output: Format, error: DeploymentFileError) -> None:
    if output in (Format.JSON, Format.YAML):
        emit({"valid": False, "problems": [_problem(problem) for problem in error.problems]}, output)
    if output is Format.GITHUB:
        for problem in error.problems:
            write(annotation(problem))


def _summary(file: Path, spec: DeploymentSpec) -> tuple[dict[str, Any], list[str]]:
    """Return what a file asks for, for programs and for people.

    Raises:
        DeploymentFileError: no chain could hold it.
    """
    compile(spec, seconds_per_block=TYPICAL_SECONDS_PER_BLOCK, salt=NO_SALT)
    services, datacenters = [each.name for each in spec.services], [each.name for each in spec.datacenters]
    lines = [f"{file} is valid", f"services: {', '.join(services)}"]
    for datacenter in spec.datacenters:
        placed = ", ".join(f"{placement.nodes} x {placement.service}" for placement in datacenter.placements)
        lines.append(f"datacenter {datacenter.name} in {regions.describe([datacenter.regions])}: {placed}")
    return {"valid": True, "services": services, "datacenters": datacenters}, lines


def _is_market_in_reach(options: Options) -> bool:
    """Return whether there may be a market: one is named, or somebody listens where a node is by default."""
    if options.is_rpc_given or options.market_file is not None:
        return True
    node = urlsplit(options.rpc_url)
    try:
        socket.create_connection((node.hostname, node.port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _problem(problem: Problem) -> dict[str, Any]:
    included = [_place(position) for position in problem.position.chain]
    return {**_place(problem.position), "message": problem.message, "included_at": included}


def _place(position: Position) -> dict[str, Any]:
    return {
        "file": position.source.name,
        "line": None if position.line is None else position.line + 1,
        "column": None if position.line is None else position.column + 1,
    }
