"""Statements left out, one at a time, and functions that end early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vyper.ast import nodes as ast

from tests.mutation.operators import Edit
from tests.mutation.sources import Source, statements


def deletions(source: Source) -> Iterator[tuple[Any, Edit]]:
    """Yield the deletion of every statement with the function that it is in.

    Of a declaration only the value goes: without the name nothing would compile. The deletion of the only statement
    of an if is that of the if: conditions have no effects.
    """
    for function in source.functions():
        for statement in statements(function.body):
            start, end = source.start(statement), source.end(statement)
            if _is_all_of_an_if(statement):
                continue
            match statement:
                case ast.Expr() if isinstance(statement.value, ast.Str):
                    continue
                case ast.AnnAssign():
                    empty = f"empty({source.text_of(statement.annotation)})"
                    yield function, Edit("deletion", source.start(statement.value), source.end(statement.value), empty)
                case ast.If() if source.text.startswith("elif", start):
                    yield function, Edit("deletion", start, end, "elif False:\n" + _indent(source, start) + "    pass")
                case _:
                    yield function, Edit("deletion", start, end, "pass")


def early_returns(source: Source) -> Iterator[tuple[Any, Edit]]:
    """Yield each function cut off before one of its outermost statements."""
    for function in source.functions():
        new = "return"
        if function.returns is not None:
            new = f"return empty({source.text_of(function.returns)})"
        body = [each for each in function.body if not isinstance(each, ast.DocStr)]
        for index, statement in enumerate(body):
            if isinstance(statement, ast.Return) or (index == len(body) - 1 and function.returns is None):
                continue  # nothing is cut off, or what the deletion of the last statement does
            yield function, Edit("early return", source.start(statement), source.end(function), new)


def _is_all_of_an_if(statement: Any) -> bool:
    parent = statement._parent
    return isinstance(parent, ast.If) and not parent.orelse and parent.body == [statement]


def _indent(source: Source, offset: int) -> str:
    line = source.text[source.text.rfind("\n", 0, offset) + 1 : offset]
    return line[: len(line) - len(line.lstrip())]
