"""Strategies: deployment files by the schema, with something wrong here and there, in any form that YAML has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from moorage.deployment_file import schema_text

SCHEMA: dict[str, Any] = json.loads(schema_text())
NAMES = ("web", "db", "dock", "east", "small", "a-b", "0", "Web")
"""Of everything, so that what names something else often finds it; the last one is none."""
OTHERS = (
    *(None, True, -1, 0, 1, 80, 65_536, 2**64, 0.5, 1e400, {}, []),
    *("", "~", "1GB", "0.5B", "500m", "10s", "3d", "nginx", "a.b", "https://a.test/x", "a@b.test", "/data", "PATH"),
    *("MISSING", "./x", "../x", "-", "\u202e", "\x07", "\U0001f30a"),
)  # fmt: skip
TOKENS = (
    *("a", "a:", "? ", "- ", ": ", "-", ":", "&a ", "*a", "!t ", "!!str ", "| ", "|2-\n", "> ", "'", '"', "[", "]"),
    *("{", "}", ", ", " #", "%YAML 1.2\n", "%TAG ! x\n", "---", "...", "\t", "\\", "\\x4", "\\u00e9", "~", "5"),
    *("0x", "\x85", "services", "version: '0.1'\n", "deployment:", "include: [a]\n", "\ufeff", "\r", "\r\n", "@"),
    *("`", "<<: *a\n", "*"),
)  # fmt: skip


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return {**SCHEMA["$defs"][reference.rpartition("/")[2]], **schema} if reference else schema


def types_of(schema: dict[str, Any]) -> list[str]:
    found = schema.get("type", "string")
    return found if isinstance(found, list) else [found]


@st.composite
def values(draw: st.DrawFn, schema: dict[str, Any] = SCHEMA) -> Any:
    """A value that a schema asks for, or now and then another one."""
    if draw(st.integers(0, 24)) == 0:
        return draw(st.sampled_from(OTHERS))
    schema = resolved(schema)
    if "const" in schema or "enum" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    kind = draw(st.sampled_from(types_of(schema)))
    schema = resolved(schema.get("then", {})) if schema.get("if") == {"type": kind} else schema
    return draw(KINDS[kind](schema))


@st.composite
def maps(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    known, others = schema.get("properties"), schema.get("additionalProperties")
    if known is None:
        keys = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        return {key: draw(values(others)) for key in keys}
    required = set(schema.get("required", ()))
    keys = [key for key in known if key in required or draw(st.booleans())]
    return {key: draw(values(known[key])) for key in keys}


@st.composite
def texts(draw: st.DrawFn, schema: dict[str, Any]) -> str:
    pattern = schema.get("pattern", ".{0,3}").removesuffix("(?!\\n)")
    fitting = [name for name in (*NAMES, *OTHERS) if isinstance(name, str) and re.search(pattern, name)]
    return draw(st.sampled_from(fitting) if fitting else st.sampled_from(NAMES))


def lists(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)


def numbers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum", 0), min(schema.get("maximum", 100), 100_000))


KINDS: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "object": maps,
    "array": lists,
    "string": texts,
    "integer": numbers,
    "number": numbers,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


class Writer:
    """Writes a value as YAML, in forms that chance chooses."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._anchors: list[str] = []

    def written(self, value: Any, indent: int, is_flow: bool) -> str:
        if self._anchors and self._one_of(40):
            return f"*{self._draw(st.sampled_from(self._anchors))}"
        is_flow = is_flow or self._one_of(4)
        text = self._scalar(value, indent, is_flow)
        if isinstance(value, dict | list) and value:
            text = self._flow(value, indent) if is_flow else self._block(value, indent)
        if self._one_of(40):
            name = f"a{len(self._anchors)}"
            self._anchors.append(name)
            return f"&{name} {text}"
        return text

    def _flow(self, value: Any, indent: int) -> str:
        if isinstance(value, list):
            return f"[{', '.join(self.written(item, indent, True) for item in value)}]"
        entries = (f"{self._key(key)}: {self.written(item, indent, True)}" for key, item in value.items())
        return f"{{{', '.join(entries)}}}"

    def _block(self, value: Any, indent: int) -> str:
        start = "\n" + " " * indent
        inner = indent + self._draw(st.sampled_from((1, 2, 2, 2, 4)))
        if isinstance(value, list):
            return "".join(f"{start}- {self.written(item, inner, False).lstrip()}" for item in value)
        return "".join(f"{start}{self._key(key)}: {self.written(item, inner, False)}" for key, item in value.items())

    def _key(self, key: str) -> str:
        return json.dumps(key) if self._one_of(10) else key

    def _scalar(self, value: Any, indent: int, is_flow: bool) -> str:
        if not isinstance(value, str) or value == "0.1":
            return json.dumps(value)
        match self._draw(st.integers(0, 4)):
            case 0:
                return value
            case 1:
                return "'" + value.replace("'", "''") + "'"
            case 2 if not is_flow:
                return f"{self._draw(st.sampled_from('|>'))}-\n{' ' * (indent + 1)}{value}"
            case _:
                return json.dumps(value, ensure_ascii=self._draw(st.booleans()))

    def _one_of(self, number: int) -> bool:
        return self._draw(st.integers(1, number)) == number


@st.composite
def sound_files(draw: st.DrawFn) -> dict[str, Any]:
    """A valid file in which a part is what its schema asks for."""
    parts = SCHEMA["$defs"]
    service: dict[str, Any] = {"image": "nginx"}
    profile: dict[str, Any] = {"pricing": {"max-price": 5}}
    for key in draw(st.lists(st.sampled_from(sorted(parts["service"]["properties"])), max_size=3)):
        service[key] = draw(values(parts["service"]["properties"][key]))
    if draw(st.booleans()):
        profile[draw(st.sampled_from(["compute", "qos"]))] = draw(values(parts["cpu"]).map(lambda cpu: {"cpu": cpu}))
    datacenter = {"region": draw(st.sampled_from(["local", "europe"])), "profiles": {"small": profile}}
    placement = {"profile": "small", "nodes": draw(values(parts["placement"]["properties"]["nodes"]))}
    file = {"version": "0.1", "services": {"web": service, "db": {"image": "x"}}}
    placed = {"web": {"dock": placement}, "db": {"dock": {"profile": "small"}}}
    file["deployment"] = {"datacenters": {"dock": datacenter}, "services": placed}
    if draw(st.booleans()):
        file["notifications"] = draw(lists({"items": parts["notification"]}))
    return file


@st.composite
def written_files(draw: st.DrawFn) -> str:
    """A deployment file in some form of YAML, often a valid one."""
    file = draw(st.one_of(sound_files(), sound_files(), maps(SCHEMA)))
    return Writer(draw).written(file, 0, False).lstrip("\n") + "\n"


@st.composite
def token_texts(draw: st.DrawFn) -> str:
    """Lines of what the parser has rules for, in no order."""
    lines = draw(st.lists(st.lists(st.sampled_from(TOKENS), max_size=5), max_size=12))
    return "\n".join(" " * draw(st.integers(0, 4)) + "".join(line) for line in lines)
