"""What is done to an expression: each operator yields edits, which the compiler may still refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

from vyper.ast import nodes as ast
from vyper.semantics.types import FlagT, StructT
from vyper.semantics.types.module import ModuleT

from tests.mutation.sources import Source, expressions, statements, type_of


class Edit(NamedTuple):
    """A stretch of a source and what stands there instead."""

    operator: str
    start: int
    end: int
    new: str


Found = Iterator[tuple[str, str]]  # operator and what the node becomes

COMPARISONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
COMPARISONS |= {"in": ("not in",), "not in": ("in",)}
ARITHMETIC = {"+": "-", "-": "+", "*": "//", "//": "*", "<<": ">>", ">>": "<<", "&": "|", "|": "&"}
# Functions that read something of the outside and can't be told from their arguments.
OUTSIDE = {"operator_of": "owner_of", "owner_of": "operator_of"}
CONTEXT = {"address": "msg.sender", "uint256": "block.number"}


def expression_edits(source: Source) -> Iterator[tuple[Any, Edit]]:
    """Yield each edit of an expression with the function that it is in."""
    calls = _callable_names(source)
    for function in source.functions():
        scope = _scope(function)
        for node in expressions(function):
            for operator, new in _changed(source, node, scope, calls, function):
                yield function, Edit(operator, source.start(node), source.end(node), new)
        for statement in statements(function.body):
            yield from ((function, edit) for edit in _statement_edits(source, statement))


def constant_edits(source: Source) -> Iterator[tuple[Any, Edit]]:
    """Yield edits of the values of a module's constants; none of the base of a power."""
    for declaration in source.constants():
        for node in (declaration.value, *declaration.value.get_descendants(ast.Int)):
            parent = node._parent
            is_base = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow) and parent.left is node
            if isinstance(node, ast.Int) and not is_base:
                for operator, new in _off_by_one(source, node):
                    yield declaration, Edit(operator, source.start(node), source.end(node), new)


def _changed(source: Source, node: Any, scope: dict[str, Any], calls: dict[str, Any], function: Any) -> Found:
    match node:
        case ast.Compare() | ast.BinOp():
            yield from _operator(source, node)
        case ast.BoolOp():
            yield from _and_or(source, node)
        case ast.UnaryOp() if isinstance(node.op, ast.Not):
            yield "negation", source.text_of(node.operand)
        case ast.NameConstant():
            yield "negation", "False" if source.text_of(node) == "True" else "True"
        case ast.Int():
            yield from _off_by_one(source, node)
        case ast.Call():
            yield from _call(source, node)
        case ast.Name():
            yield from _other_variable(node, scope, source)
            yield from _other_constant(source, node.id, "")
        case ast.Attribute():
            yield from _other_field(node, source, scope)
            yield from _other_function(source, node, calls, function)


def _statement_edits(source: Source, statement: Any) -> Iterator[Edit]:
    match statement:
        case ast.If() | ast.Assert():
            start, end = source.start(statement.test), source.end(statement.test)
            yield Edit("negation", start, end, f"not ({source.text_of(statement.test)})")
        case ast.AugAssign():
            start, end = source.end(statement.target), source.start(statement.value)
            old = source.text[start:end].strip().removesuffix("=")
            if old in ARITHMETIC:
                yield Edit("arithmetic", start, end, f" {ARITHMETIC[old]}= ")
        case ast.Break():
            yield Edit("loop", source.start(statement), source.end(statement), "continue")
        case ast.Continue():
            yield Edit("loop", source.start(statement), source.end(statement), "break")


def _operator(source: Source, node: Any) -> Found:
    """Swap the operator between two operands; the whole is put into brackets, as others may bind in another order."""
    before, after = source.end(node.left), source.start(node.right)
    gap = source.text[before:after]
    old = gap.replace("(", "").replace(")", "").strip()
    table: dict[str, tuple[str, ...]] = COMPARISONS if isinstance(node, ast.Compare) else {}
    swapped = ARITHMETIC.get(old)
    name = "comparison" if isinstance(node, ast.Compare) else "arithmetic"
    for new in table.get(old, (swapped,) if swapped and not table else ()):
        text = (
            source.text[source.start(node) : before] + gap.replace(old, new, 1) + source.text[after : source.end(node)]
        )
        yield name, f"({text})"


def _and_or(source: Source, node: Any) -> Found:
    for index, (left, right) in enumerate(zip(node.values, node.values[1:], strict=False)):
        before, after = source.end(left), source.start(right)
        gap = source.text[before:after]
        new = gap.replace(" and ", " or ", 1) if isinstance(node.op, ast.And) else gap.replace(" or ", " and ", 1)
        if new == gap:  # the word stands at the beginning or end of a line
            old = "and" if isinstance(node.op, ast.And) else "or"
            new = gap.replace(old, "or" if old == "and" else "and", 1)
        yield "and / or", source.text[source.start(node) : before] + new + source.text[after : source.end(node)]
        if index == 0:
            # each operand left out once; a pair is enough, as a longer row is made of them
            yield "and / or", source.text[_opening(source, right) : source.end(node)]
        yield (
            "and / or",
            source.text[source.start(node) : before] + source.text[_closing(source, right) : source.end(node)],
        )


def _opening(source: Source, node: Any) -> int:
    """Return where a node starts, with the brackets directly before it."""
    start = source.start(node)
    while source.text[start - 1] == "(":
        start -= 1
    return start


def _closing(source: Source, node: Any) -> int:
    """Return where a node ends, with as many brackets as stand directly before it."""
    end = source.end(node)
    return end + source.start(node) - _opening(source, node)


def _off_by_one(source: Source, node: Any) -> Found:
    text = source.text_of(node)
    value = int(text.replace("_", ""), 0)
    yield "constant", str(value + 1)
    if value > 0:
        yield "constant", str(value - 1)


def _call(source: Source, node: Any) -> Found:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("min", "max"):
        left, right = map(source.text_of, node.args)
        yield from (
            ("min / max", new) for new in (f"{'max' if name == 'min' else 'min'}({left}, {right})", left, right)
        )
        return
    is_event = isinstance(node._parent, ast.Log)
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    operator = "event" if is_event else "swapped arguments"
    for first, second in combinations(values, 2):
        if type_of(first) == type_of(second) and source.text_of(first) != source.text_of(second):
            yield operator, _swapped(source, node, first, second)
    if is_event:
        for value in values:
            yield operator, _replaced(source, node, value, f"empty({_type_name(type_of(value))})")


def _swapped(source: Source, node: Any, first: Any, second: Any) -> str:
    between = source.text[source.end(first) : source.start(second)]
    new = source.text_of(second) + between + source.text_of(first)
    return (
        source.text[source.start(node) : source.start(first)] + new + source.text[source.end(second) : source.end(node)]
    )


def _replaced(source: Source, node: Any, part: Any, new: str) -> str:
    return source.text[source.start(node) : source.start(part)] + new + source.text[source.end(part) : source.end(node)]


def _type_name(kind: Any) -> str:
    """Return how a type is written; structs and flags that events have are those of the interface."""
    return f"IExchange.{kind._id}" if isinstance(kind, (FlagT, StructT)) else str(kind)


# ------------------------------------------------------------------ names


def _scope(function: Any) -> dict[str, Any]:
    """Return the types of a function's arguments and variables."""
    scope = {argument.name: argument.typ for argument in function._metadata["func_type"].arguments}
    for statement in statements(function.body):
        declared = statement if isinstance(statement, ast.AnnAssign) else getattr(statement, "target", None)
        if isinstance(declared, ast.AnnAssign):
            scope[declared.target.id] = type_of(declared.target)
    return scope


def _other_variable(node: Any, scope: dict[str, Any], source: Source) -> Found:
    if node.id not in scope:
        return
    kind = scope[node.id]
    same = [name for name, other in scope.items() if other == kind and name not in (node.id, "_")]
    for name in same:
        yield "variable", name
    if str(kind) == "address":
        yield "variable", "msg.sender"


def _other_field(node: Any, source: Source, scope: dict[str, Any]) -> Found:
    """Put another member of the same type for a member of a struct, a parameter or what the chain tells."""
    text = source.text_of(node)
    for kind, name in CONTEXT.items():
        if text == name:
            yield from (("variable", other) for other, its in scope.items() if str(its) == kind and other != "_")
    owner = type_of(node.value)
    if isinstance(node.value, ast.Name) and node.value.id == "parameters":
        same = [name for name in _immutables(node) if name != node.attr]
        yield from (("variable", f"parameters.{name}") for name in same if _same_immutable(node, name))
    elif isinstance(owner, ModuleT):
        yield from _other_constant(source, node.attr, node.value.id)
    elif isinstance(owner, StructT):
        same = [name for name, kind in owner.members.items() if kind == type_of(node) and name != node.attr]
        yield from (("variable", f"{source.text_of(node.value)}.{name}") for name in same)


def _immutables(node: Any) -> list[str]:
    return [declaration.target.id for declaration in _module(node).get_children(ast.VariableDecl)]


def _same_immutable(node: Any, name: str) -> bool:
    declarations = {each.target.id: each for each in _module(node).get_children(ast.VariableDecl)}
    mine, other = declarations[node.attr], declarations[name]
    is_same_kind = mine.is_constant == other.is_constant
    return is_same_kind and type_of(mine.target) == type_of(other.target)


def _module(node: Any) -> Any:
    return type_of(node.value)._module


KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("field", lambda name: name.endswith("_SHIFT")),
    ("field", lambda name: name.endswith("_MASK") or name.startswith("MASK_")),
    ("field", lambda name: name.startswith("ONE_")),
    ("state", lambda name: name in ("OPEN", "ORDER_CLOSED", "ACTIVE", "STALE", "CLOSING", "CLOSED")),
)


def _other_constant(source: Source, name: str, module: str) -> Found:
    """Put the neighbours of a shift, mask, unit or state for it, in the order in which the module lists them."""
    tree = source.tree if not module else _imported(source, module)
    for operator, is_kind in KINDS:
        row = [each.target.id for each in tree.get_children(ast.VariableDecl) if is_kind(each.target.id)]
        if name in row:
            index = row.index(name)
            prefix = f"{module}." if module else ""
            yield from (
                (operator, prefix + other) for other in row[max(0, index - 1) : index] + row[index + 1 : index + 2]
            )


def _imported(source: Source, module: str) -> Any:
    for node in source.tree.get_descendants(ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id == module and isinstance(type_of(node.value), ModuleT):
            return type_of(node.value)._module
    raise KeyError(module)


# ------------------------------------------------------------------ functions


def _callable_names(source: Source) -> dict[str, Any]:
    return {function.name: function._metadata["func_type"] for function in source.functions()}


def _other_function(source: Source, node: Any, calls: dict[str, Any], function: Any) -> Found:
    """Call the neighbours of a function that take and return the same."""
    text = source.text_of(node.value)
    if node.attr in OUTSIDE:
        yield "function", f"{text}.{OUTSIDE[node.attr]}"
    if text != "self" and not isinstance(type_of(node.value), ModuleT):
        return
    named = calls if text == "self" else _callable_names(Source("", "", type_of(node.value)._module))
    if node.attr not in named:
        return
    mine = named[node.attr]
    for name, other in named.items():
        if name not in (node.attr, function.name) and name.startswith("_") and _alike(mine, other):
            yield "function", f"{text}.{name}"


def _alike(first: Any, second: Any) -> bool:
    types = [[argument.typ for argument in each.arguments] for each in (first, second)]
    return types[0] == types[1] and first.return_type == second.return_type
