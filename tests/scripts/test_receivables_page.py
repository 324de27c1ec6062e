"""The commands of docs/receivables.md, run as they stand there, and what the page says comes out of them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients import HttpClient
from tests.scripts import pages

PAGE = "receivables.md"
LINE = {"description": "Work", "unit_price": "1000.00", "tax_rate": "18"}

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


class Reader:
    """Somebody who pastes what the page says."""

    def __init__(self, client: HttpClient, folder: Path) -> None:
        self.client = client
        self._folder = folder
        key = client.headers("accountant")["Authorization"].removeprefix("Bearer ")
        self.named = {"API": f"{client.api.url}/api/v1", "KEY": key}

    def paste(self, heading: str) -> list[str]:
        """Run every command under a heading, and return what each block printed."""
        return [self._run(block) for block in pages.commands_of(PAGE, heading)]

    def _run(self, block: str) -> str:
        done = subprocess.run(
            ["bash", "-e"], input=block, env=os.environ | self.named, cwd=self._folder, capture_output=True, text=True
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def reader(shared_api: Any, tmp_path: Path) -> Reader:
    """A reader whose tenant has a customer with two invoices and an advance."""
    client = HttpClient(shared_api, "receivables-page")
    shop = {"name": "Dakar", "timezone": "UTC", "currency": "EUR"}
    assert client.put("/shops/dkr1", role="admin", json=shop).status_code == 201
    reader = Reader(client, tmp_path)
    code = client.post("/customers", json={"customer_name": "Ada Lovelace"}).json()["customer_code"]
    reader.named["CUSTOMER"] = code
    for name in ("INVOICE", "OTHER_INVOICE"):
        invoice = {"shop": "dkr1", "customer_code": code, "lines": [LINE]}
        reader.named[name] = client.post("/invoices", json=invoice).json()["invoice_number"]
    advance = client.pay("1250.50", customer_code=code, payer="Ada Lovelace").json()
    reader.named["PAYMENT"] = advance["payment_number"]
    return reader


def test_the_page_leads_from_an_advance_to_a_statement_and_an_ageing(reader: Reader) -> None:
    client, named = reader.client, reader.named

    reader.paste("Money comes first, its invoice later")

    assert client.get(f"/payments/{named['PAYMENT']}").json()["unallocated"] == "70.50"
    assert client.invoice(named["INVOICE"])["outstanding"] == "0.00"
    balance = correct(reader)
    statement, csv, _xlsx = in_three("The statement of a customer", reader)
    assert f'"closing_balance":"{balance}"' in statement
    assert "closing_balance" in csv
    assert balance in csv
    whole, page, table, _xlsx = in_three("The ageing of all customers", reader)
    for shown in (whole, page, table):
        assert balance in shown
    assert (reader._folder / "statement.xlsx").stat().st_size > 1_000


def correct(reader: Reader) -> str:
    """Credit a part of the paid invoice, as the page says, and return the balance then."""
    first, *others = pages.commands_of(PAGE, "A wrong amount on an invoice, paid or not")
    reader._run(first)
    (note,) = reader.client.get("/credit-notes").json()["data"]
    reader.named["NOTE"] = note["credit_note_number"]
    assert note["unallocated"] == "118.00"
    for block in others:
        reader._run(block)
    assert reader.client.get(f"/credit-notes/{reader.named['NOTE']}").json()["unallocated"] == "0.00"
    return "1091.50"


def in_three(heading: str, reader: Reader) -> list[str]:
    """Run the lines of the one block under a heading one by one."""
    (block,) = pages.commands_of(PAGE, heading)
    return [reader._run(line) for line in block.splitlines()]
