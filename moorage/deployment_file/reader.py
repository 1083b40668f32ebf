"""Reads values out of a document and collects what is wrong with them; goes on with a stand-in for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any, TypeVar

from moorage.deployment_file.document import Document, Path
from moorage.deployment_file.problems import MAX_PROBLEMS, DeploymentFileError, Problem
from moorage.units import UnitError, Written

Value = TypeVar("Value")


class Reader:
    """A document with the problems that were found in it."""

    def __init__(
        self, document: Document, file: FilePath, problems: list[Problem], *, are_secrets_needed: bool = True
    ) -> None:
        """
        Args:
            file: the deployment file, for what it names beside itself.
            problems: what has been found already.
            are_secrets_needed: whether it is an error, and not only worth a warning, that a secret is not here.
        """
        self.document = document
        self.file = file
        self.are_secrets_needed = are_secrets_needed
        self.problems = problems
        self.warnings: list[Problem] = []

    def get(self, *path: str | int) -> Any:
        """Return a value, or None."""
        return self.document.get(path)

    def map(self, *path: str | int) -> dict[str, Any]:
        """Return a map, empty if there is none."""
        return self.document.get(path) or {}

    def list(self, *path: str | int) -> list[Any]:
        """Return a list, empty if there is none."""
        return self.document.get(path) or []

    def has(self, *path: str | int) -> bool:
        """Return whether a key is there, whatever its value."""
        return path[-1] in self.map(*path[:-1])

    def number(self, path: Path, parse: Callable[[Written], Value], default: Value) -> Value:
        """Return what `parse` makes of a value as it was written, or the default if there is none."""
        if self.document.get(path) is None:
            return default
        try:
            return parse(self.document.text(path))
        except UnitError as error:
            self.refuse(path, str(error))
            return default

    def refuse(self, path: Path, message: str) -> None:
        """Note what is wrong with a value."""
        self.add(Problem(self.document.value_position(path), message))

    def refuse_key(self, path: Path, message: str) -> None:
        """Note what is wrong with what a key is about, at the key."""
        self.add(Problem(self.document.key_position(path), message))

    def warn(self, path: Path, message: str) -> None:
        """Note what is worth a look at a value that can be used."""
        self.warnings.append(Problem(self.document.value_position(path), message, is_warning=True))

    def line(self, path: Path) -> int:
        """Return the line of a value, counted from 1."""
        return (self.document.value_position(path).line or 0) + 1

    def add(self, problem: Problem) -> None:
        """Note a problem.

        Raises:
            DeploymentFileError: these are enough.
        """
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise DeploymentFileError(self.problems)
