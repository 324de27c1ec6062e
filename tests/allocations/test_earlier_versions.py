"""What an earlier version stored: a payment's entries without claim and state, an invoice's without number and day."""

from typing import Any

import pytest

from tests.clients import is_replayed


@pytest.fixture
def earlier(ledger: Any) -> tuple[Any, str, str]:
    """A ledger with a payment of 1000.00 that pays 600.00 of an invoice, stored as an earlier version did."""
    invoice = ledger.invoice(issued_on="2026-11-10")
    part = [{"invoice_number": invoice, "amount": "600.00"}]
    payment = ledger.payment("1000.00", allocations=part, key="recorded", paid_on="2026-11-12")
    payments, invoices = ledger.app.db.payments, ledger.app.db.invoices
    claim = payments.find_one({"payment_number": payment})["claim"]
    entry = {"claim": claim, "amount_minor": 60_000, "state": "settled"}
    added = ("allocated_minor", "fully_allocated_on", "crossed", "unsettled")
    payments.update_one(
        {"payment_number": payment},
        {
            "$set": {"allocations": [{"invoice_number": invoice, "amount_minor": 60_000}]},
            "$unset": dict.fromkeys(added, 1),
        },
    )
    invoices.update_one(
        {"invoice_number": invoice},
        {"$set": {"allocations": [entry]}, "$unset": dict.fromkeys(("credited_minor", "closed_on", "crossed"), 1)},
    )
    return ledger, payment, invoice


def test_it_is_shown_and_found_as_allocated(earlier: Any) -> None:
    ledger, payment, invoice = earlier
    ledger.require_right()
    shown = ledger.shown(payment)
    assert (shown["allocated"], shown["unallocated"]) == ("600.00", "400.00")
    found = ledger.app.get(f"/payments?invoice_number={invoice}").json["data"]
    assert [one["payment_number"] for one in found] == [payment]
    assert len(ledger.app.get("/payments?unallocated=true").json["data"]) == 1
    ledger.app.db.payments.update_one({"payment_number": payment}, {"$set": {"amount_minor": 60_000}})
    assert ledger.app.get("/payments?unallocated=true").json["data"] == []


def test_more_of_it_is_allocated_and_released(earlier: Any) -> None:
    ledger, payment, invoice = earlier
    first = ledger.shown(payment)
    refused = ledger.allocate(payment, (invoice, "400.01"))
    assert refused.json["unallocated"] == "400.00"

    assert ledger.allocate(payment, (invoice, "400.00")).json["unallocated"] == "0.00"
    stored = ledger.app.db.invoices.find_one({"invoice_number": invoice})
    assert stored["closed_on"] == "2026-11-12"
    assert [entry["payment_number"] for entry in stored["allocations"]] == [payment, payment]
    assert ledger.app.db.payments.find_one({"payment_number": payment})["fully_allocated_on"] == "2026-11-12"
    assert ledger.release(payment, invoice, "700.00").json["allocated"] == "300.00"
    ledger.require_right()
    part = [{"invoice_number": invoice, "amount": "600.00"}]
    again = ledger.app.pay("1000.00", allocations=part, key="recorded", paid_on="2026-11-12")
    assert is_replayed(again)
    assert again.json == first
    assert ledger.void(payment).status_code == 200
    ledger.require_right()


def test_it_is_voided(earlier: Any) -> None:
    ledger, payment, invoice = earlier
    assert ledger.void(payment).json["allocated"] == "0.00"
    ledger.require_right()
    assert ledger.app.invoice(invoice)["outstanding"] == "1000.00"


def test_another_payment_pays_the_rest_of_its_invoice(earlier: Any) -> None:
    ledger, _payment, invoice = earlier
    assert ledger.app.pay_invoices([invoice], "400.00", paid_on="2026-11-11").status_code == 201
    stored = ledger.app.db.invoices.find_one({"invoice_number": invoice})
    assert (stored["closed_on"], stored["status"]) == ("2026-11-12", "paid")
    ledger.require_right()
