"""The published schema: valid itself, able to explain every refusal, and in step with the manifest and the docs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from moorage import manifest, regions
from moorage.deployment_file import Event
from moorage.deployment_file.document import Document
from moorage.deployment_file.includes import SECTION_NAMES
from moorage.deployment_file.loader import load_text
from moorage.deployment_file.problems import Source
from moorage.deployment_file.yaml_tree import parse
from moorage.workload_health import HTTP_PATH_PATTERN
from moorage.workload_secrets import REGISTRY_USER_PATTERN, SECRET_NAME_PATTERN

SCHEMA: dict[str, Any] = json.loads(
    resources.files("moorage.deployment_file").joinpath("schema.json").read_text("utf-8")
)
DOCS = (Path(__file__).parents[2] / "docs" / "deployment-file.md").read_text("utf-8")

DOCUMENTED_WORDS = {word for span in re.findall(r"`([^`\n]+)`", DOCS) for word in re.split(r"[^a-z-]+", span)}


def nodes(schema: dict[str, Any], path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema in the schema that a value is held against, with where it stands."""
    yield path, schema
    for key in ("properties", "$defs"):
        for name, child in schema.get(key, {}).items():
            yield from nodes(child, f"{path}.{name}")
    for key in ("items", "propertyNames", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}.{key}")


NODES = dict(nodes(SCHEMA))


def test_schema__itself__is_a_json_schema_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", NODES)
def test_schema__each_part__can_say_what_it_wants(path: str) -> None:
    assert "description" in NODES[path] or NODES[path].keys() <= {"$ref", "default"}


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "object" in str(node.get("type"))])
def test_schema__each_map__is_closed(path: str) -> None:
    node = NODES[path]
    if node.get("if") == {"type": "object"}:
        node = NODES[node["then"]["$ref"].replace("#/$defs/", "$.")]
    assert node.get("additionalProperties") is False or "propertyNames" in node


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "pattern" in node])
def test_schema__each_pattern__ends_where_the_text_ends(path: str) -> None:
    assert NODES[path]["pattern"].startswith("^")
    assert NODES[path]["pattern"].endswith(r"$(?!\n)")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("$.service-name", manifest.NAME_PATTERN),
        ("$.datacenter-name", manifest.GROUP_NAME_PATTERN),
        ("$.service.image", manifest.IMAGE_PATTERN),
        ("$.service.user", manifest.USER_PATTERN),
        ("$.service.env.propertyNames", manifest.ENV_NAME_PATTERN),
        ("$.service.storage.propertyNames", manifest.STORAGE_PATH_PATTERN),
        ("$.service.host.items", manifest.HOST_PATTERN),
        ("$.service.secrets.propertyNames", SECRET_NAME_PATTERN),
        ("$.service.credentials.user", REGISTRY_USER_PATTERN),
        ("$.health.http.path", HTTP_PATH_PATTERN),
    ],
)
def test_schema__what_goes_into_the_manifest__has_the_manifests_pattern(path: str, pattern: str) -> None:
    assert NODES[path]["pattern"] == pattern


def test_schema__regions__are_those_of_the_exchange() -> None:
    assert tuple(NODES["$.datacenter.region"]["enum"]) == regions.NAMES


def test_schema__events__are_those_that_somebody_is_told_about() -> None:
    assert NODES["$.notification.events.items"]["enum"] == list(Event)


def test_schema__sections_of_deployment__have_both_names() -> None:
    sections = NODES["$.deployment"]["properties"]

    assert all(sections[second] == sections[first] for second, first in SECTION_NAMES.items())


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    return SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node


def documented(heading: str) -> dict[str, tuple[bool, str | None]]:
    """Return the keys of the first table below a heading: whether each is required, and its default."""
    section = re.split(rf"(?m)^##+ {re.escape(heading)}$", DOCS)[1]
    table = section[section.index("| Key | Meaning | Default |") :].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        keys, _, default = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:4])
        value = re.fullmatch(r"`([^`]+)`", default)
        for key in re.findall(r"`([^`]+)`", keys):
            found[key] = default == "required", value and value[1]
    return found


def described(node: dict[str, Any], prefix: str = "") -> dict[str, tuple[bool, str | None]]:
    """Return the same of a schema; keys of maps within it when there is a prefix for them."""
    required = node.get("required", ())
    found = {}
    for key, child in node["properties"].items():
        default = child.get("default", resolved(child).get("default"))
        shown = default if default is None or isinstance(default, str) else json.dumps(default)
        found[prefix + key] = key in required, shown
    return found


PAGES = {
    "Top level": described(NODES["$"]),
    "services.<name>": described(NODES["$.service"]),
    "health": described(NODES["$.health"]),
    "expose": described(NODES["$.expose"]),
    "datacenters.<name>": described(NODES["$.datacenter"]),
    "notifications": described(NODES["$.notification"]),
}


@pytest.mark.parametrize("heading", PAGES)
def test_docs__each_table__has_the_keys_and_defaults_of_the_schema(heading: str) -> None:
    assert documented(heading) == PAGES[heading]


def test_docs__tables_of_keys_that_stand_deeper__are_those_of_the_schema() -> None:
    profile = {
        key: (default, is_required)
        for section in ("compute", "qos", "pricing")
        for key, (is_required, default) in described(NODES[f"$.profile.{section}"], f"{section}.").items()
    }
    shown = {key: (default, False) for key, (_, default) in documented("profiles.<name>").items()}

    assert shown == profile
    assert documented("deployment").keys() == NODES["$.deployment"]["properties"].keys()
    assert documented("deployment")["wait-duration"] == (False, NODES["$.deployment.wait-duration"]["default"])


WITHOUT_DEFAULTS = """\
version: "0.1"
services:
  web:
    image: nginx
    health: {http: {port: 80}}
    expose: [{port: 80, to: [{service: web}]}]
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
"""


def with_defaults(value: Any, node: dict[str, Any]) -> Any:
    """Return a value with every default of the schema written out."""
    node = resolved(node)
    if isinstance(value, list):
        return [with_defaults(item, node.get("items", node.get("anyOf", [{}])[-1].get("items", {}))) for item in value]
    if not isinstance(value, dict):
        return value
    defaults = {key: child["default"] for key, child in node.get("properties", {}).items() if "default" in child}
    others = node.get("additionalProperties") or {}
    return defaults | {
        key: with_defaults(child, node.get("properties", {}).get(key, others)) for key, child in value.items()
    }


def test_schema__defaults_written_out__change_nothing() -> None:
    document = Document(parse(Source("", WITHOUT_DEFAULTS))).value
    document["deployment"]["datacenters"]["dock"]["profiles"]["small"] |= {"compute": {}, "qos": {}}

    written = json.dumps(with_defaults(document, SCHEMA), default=str)

    assert load_text(written, Path("moorage.yml")) == load_text(WITHOUT_DEFAULTS, Path("moorage.yml"))
    for default in ('"60s"', '"512MiB"', '"1GiB"', '"short"', '"10s"', '"persist": true', '"nodes": 1', '"retries": 3'):
        assert default in written


@pytest.mark.parametrize(
    "word",
    [*NODES["$.datacenter.region"]["enum"], *NODES["$.notification.events.items"]["enum"], "short", "medium", "long"],
)
def test_docs__each_word_of_the_schema__is_listed(word: str) -> None:
    assert word in DOCS
