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
from moorage.deployment_file.includes import SECTION_NAMES
from moorage.deployment_file.loader import load
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
    for index, child in enumerate(schema.get("anyOf", ())):
        yield from nodes(child, f"{path}.{index}")


NODES = dict(nodes(SCHEMA))


def test_schema__itself__is_a_json_schema_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", NODES)
def test_schema__each_part__can_say_what_it_wants(path: str) -> None:
    assert "description" in NODES[path] or set(NODES[path]) == {"$ref"}


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "object" in str(node.get("type"))])
def test_schema__each_map__is_closed(path: str) -> None:
    assert NODES[path].get("additionalProperties") is False or "propertyNames" in NODES[path]


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


@pytest.mark.parametrize("key", sorted({key for node in NODES.values() for key in node.get("properties", ())}))
def test_docs__each_key_of_the_schema__is_described(key: str) -> None:
    assert key in DOCUMENTED_WORDS


@pytest.mark.parametrize(
    "word",
    [*NODES["$.datacenter.region"]["enum"], *NODES["$.notification.events.items"]["enum"], "short", "medium", "long"],
)
def test_docs__each_word_of_the_schema__is_listed(word: str) -> None:
    assert word in DOCS


def test_docs__defaults_of_a_health_check__are_those_that_it_gets(tmp_path: Path) -> None:
    text = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL) if "image:" in block)
    file = tmp_path / "moorage.yml"
    file.write_text(text.replace("    expose:\n", "    health: {http: {port: 8080}}\n    expose:\n"))
    written = dict(re.findall(r"(?m)^\| `(interval|timeout|retries|start-period)` \| .* \| `(\d+)s?` \|$", DOCS))

    health = load(file).services[0].health

    assert health is not None
    assert {name: int(value) for name, value in written.items()} == {
        "interval": health.interval_seconds,
        "timeout": health.timeout_seconds,
        "retries": health.retries,
        "start-period": health.start_seconds,
    }
