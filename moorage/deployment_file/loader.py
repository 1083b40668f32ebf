"""Loads a deployment file: reads, merges, validates and checks it, and reports everything that is wrong at once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from moorage import units
from moorage.deployment_file import includes, schema
from moorage.deployment_file.datacenters import read_datacenters
from moorage.deployment_file.document import Document
from moorage.deployment_file.include_rules import IncludeRules
from moorage.deployment_file.notifications import read_notifications
from moorage.deployment_file.placeholders import marks, warn_of_placeholders
from moorage.deployment_file.problems import DeploymentFileError, Problem, in_order
from moorage.deployment_file.reader import Reader
from moorage.deployment_file.services import read_services
from moorage.deployment_file.spec import DeploymentSpec
from moorage.deployment_file.yaml_tree import Mapping

DEFAULT_WAIT_SECONDS = 60
WAIT_DURATION = ("deployment", "wait-duration")
DEFAULT_RULES = IncludeRules()


class Whole(NamedTuple):
    """A valid deployment file with everything that it includes."""

    spec: DeploymentSpec
    root: Mapping
    """All files as one."""
    digests: dict[str, str]
    """What a lock of the included files has."""
    warnings: tuple[Problem, ...]
    """What is worth a look although the file is valid."""


def load(path: Path, rules: IncludeRules = DEFAULT_RULES) -> DeploymentSpec:
    """Return what a deployment file says.

    Raises:
        DeploymentFileError: with everything that is wrong. What is not YAML ends the reading of a file at once.
    """
    return load_file(path, rules).spec


def load_file(path: Path, rules: IncludeRules = DEFAULT_RULES, *, are_secrets_needed: bool = True) -> Whole:
    """Return what a deployment file says, and what it is made of.

    Args:
        are_secrets_needed: whether secrets that are not on this machine are an error; else there is a warning of each.

    Raises:
        DeploymentFileError: as `load`.
    """
    return load_whole(includes.read(path), path, rules, are_secrets_needed=are_secrets_needed)


def load_text(text: str, path: Path, rules: IncludeRules = DEFAULT_RULES) -> DeploymentSpec:
    """Return what the text of a deployment file says; `path` names it in errors, and includes are relative to it.

    Raises:
        DeploymentFileError: as `load`.
    """
    return load_whole(text, path, rules).spec


def load_whole(text: str, path: Path, rules: IncludeRules = DEFAULT_RULES, *, are_secrets_needed: bool = True) -> Whole:
    """Return what the text of a deployment file says, and what it is made of; as `load_file`.

    Raises:
        DeploymentFileError: as `load`.
    """
    root, problems, digests, sources, is_whole = includes.merge(path, text, rules)
    document = Document(root)
    reader = Reader(document, path, problems, are_secrets_needed=are_secrets_needed)
    for problem in schema.check(document, is_whole=is_whole):
        reader.add(problem)
    services = read_services(reader)
    datacenters = read_datacenters(reader, services)
    notifications = read_notifications(reader)
    wait_duration_blocks, wait_duration_seconds = _wait_duration(reader)
    if reader.problems:
        raise DeploymentFileError(reader.problems)
    position = document.key_position(("deployment",))
    spec = DeploymentSpec(services, datacenters, notifications, wait_duration_blocks, wait_duration_seconds, position)
    warn_of_placeholders(reader)
    return Whole(spec, root, digests, in_order([*reader.warnings, *marks(sources)]))


def _wait_duration(reader: Reader) -> tuple[int | None, int]:
    """Return the blocks if the file gives blocks, else None and the seconds."""
    written = reader.get(*WAIT_DURATION)
    if isinstance(written, int):
        return written, 0
    return None, reader.number(WAIT_DURATION, units.parse_duration, DEFAULT_WAIT_SECONDS)
