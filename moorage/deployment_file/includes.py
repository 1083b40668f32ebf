"""Reads a deployment file with everything that it includes.

An included file is a regular file below the directory of the file that names it, unless the tenant's own file gives its
absolute path. A hostile project can't reach out of its directory with `../` or a symbolic link. A remote file is
included if the tenant says so or if the lock has its digest, and can include remote files only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from moorage.deployment_file import addresses, yaml_tree
from moorage.deployment_file.include_rules import Admission, IncludeRules, NotIncluded
from moorage.deployment_file.local_files import read_bytes
from moorage.deployment_file.merging import over_file
from moorage.deployment_file.problems import DeploymentFileError, Position, Problem, Source, quoted
from moorage.deployment_file.yaml_tree import Mapping, Node, Scalar, Sequence
from moorage.told import printable

FORMAT = "0.1"
MAX_DEPTH = 8
MAX_FILES = 64
SECTION_NAMES = {"infrastructure": "datacenters", "workloads": "services"}
"""Second names of the sections of `deployment`."""


class Merged(NamedTuple):
    """A deployment file with everything that it includes."""

    root: Mapping
    problems: list[Problem]
    """What is wrong with the files as such."""
    digests: dict[str, str]
    """What a lock has to have: of each included file."""
    sources: tuple[Source, ...]
    """All of the files, each once."""
    is_whole: bool
    """Whether every file that is included could be read; else what is missing may stand in one that could not."""


def read(path: Path) -> str:
    """Return the text of a deployment file.

    Raises:
        DeploymentFileError: it can't be read, is not a regular file, too large or not UTF-8.
    """
    named_at = Position(Source(str(path)))
    return _text(_bytes(path, named_at, hint=_hint(path)), named_at)


def _hint(path: Path) -> str:
    """Return what to do if a deployment file can't be read."""
    with suppress(OSError):  # then there is nothing to say
        if path.is_dir():
            return f"; it is a directory: name the file in it with -f {printable(str(path / 'moorage.yml'))}"
        if path.exists():
            return ""
        other = path.with_suffix(".yaml" if path.suffix == ".yml" else ".yml")
        if other.is_file():
            return f"; there is {printable(str(other))}: name it with -f {printable(str(other))}"
        return "; `moorage init` writes one, -f names another"
    return ""


def merge(path: Path, text: str, rules: IncludeRules) -> Merged:
    """Return the content of a file merged with what it includes.

    Args:
        path: the name of the file; includes are relative to it.
        text: its content.

    Raises:
        DeploymentFileError: the file itself is not a map in YAML, or its lock can't be read.
    """
    directory, admission = path.resolve().parent, Admission(path, rules)
    merger = _Merger(admission)
    root = merger.merged(_File(Source(str(path), text, directory), (str(path.resolve()),), directory))
    return Merged(root, merger.problems, admission.digests, tuple(merger.sources), merger.is_whole)


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    chain: tuple[str, ...]
    """The paths and addresses that lead here by including each other, this one last."""
    boundary: Path
    """The directory that relative includes can't leave."""


class _Merger:
    """Reads the files one by one, and goes on after what is wrong with one of them."""

    def __init__(self, admission: Admission) -> None:
        self.problems: list[Problem] = []
        self.sources: dict[Source, None] = {}
        self.is_whole = True
        self._admission = admission
        self._budget = yaml_tree.Budget()
        self._file_count = 0

    def merged(self, file: _File) -> Mapping:
        content = yaml_tree.parse(file.source, self._budget)
        self.sources[file.source] = None
        if not isinstance(content, Mapping):
            raise DeploymentFileError([Problem(content.position, "a deployment file has to be a map of sections")])
        sections = {**content.entries, "version": self._checked_version(content)}
        include = sections.pop("include", None)
        if "deployment" in sections:
            position, deployment = sections["deployment"]
            sections["deployment"] = position, self._with_first_names(deployment)
        return over_file(Mapping(content.position, sections), self._all_included(include, file))

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
            if self._budget.is_exceeded:
                break  # it has been told once
            try:
                base = over_file(self.merged(self._included(item, file)), base)
            except DeploymentFileError as error:
                self.is_whole = False
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
        if file.source.is_remote or addresses.has_scheme(item.text):
            return self._remote(item, file)
        return self._local(item, file)

    def _local(self, item: Scalar, file: _File) -> _File:
        path = self._resolved(item, file)
        chain = _longer(item, file, str(path))
        name = str(Path(file.source.name).parent / item.text)
        content = _bytes(path, item.position, name, is_resolved=True)
        with _at(item, item.text):
            self._admission.check_local(path, content)
        source = Source(name, _text(content, item.position, name), path.parent, included_at=item.position)
        return _File(source, chain, path.parent if Path(item.text).is_absolute() else file.boundary)

    def _resolved(self, item: Scalar, file: _File) -> Path:
        is_absolute = Path(item.text).is_absolute()
        if is_absolute and len(file.chain) > 1:
            raise _error(item, "an included file can't include an absolute path; only the deployment file itself can")
        try:
            path = (file.source.directory / item.text).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a loop of symbolic links
            raise _error(item, f"the file {quoted(item.text)} can't be found") from error
        if not is_absolute and not path.is_relative_to(file.boundary):
            raise _error(item, f"{quoted(item.text)} leads out of the directory of the file; give its absolute path")
        return path

    def _remote(self, item: Scalar, file: _File) -> _File:
        address = addresses.joined(file.source.name, item.text) if file.source.is_remote else item.text
        chain = _longer(item, file, address)
        with _at(item, address):
            content = self._admission.remote(address)
        text = _text(content, item.position, address)
        return _File(Source(address, text, is_remote=True, included_at=item.position), chain, file.boundary)

    def _add(self, position: Position, message: str) -> None:
        self.problems.append(Problem(position, message))


def _longer(item: Scalar, file: _File, step: str) -> tuple[str, ...]:
    """Return the chain of a file with one more step.

    Raises:
        DeploymentFileError: it is there already.
    """
    chain = (*file.chain, step)
    if step in file.chain:
        circle = chain[file.chain.index(step) :]
        shown = " -> ".join(each if addresses.is_remote(each) else Path(each).name for each in circle)
        raise _error(item, f"the file includes itself: {printable(shown)}")
    return chain


@contextmanager
def _at(item: Scalar, name: str) -> Iterator[None]:
    try:
        yield
    except NotIncluded as error:
        raise _error(item, f"{quoted(name)} can't be included: {error}") from error


def _error(item: Scalar, message: str) -> DeploymentFileError:
    return DeploymentFileError([Problem(item.position, message)])


def _shown(name: str) -> str:
    return f"the file '{printable(name)}'" if name else "the file"


def _bytes(path: Path, named_at: Position, name: str = "", hint: str = "", *, is_resolved: bool = False) -> bytes:
    try:
        content = read_bytes(path, yaml_tree.MAX_BYTES, is_resolved=is_resolved)
        if len(content) <= yaml_tree.MAX_BYTES:
            return content
        reason = f"it is larger than {yaml_tree.MAX_BYTES} bytes"
    except OSError as error:
        reason = error.strerror or "it is no file"
    except (ValueError, RuntimeError) as error:
        reason = str(error)
    raise DeploymentFileError([Problem(named_at, f"{_shown(name)} can't be read: {reason}{hint}")])


def _text(content: bytes, named_at: Position, name: str = "") -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeploymentFileError(
            [Problem(named_at, f"{_shown(name)} is not UTF-8: byte {error.start + 1}")]
        ) from error
