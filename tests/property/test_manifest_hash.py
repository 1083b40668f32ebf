"""The version of a manifest is the same in another language: tools/manifest_hash.mjs shares no code with moorage."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moorage import manifest
from moorage.manifest import Manifest
from tests.property.test_manifest_properties import manifests

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests" / "unit" / "manifest_vectors.json").read_text("utf-8"))
FEW_PROCESSES = settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def versions_elsewhere(text: str) -> list[str]:
    """Return what the other implementation makes of a manifest, or of a list of them."""
    command = ["node", ROOT / "tools" / "manifest_hash.mjs"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.split()


def disordered(value: Any, chance: random.Random) -> Any:
    """Return the same JSON with the keys of its maps in another order."""
    if isinstance(value, list):
        return [disordered(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: disordered(value[key], chance) for key in chance.sample(list(value), len(value))}


def test_h01_version__of_the_vectors__is_the_same_in_javascript() -> None:
    documents = [json.loads(vector["canonical"]) for vector in VECTORS]

    canonical = versions_elsewhere(json.dumps(documents, ensure_ascii=False))
    written_otherwise = versions_elsewhere(json.dumps(disordered(documents, random.Random(1)), indent=3))

    assert canonical == written_otherwise == [vector["version"] for vector in VECTORS]
    assert versions_elsewhere(VECTORS[0]["canonical"]) == [VECTORS[0]["version"]]


@FEW_PROCESSES
@given(wanted=st.lists(manifests(), min_size=3, max_size=8), seed=st.integers(0, 9))
def test_h01_version__of_any_manifest__is_the_same_in_javascript(wanted: list[Manifest], seed: int) -> None:
    documents = [json.loads(manifest.encode(each)) for each in wanted]

    assert versions_elsewhere(json.dumps(disordered(documents, random.Random(seed)))) == [
        manifest.version_of(manifest.encode(each)).hex() for each in wanted
    ]
