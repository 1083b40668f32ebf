"""Refuses in Vyper sources what compiles but must not be there: `python -m tests.contract_lint`.

Most rules keep clear of faults of the compiler (0.4.3 has no successor yet), the others hold the exchange to its
design. Here is what can be seen in the text and in the imports; tests/contract_rules.py looks at the rest.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from vyper.ast import nodes as ast
from vyper.ast import parse_to_ast
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.exceptions import VyperException

from tests.contract_rules import PROBE, TESTING, Finding, check_tree, is_decorated

ROOT = Path(__file__).resolve().parent.parent
COMPILER = "0.4.3"

# Advisory GHSA-r3c7-7xwm-6vfw: characters like these shift the offsets at which the compiler reads literals.
PRINTABLE = frozenset(b"\n" + bytes(range(0x20, 0x7F)))

PRAGMA = re.compile(r"^\s*#\s*(?:@|pragma\s+)(?P<name>[\w-]+)\s*(?P<value>.*?)\s*$", re.MULTILINE)
SETTINGS = ("experimental-codegen", "venom-experimental", "venom", "enable-decimals", "evm-version", "optimize")

# One way to each file: the compiler takes a module that is imported by two paths for two (issue 4838).
INTERFACES = re.compile(r"from (?:ethereum\.ercs|interfaces) import I\w+")
MODULES = re.compile(r"from \.(?:_modules)? import [a-z_]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding; the exit code says whether there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract_lint", description=__doc__)
    parser.parse_args(arguments)
    sources = sources_of(ROOT)
    # once, also what the compiler says again for each contract that a module is part of
    findings = list(dict.fromkeys(finding for path in sources for finding in lint(ROOT, path)))
    print(*findings, f"{len(sources)} Vyper sources, {len(findings)} findings", sep="\n")
    return 1 if findings or not sources else 0


def sources_of(root: Path) -> list[PurePath]:
    """Return the Vyper sources of a project, relative to its root."""
    found = [*root.glob("contracts/**/*.vy*"), *root.glob("interfaces/**/*.vy*")]
    return sorted(PurePath(path.relative_to(root)) for path in found)


def lint(root: Path, path: PurePath) -> list[Finding]:
    """Return the findings in one source; `path` is relative to `root`, from where imports are looked up."""
    content = (root / path).read_bytes()
    unreadable = list(_check_bytes(path, content))
    if unreadable:
        return unreadable
    source = content.decode("ascii")
    findings = list(_check_pragmas(path, source))
    try:
        module = parse_to_ast(source, is_interface=path.suffix == ".vyi")
        strange = list(_check_imports(path, module))
        if strange:
            return [*findings, *strange]
        findings += _check_locks(path, source, module)
        findings += check_tree(path, module if path.suffix == ".vyi" else _annotated(root, path, source))
    except VyperException as error:
        findings.append(_refusal(root, path, error))
    return sorted(findings, key=lambda finding: finding.line)


def _refusal(root: Path, path: PurePath, error: VyperException) -> Finding:
    """Return what the compiler says, at the line that it names: it may be one of a module that the source imports."""
    line, file = error.lineno or 1, error.resolved_path
    for annotation in error.annotations or ():
        node = annotation[1] if isinstance(annotation, tuple) else annotation
        line = node.lineno
        if isinstance(node, ast.VyperNode):
            file = node.module_node.get("resolved_path")
        break
    if file is not None and Path(file).is_relative_to(root):
        path = PurePath(Path(file).relative_to(root))
    return Finding(path, line, "compiles", error.message.splitlines()[0])


def _annotated(root: Path, path: PurePath, source: str) -> ast.Module:
    """Return the tree with types; not checked as a compilation target, which a module with `uses:` is not."""
    file = FileInput(source_id=-1, path=path, resolved_path=root / path, contents=source)
    return CompilerData(file, input_bundle=FilesystemInputBundle([root])).annotated_vyper_module


def _check_bytes(path: PurePath, content: bytes) -> Iterator[Finding]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        strange = [byte for byte in line if byte not in PRINTABLE]
        if strange:
            yield Finding(
                path, number, "ascii", f"byte 0x{strange[0]:02x}; only printable ASCII and line feeds are allowed"
            )


def _check_pragmas(path: PurePath, source: str) -> Iterator[Finding]:
    versions = 0
    for match in PRAGMA.finditer(source):
        line = source.count("\n", 0, match.start("name")) + 1
        if match["name"] == "version":
            versions += 1
            if match["value"] != COMPILER:
                yield Finding(path, line, "version", f"pragma version is {match['value']!r}, not exactly {COMPILER}")
        elif match["name"] in SETTINGS:
            message = f"pragma {match['name']}: all contracts are compiled with the same settings"
            yield Finding(path, line, "pragma", message)
    if versions != 1:
        yield Finding(path, 1, "version", f"{versions} version pragmas, not one")


def _check_imports(path: PurePath, module: ast.Module) -> Iterator[Finding]:
    for node in module.get_children((ast.Import, ast.ImportFrom)):
        text = _import_text(node)
        if not (INTERFACES.fullmatch(text) or MODULES.fullmatch(text)):
            yield Finding(
                path, node.lineno, "import", f"{text}: only interfaces, ethereum.ercs and own modules, under one name"
            )


def _import_text(node: ast.VyperNode) -> str:
    alias = f" as {node.alias}" if node.alias else ""
    if isinstance(node, ast.Import):
        return f"import {node.name}{alias}"
    return f"from {'.' * node.level}{node.module or ''} import {node.name}{alias}"


def _check_locks(path: PurePath, source: str, module: ast.Module) -> Iterator[Finding]:
    """Look for functions that can be entered while the contract calls another; each file has its own pragma."""
    if path.suffix == ".vyi" or path == PROBE or path.is_relative_to(TESTING):
        return
    pragmas = {(match["name"], match["value"]) for match in PRAGMA.finditer(source)}
    for function in module.get_children(ast.FunctionDef):
        if is_decorated(function, "external") and ("nonreentrancy", "on") not in pragmas:
            yield Finding(path, function.lineno, "lock", "an external function, and no `pragma nonreentrancy on` above")
        if is_decorated(function, "reentrant"):
            yield Finding(path, function.lineno, "lock", f"{function.name} may be entered again")


if __name__ == "__main__":
    sys.exit(main())
