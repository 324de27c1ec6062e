"""What docs/exports.md tells a reader to run gives what the file says of itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients import Client
from tests.spreadsheets import about, workbook

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"


@pytest.mark.parametrize("path", ["/payments/export.xlsx", "/audit-events/export.xlsx"])
def test_the_sha_256_can_be_made_again_of_the_workbook_alone(client: Client, path: str, tmp_path: Path) -> None:
    client.pay("1250.50", reference="00123", note='=1 "é"\nsecond', paid_on="2026-02-03")
    client.pay("9999999999999.999", currency="KWD", direction="outgoing")
    client.pay("5", currency="JPY")
    client.pay("6", payer="_x0041_", reference="_x000D_")  # as a workbook writes a sign that it has no letter for
    answer = client.get(path, role="admin")
    file = tmp_path / "file.xlsx"
    file.write_bytes(answer.data)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    made = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)

    assert made.stdout.strip() == about(workbook(answer))["SHA-256 of the rows"]


def test_the_page_names_every_file(client: Client) -> None:
    page = PAGE.read_text(encoding="utf-8")
    paths = {
        rule.rule.removeprefix("/api/v1")
        for rule in client.app.url_map.iter_rules()
        if re.fullmatch(r"/api/v1/.*\.csv", rule.rule)
    }

    named = {path.replace("<customer_code>", "{code}").removesuffix(".csv") for path in paths}

    assert [path for path in named if f"GET {path}." not in page] == []
