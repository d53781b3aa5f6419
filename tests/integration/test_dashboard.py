"""The dashboard and the alerts ask for what /metrics has, in PromQL that an independent parser reads."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from origin.cache_policy import ResourceClass
from origin.cmcd import parse
from origin.metrics_table import CACHE_REQUESTS, METRICS, Cache
from origin.observe import Metrics
from origin.series import Kind

FOLDER = Path(__file__).resolve().parents[2] / "docs/operations"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_GRAFANA = {"$__rate_interval": "5m", "$job": ".*"}
SERIES_OF_TARGETS = {"job", "instance"}  # labels that Prometheus adds to all it scrapes


def _alert_expressions() -> list[str]:
    """The `expr` of each rule: on its line, or in the block under it."""
    blocks = re.findall(r"^ +expr: \|\n((?:(?: {10}.*)\n)+)", ALERTS, re.MULTILINE)
    return [*re.findall(r"^ +expr: ([^|\n].*)$", ALERTS, re.MULTILINE), *blocks]


def _asked() -> list[str]:
    panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for variable, value in OF_GRAFANA.items():
        panels = [expression.replace(variable, value) for expression in panels]
    return [*panels, *_alert_expressions()]


def _selectors(node: Any) -> Iterator[Any]:
    """Every selector of series in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from _selectors(inner)
    for inner in getattr(node, "args", None) or ():
        yield from _selectors(inner)


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, set[str]]]:
    """What /metrics tells: the names of all samples, each with the values of its labels."""
    metrics = Metrics()
    for kind in ResourceClass:
        for status in (200, 500):
            metrics.request_served(kind, status, sent_bytes=1, duration_s=0.1)
    metrics.player_told(parse("bl=1,br=64,mtp=1,ot=a,bs,su"))
    for cache in Cache:
        metrics.cache_asked(cache, hit=True)
    for metric in METRICS:  # those by worker are told once they are known
        if metric.by_worker:
            metrics.watch(metric, lambda: 1)
    metrics.sample()
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics.told().decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


@pytest.mark.parametrize("expression", _asked())
def test_what_is_asked_is_told(expression: str, told: dict[str, dict[str, set[str]]]) -> None:
    """It parses; each name is a sample of /metrics; each label that is compared exists, with such a value."""
    selectors = list(_selectors(promql_parser.parse(expression)))
    assert selectors
    for selector in selectors:
        labels = told[selector.name]
        for matcher in selector.matchers.matchers:
            if matcher.name in SERIES_OF_TARGETS:
                continue
            assert any(_matches(matcher, value) for value in labels[matcher.name]), str(matcher.value)
    grouped = re.findall(r"by \(([a-z_, ]+)\)", expression)
    known = {name for selector in selectors for name in told[selector.name]} | SERIES_OF_TARGETS
    assert {name.strip() for names in grouped for name in names.split(",")} <= known


def test_counters_are_asked_for_their_rate() -> None:
    """A counter's own height says nothing: each stands in rate() or increase()."""
    counters = {metric.name for metric in METRICS if metric.kind is Kind.COUNTER}
    for expression in _asked():
        bare = re.sub(r"(?:rate|increase)\([^()]*\)", "", expression)
        assert not [name for name in counters if name in bare]


def test_every_metric_is_on_the_dashboard() -> None:
    """Nothing is counted that nobody sees; but for the log lines left out, which are for who reads the log."""
    text = " ".join(_asked())
    unseen = {metric.name for metric in METRICS if metric.name not in text}
    assert unseen == {"segue_access_log_left_out_total"}
    assert CACHE_REQUESTS.name in text


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Ids are unique, panels do not overlap and stay in 24 columns, data comes from the chosen source."""
    assert DASHBOARD["schemaVersion"] >= 39 and DASHBOARD["uid"] and DASHBOARD["title"]
    assert "id" not in DASHBOARD  # Grafana gives one to what is imported
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells
    source = {"type": "prometheus", "uid": "${datasource}"}
    known = {"short", "reqps", "ops", "s", "bytes", "Bps", "bps", "percentunit"}
    for panel in PANELS:
        assert panel["datasource"] == source and panel["fieldConfig"]["defaults"]["unit"] in known
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) and all(target["datasource"] == source for target in panel["targets"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used == variables


def test_every_alert_says_what_to_do() -> None:
    """A summary, a description, and how urgent it is; what the templates name is a label of the result."""
    alerts = re.split(r"^ +- alert: ", ALERTS, flags=re.MULTILINE)[1:]
    assert len(alerts) == len(_alert_expressions()) >= 8
    for alert in alerts:
        assert re.search(r"labels: \{severity: (page|ticket)\}", alert)
        assert re.search(r'summary: ".+"', alert) and re.search(r'description: ".+"', alert)
        (grouped,) = set(re.findall(r"by \(([a-z_, ]+?)(?:, le)?\)", alert))
        assert set(re.findall(r"\$labels\.([a-z]+)", alert)) <= set(grouped.split(", "))


def _matches(matcher: Any, value: str) -> bool:
    kinds = promql_parser.MatchOp
    if matcher.op == kinds.Equal:
        return bool(value == matcher.value)
    if matcher.op == kinds.NotEqual:
        return bool(value != matcher.value)
    found = re.fullmatch(matcher.value, value) is not None
    return found if matcher.op == kinds.Re else not found
