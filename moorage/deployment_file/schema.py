"""Validates a document against schema.json, the one closed schema of the format, with messages for people."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from moorage.deployment_file.document import Document, Path
from moorage.deployment_file.problems import MAX_PROBLEMS, Problem, quoted, suggestion

HINTS = {
    "port": "write it under expose: expose: [{port: 80}]",
    "ports": "write them under expose: expose: [{port: 80}]",
    "environment": "write it under env",
    "entrypoint": "write it under command",
    "volumes": "write them under storage: storage: {/data: 1GB}",
    "healthcheck": "write it under health",
    "build": "an image is built and pushed before: name it under image",
    "deploy": "where it runs, and how many of it, stands under deployment.services",
    "replicas": "write it under deployment.services: nodes: 2",
    "resources": "what one node gets is the compute of its profile, under deployment.datacenters",
    "networks": "services reach each other where expose says so, and nowhere else",
    "links": "services reach each other where expose says so, and nowhere else",
    "env_file": "write the variables under env, or what is in the file under secrets",
    **dict.fromkeys(
        ("privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "security_opt"),
        "a container gets no rights over the host that it runs on",
    ),
}
"""What to say about keys that a service does not have but that people expect."""

SIZE_KEYWORDS = ("minItems", "maxItems", "minProperties", "maxProperties")


def check(document: Document, *, is_whole: bool = True) -> Iterator[Problem]:
    """Yield what in a document is not of the schema, and blank it, so that the other checks pass over it.

    Args:
        is_whole: whether everything is there; else a section that is missing is no problem, nor what it may have held.
    """
    errors = list(islice(_validator().iter_errors(document.value), MAX_PROBLEMS))  # of the document as it is now
    for error in errors:
        if is_whole or _path(error) or error.validator != "required":
            yield from _problems(document, error)
        _blank(document, error)


def schema_text() -> str:
    """Return the schema as JSON."""
    return resources.files(__package__).joinpath("schema.json").read_text("utf-8")


@cache
def _validator() -> Any:
    validator: Any = cast(Any, extend)(Draft202012Validator, {"additionalProperties": _additional_properties})
    return validator(json.loads(schema_text()))


def _additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Check this keyword of the schema as the library does, but in the order of the file: its own is that of a set."""
    if not isinstance(instance, dict):
        return
    extra = [key for key in instance if key not in schema.get("properties", ())]
    if isinstance(wanted, dict):
        for key in extra:
            yield from validator.descend(instance[key], wanted, path=key)
    elif extra and not wanted:
        yield ValidationError("unknown keys")


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    path, instance, expected = _path(error), cast(Any, error.instance), cast(Any, error.validator_value)
    match error.validator:
        case "additionalProperties":
            for key in _unknown_keys(error):
                message = _unknown_key_message(key, path, cast(Any, error.schema)["properties"])
                yield Problem(document.key_position((*path, key)), message)
        case "required":
            for key in expected:
                if key not in instance:
                    yield Problem(document.key_position(path), f"'{key}' is missing{_in(path)}")
        case _ if _is_about_a_name(error):
            yield Problem(document.key_position((*path, instance)), _message(error))
        case _:
            yield Problem(document.value_position(path), _message(error))


def _path(error: ValidationError) -> Path:
    return tuple(error.absolute_path)


def _is_about_a_name(error: ValidationError) -> bool:
    return "propertyNames" in error.relative_schema_path


def _unknown_keys(error: ValidationError) -> list[str]:
    return [key for key in cast(Any, error.instance) if key not in cast(Any, error.schema)["properties"]]


def _unknown_key_message(key: str, path: Path, known: dict[str, Any]) -> str:
    if len(path) == 2 and path[0] == "services" and key in HINTS:
        return f"unknown key '{key}': {HINTS[key]}"
    return f"unknown key {quoted(key)}{suggestion(key, known)}"


def _in(path: Path) -> str:
    """Return where something is missing: names as they are written, entries of lists counted from 1."""
    if not path:
        return ""
    inner = next((index for index, key in enumerate(path) if isinstance(key, int)), len(path))
    entries = "".join(f", entry {key + 1}" if isinstance(key, int) else f", {quoted(key)}" for key in path[inner:])
    return f" in {quoted('.'.join(map(str, path[:inner])))}{entries}"


def _message(error: ValidationError) -> str:
    description = cast(Any, error.schema)["description"]
    if error.validator in SIZE_KEYWORDS:
        return f"this has to be {description}"
    if error.instance is None:
        return f"nothing is given here; it has to be {description}"
    allowed = suggestion(error.instance, cast(Any, error.validator_value)) if error.validator == "enum" else ""
    return f"{_shown(error.instance)} is not {description}{allowed}{_look_alike(error)}"


def _look_alike(error: ValidationError) -> str:
    """Tell the first character that may look like a letter, and is another one."""
    if error.validator != "pattern" or not isinstance(error.instance, str):
        return ""
    found = next((character for character in error.instance if not character.isascii()), None)
    return f"; it has {_character_name(found)}" if found else ""


def _character_name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _shown(value: object) -> str:
    match value:
        case True | False:
            return str(value).lower()
        case int() | Decimal():
            return quoted(value)[1:-1]
        case list():
            return "a list"
        case dict():
            return "a map"
        case _:
            return quoted(value)


def _blank(document: Document, error: ValidationError) -> None:
    """Take out what is wrong, so that it is reported once: an unknown key goes, a wrong value becomes None."""
    if error.validator == "additionalProperties":
        for key in _unknown_keys(error):
            del cast(Any, error.instance)[key]
    elif error.validator not in ("required", *SIZE_KEYWORDS) and not _is_about_a_name(error) and error.absolute_path:
        document.blank(_path(error))
