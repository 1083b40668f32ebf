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
from moorage.deployment_file.problems import DeploymentFileError
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


def load(path: Path, rules: IncludeRules = DEFAULT_RULES) -> DeploymentSpec:
    """Return what a deployment file says.

    Raises:
        DeploymentFileError: with everything that is wrong. What is not YAML ends the reading of a file at once.
    """
    return load_file(path, rules).spec


def load_file(path: Path, rules: IncludeRules = DEFAULT_RULES) -> Whole:
    """Return what a deployment file says, and what it is made of.

    Raises:
        DeploymentFileError: as `load`.
    """
    return load_whole(includes.read(path), path, rules)


def load_text(text: str, path: Path, rules: IncludeRules = DEFAULT_RULES) -> DeploymentSpec:
    """Return what the text of a deployment file says; `path` names it in errors, and includes are relative to it.

    Raises:
        DeploymentFileError: as `load`.
    """
    return load_whole(text, path, rules).spec


def load_whole(text: str, path: Path, rules: IncludeRules = DEFAULT_RULES) -> Whole:
    """Return what the text of a deployment file says, and what it is made of.

    Raises:
        DeploymentFileError: as `load`.
    """
    root, problems, digests = includes.merge(path, text, rules)
    document = Document(root)
    problems += schema.check(document)
    reader = Reader(document, path)
    services = read_services(reader)
    datacenters = read_datacenters(reader, services)
    notifications = read_notifications(reader)
    wait_duration_blocks, wait_duration_seconds = _wait_duration(reader)
    problems += reader.problems
    if problems:
        raise DeploymentFileError(problems)
    position = document.key_position(("deployment",))
    spec = DeploymentSpec(services, datacenters, notifications, wait_duration_blocks, wait_duration_seconds, position)
    return Whole(spec, root, digests)


def _wait_duration(reader: Reader) -> tuple[int | None, int]:
    """Return the blocks if the file gives blocks, else None and the seconds."""
    written = reader.get(*WAIT_DURATION)
    if isinstance(written, int):
        return written, 0
    return None, reader.number(WAIT_DURATION, units.parse_duration, DEFAULT_WAIT_SECONDS)
