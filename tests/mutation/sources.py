"""The sources that are broken: their trees, annotated with types by the compiler, and where each node stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vyper.ast import nodes as ast
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.phases import CompilerData

ROOT = Path(__file__).resolve().parent.parent.parent

# What decides on money and state, the most dangerous first; the sample of mutants is drawn from the two groups apart.
MONEY = tuple(f"contracts/_modules/{name}.vy" for name in ("ledger", "order_book", "leases"))
OTHERS = ("contracts/_modules/deployments.vy", "contracts/_modules/terms.vy")
DELETIONS_ALONE = ("contracts/Exchange.vy",)


@dataclass(frozen=True, eq=False)
class Source:
    """A Vyper source and its tree."""

    path: str
    text: str
    tree: Any = field(repr=False)

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for line in self.text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def start(self, node: Any) -> int:
        """Return the offset of a node's first character; sources are ASCII."""
        return self._line_starts[int(node.lineno) - 1] + int(node.col_offset)

    def end(self, node: Any) -> int:
        return self._line_starts[int(node.end_lineno) - 1] + int(node.end_col_offset)

    def text_of(self, node: Any) -> str:
        return self.text[self.start(node) : self.end(node)]

    def functions(self) -> Iterator[Any]:
        """Yield what runs in transactions and views: all functions but the constructor."""
        for function in self.tree.get_children(ast.FunctionDef):
            if function.name != "__init__":
                yield function

    def constants(self) -> Iterator[Any]:
        for declaration in self.tree.get_children(ast.VariableDecl):
            if declaration.is_constant:
                yield declaration


def read(path: str, root: Path = ROOT) -> Source:
    """Read a source of a project and annotate it; imports are looked up from the project's root."""
    text = (root / path).read_text(encoding="ascii")
    file = FileInput(source_id=-1, path=Path(path), resolved_path=root / path, contents=text)
    tree = CompilerData(file, input_bundle=FilesystemInputBundle([root])).annotated_vyper_module
    return Source(path, text, tree)


def type_of(node: Any) -> Any:
    """Return the type of an expression, or nothing where the compiler has noted none."""
    return node._metadata.get("type")


def statements(body: list[Any]) -> Iterator[Any]:
    """Yield all statements of a block, those of inner blocks too."""
    for statement in body:
        yield statement
        for inner in (getattr(statement, "body", []), getattr(statement, "orelse", [])):
            yield from statements(inner)


def expressions(function: Any) -> Iterator[Any]:
    """Yield all expressions that a function evaluates: no types, no targets, no names of arguments."""
    for statement in statements(function.body):
        for root in _evaluated(statement):
            yield from _within(root)


def _evaluated(statement: Any) -> list[Any]:
    match statement:
        case ast.Expr() | ast.AnnAssign() | ast.Assign() | ast.AugAssign() | ast.Log() | ast.Return():
            parts = [statement.value]
        case ast.If() | ast.Assert():
            parts = [statement.test]
        case ast.For():
            parts = [statement.iter]
        case _:
            parts = []
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        parts += [index for target in statement.get_children(ast.Subscript) for index in _indices(target)]
    return [part for part in parts if part is not None]


def _indices(target: Any) -> Iterator[Any]:
    while isinstance(target, ast.Subscript):
        yield target.slice
        target = target.value


def _within(node: Any) -> Iterator[Any]:
    """Yield an expression and all that it is made of."""
    yield node
    match node:
        case ast.Call():
            children = [node.func, *node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "bound")]
            if isinstance(node.func, ast.Name) and node.func.id in ("empty", "convert"):
                children = node.args[:1] if node.func.id == "convert" else []
        case ast.Attribute() if isinstance(node.value, ast.Name):
            children = []
        case ast.BinOp() | ast.Compare():
            children = [node.left, node.right]
        case ast.BoolOp():
            children = node.values
        case ast.Subscript():
            children = [node.value, node.slice]
        case _:
            children = [child for child in node.get_children() if not isinstance(child, ast.Operator)]
    for child in children:
        yield from _within(child)
