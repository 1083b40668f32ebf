"""The examples of merging in docs/deployment-file.md: each is run, and gives what stands below it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from moorage.deployment_file import DeploymentFileError, IncludeRules
from moorage.deployment_file.document import Document
from moorage.deployment_file.includes import merge
from moorage.deployment_file.problems import Source
from moorage.deployment_file.yaml_tree import parse

PAGE = (Path(__file__).parents[2] / "docs" / "deployment-file.md").read_text("utf-8")
SECTION = PAGE.split("### How files are merged\n")[1].split("\n### ")[0]
BLOCK = re.compile(r"^```(?:yaml)?\n# (?P<name>[a-z.-]+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Example:
    files: dict[str, str] = field(default_factory=dict)
    together: str | None = None
    refused: str | None = None


def examples() -> list[Example]:
    """Return the examples; each ends with what the files are together, or why they are refused."""
    found = [Example()]
    for block in BLOCK.finditer(SECTION):
        match block["name"]:
            case "together":
                found[-1].together = block["text"]
            case "refused":
                found[-1].refused = block["text"]
            case name:
                found[-1].files[name] = block["text"]
        if block["name"] in ("together", "refused"):
            found.append(Example())
    return found[:-1]


EXAMPLES = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=[", ".join(example.files) for example in EXAMPLES])
def test_document__example_of_merging__gives_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: Example
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in example.files.items():
        Path(name).write_text(text)

    merged = merge(Path("moorage.yml"), example.files["moorage.yml"], IncludeRules())

    if example.together is not None:
        assert Document(merged.root).value == Document(parse(Source("together", example.together))).value
        assert merged.problems == []
    else:
        # an example's lines begin below the line with its name, which is not in the file
        assert f"{DeploymentFileError(merged.problems)}\n" == example.refused


def test_document__each_rule_of_merging__has_an_example() -> None:
    assert [(example.together is not None, len(example.files)) for example in EXAMPLES] == [
        (True, 2),
        (True, 4),
        (True, 2),
        (False, 4),
    ]
    assert SECTION.count("```") == 2 * (sum(len(example.files) for example in EXAMPLES) + len(EXAMPLES))
