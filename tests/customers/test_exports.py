"""Customers, their payments, and audit events as files."""

from finance.customers.masking import secrets_in
from tests.clients import Client
from tests.customers.forms import full_form
from tests.spreadsheets import csv_rows, sheet_rows, workbook


def test_customers_are_exported_with_the_filters_of_their_list_and_masked_as_there(client: Client) -> None:
    form = full_form()
    code = client.post("/customers", json=form).json["customer_code"]
    client.post("/customers", json=full_form())
    (listed,) = client.get(f"/customers?customer_code={code}").json["data"]

    (row,) = csv_rows(client.get(f"/customers/export.csv?customer_code={code}"))
    rows = sheet_rows(workbook(client.get("/customers/export.xlsx")).active)

    assert (row["customer_code"], row["customer_name"]) == (code, form["customer_name"])
    assert row["pan_number"] == listed["pan_number"] != form["pan_number"]
    assert row["account_numbers"] == ", ".join(
        account["account_number"] for account in listed["banking"] if account.get("account_number")
    )
    whole = client.get("/customers/export.csv").text
    secrets = [number for _name, number in secrets_in(form)]
    assert secrets
    assert [number for number in secrets if number in whole] == []
    assert len(rows) == 2
    assert client.get(f"/customers/export.csv?pan_number={form['pan_number']}").status_code == 422


def test_the_payments_of_one_customer_are_a_file(client: Client) -> None:
    code = client.post("/customers", json=full_form()).json["customer_code"]
    mine = client.pay("5.00", customer_code=code).json["payment_number"]
    client.pay("6.00")

    rows = csv_rows(client.get(f"/customers/{code.lower()}/payments/export.csv?method=card"))

    assert [(row["payment_number"], row["customer_code"]) for row in rows] == [(mine, code)]
    assert client.get("/customers/CUST-999999/payments/export.csv").status_code == 404


def test_audit_events_are_a_file_for_admins(client: Client) -> None:
    client.post("/keys", role="admin", json={"role": "client"})

    (row,) = csv_rows(client.get("/audit-events/export.csv?action=key_created", role="admin"))
    (event,) = client.get("/audit-events?action=key_created", role="admin").json["data"]

    assert (row["action"], row["object_id"]) == ("key_created", event["object_id"])
    assert row["at (UTC)"] == event["at"].replace("Z", "+00:00")
    assert client.get("/audit-events/export.csv").status_code == 403
