"""The dashboard and the alerts ask only for what there is, everything there is can be seen, each alert has its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.monitoring import ALERTS, DASHBOARD, NAME, ROOT, alerts, dashboard_expressions, existing, faults

PAGE = ROOT / "docs" / "operations" / "alerts.md"
SEVERITIES = ("critical", "warning")


def test_dashboard__every_query__asks_for_metrics_that_exist() -> None:
    assert faults(dashboard_expressions(DASHBOARD.read_text())) == []


def test_dashboard__all_metrics__can_be_seen_on_it() -> None:
    seen = {name for each in dashboard_expressions(DASHBOARD.read_text()) for name in NAME.findall(each)}
    unseen = existing().keys() - seen

    assert {name for name in unseen if not name.endswith(("_sum", "_count"))} == set()


def test_alerts__every_expression__asks_for_metrics_that_exist() -> None:
    assert faults([rule["expr"] for rule in alerts(ALERTS.read_text())]) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("moorage_provider_bids_opened > 0", "no metric moorage_provider_bids_opened"),
        ("rate(moorage_provider_cycles_failed[5m])", "no metric moorage_provider_cycles_failed"),
        ("moorage_provider_cycle_seconds", "no metric moorage_provider_cycle_seconds"),
        ('moorage_provider_leases{kind="overdue"} > 0', "moorage_provider_leases has no label kind"),
        ('moorage_provider_bids_open{instance=~"a", state="x"}', "moorage_provider_bids_open has no label state"),
    ],
)
def test_faults__expression_that_asks_for_what_is_not_there__is_found(expression: str, fault: str) -> None:
    good = 'sum by (le) (rate(moorage_provider_cycle_seconds_bucket{le="1", job="x"}[5m]))'

    assert faults([good]) == []
    assert faults([good, expression]) == [fault]


def test_alerts__each__has_a_severity_and_says_what_to_do_on_the_page() -> None:
    rules = alerts(ALERTS.read_text())
    page = PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n\n(.+?)(?=\n#|\Z)", page, re.MULTILINE | re.DOTALL))

    assert [rule["alert"] for rule in rules] == list(sections)
    assert all(rule["labels"]["severity"] in SEVERITIES for rule in rules)
    assert all(rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{rule['alert'].lower()}" for rule in rules)
    assert all("**Do**" in text for text in sections.values())


@pytest.mark.parametrize("metric", ["moorage_provider_leases", "moorage_transactions_total"])
def test_existing__metrics_with_labels_and_no_values_yet__are_known(metric: str) -> None:
    assert metric in existing()


def test_page__metrics_that_it_names__exist() -> None:
    pages = sorted((ROOT / "docs" / "operations").glob("*.md"))
    named = {name for page in pages for name in NAME.findall(Path(page).read_text(encoding="utf-8"))}

    assert faults(sorted(named)) == []
