"""`moorage doctor`: what keeps the program or a deployment from working, and what to do about it."""

from __future__ import annotations

import time
from pathlib import Path

import click
from click.core import ParameterSource

from cli.doctor import diagnose
from cli.environment import Environment
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option
from cli.output import emit
from moorage.doctor.finding import is_sound
from moorage.doctor.table import document, show


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@market_options()
@click.pass_context
def command(context: click.Context, environment: Environment, options: Options, file: Path) -> None:
    """Look at node, market, wallet, money, deployment file and deployments, and say what to do.

    Nothing is sent and no password is asked for. Exit code 1: something keeps the program from working.
    """
    is_named = context.get_parameter_source("file") is not ParameterSource.DEFAULT
    looked_at = file if is_named or file.exists() else None
    findings = environment.run(diagnose(environment, options, looked_at, time.time))
    if options.output is Format.TEXT:
        show(findings)
    else:
        emit(document(findings), options.output)
    context.exit(0 if is_sound(findings) else 1)
