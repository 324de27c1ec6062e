"""deploy/: alerts that can fire, a dashboard that shows what there is, a service that systemd takes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from finance import metrics
from finance.maintenance.audit import verdict
from tests.clients import HttpClient

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/prometheus-alerts.yml"
ALERT_TESTS = ROOT / "deploy/prometheus-alerts.tests.yml"
DASHBOARD = ROOT / "deploy/grafana-dashboard.json"
SERVICE = ROOT / "deploy/finance.service"
OUR_METRIC = re.compile(r"\bfinance_\w+")
EXPOSURE_MAX = 2.0  # of 10, as `systemd-analyze security` counts

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is missing: apt-get install -y prometheus"
)
needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing: apt-get install -y systemd"
)


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(ALERTS)["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


@needs_promtool
@pytest.mark.parametrize(
    "command", [["check", "rules", str(ALERTS)], ["test", "rules", str(ALERT_TESTS)]], ids=" ".join
)
def test_prometheus_takes_the_alerts_and_they_fire_where_they_have_to(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_where_it_fires_and_where_it_does_not(rules: list[dict[str, Any]]) -> None:
    tried = [each for test in YAML(typ="safe").load(ALERT_TESTS)["tests"] for each in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules}

    assert {each["alertname"] for each in tried if each["exp_alerts"]} == alerts
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == alerts


def test_each_alert_says_what_is_wrong_and_what_to_do(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]


@needs_promtool
def test_prometheus_takes_every_expression_of_the_dashboard(dashboard: dict[str, Any], tmp_path: Path) -> None:
    expressions = [_without_variables(each) for each in _expressions(dashboard)]
    rules = [{"record": f"panel:{position}", "expr": each} for position, each in enumerate(expressions)]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(expressions) >= 10


def test_alerts_and_dashboard_ask_for_metrics_and_labels_that_there_are(
    rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    known = _samples(metrics.exposition()[0].decode()) | _of_the_audit()
    labels = {label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())} | {"database"}

    for expression in [rule["expr"] for rule in rules] + list(_expressions(dashboard)):
        assert set(OUR_METRIC.findall(expression)) <= known, expression
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        asked |= {name for group in re.findall(r"by \(([^)]*)\)", expression) for name in re.split(r",\s*", group)}
        assert asked <= labels | {"job", "instance", "le"}, expression


def test_a_served_api_shows_those_metrics(shared_api: Any, rules: list[dict[str, Any]]) -> None:
    client = HttpClient(shared_api, tenant="monitored")
    assert client.pay("1.00").status_code == 201
    assert client.put_shop().status_code in (200, 201)
    assert client.issue().status_code == 201

    text = requests.get(f"{shared_api.url}/metrics", timeout=30).text

    shown = _samples(text)
    asked = {name for rule in rules for name in OUR_METRIC.findall(rule["expr"])}
    # These count what goes wrong, so a healthy API has nothing to show of them.
    assert asked - shown - _of_the_audit() <= {
        "finance_duplicate_number_retries_total",
        "finance_number_gaps_recorded_total",
        "finance_nearly_full_numbers_total",
    }
    assert re.search(r'^finance_http_requests_total\{.*status="201".*\} ', text, re.MULTILINE)


@needs_systemd
def test_systemd_takes_the_service_and_finds_it_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "finance.service"  # of a program that is here, and without the path of its documentation
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", SERVICE.read_text(), flags=re.MULTILINE)
    unit.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))

    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    limit = f"--threshold={int(EXPOSURE_MAX * 10)}"
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", limit, str(unit)], capture_output=True, text=True
    )

    assert (verified.returncode, verified.stderr) == (0, "")
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_the_service_gets_its_secrets_as_files() -> None:
    text = SERVICE.read_text()

    for name, credential in (("MONGODB_URI", "mongodb_uri"), ("FINANCE_ENCRYPTION_KEY", "encryption_key")):
        assert f"Environment={name}_FILE=%d/{credential}\n" in text
        assert f"LoadCredential={credential}:/etc/finance/{credential}\n" in text
        assert not re.search(rf"{name}=", text)


def _expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def _without_variables(expression: str) -> str:
    """Return what Grafana would send: variables replaced by what they stand for."""
    replaced = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
    assert "$" not in replaced, expression
    return replaced


def _of_the_audit() -> set[str]:
    """Return the names of what scripts/audit_numbers.py --metrics-file writes."""
    registry = verdict.metrics([], database="d", passed=True, finished_at=datetime.now(UTC), took_s=1.0)
    return _samples(generate_latest(registry).decode())


def _samples(text: str) -> set[str]:
    """Return the names of the samples that an exposition has or will have."""
    types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    histograms = {name + part for name, kind in types if kind == "histogram" for part in ("_bucket", "_sum", "_count")}
    return histograms | {name for name, kind in types if kind != "histogram"}
