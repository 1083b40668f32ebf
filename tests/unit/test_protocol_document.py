"""docs/protocol.md names every transaction, view, event and revert text of the contracts, and none that is gone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from vyper.ast import nodes as ast
from vyper.ast import parse_to_ast

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"

# The probe of a token is a tool of the deploy script, never deployed.
SOURCES = sorted(
    path
    for path in (*ROOT.glob("contracts/*.vy"), *ROOT.glob("contracts/_modules/*.vy"))
    if path.name != "TokenProbe.vy"
)
INTERFACES = sorted(ROOT.glob("interfaces/*.vyi"))
TOKEN_EVENTS = {"Transfer", "Approval"}


@cache
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


@cache
def code_words() -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", document())


@cache
def modules() -> list[ast.Module]:
    return [parse_to_ast(path.read_text(encoding="ascii")) for path in SOURCES]


def external_functions() -> list[ast.FunctionDef]:
    return [
        function
        for module in modules()
        for function in module.get_children(ast.FunctionDef)
        if "external" in decorators(function)
    ]


def decorators(function: ast.FunctionDef) -> set[str]:
    return {decorator.id for decorator in function.decorator_list}


def public_variables() -> set[str]:
    return {
        variable.target.id
        for module in modules()
        for variable in module.get_children(ast.VariableDecl)
        if variable.is_public
    }


def revert_texts() -> set[str]:
    """Return the reasons of assert, raise and refuse.because, but not the reason that the latter passes on."""
    texts = set()
    for module in modules():
        reasons: list[ast.VyperNode | None] = [node.msg for node in module.get_descendants(ast.Assert)]
        reasons += [node.exc for node in module.get_descendants(ast.Raise)]
        reasons += [
            node.args[0]
            for node in module.get_descendants(ast.Call)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "because"
        ]
        texts |= {reason.value for reason in reasons if isinstance(reason, ast.Str)}
    return texts


def signatures() -> set[str]:
    """Return name(arguments) of each transaction."""
    return {
        f"{function.name}({', '.join(argument.arg for argument in function.args.args)})"
        for function in external_functions()
        if not decorators(function) & {"view", "pure"}
    }


def events() -> set[str]:
    declared = {
        event.name
        for path in INTERFACES
        for event in parse_to_ast(path.read_text(encoding="ascii"), is_interface=True).get_children(ast.EventDef)
    }
    return declared | TOKEN_EVENTS


def views() -> set[str]:
    """Return the views as the document writes them: without parentheses if they take nothing."""
    found = set(public_variables())
    for function in external_functions():
        if decorators(function) & {"view", "pure"}:
            arguments = ", ".join(argument.arg for argument in function.args.args)
            found.add(f"{function.name}({arguments})" if arguments else function.name)
    return found


def test_sources__read__have_all_kinds() -> None:
    assert len(signatures()) >= 33
    assert len(revert_texts()) >= 80
    assert len(events()) >= 35
    assert {"lease(lease)", "decimals", "provider_count"} <= views()


def test_document__transactions__each_has_a_heading_with_its_arguments() -> None:
    assert set(re.findall(r"^#### `(.+)`$", document(), re.MULTILINE)) == signatures()


@pytest.mark.parametrize("view", sorted(views()))
def test_document__view__is_named(view: str) -> None:
    assert view in {*code_words(), *(word.split("(")[0] for word in code_words())}


def test_document__list_of_events__is_that_of_the_sources() -> None:
    section = document().split("\n## 9 Events")[1].split("\n## ")[0]
    first_column = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))

    assert set(re.findall(r"`(\w+)`", first_column)) == events()


def test_document__revert_texts__are_those_of_the_sources() -> None:
    prefixes = {text.split(":")[0] for text in revert_texts()}

    assert {word for word in code_words() if word.split(":")[0] in prefixes and ": " in word} == revert_texts()


def test_f08_document__table_of_refusals__has_each_text_once() -> None:
    section = document().split("\n## 13 Refusals")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(.+?)` \| .+ \|$", section, re.MULTILINE) == sorted(revert_texts())
