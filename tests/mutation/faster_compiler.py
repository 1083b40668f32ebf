"""Lets the compiler use what it has found out before: a mutant differs in one function from what was compiled first.

What comes out is the same, byte for byte (tests/unit/test_mutation.py); a child that compiles has its parent's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from vyper.ast import nodes as ast
from vyper.codegen import core
from vyper.codegen import module as codegen
from vyper.codegen.function_definitions.common import EntryPointInfo, ExternalFuncIR, InternalFuncIR, init_ir_info
from vyper.codegen.ir_node import IRnode
from vyper.compiler import phases
from vyper.ir import optimizer
from vyper.semantics.analysis import imports
from vyper.semantics.types.module import ModuleT

Optimize = Callable[[Any, Any], tuple[bool, Any]]
Generate = Callable[..., Any]
AFTER_THE_FIRST = 10**6  # labels of the first compilation have lower numbers
SEQUENCE = IRnode("seq")

remembered: dict[tuple[Any, ...], Memory] = {}
seen: dict[str, Any] = {}  # path -> the file, as it was parsed first
parsed_ahead: dict[str, Any] = {}  # path -> its tree, for one compilation


def install() -> None:
    optimizer._optimize = _passing_over_the_good(optimizer._optimize)
    codegen.generate_ir_for_internal_function = _remembering(codegen.generate_ir_for_internal_function)
    codegen.generate_ir_for_external_function = _remembering(codegen.generate_ir_for_external_function)
    phases.codegen.reset_names = _reset_names
    imports._parse_ast = _parsing_ahead(imports._parse_ast)


def parse_ahead() -> None:
    """Parse all sources for the next compilation, which in each child is the only one."""
    parsed_ahead.update((path, imports._parse_ast(file)) for path, file in seen.items())


def _parsing_ahead(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def once(file: Any) -> Any:
        path = str(file.resolved_path)
        if path in parsed_ahead and seen[path].contents == file.contents:
            return parsed_ahead.pop(path)
        tree = parse(file)
        seen.setdefault(path, file)  # not one that cannot be parsed
        return tree

    return once


def _reset_names() -> None:
    core._label = AFTER_THE_FIRST if remembered else 0


def _passing_over_the_good(optimize: Optimize) -> Optimize:
    """Have the optimiser pass over what it has found to be as good as it gets, which it would walk a dozen times."""

    def once(node: Any, parent: Any) -> tuple[bool, Any]:
        place = None if parent is None else parent.value
        if getattr(node, "is_good_below", "nothing yet") == place:
            return False, node
        changed, result = optimize(node, parent)
        if not changed:
            node.is_good_below = place
        return changed, result

    return once


def _remembering(generate: Generate) -> Generate:
    """Have the code of a function generated once, as long as it and all that it is made of stays the same."""

    def once(code: Any, module: ModuleT, is_ctor_context: bool | None = None) -> Any:
        function = code._metadata["func_type"]
        arguments = (code, module) if is_ctor_context is None else (code, module, is_ctor_context)
        if function.is_constructor:
            return generate(*arguments)
        init_ir_info(function)
        key = _key(code, module, bool(is_ctor_context))
        if key not in remembered:
            found = generate(*arguments)
            remembered[key] = Memory(found, function._ir_info, module)
            return remembered[key].copy(function)
        remembered[key].restore(function, module)
        return remembered[key].copy(function)

    return once


class Memory:
    """What was generated for a function."""

    def __init__(self, found: Any, info: Any, module: ModuleT) -> None:
        self._found = found
        self._info = info
        if isinstance(found, InternalFuncIR):
            node = found.func_ir
            names = {variable: name for name, variable in _variables(module).items()}
            self._named = {
                which: [names[each] for each in getattr(node, which) if each in names]
                for which in ("referenced_variables", "variable_writes")
            }
            self._calls = {which: getattr(node, which) for which in ("contains_risky_call", "contains_writeable_call")}
            self._found = InternalFuncIR(optimizer._optimize(node, SEQUENCE)[1])

    def restore(self, function: Any, module: ModuleT) -> None:
        """Say of another function of the same text what has been found out of the first."""
        info = function._ir_info
        info.frame_info, info.gas_estimate = self._info.frame_info, self._info.gas_estimate
        if isinstance(self._found, InternalFuncIR):
            # whoever calls it looks at nothing but this
            node = IRnode("pass")
            variables = _variables(module)
            for which, names in self._named.items():
                node.__dict__[which] = {variables[name] for name in names}
            node.__dict__.update(self._calls)
            info.func_ir = InternalFuncIR(node)

    def copy(self, function: Any) -> Any:
        """Return what was generated for a function of the same text; the compiler changes its entry points."""
        if isinstance(self._found, InternalFuncIR):
            return self._found
        entries: dict[str, EntryPointInfo] = {
            name: replace(entry, func_t=function) for name, entry in self._found.entry_points.items()
        }
        return ExternalFuncIR(entries, self._found.common_ir)


def _modules(module: ModuleT) -> Iterator[ModuleT]:
    yield module
    for info in module.imported_modules.values():
        yield from _modules(info.module_t)


def _variables(module: ModuleT) -> dict[tuple[str, str], Any]:
    return {
        (each._module.resolved_path, name): variable
        for each in _modules(module)
        for name, variable in each.variables.items()
    }


def _key(code: Any, module: ModuleT, is_constructing: bool) -> tuple[Any, ...]:
    """Return all that the code of a function depends on."""
    function = code._metadata["func_type"]
    callees = [
        (each._ir_info.internal_function_label(is_constructing), each._ir_info.frame_info.frame_size)
        for each in function.called_functions
    ]
    # the rest outside of functions stays as it is
    constants = [
        each.node_source_code for one in _modules(module) for each in one._module.get_children(ast.VariableDecl)
    ]
    text = code.node_source_code
    return text, is_constructing, function._ir_info.ir_identifier, tuple(callees), tuple(constants)
