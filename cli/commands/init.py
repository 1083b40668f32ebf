"""`moorage init`: write a deployment file to begin with, and what belongs to it."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from cli.core.templates import DEFAULT, DEPLOYMENT_FILE, SECRETS, TEMPLATES, described
from cli.core.webhook_signature import new_secret
from cli.environment import Environment
from cli.failures import DISK_ADVICE, ExitStatus, Failure
from cli.options import Format, Options, output_options
from cli.output import emit, say
from moorage.deployment_file.placeholders import MARK
from moorage.deployment_file.problems import quoted, suggestion
from moorage.private_file import create_whole
from moorage.told import printable

SHIPPED = "templates"
"""A directory of this package; in the project's own folder it leads to the examples."""
SECRET_BYTES = 32
KEPT_OUT_OF_GIT = "*\n"
"""What a .gitignore says that keeps a directory's files, itself included, where they are."""


@click.command()
@click.option("--template", "name", metavar="NAME", default=DEFAULT, show_default=True, help="What to begin with.")
@click.option("--list", "is_list", is_flag=True, help="Tell all templates, and write nothing.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path())
@output_options
def command(environment: Environment, options: Options, name: str, is_list: bool, directory: Path) -> None:
    """Write a deployment file to begin with, and what belongs to it, into DIRECTORY (this one if there is none).

    Nothing that is there is overwritten.
    """
    if is_list:
        _list(options)
        return
    contents = contents_of(name)
    write_new(directory, contents)
    if options.output is not Format.TEXT:
        emit({"directory": str(directory), "template": name, "files": list(contents)}, options.output)
        return
    for path in contents:
        say(f"wrote {printable(str(directory / path))}")
    file = printable(shlex.quote(str(directory / DEPLOYMENT_FILE)))
    say(f"change what is marked with {MARK!r}, then: moorage validate -f {file}")


def _list(options: Options) -> None:
    if options.output is not Format.TEXT:
        emit([{"name": name, "about": template.about} for name, template in TEMPLATES.items()], options.output)
        return
    for line in described():
        say(line)


def contents_of(name: str) -> dict[str, bytes]:
    """Return the files of a template by their paths, with new secrets.

    Raises:
        Failure: there is no such template.
    """
    if name not in TEMPLATES:
        text = f"no template {quoted(name)}{suggestion(name, TEMPLATES)}; `moorage init --list` says what each is"
        raise Failure(ExitStatus.USAGE, text.replace("?;", "?"))
    template = TEMPLATES[name]
    shipped: Traversable = files("cli") / SHIPPED / name
    contents = {path: (shipped / path).read_bytes() for path in (DEPLOYMENT_FILE, *template.files)}
    made = {name: secrets.token_hex(SECRET_BYTES) for name in template.secrets}
    made |= {name: new_secret(secrets.token_bytes(SECRET_BYTES)) for name in template.webhook_secrets}
    if made:
        made = {".gitignore": KEPT_OUT_OF_GIT, **made}
    return contents | {f"{SECRETS}/{name}": content.encode() for name, content in made.items()}


def write_new(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that are not there yet; secrets are readable by their owner only.

    Raises:
        Failure: one of them is there, or can't be written; nothing is written then.
    """
    for path in contents:
        if os.path.lexists(directory / path):
            text = f"{printable(str(directory / path))} is there already: nothing was written, name another DIRECTORY"
            raise Failure(ExitStatus.ERROR, text)
    written: list[Path] = []
    for path, content in contents.items():
        try:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            # what somebody else makes meanwhile is not overwritten either
            create_whole(directory / path, content, 0o600 if path.startswith(f"{SECRETS}/") else 0o666)
        except OSError as error:
            for each in written:
                each.unlink(missing_ok=True)
            remedy = DISK_ADVICE.get(error.errno or 0, "name a DIRECTORY that you may write to")
            text = f"{printable(str(directory / path))} can't be written: {error.strerror}; {remedy}"
            raise Failure(ExitStatus.ERROR, text) from error
        written.append(directory / path)
