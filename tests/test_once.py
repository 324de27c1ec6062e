"""How a repeat is known: the digests, which are stored for ever, and what is no part of them."""

from typing import Any

import pytest

from finance.database import Db
from finance.errors import Conflict, FinanceError, Invalid, PreconditionFailed
from finance.invoices import model as invoices
from finance.invoices.schemas import NewInvoiceSchema
from finance.once import Answer, IdempotencyKeyReused, first_result, request_hash
from finance.payments import allocations
from finance.payments import model as payments
from finance.payments.schemas import AllocatedPaymentSchema
from tests.clients import LINES, NOVEMBER, Client, at_once

LEAST = {"amount": "1250.50", "currency": "EUR", "payer": "Ada", "method": "card"}
FULL = LEAST | {
    "direction": "incoming",
    "paid_on": "2026-11-20",
    "customer_code": "CUST-000001",
    "reference": "R",
    "note": "N",
    "metadata": {"b": "2", "a": "1"},
    "allocations": [{"invoice_number": "FAC-PAR-202611-0001", "amount": "1.00"}],
}
REASON = {"reason": "wrong"}
INVOICE = {"shop": "par", "customer_name": "Zoë", "lines": LINES}
DATED_INVOICE = INVOICE | {"issued_on": "2026-11-20", "due_on": "2026-12-20", "currency": "EUR", "notes": "N"}


@pytest.mark.parametrize(
    ("posted", "digest"),
    [
        (LEAST, "a87ce93ac2a32b7a0be5672469f2c0ed6121d32c866c0e7da7ba34ea741379c8"),
        (FULL, "9e9f658452ae849145903eb3e3be7afce43a4c6e7c715f51b4ca8431bfe24e95"),
    ],
)
def test_the_digest_of_a_payment_stays_what_it_was(posted: dict[str, Any], digest: str) -> None:
    """One that changes makes every stored payment's repeat a reused key: see LATER_DEFAULTS."""
    assert payments.hash_of(AllocatedPaymentSchema().load(posted)) == digest


@pytest.mark.parametrize(
    ("posted", "digest"),
    [
        (INVOICE, "0a82f191b9412238fa7333d02682739616dce860a53ad72434b9464f5e0fd8b6"),
        (INVOICE | {"total": "1000.00"}, "0a82f191b9412238fa7333d02682739616dce860a53ad72434b9464f5e0fd8b6"),
        (
            INVOICE | {"issued_on": "2026-11-20", "due_on": "2026-12-20", "currency": "EUR", "notes": "N"},
            "6fe23163ed98c65ffb49ce7cc356c35316a1a50f39eda33c2f7e2b0bb0f5b10a",
        ),
    ],
)
def test_the_digest_of_an_invoice_stays_what_it_was(posted: dict[str, Any], digest: str) -> None:
    assert invoices.hash_of(NewInvoiceSchema().load(posted)) == digest


def test_a_field_added_later_is_no_part_of_the_digest_while_it_has_its_default() -> None:
    before = request_hash({"amount": 5, "lines": [{"net": "1"}]})
    later = {"channel": "web", "unit": "piece"}

    def digest(**added: Any) -> str:
        return request_hash({"amount": 5, "lines": [{"net": "1", "unit": "piece"}]} | added, later_defaults=later)

    assert digest() == digest(channel="web") == before
    assert digest(channel="phone") != before
    assert digest(channel=None) != before


def test_a_refusal_stands_where_there_is_no_repeat() -> None:
    def refuse() -> None:
        raise Invalid("no")

    with pytest.raises(Invalid, match="no"):
        first_result(refuse, lambda: None)


def test_a_repeat_is_looked_for_only_after_a_refusal() -> None:
    assert first_result(lambda: 5, lambda: pytest.fail("looked")) == 5


@pytest.mark.parametrize("refusal", [Invalid, Conflict, PreconditionFailed])
def test_a_repeat_is_answered_though_what_it_asked_for_is_another_by_now(refusal: type[FinanceError]) -> None:
    def refuse() -> None:
        raise refusal("no")

    assert first_result(refuse, lambda: Answer(5, replayed=True)) == Answer(5, replayed=True)


def test_a_reused_key_is_said_before_what_else_is_wrong() -> None:
    def refuse() -> None:
        raise Invalid("no")

    def reused() -> None:
        raise IdempotencyKeyReused

    with pytest.raises(IdempotencyKeyReused):
        first_result(refuse, reused)


@pytest.mark.parametrize("key", [None, "k"])
def test_an_older_systems_unique_index_on_invoices_is_told_as_such(db: Db, key: str | None) -> None:
    client = Client(db)
    client.put_shop()
    db.invoices.create_index([("tenant", 1), ("customer_name", 1)], unique=True, name="theirs")
    assert client.issue().status_code == 201

    answer = client.issue(key=key)

    assert (answer.status_code, answer.json["code"]) == (409, "refused_by_foreign_index")
    assert db.invoices.count_documents({}) == 1


def test_a_payment_that_was_decided_and_not_stored_is_finished_by_its_repeat(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process was killed after the decision; the customer that it names is deactivated before the repeat."""

    client = Client(db, now=NOVEMBER)
    client.put_shop()
    customer = client.post("/customers", json={"customer_name": "Zoë"}).json["customer_code"]
    invoice = client.issue().json["invoice_number"]

    def pay() -> Any:
        return client.pay_invoices([invoice], "10.00", key="k", customer_code=customer)

    with monkeypatch.context() as patched:
        patched.setattr(allocations, "_store_decided", lambda *args, **options: 1 / 0)
        assert pay().status_code == 500
    client.post(f"/customers/{customer}/deactivate", json={"reason": "left"})

    answer = pay()

    assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, "true")
    assert client.invoice(invoice)["amount_paid"] == "10.00"
    assert db.payments.count_documents({}) == 1


@pytest.mark.parametrize("operation", ["void", "cancel"])
def test_of_two_clicks_at_once_the_second_is_answered_as_a_repeat(db: Db, operation: str) -> None:
    client = Client(db)
    client.put_shop()
    for place in range(20):
        if operation == "void":
            path = f"/payments/{client.pay('10.00').json['payment_number']}/void"
        else:
            path = f"/invoices/{client.issue().json['invoice_number']}/cancel"

        answers = at_once(4, lambda _click, path=path, key=f"k-{place}": client.post(path, key=key, json=REASON))

        assert [answer.status_code for answer in answers] == [200] * 4
        replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
        assert sorted(replayed, key=str) == [None, "true", "true", "true"]


@pytest.mark.parametrize("path", ["/payments/PAY20269999/void", "/invoices/FAC-QQ-202611-0001/cancel"])
def test_a_used_key_on_a_number_that_is_not_there_is_not_found(db: Db, path: str) -> None:
    client = Client(db)
    client.put_shop()
    client.post(f"/payments/{client.pay('10.00').json['payment_number']}/void", key="k", json=REASON)
    client.post(f"/invoices/{client.issue().json['invoice_number']}/cancel", key="k", json=REASON)

    assert client.post(path, key="k", json=REASON).status_code == 404


@pytest.mark.parametrize("operation", ["void", "cancel", "correct"])
def test_an_older_systems_unique_index_is_told_as_such_where_a_document_changes(db: Db, operation: str) -> None:
    client = Client(db)
    client.put_shop()
    field = {"void": "void_reason", "cancel": "cancel_reason", "correct": "note"}[operation]
    partial = {field: {"$gt": ""}}
    collection = db.invoices if operation == "cancel" else db.payments
    collection.create_index([("tenant", 1), (field, 1)], unique=True, partialFilterExpression=partial, name="theirs")

    def change() -> Any:
        if operation == "cancel":
            return client.post(f"/invoices/{client.issue().json['invoice_number']}/cancel", json=REASON)
        number = client.pay("10.00").json["payment_number"]
        if operation == "correct":
            return client.patch(f"/payments/{number}", json={"note": "N"})
        return client.post(f"/payments/{number}/void", json=REASON)

    assert change().status_code == 200
    refused = change()

    assert (refused.status_code, refused.json["code"]) == (409, "refused_by_foreign_index")


def test_a_cancelled_invoice_never_shows_the_credit_note_of_another(db: Db) -> None:
    """An older system's unique index refuses the second credit note; the invoice is cancelled by then."""
    client = Client(db)
    client.put_shop()
    db.credit_notes.create_index([("tenant", 1), ("reason", 1)], unique=True, name="theirs")
    first, second = (client.issue().json["invoice_number"] for _ in range(2))

    shown = [client.post(f"/invoices/{number}/cancel", json=REASON).json for number in (first, second)]

    assert [invoice["credit_note_number"] is None for invoice in shown] == [False, True]
    db.credit_notes.drop_index("theirs")
    assert client.invoice(second)["credit_note_number"] not in (None, shown[0]["credit_note_number"])
