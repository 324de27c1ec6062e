"""How gunicorn runs the app: where the metrics of its processes meet."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from tests.conftest import ROOT


def test_metrics_are_summed_over_the_workers(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=3)
    for _ in range(30):
        requests.get(f"{api.url}/healthz")  # each on a connection of its own, so that all workers get some

    metrics = {requests.get(f"{api.url}/metrics").text for _ in range(10)}

    counted = [float(line.split()[1]) for text in metrics for line in text.splitlines() if _counts_healthz(line)]
    assert set(counted) == {30.0}


def test_metrics_of_an_earlier_run_are_not_counted(serve_api: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"left over")

    api = serve_api(workers=1, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))

    assert not (tmp_path / "counter_1.db").exists()
    assert requests.get(f"{api.url}/metrics").status_code == 200


def test_a_new_master_keeps_the_metrics_of_the_one_that_it_takes_over_from(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"of a worker that still runs")
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "GUNICORN_PID": "1"}  # as gunicorn starts one

    subprocess.run([sys.executable, "-c", "import finance.commands.gunicorn_conf"], cwd=ROOT, env=env, check=True)

    assert (tmp_path / "counter_1.db").exists()


def _counts_healthz(line: str) -> bool:
    return line.startswith("finance_http_requests_total{") and 'route="/healthz"' in line
