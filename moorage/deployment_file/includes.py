"""Reads a deployment file with everything that it includes, and merges the files: maps deeply, the including file wins.

An included file is a regular file below the directory of the file that names it, unless the tenant's own file gives its
absolute path. A hostile project can't reach out of its directory with `../` or a symbolic link.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moorage.deployment_file import yaml_tree
from moorage.deployment_file.problems import DeploymentFileError, Position, Problem, Source, printable, quoted
from moorage.deployment_file.yaml_tree import Mapping, Node, Scalar, Sequence

FORMAT = "0.1"
MAX_DEPTH = 8
MAX_FILES = 64
SECTION_NAMES = {"infrastructure": "datacenters", "workloads": "services"}
"""Second names of the sections of `deployment`."""
NOTIFICATIONS = "notifications"


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    chain: tuple[Path, ...]
    """The files that lead here by including each other, this one last."""
    boundary: Path
    """The directory that relative includes can't leave."""


def read(path: Path) -> str:
    """Return the text of a deployment file.

    Raises:
        DeploymentFileError: it can't be read, is not a regular file, too large or not UTF-8.
    """
    return _read(path, Position(Source(str(path))))


def merge(path: Path, text: str) -> tuple[Mapping, list[Problem]]:
    """Return the content of a file merged with what it includes, and what is wrong with the files as such.

    Args:
        path: the name of the file; includes are relative to it.
        text: its content.

    Raises:
        DeploymentFileError: the file itself is not a map in YAML.
    """
    merger = _Merger()
    directory = path.resolve().parent
    root = merger.merged(_File(Source(str(path), text, directory), (path.resolve(),), directory))
    return root, merger.problems


class _Merger:
    """Reads the files one by one, and goes on after what is wrong with one of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._file_count = 0

    def merged(self, file: _File) -> Mapping:
        content = yaml_tree.parse(file.source)
        if not isinstance(content, Mapping):
            raise DeploymentFileError([Problem(content.position, "a deployment file has to be a map of sections")])
        sections = {**content.entries, "version": self._checked_version(content)}
        include = sections.pop("include", None)
        if "deployment" in sections:
            position, deployment = sections["deployment"]
            sections["deployment"] = position, self._with_first_names(deployment)
        return _over_file(Mapping(content.position, sections), self._all_included(include, file))

    def _checked_version(self, content: Mapping) -> tuple[Position, Node]:
        """Return the version that each file has to have; a wrong one is a problem of that file only."""
        key_position, version = content.entries.get("version", (content.position, None))
        if version is None:
            self._add(content.position, f"'version' is missing; it has to be \"{FORMAT}\"")
        elif not isinstance(version, Scalar) or version.text != FORMAT:
            self._add(version.position, f'the only version of the format is "{FORMAT}"')
        elif version.is_plain:
            self._add(version.position, f'the version has to be in quotes: "{FORMAT}"')
        return key_position, Scalar(key_position, FORMAT, is_plain=False)

    def _with_first_names(self, deployment: Node) -> Node:
        """Give the sections of `deployment` their first names, so that files with either name merge."""
        if not isinstance(deployment, Mapping):
            return deployment
        entries: dict[str, tuple[Position, Node]] = {}
        for key, (position, node) in deployment.entries.items():
            name = SECTION_NAMES.get(key, key)
            if name in entries:
                self._add(position, f"'{key}' gives the section '{name}' again; both names are of the same section")
            entries[name] = position, node
        return Mapping(deployment.position, entries)

    def _all_included(self, include: tuple[Position, Node] | None, file: _File) -> Mapping:
        base = Mapping(Position(file.source, 0), {})
        for item in self._names(include[1]) if include else ():
            try:
                base = _over_file(self.merged(self._included(item, file)), base)
            except DeploymentFileError as error:
                self.problems.extend(error.problems)
        return base

    def _names(self, include: Node) -> Iterator[Scalar]:
        if isinstance(include, Scalar) and include.value is None:
            return
        for item in include.items if isinstance(include, Sequence) else (include,):
            if isinstance(include, Sequence) and isinstance(item, Scalar) and item.text and isinstance(item.value, str):
                yield item
            else:
                self._add(item.position, "include has to be a list of file names")

    def _included(self, item: Scalar, file: _File) -> _File:
        """Return the file that an entry of `include` names."""
        self._file_count += 1
        if self._file_count > MAX_FILES:
            raise _error(item, f"more than {MAX_FILES} included files")
        if len(file.chain) > MAX_DEPTH:
            raise _error(item, f"files include each other deeper than {MAX_DEPTH} levels")
        path = self._path(item, file)
        if path in file.chain:
            names = " -> ".join(step.name for step in (*file.chain[file.chain.index(path) :], path))
            raise _error(item, f"the file includes itself: {names}")
        name = str(Path(file.source.name).parent / item.text)
        boundary = path.parent if Path(item.text).is_absolute() else file.boundary
        source = Source(name, _read(path, item.position, name), path.parent)
        return _File(source, (*file.chain, path), boundary)

    def _path(self, item: Scalar, file: _File) -> Path:
        if item.text.lower().startswith(("http://", "https://")):
            raise _error(
                item, f"not supported yet: the remote include {quoted(item.text)}; save a copy beside this file"
            )
        is_absolute = Path(item.text).is_absolute()
        if is_absolute and len(file.chain) > 1:
            raise _error(item, "an included file can't include an absolute path; only the deployment file itself can")
        path = _resolved(file.source.directory / item.text, item)
        if not is_absolute and not path.is_relative_to(file.boundary):
            raise _error(item, f"{quoted(item.text)} leads out of the directory of the file; give its absolute path")
        return path

    def _add(self, position: Position, message: str) -> None:
        self.problems.append(Problem(position, message))


def _over_file(top: Mapping, base: Mapping) -> Mapping:
    """Merge two files: as maps, and their notifications by name."""
    merged = _over(top, base)
    above, below = (file.entries.get(NOTIFICATIONS, (None, None))[1] for file in (top, base))
    if isinstance(above, Sequence) and isinstance(below, Sequence):
        merged.entries[NOTIFICATIONS] = top.entries[NOTIFICATIONS][0], _over_list(above, below)
    return merged


def _over_list(top: Sequence, base: Sequence) -> Sequence:
    """Merge two lists of maps with names; what has no counterpart below is added at the end."""
    items = list(base.items)
    indices = {_name(item): index for index, item in enumerate(items)}
    for item in top.items:
        index = indices.pop(_name(item), None)
        if index is None or _name(item) is None:
            items.append(item)
        else:
            items[index] = _over_node(item, items[index])
    return Sequence(top.position, tuple(items))


def _name(item: Node) -> str | None:
    name = item.entries.get("name", (None, None))[1] if isinstance(item, Mapping) else None
    return name.text if isinstance(name, Scalar) else None


def _over(top: Mapping, base: Mapping) -> Mapping:
    """Merge two maps key by key; where nothing is written above, what is below stays."""
    entries = dict(base.entries)
    for key, (position, node) in top.entries.items():
        entries[key] = (position, _over_node(node, entries[key][1])) if key in entries else (position, node)
    return Mapping(top.position, entries)


def _over_node(top: Node, base: Node) -> Node:
    if isinstance(top, Mapping) and isinstance(base, Mapping):
        return _over(top, base)
    return base if isinstance(top, Scalar) and top.value is None else top


def _resolved(path: Path, item: Scalar) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of symbolic links
        raise _error(item, f"the file {quoted(item.text)} can't be found") from error


def _error(item: Scalar, message: str) -> DeploymentFileError:
    return DeploymentFileError([Problem(item.position, message)])


def _read(path: Path, named_at: Position, name: str = "") -> str:
    shown = f"the file '{printable(name)}'" if name else "the file"
    try:
        content = _bytes(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DeploymentFileError([Problem(named_at, f"{shown} can't be read: {reason}")]) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeploymentFileError([Problem(named_at, f"{shown} is not UTF-8: byte {error.start + 1}")]) from error


def _bytes(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        content = file.read(yaml_tree.MAX_BYTES + 1)
    if len(content) > yaml_tree.MAX_BYTES:
        raise ValueError(f"larger than {yaml_tree.MAX_BYTES} bytes")
    return content
