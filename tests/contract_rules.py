"""The rules of the contract lint for what a Vyper source does: calls, loops, reverts, authority, storage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from vyper.ast import nodes as ast
from vyper.exceptions import VyperException

# The only file of the exchange that moves tokens. Mocks and testers may do what they like with them, and the probe
# of a token is never deployed.
LEDGER = PurePath("contracts/_modules/ledger.vy")
PROBE = PurePath("contracts/TokenProbe.vy")
TESTING = PurePath("contracts/testing")

# What the exchange is made of, and the part of it that is fixed for ever.
EXCHANGE = PurePath("contracts/Exchange.vy")
MODULES = PurePath("contracts/_modules")
PARAMETERS = MODULES / "parameters.vy"

# The function through which modules revert; its argument is a reason like that of an assert.
REFUSE = "because"
REASON = re.compile(r"[a-z][a-z_ ]*: \S.*")
LONGEST_REASON = 32

MOST_ROUNDS = 128
LONGEST_ANSWER_BYTES = 32
ANSWERING_BOOL = ("transfer", "transferFrom", "approve")
MAKERS = ("create_from_blueprint", "create_minimal_proxy_to", "create_forwarder_to", "create_copy_of", "raw_create")
CODE = ("is_contract", "code", "codesize", "codehash")


@dataclass(frozen=True, slots=True)
class Finding:
    path: PurePath
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def check_tree(path: PurePath, module: ast.Module) -> Iterator[Finding]:
    """Yield the findings in a tree; that of an interface has no types, and no statements that would need them."""
    yield from _check_storage(path, module)
    yield from _check_implements(path, module)
    for node in module.get_descendants():
        for rule, message in _faults(path, node):
            yield Finding(path, node.lineno, rule, message)


def is_decorated(function: ast.FunctionDef, name: str) -> bool:
    """Return whether a function has a decorator."""
    return any(_is_name(decorator, name) for decorator in function.decorator_list)


def _faults(path: PurePath, node: ast.VyperNode) -> Iterator[tuple[str, str]]:
    """Yield rule and message for each fault of a node."""
    match node:
        case ast.FunctionDef():
            yield from _function(path, node)
        case ast.Attribute():
            yield from _attribute(node)
        case ast.Assert():
            yield from _reason(node.msg)
        case ast.Raise():
            yield from _reason(node.exc)
        case ast.IfExp():
            yield from _ternary(node)
        case ast.For():
            yield from _loop(node)
        case ast.ExtCall():
            yield from _external_call(path, node)
        case ast.Call():
            yield from _call(path, node)


def _check_storage(path: PurePath, module: ast.Module) -> Iterator[Finding]:
    """The exchange keeps words of its entities and nothing else: no owner, no switch, no parameter that can change."""
    if path.suffix == ".vyi" or not (path == EXCHANGE or path.is_relative_to(MODULES)):
        return
    for variable in module.get_children(ast.VariableDecl):
        if variable.is_constant or variable.is_immutable:
            continue
        annotation = variable.annotation
        is_map = isinstance(annotation, ast.Subscript) and _is_name(annotation.value, "HashMap")
        if path == PARAMETERS or variable.is_public or not is_map:
            message = f"{variable.target.id} can be written: parameters are immutable, all else is in maps"
            yield Finding(path, variable.lineno, "storage", message)


def _check_implements(path: PurePath, module: ast.Module) -> Iterator[Finding]:
    """Compare what functions return, which the compiler forgets when the contract's return nothing."""
    for node in module.get_children(ast.ImplementsDecl):
        returned = {function.name: _returns(function) for function in _type_of(module).exposed_functions}
        for name, function in node._metadata["interface_type"].functions.items():
            if returned[name] != _returns(function):
                message = f"{name} returns {returned[name]}, and in the interface {_returns(function)}"
                yield Finding(path, node.lineno, "implements", message)


def _returns(function: Any) -> str:
    """Return the ABI's name of what a function returns."""
    return str(function.return_type.abi_type.selector_name()) if function.return_type else "nothing"


def _function(path: PurePath, node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    if is_decorated(node, "payable"):
        yield "payable", f"{node.name} takes ether, which the exchange has no use for"
    if node.name == "__default__" and not path.is_relative_to(TESTING):
        yield "payable", "__default__ takes calls that no function was written for"
    if not node.body:
        yield "empty", f"{node.name} is a docstring alone, at which the compiler fails (issue 4972): write pass"


def _attribute(node: ast.Attribute) -> Iterator[tuple[str, str]]:
    if node.attr == "origin" and _is_name(node.value, "tx"):
        yield "authority", "tx.origin says nothing about who calls"
    function = node.get_ancestor(ast.FunctionDef)
    if node.attr in CODE and function is not None and function.name != "__init__":
        yield "authority", f".{node.attr} says nothing about who calls: accounts with keys have code too (EIP-7702)"


def _reason(reason: ast.VyperNode | None) -> Iterator[tuple[str, str]]:
    if reason is None or _is_name(reason, "UNREACHABLE"):
        yield "reason", "a revert without a reason"
    elif isinstance(reason, ast.Str):
        if not REASON.fullmatch(reason.value) or len(reason.value) > LONGEST_REASON:
            yield "reason", f"{reason.value!r} is not 'module: text' of up to {LONGEST_REASON} characters"
    elif getattr(_type_of(reason), "length", LONGEST_REASON + 1) > LONGEST_REASON:
        yield "reason", f"a revert reason that may be longer than {LONGEST_REASON} characters"


def _ternary(node: ast.IfExp) -> Iterator[tuple[str, str]]:
    if not _type_of(node)._is_prim_word:
        yield "ternary", f"ternary of {_type_of(node)}: only single words (GHSA-cw3h-xwxq-8cx2)"
    for operation in node.get_descendants(ast.BinOp):
        if isinstance(operation.op, ast.BitOr) and any(map(_is_call_input, operation.get_descendants())):
            yield "or-in-ternary", "| of what was sent, in a ternary, folds to a constant (GHSA-6j9c-gvcw-74fj)"


def _loop(node: ast.For) -> Iterator[tuple[str, str]]:
    if not _is_plain_iterator(node.iter):
        yield "iterator", "what a loop goes over is set up by a call, whose effects may come twice (issue 3884)"
        return
    rounds = _rounds(node.iter)
    if rounds is None or rounds > MOST_ROUNDS:
        yield "rounds", f"a loop of {rounds or 'unknown'} rounds, not of up to {MOST_ROUNDS}"


def _is_plain_iterator(node: ast.VyperNode) -> bool:
    if isinstance(node, ast.Call) and _is_name(node.func, "range"):
        return all(map(_is_plain, [*node.args, *(keyword.value for keyword in node.keywords)]))
    return _is_plain(node) or (isinstance(node, ast.List) and all(map(_is_plain, node.elements)))


def _is_plain(node: ast.VyperNode) -> bool:
    """Return whether a node is a literal, a variable or the length of one."""
    if isinstance(node, ast.Call):
        return _is_name(node.func, "len") and all(map(_is_plain, node.args))
    if isinstance(node, ast.Attribute):
        return _is_plain(node.value)
    return isinstance(node, ast.Name | ast.Constant)


def _rounds(node: ast.VyperNode) -> int | None:
    """Return how many rounds a loop over a plain iterator takes at most."""
    if not isinstance(node, ast.Call):
        return getattr(_type_of(node), "count", None)
    bounds = [_number(keyword.value) for keyword in node.keywords if keyword.arg == "bound"]
    ends = bounds or [_number(argument) for argument in node.args]
    known = [end for end in ends if end is not None]
    if len(known) != len(ends):
        return None
    return known[-1] - known[0] if len(known) == 2 else known[0]


def _number(node: ast.VyperNode) -> int | None:
    try:
        return int(node.get_folded_value().value)
    except VyperException:
        return None


def _external_call(path: PurePath, node: ast.ExtCall) -> Iterator[tuple[str, str]]:
    function, keywords = node.value.func, {keyword.arg: keyword.value for keyword in node.value.keywords}
    target = PurePath(str(_type_of(function.value))).stem
    if target.startswith("IERC20") and not _may_move_tokens(path):
        yield "token-call", f"external call on {target}: only {LEDGER} calls the token"
    if (
        target.startswith("IERC20")
        and function.attr in ANSWERING_BOOL
        and not _is_true(keywords, "default_return_value")
    ):
        yield "token-answer", f"{function.attr} without default_return_value=True: some tokens answer nothing"
    if "skip_contract_check" in keywords:
        yield "token-answer", "skip_contract_check: an address without code would be taken for a token that agrees"
    if _answers(node) and not _is_used(node):
        yield "unused", f"what {function.attr} answers is used by nobody"


def _call(path: PurePath, node: ast.Call) -> Iterator[tuple[str, str]]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in MAKERS:
        yield "creates", f"{name}: the exchange makes no contracts, and code_offset wraps (GHSA-fxg7-4wqg-c8gh)"
    elif name == "selfdestruct":
        yield "creates", "selfdestruct: nobody can end the exchange"
    elif name == "raw_log":
        yield "raw-log", "raw_log: an event that is in no interface"
    elif name == "raw_revert" and not path.is_relative_to(TESTING):
        yield "reason", "raw_revert: a revert without a reason"
    elif name == "raw_call":
        yield from _raw_call(path, node)
    elif isinstance(node.func, ast.Attribute) and node.func.attr == REFUSE:
        yield from _reason(node.args[0])


def _raw_call(path: PurePath, node: ast.Call) -> Iterator[tuple[str, str]]:
    if not _may_move_tokens(path):
        yield "token-call", f"raw_call can move tokens; only {LEDGER} does"
    if path.is_relative_to(TESTING):
        return
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    longest = _number(keywords["max_outsize"]) if "max_outsize" in keywords else 0
    if longest is None or longest > LONGEST_ANSWER_BYTES or not _is_false(keywords, "revert_on_failure"):
        yield "raw-call", f"raw_call that takes more than {LONGEST_ANSWER_BYTES} bytes of answer or passes failures on"
    if {"value", "is_delegate_call"} & keywords.keys():
        yield "raw-call", "raw_call that sends ether or lends its storage"


def _answers(node: ast.ExtCall) -> bool:
    return _type_of(node.value.func).return_type is not None


def _is_used(node: ast.ExtCall) -> bool:
    """Return whether an answer goes into an expression or into a variable that is read."""
    statement = node.get_ancestor()
    if isinstance(statement, ast.Expr):
        return False
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        return True
    names = node.get_ancestor(ast.FunctionDef).get_descendants(ast.Name, {"id": statement.target.id})
    return any((name.lineno, name.col_offset) > (node.end_lineno, node.end_col_offset) for name in names)


def _may_move_tokens(path: PurePath) -> bool:
    return path in (LEDGER, PROBE) or path.is_relative_to(TESTING)


def _is_call_input(node: ast.VyperNode) -> bool:
    """Return whether a node is `msg.value` or `msg.data`."""
    return isinstance(node, ast.Attribute) and node.attr in ("value", "data") and _is_name(node.value, "msg")


def _is_name(node: ast.VyperNode, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_true(keywords: dict[str, ast.VyperNode], name: str) -> bool:
    return name in keywords and getattr(keywords[name], "value", None) is True


def _is_false(keywords: dict[str, ast.VyperNode], name: str) -> bool:
    return name in keywords and getattr(keywords[name], "value", None) is False


def _type_of(node: ast.VyperNode) -> Any:
    return node._metadata["type"]
