"""Reads what monitoring is made of: which metrics dashboards and alerts name, and which there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from facilitator_bot.metrics import FacilitatorMetrics
from provider_agent.metrics import ProviderMetrics

ROOT = Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "deploy" / "grafana" / "moorage.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
NAME = re.compile(r"\bmoorage_[a-z0-9_]+")
SELECTOR = re.compile(r"(moorage_[a-z0-9_]+)\{([^}]*)\}")
LABEL = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
EVERYWHERE = frozenset({"instance", "job"})
"""Labels that Prometheus itself adds."""


def existing() -> dict[str, frozenset[str]]:
    """Return the labels of every metric of both programs, by the name that Prometheus knows it by."""
    programs = FacilitatorMetrics(18), ProviderMetrics(18)
    return {name: labels for program in programs for name, labels in _of(program.registry)}


def _of(registry: CollectorRegistry) -> Iterator[tuple[str, frozenset[str]]]:
    for collector in list(registry._collector_to_names):
        (family,) = collector.collect()
        labels = frozenset(getattr(collector, "_labelnames", ()))
        for suffix in SUFFIXES[family.type]:
            yield f"{family.name}{suffix}", labels | ({"le"} if suffix == "_bucket" else frozenset())


def alerts(text: str) -> list[dict[str, Any]]:
    """Return all rules of a file of alerts."""
    document = YAML(typ="safe").load(text)
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard_expressions(text: str) -> list[str]:
    """Return all queries of a dashboard, those of its variables too."""
    document = json.loads(text)
    variables = [each["definition"] for each in document["templating"]["list"] if "definition" in each]
    return variables + [target["expr"] for panel in document["panels"] for target in panel["targets"]]


def faults(expressions: list[str]) -> list[str]:
    """Return what the expressions ask for that no program has: metrics, and labels of metrics."""
    known = existing()
    found = [f"no metric {name}" for each in expressions for name in NAME.findall(each) if name not in known]
    for each in expressions:
        for name, selector in SELECTOR.findall(each):
            unknown = set(LABEL.findall(selector)) - known.get(name, frozenset()) - EVERYWHERE
            found += [f"{name} has no label {label}" for label in sorted(unknown)]
    return found
