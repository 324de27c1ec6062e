"""The numbers of all processes are added up, also of one that came out of another."""

import os
import subprocess
import sys
from pathlib import Path

FORKED = """
import os
from finance import metrics

metrics.payments_recorded.inc()
if os.fork() == 0:
    metrics.payments_recorded.inc(2)
    os._exit(0)
os.wait()
metrics.payments_recorded.inc(4)
print(metrics.exposition()[0].decode())
"""


def test_a_process_that_came_out_of_another_counts_for_itself(tmp_path: Path) -> None:
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    shown = subprocess.run([sys.executable, "-c", FORKED], env=env, check=True, capture_output=True, text=True).stdout

    assert "finance_payments_recorded_total 7.0" in shown
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
