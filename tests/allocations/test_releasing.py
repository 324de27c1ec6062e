"""Taking back what a payment gave: the whole, a part, once, and never more than was given."""

from decimal import Decimal
from typing import Any

from tests.clients import at_once, is_replayed


def test_a_part_is_taken_back_and_then_the_rest(ledger: Any) -> None:
    first, second = ledger.invoice(), ledger.invoice()
    payment = ledger.app.pay_invoices([first, second], "600.00").json["payment_number"]

    shown = ledger.release(payment, first, "100.00").json

    assert [allocation["amount"] for allocation in shown["allocations"]] == ["500.00", "600.00"]
    assert (shown["allocated"], shown["unallocated"]) == ("1100.00", "100.00")
    told = shown["history"][0]
    assert (told["action"], told["reason"]) == ("released", "wrong one")
    assert told["changes"] == {"allocated": {"from": "1200.00", "to": "1100.00"}}
    assert told["allocations"] == [{"invoice_number": first, "credit_note_number": None, "amount": "100.00"}]
    assert ledger.app.invoice(first)["amount_paid"] == "500.00"
    shown = ledger.release(payment, first).json
    assert (shown["unallocated"], len(shown["allocations"])) == ("600.00", 1)
    invoice = ledger.app.invoice(first)
    assert (invoice["status"], invoice["amount_paid"]) == ("issued", "0.00")
    assert [entry["action"] for entry in invoice["history"]] == ["paid", "given_back", "given_back"]
    assert invoice["history"][1]["changes"] == {"amount_paid": {"from": "600.00", "to": "500.00"}}
    assert ledger.app.invoice(second)["amount_paid"] == "600.00"


def test_what_was_given_last_is_taken_back_first(ledger: Any) -> None:
    invoice = ledger.invoice()
    payment = ledger.payment(allocations=[{"invoice_number": invoice, "amount": "300.00"}])
    ledger.allocate(payment, (invoice, "200.00"))

    ledger.release(payment, invoice, "250.00")

    stored = ledger.app.db.payments.find_one({"payment_number": payment})
    left = [e["amount_minor"] for e in stored["allocations"] if e["state"] == "settled"]
    assert left == [25_000]
    sink = ledger.app.db.invoices.find_one({"invoice_number": invoice})
    assert [(e["amount_minor"], e["state"]) for e in sink["allocations"]] == [(25_000, "settled")]
    assert sink["unsettled"] is False


def test_nothing_and_too_much_are_refused(ledger: Any) -> None:
    payment, invoice = ledger.payment(), ledger.invoice()
    refused = ledger.release(payment, invoice)
    assert (refused.status_code, refused.json["code"]) == (409, "nothing_allocated")
    ledger.allocate(payment, (invoice, "10.00"))
    refused = ledger.release(payment, invoice, "10.01")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/amount")
    assert ledger.release(payment, "FAC-1").status_code == 409
    both = {"invoice_number": invoice, "credit_note_number": "AV-1", "reason": "x"}
    for body, pointer in ((both, "/credit_note_number"), ({"reason": "x"}, "/invoice_number")):
        refused = ledger.app.post(f"/payments/{payment}/release", json=body)
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, pointer)
    assert ledger.app.invoice(invoice)["amount_paid"] == "10.00"
    assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 0
    ledger.void(payment)
    assert ledger.release(payment, invoice).json["code"] == "payment_already_voided"


def test_twenty_releases_race_and_take_back_no_more_than_was_given(ledger: Any) -> None:
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "1000.00").json["payment_number"]

    answers = at_once(20, lambda _n: ledger.release(payment, invoice, "100.00"))

    released = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409, 422, 503}
    assert len(released) <= 10
    left = 1000 - 100 * len(released)
    assert Decimal(ledger.shown(payment)["allocated"]) == left
    assert Decimal(ledger.app.invoice(invoice)["amount_paid"]) == left
    assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 0


def test_twenty_requests_with_one_key_release_once(ledger: Any) -> None:
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "1000.00").json["payment_number"]

    answers = at_once(20, lambda _n: ledger.release(payment, invoice, "10.00", key="same"))

    assert {answer.status_code for answer in answers} == {200}
    assert sum(is_replayed(answer) for answer in answers) == 19
    assert ledger.app.invoice(invoice)["amount_paid"] == "990.00"


def test_allocating_releasing_and_voiding_at_once_ends_in_agreement(ledger: Any) -> None:
    invoices = [ledger.invoice() for _ in range(2)]
    payments = [ledger.payment("800.00") for _ in range(3)]

    def act(n: int) -> Any:
        payment, invoice = payments[n % 3], invoices[n % 2]
        if n == 11:
            return ledger.void(payments[0])
        return ledger.release(payment, invoice) if n % 4 == 3 else ledger.allocate(payment, (invoice, "300.00"))

    answers = at_once(12, act)

    assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
    ledger.require_right()
    assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 0
