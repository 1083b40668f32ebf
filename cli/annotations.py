"""What is wrong in a deployment file, or worth a look, as an annotation of a workflow on GitHub.

The form is that of the workflow commands `error` and `warning`, with the escapes of GitHub's own @actions/core.
"""

from __future__ import annotations

from moorage.deployment_file import Problem


def annotation(problem: Problem) -> str:
    """Return a problem as `::error file=...,line=...,col=...::message`, a warning with `::warning`."""
    position = problem.position
    properties = [f"file={_property(position.source.name)}"]
    if position.line is not None:
        properties += [f"line={position.line + 1}", f"col={position.column + 1}"]
    included = "".join(f"\nincluded at {place}" for place in position.chain)
    return f"::{problem.kind} {','.join(properties)}::{_data(problem.message + included)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
