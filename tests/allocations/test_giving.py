"""Allocating a stored payment: in part, across many, never more than there is, and once."""

from decimal import Decimal
from typing import Any

from tests.clients import at_once, is_replayed


def test_an_advance_is_allocated_to_several_invoices_later(ledger: Any) -> None:
    payment = ledger.payment("1500.00")
    first, second = ledger.invoice(), ledger.invoice()
    assert (ledger.shown(payment)["allocated"], ledger.shown(payment)["unallocated"]) == ("0.00", "1500.00")

    answer = ledger.allocate(payment, (second, "400.00"), (first, "1000.00"))

    assert answer.status_code == 200, answer.text
    shown = answer.json
    assert shown == ledger.shown(payment)
    assert shown["allocations"] == [
        {"invoice_number": second, "credit_note_number": None, "amount": "400.00"},
        {"invoice_number": first, "credit_note_number": None, "amount": "1000.00"},
    ]
    assert (shown["allocated"], shown["unallocated"]) == ("1400.00", "100.00")
    (told,) = shown["history"]
    assert (told["action"], told["changes"]) == ("allocated", {"allocated": {"from": "0.00", "to": "1400.00"}})
    assert told["allocations"] == shown["allocations"]
    assert "claim" not in told
    paid = ledger.app.invoice(first)
    assert (paid["status"], paid["outstanding"]) == ("paid", "0.00")
    assert paid["history"][0]["payment_number"] == payment
    assert ledger.app.invoice(second)["outstanding"] == "600.00"


def test_what_is_allocated_twice_to_an_invoice_is_shown_as_one(ledger: Any) -> None:
    payment, invoice = ledger.payment(), ledger.invoice()
    ledger.allocate(payment, (invoice, "100.00"))

    shown = ledger.allocate(payment, (invoice, "250.00")).json

    assert [allocation["amount"] for allocation in shown["allocations"]] == ["350.00"]
    assert ledger.app.invoice(invoice)["amount_paid"] == "350.00"


def test_more_than_is_unallocated_is_a_conflict_that_says_how_much_is(ledger: Any) -> None:
    payment, invoice = ledger.payment("300.00"), ledger.invoice()
    ledger.allocate(payment, (invoice, "100.00"))

    refused = ledger.allocate(payment, (ledger.invoice(), "200.01"))

    assert (refused.status_code, refused.json["code"]) == (409, "more_than_unallocated")
    assert refused.json["unallocated"] == "200.00"
    assert ledger.shown(payment)["unallocated"] == "200.00"


def test_what_can_not_be_claimed_leaves_nothing_behind(ledger: Any) -> None:
    payment, invoice, paid = ledger.payment(), ledger.invoice(), ledger.invoice()
    assert ledger.app.pay_invoices([paid], "900.00").status_code == 201

    refused = ledger.allocate(payment, (invoice, "100.00"), (paid, "100.01"))

    assert (refused.status_code, refused.json["code"], refused.json["outstanding"]) == (
        *(409, "more_than_outstanding"),
        "100.00",
    )
    assert ledger.app.invoice(invoice)["outstanding"] == "1000.00"
    assert ledger.app.db.payments.find_one({"payment_number": payment})["allocations"] == []
    assert ledger.allocate(payment, (invoice, "1000.00")).status_code == 200


def test_what_can_not_be_allocated_is_refused_at_its_place(ledger: Any) -> None:
    payment, invoice, outgoing = ledger.payment(), ledger.invoice(), ledger.payment(direction="outgoing")
    dollars = ledger.invoice(currency="USD")

    def pointers(answer: Any) -> list[str]:
        assert answer.status_code == 422, answer.text
        return [error["pointer"] for error in answer.json["errors"]]

    assert pointers(ledger.allocate(payment)) == ["/allocations"]
    assert pointers(ledger.allocate(payment, (invoice, "1.00"), ("FAC-1", "1.00"))) == ["/allocations/1/invoice_number"]
    assert pointers(ledger.allocate(payment, (dollars, "1.00"))) == ["/allocations/0/invoice_number"]
    assert pointers(ledger.allocate(payment, (invoice, "0.001"))) == ["/allocations/0/amount"]
    assert pointers(ledger.allocate(payment, (invoice, "1.00"), (invoice, "1.00"))) == ["/allocations"]
    assert pointers(ledger.allocate(outgoing, (invoice, "1.00"))) == ["/allocations/0/invoice_number"]
    assert pointers(ledger.allocate(payment, ("AV-1", "1.00"))) == ["/allocations/0/credit_note_number"]
    assert ledger.allocate("PAY20269999", (invoice, "1.00")).status_code == 404


def test_a_voided_payment_gives_nothing(ledger: Any) -> None:
    payment, invoice = ledger.payment(), ledger.invoice()
    ledger.allocate(payment, (invoice, "600.00"))
    voided = ledger.void(payment).json
    assert (voided["allocations"], voided["allocated"], voided["unallocated"]) == ([], "0.00", "0.00")
    assert ledger.app.invoice(invoice)["outstanding"] == "1000.00"

    refused = ledger.allocate(payment, (invoice, "1.00"))

    assert (refused.status_code, refused.json["code"]) == (409, "payment_already_voided")


def test_a_repeat_is_answered_with_the_first_result_whatever_came_after_it(ledger: Any) -> None:
    first, second = ledger.invoice(), ledger.invoice()
    recorded = ledger.app.pay_invoices([first], "200.00", key="recorded").json
    payment = recorded["payment_number"]
    ledger.release(payment, first)
    given = ledger.allocate(payment, (second, "150.00"), key="given")
    released = ledger.release(payment, second, "50.00", key="released")
    assert (given.status_code, released.status_code) == (200, 200), released.text
    ledger.allocate(payment, (first, "70.00"))
    voided = ledger.void(payment, key="voided")

    again = ledger.allocate(payment, (second, "150.00"), key="given")
    assert is_replayed(again)
    assert again.json == given.json
    again = ledger.release(payment, second, "50.00", key="released")
    assert is_replayed(again)
    assert again.json == released.json
    again = ledger.app.pay_invoices([first], "200.00", key="recorded")
    assert is_replayed(again)
    assert again.json == recorded
    assert ledger.void(payment, key="voided").json == voided.json
    assert ledger.app.invoice(second)["outstanding"] == "1000.00"


def test_a_key_of_another_request_is_refused(ledger: Any) -> None:
    payment, other, invoice = ledger.payment(), ledger.payment(), ledger.invoice()
    assert ledger.allocate(payment, (invoice, "1.00"), key="k").status_code == 200
    assert ledger.release(payment, invoice, "0.50", key="k").status_code == 200  # another operation
    for refused in (
        ledger.allocate(payment, (invoice, "2.00"), key="k"),
        ledger.allocate(other, (invoice, "1.00"), key="k"),
        ledger.release(payment, invoice, "0.40", key="k"),
        ledger.release(other, invoice, "0.50", key="k"),
    ):
        assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_reused")
    assert ledger.app.invoice(invoice)["amount_paid"] == "0.50"


def test_twenty_allocations_race_for_one_payments_money(ledger: Any) -> None:
    payment, invoices = ledger.payment("1000.00"), [ledger.invoice() for _ in range(4)]

    answers = at_once(20, lambda n: ledger.allocate(payment, (invoices[n % 4], "100.00")))

    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 10
    assert {a.json["code"] for a in answers if a.status_code == 409} == {"more_than_unallocated"}
    assert ledger.shown(payment)["unallocated"] == "0.00"
    assert sum(Decimal(ledger.app.invoice(number)["amount_paid"]) for number in invoices) == 1000


def test_twenty_payments_race_for_one_invoices_money(ledger: Any) -> None:
    invoice, payments = ledger.invoice(), [ledger.payment("100.00") for _ in range(20)]

    answers = at_once(20, lambda n: ledger.allocate(payments[n], (invoice, "100.00")))

    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 10
    assert {a.json["outstanding"] for a in answers if a.status_code == 409} == {"0.00"}
    assert sum(Decimal(ledger.shown(number)["allocated"]) for number in payments) == 1000
    assert ledger.app.invoice(invoice)["outstanding"] == "0.00"


def test_twenty_requests_with_one_key_allocate_once(ledger: Any) -> None:
    payment, invoice = ledger.payment("1000.00"), ledger.invoice()

    answers = at_once(20, lambda _n: ledger.allocate(payment, (invoice, "50.00"), key="same"))

    assert {answer.status_code for answer in answers} == {200}
    assert sum(is_replayed(answer) for answer in answers) == 19
    assert ledger.shown(payment)["allocated"] == "50.00"


def test_a_payment_without_a_customer_becomes_that_of_what_it_pays(ledger: Any) -> None:
    customer = ledger.customer()
    invoice = ledger.invoice(customer_code=customer)
    payment = ledger.payment()

    given = ledger.allocate(payment, (invoice, "1.00"), key="k").json

    assert given["customer_code"] == customer
    assert given["history"][0]["changes"]["customer_code"] == {"from": None, "to": customer}
    assert ledger.app.pay_invoices([invoice], "1.00").json["customer_code"] == customer
    assert "crossed" not in ledger.app.db.payments.find_one({"payment_number": payment})
    assert ledger.app.db.invoices.count_documents({"crossed": True}) == 0


def test_to_pay_another_customers_invoice_has_to_be_confirmed(ledger: Any) -> None:
    ada, zoe = ledger.customer(), ledger.customer()
    invoice = ledger.invoice(customer_code=ada)
    payment = ledger.payment(customer_code=zoe)
    for refused in (
        ledger.allocate(payment, (invoice, "1.00")),
        ledger.app.pay_invoices([invoice], "1.00", customer_code=zoe),
    ):
        assert (refused.status_code, refused.json["code"]) == (409, "other_customers_invoice")
    assert ledger.app.invoice(invoice)["amount_paid"] == "0.00"

    assert ledger.allocate(payment, (invoice, "1.00"), query="?confirm_other_customer=true").status_code == 200

    source = ledger.app.db.payments.find_one({"payment_number": payment})
    sink = ledger.app.db.invoices.find_one({"invoice_number": invoice})
    assert (source["allocations"][0]["customer_code"], source["crossed"]) == (ada, True)
    assert (sink["allocations"][0]["customer_code"], sink["crossed"]) == (zoe, True)
    assert ledger.allocate(payment, (ledger.invoice(), "1.00")).status_code == 200  # of nobody: nothing to confirm


def test_days_say_from_when_it_counts(ledger: Any) -> None:
    payment = ledger.payment(paid_on="2026-11-05")
    invoice = ledger.invoice(issued_on="2026-11-10")
    ledger.app.later(days=8)
    ledger.allocate(payment, (invoice, "1000.00"))

    sink = ledger.app.db.invoices.find_one({"invoice_number": invoice})
    source = ledger.app.db.payments.find_one({"payment_number": payment})

    assert (sink["closed_on"], sink["allocations"][0]["on"]) == ("2026-11-10", "2026-11-10")
    assert source["fully_allocated_on"] == "2026-11-10"
    ledger.release(payment, invoice, "0.01")
    assert "closed_on" not in ledger.app.db.invoices.find_one({"invoice_number": invoice})
    assert "fully_allocated_on" not in ledger.app.db.payments.find_one({"payment_number": payment})


def test_an_outgoing_payment_pays_a_credit_note_back(ledger: Any) -> None:
    note = ledger.credit_note()
    part = {"credit_note_number": note, "amount": "400.00"}
    recorded = ledger.app.pay("400.00", direction="outgoing", allocations=[part])
    assert recorded.status_code == 201, recorded.text
    assert recorded.json["allocations"] == [{"invoice_number": None, **part}]
    payment = ledger.payment("700.00", direction="outgoing")

    refused = ledger.allocate(payment, (note, "600.01"))
    assert (refused.status_code, refused.json["code"], refused.json["unallocated"]) == (
        *(409, "more_than_unallocated"),
        "600.00",
    )
    assert ledger.allocate(payment, (note, "600.00")).json["unallocated"] == "100.00"
    stored = ledger.app.db.credit_notes.find_one({"credit_note_number": note})
    assert (stored["allocated_minor"], stored["fully_allocated_on"]) == (100_000, "2026-11-20")
    assert [entry["action"] for entry in stored["history"]] == ["paid", "paid"]
    assert ledger.release(payment, note, "100.00").json["unallocated"] == "200.00"
    assert ledger.void(recorded.json["payment_number"]).status_code == 200
    stored = ledger.app.db.credit_notes.find_one({"credit_note_number": note})
    assert stored["allocated_minor"] == 50_000
    assert "fully_allocated_on" not in stored


def test_a_credit_note_over_a_whole_invoice_has_nothing_to_pay_back(ledger: Any) -> None:
    invoice = ledger.invoice()
    note = ledger.app.post(f"/invoices/{invoice}/cancel", json={"reason": "wrong"}).json["credit_note_number"]

    refused = ledger.allocate(ledger.payment(direction="outgoing"), (note, "0.01"))

    assert (refused.status_code, refused.json["unallocated"]) == (409, "0.00")
