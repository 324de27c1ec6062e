"""Who was shown a customer's numbers in full is on record: which customer, which fields, and no number."""

from typing import Any

import pytest

from tests.clients import Client
from tests.customers.forms import full_form

NUMBERS = ["account_number", "gstin", "iban", "pan_number", "tan_number"]


@pytest.fixture
def form(client: Client) -> dict[str, Any]:
    """The form of CUST-000001, which a client onboarded."""
    form = full_form()
    client.post("/customers", role="client", json=form)
    assert _read(client) == []
    return form


def _read(client: Client) -> list[tuple[str, list[str]]]:
    """Return the customer and the fields of each event of a reading in full."""
    events = client.db.audit_events.find({"tenant": "acme", "action": "numbers_read_in_full"}).sort("_id")
    return [(event["object_id"], event["details"]["fields"]) for event in events]


@pytest.mark.parametrize("role", ["accountant", "admin"])
def test_showing_a_customer_in_full_is_on_record(client: Client, form: dict[str, Any], role: str) -> None:
    shown = client.get("/customers/cust-000001", role=role)

    assert shown.json["pan_number"] == form["pan_number"]
    assert _read(client) == [("CUST-000001", NUMBERS)]
    [event] = client.db.audit_events.find()
    assert event["by"] == client.key(role).split("_")[1]
    for number in (form["pan_number"], "30001234567890", "GB82WEST12345698765432"):
        assert number not in str(event)


def test_what_is_masked_is_not_on_record(client: Client, form: dict[str, Any]) -> None:
    client.get("/customers/CUST-000001", role="client")
    client.get("/customers")
    client.post("/customers", json={"customer_name": "Zoë"})
    client.get("/customers/CUST-000002")

    assert _read(client) == []


def test_whoever_brings_the_numbers_is_shown_nothing_new(client: Client, form: dict[str, Any]) -> None:
    client.post("/customers", json=full_form(), key="k")
    client.put("/customers/CUST-000001", json=form | {"contact_person": "Ravi"})

    assert _read(client) == []


def test_an_answer_to_a_save_with_masked_numbers_shows_those_in_full(client: Client, form: dict[str, Any]) -> None:
    masked = client.get("/customers/CUST-000001", role="client").json
    loaded = form | {"pan_number": masked["pan_number"], "banking": masked["banking"]}

    answer = client.put("/customers/CUST-000001", json=loaded)

    assert (answer.status_code, answer.json["pan_number"]) == (200, form["pan_number"])
    assert _read(client) == [("CUST-000001", ["account_number", "iban", "pan_number"])]


def test_answers_to_a_change_of_status_show_them_too(client: Client, form: dict[str, Any]) -> None:
    client.post("/customers/CUST-000001/deactivate", json={"reason": "gone"})
    client.post("/customers/CUST-000001/activate", json={"reason": "back"}, role="admin")

    assert _read(client) == [("CUST-000001", NUMBERS)] * 2
