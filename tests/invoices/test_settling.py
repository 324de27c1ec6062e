"""What follows from an invoice, a credit note say, may fail to be made: no list, export or single read fails of it."""

import csv
import io
import logging
from typing import Any

import pytest

from finance.invoices import settling
from tests.clients import NOVEMBER, Client
from tests.commands import Commands

YEARLY = {"reset": "year", "max_length": 30, "invoice_format": "FAC-{shop}-{year}-{number:04}"}
REASON = {"reason": "wrong"}


@pytest.fixture
def app(db: Any) -> Client:
    app = Client(db, now=NOVEMBER)
    assert app.put_shop().status_code == 201
    return app


def shown_everywhere(app: Client, invoice_number: str) -> dict[str, Any]:
    """Return the invoice as it is shown by itself, after lists and the export have shown the same of it."""
    (listed,) = [i for i in _ok(app.get("/invoices")).json["data"] if i["invoice_number"] == invoice_number]
    text = _ok(app.get("/invoices/export.csv")).data.decode("utf-8-sig")
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["invoice_number"] == invoice_number]
    assert row["credit_note_number"] == (listed["credit_note_number"] or "")
    shown = app.invoice(invoice_number)
    assert shown == listed
    return dict(shown)


def _ok(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer


def number_is_taken(app: Client, number: str) -> None:
    """Have another series hold a number of credit notes."""
    other = {"tenant": "acme", "shop": "other", "period": "all", "number_seq": 1, "total_minor": 1}
    app.db.credit_notes.insert_one({**other, "credit_note_number": number, "invoice_number": "F-1", "claim": "c"})


def left_behind(app: Client) -> str:
    """Return the number of an invoice that is cancelled, and whose credit note can't be numbered."""
    number = app.issue().json["invoice_number"]
    _ok(app.post(f"/invoices/{number}/cancel", json=REASON))
    app.db.credit_notes.delete_many({})
    app.db.counters.delete_many({"_id": {"$regex": "^credit_note:"}})
    app.db.invoices.update_one({}, {"$set": {"unsettled": True}, "$unset": {"credit_note_number": 1}})
    number_is_taken(app, "AV-PAR-202611-0001")
    return str(number)


def test_a_fiscal_year_that_moves_stops_no_list(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    assert app.put_shop(**YEARLY).status_code == 201
    first, second = (app.issue().json["invoice_number"] for _ in range(2))
    _ok(app.post(f"/invoices/{first}/cancel", json=REASON))
    rule = db.shops.find_one()["rules"][0]  # as an earlier version took it
    moved = [rule | {"replaced_on": "2026-11-20"}, rule | {"fiscal_year_start_month": 4}]
    db.shops.update_one({}, {"$set": {"rules": moved}})

    answer = app.post(f"/invoices/{second}/cancel", json=REASON)

    assert answer.status_code == 200
    assert shown_everywhere(app, second)["credit_note_number"] == "AV-PAR-2026-0002"


def test_an_invoice_is_not_cancelled_where_its_credit_note_could_not_be_numbered(app: Client) -> None:
    number = app.issue().json["invoice_number"]
    number_is_taken(app, "AV-PAR-202611-0001")

    refused = app.post(f"/invoices/{number}/cancel", json=REASON, key="k")

    assert (refused.status_code, refused.json["code"]) == (409, "number_taken_elsewhere")
    assert shown_everywhere(app, number)["status"] == "issued"
    assert app.pay_invoices([number], "1000.00").status_code == 201


def test_what_can_not_be_settled_is_shown_as_it_is(app: Client) -> None:
    number = left_behind(app)

    shown = shown_everywhere(app, number)

    assert (shown["status"], shown["outstanding"], shown["credit_note_number"]) == ("cancelled", "0.00", None)
    assert _ok(app.get("/invoices?shop=par")).json["data"] == [shown]


def test_it_is_tried_again_by_whoever_looks_some_seconds_later(app: Client) -> None:
    number = left_behind(app)
    shown_everywhere(app, number)
    app.db.credit_notes.delete_many({})
    app.later(seconds=settling.AGAIN_AFTER.total_seconds() + 1)

    (listed,) = app.get("/invoices").json["data"]

    assert listed["credit_note_number"] == "AV-PAR-202611-0001"
    assert app.db.invoices.count_documents({"$or": [{"unsettled": True}, {"settling": {"$exists": True}}]}) == 0


def test_a_repeat_completes_a_cancellation_at_once(app: Client) -> None:
    number = left_behind(app)
    shown_everywhere(app, number)
    app.db.credit_notes.delete_many({})
    assert app.invoice(number)["credit_note_number"] == "AV-PAR-202611-0001"


def test_lists_do_not_try_each_time_and_do_not_log_each_time(
    watched: Any, commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    app = Client(watched, now=NOVEMBER)
    assert app.put_shop().status_code == 201
    left_behind(app)
    with caplog.at_level(logging.ERROR):
        _ok(app.get("/invoices"))
        commands.collections.clear()
        for _again in range(3):
            _ok(app.get("/invoices"))
        assert "credit_notes" not in {collection for _command, collection in commands.collections}
        for _later in range(3):
            app.later(minutes=1)
            _ok(app.get("/invoices"))
    told = [record for record in caplog.records if record.name == settling.__name__]
    assert len(told) == 1
    assert "FAC-PAR-202611-0001" in told[0].getMessage()


def test_a_credit_note_that_can_not_be_settled_stops_no_list(app: Client) -> None:
    number = app.issue().json["invoice_number"]
    lines = [{"description": "Work", "unit_price": "10.00"}]
    note = app.post(f"/invoices/{number}/credit-notes", json={"reason": "x", "lines": lines}).json
    damaged = {"state": "claimed", "amount_minor": 1, "payment_number": "PAY20260001"}  # of no claim
    app.db.credit_notes.update_one({}, {"$set": {"unsettled": True}, "$push": {"allocations": damaged}})
    assert _ok(app.get(f"/credit-notes/{note['credit_note_number']}")).json == note
    assert _ok(app.get("/credit-notes")).json["data"] == [note]


def test_a_cause_that_nobody_foresaw_stops_no_list_either(app: Client, caplog: pytest.LogCaptureFixture) -> None:
    number = left_behind(app)
    app.db.shops.update_one({}, {"$set": {"rules": []}})

    assert shown_everywhere(app, number)["status"] == "cancelled"

    assert "could not be settled" in caplog.text
