"""Programs put into a transaction as much as the exchange takes: longer lists are refused without a text."""

from __future__ import annotations

from functools import cache

import pytest
from vyper.ast import nodes as ast
from vyper.ast import parse_to_ast

from moorage.due import BATCH_SIZE
from provider_agent.core.chores import CLOSE_BATCH, CONFIRM_BATCH
from tests.bytecode import ROOT

USED = [
    ("submit_lease_confirmation", CONFIRM_BATCH),
    ("confirm_closed", CLOSE_BATCH),
    ("claim", CLOSE_BATCH),
    ("submit_lease", BATCH_SIZE),
    ("submit_stale_lease", BATCH_SIZE),
    ("finish_leases", BATCH_SIZE),
    ("deployment_closed", BATCH_SIZE),
    ("claim", BATCH_SIZE),
]


@cache
def longest_lists() -> dict[str, int]:
    """Return how long the last argument of each external function may be, if it is a list of constant length."""
    found = {}
    for path in sorted(ROOT.glob("contracts/_modules/*.vy")):
        module = parse_to_ast(path.read_text(encoding="ascii"))
        numbers = {
            each.target.id: each.value.value
            for each in module.get_children(ast.VariableDecl)
            if each.is_constant and isinstance(each.value, ast.Int)
        }
        for function in module.get_children(ast.FunctionDef):
            kind = function.args.args[-1].annotation if function.args.args else None
            if isinstance(kind, ast.Subscript) and kind.value.id == "DynArray":
                length = kind.slice.elements[1]
                found[function.name] = numbers[length.id] if isinstance(length, ast.Name) else length.value
    return found


@pytest.mark.parametrize(("transaction", "size"), USED)
def test_b19_batch__of_a_program__is_what_the_exchange_takes(transaction: str, size: int) -> None:
    assert size == longest_lists()[transaction]
