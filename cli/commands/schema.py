"""`moorage schema`: the JSON Schema of deployment files, for editors and other programs."""

from __future__ import annotations

import click

from moorage.deployment_file import schema_text


@click.command()
def command() -> None:
    """Print the JSON Schema (2020-12) of the deployment file."""
    click.echo(schema_text(), nl=False)
