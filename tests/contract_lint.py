"""Refuses in Vyper sources what compiles but must not be there: `python -m tests.contract_lint`.

Most rules keep clear of faults of the compiler (0.4.3 has no successor yet), the others hold the exchange to its
design.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from vyper.ast import nodes as ast
from vyper.ast import parse_to_ast
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.exceptions import VyperException

ROOT = Path(__file__).resolve().parent.parent
COMPILER = "0.4.3"
LONGEST_REASON = 64

# The only file of the exchange that moves tokens. Mocks and testers may do what they like with them, and the probe
# of a token is never deployed.
LEDGER = PurePath("contracts/_modules/ledger.vy")
PROBE = PurePath("contracts/TokenProbe.vy")
TESTING = PurePath("contracts/testing")

# The function through which modules revert; its argument is a reason like that of an assert.
REFUSE = "because"

# Advisory GHSA-r3c7-7xwm-6vfw: characters like these shift the offsets at which the compiler reads literals.
PRINTABLE = frozenset(b"\n" + bytes(range(0x20, 0x7F)))

PRAGMA = re.compile(r"^\s*#\s*(?:@|pragma\s+)(?P<name>[\w-]+)\s*(?P<value>.*?)\s*$", re.MULTILINE)
REASON = re.compile(r"[a-z][a-z_ ]*: \S.*")


@dataclass(frozen=True, slots=True)
class Finding:
    path: PurePath
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def main() -> int:
    """Print every finding; the exit code says whether there are any."""
    sources = sources_of(ROOT)
    findings = [finding for path in sources for finding in lint(ROOT, path)]
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
        module = _parse(root, path, source)
    except VyperException as error:
        return [*findings, Finding(path, getattr(error, "lineno", None) or 1, "compiles", str(error).splitlines()[0])]
    findings += _check_tree(path, module)
    return sorted(findings, key=lambda finding: finding.line)


def _parse(root: Path, path: PurePath, source: str) -> ast.Module:
    if path.suffix == ".vyi":
        return parse_to_ast(source, is_interface=True)
    # Annotated with types; not checked as a compilation target, which a module with `uses:` is not.
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
        elif match["name"] in (
            "experimental-codegen",
            "venom-experimental",
            "enable-decimals",
            "evm-version",
            "optimize",
        ):
            yield Finding(
                path, line, "pragma", f"pragma {match['name']}: all contracts are compiled with the same settings"
            )
    if versions != 1:
        yield Finding(path, 1, "version", f"{versions} version pragmas, not one")


def _check_tree(path: PurePath, module: ast.Module) -> Iterator[Finding]:
    for node in module.get_descendants():
        match node:
            case ast.FunctionDef():
                if any(
                    isinstance(decorator, ast.Name) and decorator.id == "payable" for decorator in node.decorator_list
                ):
                    yield _finding(path, node, "payable", f"{node.name} takes ether, which the exchange has no use for")
            case ast.Attribute(attr="origin") if _is_name(node.value, "tx"):
                yield _finding(path, node, "tx-origin", "tx.origin says nothing about who calls")
            case ast.Assert() | ast.Raise():
                yield from _check_reason(path, node, node.msg if isinstance(node, ast.Assert) else node.exc)
            case ast.IfExp():
                yield from _check_ternary(path, node)
            case ast.ExtCall():
                yield from _check_external_call(path, node)
            case ast.Call():
                yield from _check_call(path, node)


def _check_call(path: PurePath, node: ast.Call) -> Iterator[Finding]:
    if _is_name(node.func, "create_from_blueprint"):
        yield _finding(path, node, "blueprint", "create_from_blueprint: its code_offset wraps (GHSA-fxg7-4wqg-c8gh)")
    if _is_name(node.func, "raw_call") and not _may_move_tokens(path):
        yield _finding(path, node, "token-call", f"raw_call can move tokens; only {LEDGER} does")
    if isinstance(node.func, ast.Attribute) and node.func.attr == REFUSE:
        yield from _check_reason(path, node, node.args[0])


def _check_reason(path: PurePath, node: ast.VyperNode, reason: ast.VyperNode | None) -> Iterator[Finding]:
    if reason is None:
        yield _finding(path, node, "reason", "a revert without a reason")
    elif isinstance(reason, ast.Str):
        if not REASON.fullmatch(reason.value) or len(reason.value) > LONGEST_REASON:
            yield _finding(
                path, node, "reason", f"{reason.value!r} is not 'module: text' of up to {LONGEST_REASON} characters"
            )
    elif getattr(_type_of(reason), "length", LONGEST_REASON + 1) > LONGEST_REASON:
        yield _finding(path, node, "reason", f"a revert reason that may be longer than {LONGEST_REASON} characters")


def _check_ternary(path: PurePath, node: ast.IfExp) -> Iterator[Finding]:
    if not _type_of(node)._is_prim_word:
        yield _finding(path, node, "ternary", f"ternary of {_type_of(node)}: only single words (GHSA-cw3h-xwxq-8cx2)")
    for operation in node.get_descendants(ast.BinOp):
        if isinstance(operation.op, ast.BitOr) and any(map(_is_call_input, operation.get_descendants())):
            yield _finding(path, operation, "or-in-ternary", "folds to a constant in a ternary (GHSA-6j9c-gvcw-74fj)")


def _check_external_call(path: PurePath, node: ast.ExtCall) -> Iterator[Finding]:
    target = PurePath(str(_type_of(node.value.func.value))).stem
    if target.startswith("IERC20") and not _may_move_tokens(path):
        yield _finding(path, node, "token-call", f"external call on {target}: only {LEDGER} calls the token")


def _may_move_tokens(path: PurePath) -> bool:
    return path in (LEDGER, PROBE) or path.is_relative_to(TESTING)


def _is_call_input(node: ast.VyperNode) -> bool:
    """Return whether a node is `msg.value` or `msg.data`."""
    return isinstance(node, ast.Attribute) and node.attr in ("value", "data") and _is_name(node.value, "msg")


def _is_name(node: ast.VyperNode, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _type_of(node: ast.VyperNode) -> Any:
    return node._metadata["type"]


def _finding(path: PurePath, node: ast.VyperNode, rule: str, message: str) -> Finding:
    return Finding(path, node.lineno, rule, message)


if __name__ == "__main__":
    sys.exit(main())
