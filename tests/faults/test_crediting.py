"""An invoice, and the credit notes over parts of it. Killed between any two writes, what is shown stays right."""

from decimal import Decimal
from typing import Any

import pytest

from finance.invoices import finishing
from tests.clients import NOVEMBER, Client, at_once
from tests.faults.killed import killed_at_write
from tests.faults.test_allocations import meanwhile

pytestmark = pytest.mark.faults

WRITES_MAX = 30
CREDIT = {"reason": "too much", "lines": [{"description": "Too much", "unit_price": "100.00"}]}


@pytest.fixture
def app(db: Any) -> Client:
    app = Client(db, now=NOVEMBER)
    for role in ("client", "accountant"):
        app.key(role)  # now, so that no test kills the making of an API key
    assert app.put_shop().status_code == 201
    return app


def credit(app: Client, invoice_number: str, key: str | None = None) -> Any:
    return app.post(f"/invoices/{invoice_number}/credit-notes", key=key, json=CREDIT)


def require_right(app: Client, invoice_number: str, *, paid: str, applied: str, unallocated: str) -> int:
    """Return how many credit notes of 100.00 there are, after the invoice and they agree on what they come to.

    `applied` and `unallocated` are what one of them gives to its invoice, and what it has left.
    """
    shown = app.invoice(invoice_number)
    notes = list(app.db.credit_notes.find({"invoice_number": invoice_number}))
    assert shown["credit_note_numbers"] == [note["credit_note_number"] for note in notes]
    assert Decimal(shown["amount_credited"]) == len(notes) * Decimal(applied)
    assert Decimal(shown["outstanding"]) == 1000 - Decimal(paid) - len(notes) * Decimal(applied)
    for note in notes:
        answer = app.get(f"/credit-notes/{note['credit_note_number']}").json
        assert (answer["allocated"], answer["unallocated"]) == (applied, unallocated)
    assert app.db.invoices.count_documents({"unsettled": True}) == 0
    return len(notes)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("paid", ["970.00", "1000.00"])
def test_crediting_killed_at_any_write(app: Client, monkeypatch: pytest.MonkeyPatch, after: bool, paid: str) -> None:
    applied = min(Decimal(100), 1000 - Decimal(paid))
    right = {"paid": paid, "applied": f"{applied:.2f}", "unallocated": f"{100 - applied:.2f}"}
    for write in range(1, WRITES_MAX):
        number = app.issue().json["invoice_number"]
        assert app.pay_invoices([number], paid).status_code == 201
        with killed_at_write(monkeypatch, write, after=after) as writes:
            credit(app, number, f"c-{write}")
        decided = app.db.invoices.count_documents({"invoice_number": number, "credits.0": {"$exists": True}})
        assert require_right(app, number, **right) == decided  # whoever looks has finished what was decided
        again = credit(app, number, f"c-{write}")
        assert again.status_code == 201, again.text
        assert require_right(app, number, **right) == 1
        assert all(sequence["whole"] for sequence in app.get("/shops/par/sequences").json["data"])
        if len(writes) < write:
            assert write > 3
            return
    pytest.fail("it never came to an end")


def test_what_is_decided_is_finished_by_a_list(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    number = app.issue().json["invoice_number"]
    with killed_at_write(monkeypatch, 1, after=True) as writes:
        credit(app, number)
    assert writes == ["invoices.find_one_and_update"]
    (listed,) = app.get("/invoices").json["data"]
    assert (listed["outstanding"], len(listed["credit_note_numbers"])) == ("900.00", 1)


def test_many_who_finish_it_at_once_store_one_credit_note(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    number = app.issue().json["invoice_number"]
    with killed_at_write(monkeypatch, 1, after=True):
        credit(app, number, "k")
    answers = at_once(6, lambda place: app.invoice(number) if place % 2 else credit(app, number, "k").json)
    assert len({note["credit_note_number"] for note in answers[::2]}) == 1
    assert require_right(app, number, paid="0.00", applied="100.00", unallocated="0.00") == 1


def test_a_claim_that_a_credit_has_made_is_nobody_elses(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed once it is decided; a payment that wants the same money meets the credit and finishes it."""
    number = app.issue().json["invoice_number"]
    with killed_at_write(monkeypatch, 1, after=True):
        credit(app, number)
    app.later(seconds=60)
    refused = app.pay_invoices([number], "1000.00")
    assert (refused.status_code, refused.json.get("outstanding")) == (409, "900.00")
    assert app.pay_invoices([number], "900.00").status_code == 201
    assert require_right(app, number, paid="900.00", applied="100.00", unallocated="0.00") == 1


def test_one_who_is_slow_after_the_note_is_stored_links_it_once(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    number = app.issue().json["invoice_number"]
    link = finishing.credits.link

    def link_late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(finishing.credits, "link", link)
        app.later(seconds=60)
        assert meanwhile(app.invoice, number)["outstanding"] == "900.00"  # somebody else has finished it
        link(*args, **kwargs)

    monkeypatch.setattr(finishing.credits, "link", link_late)
    assert credit(app, number).status_code == 201
    assert require_right(app, number, paid="0.00", applied="100.00", unallocated="0.00") == 1
    assert [entry["action"] for entry in app.invoice(number)["history"]] == ["credited"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_giving_what_is_left_killed_at_any_write(app: Client, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    for write in range(1, WRITES_MAX):
        note, numbers = _left(app), [app.issue().json["invoice_number"] for _ in range(2)]
        allocations = [{"invoice_number": number, "amount": "40.00"} for number in numbers]
        path, key = f"/credit-notes/{note}/allocations", f"g-{write}"
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.post(path, key=key, json={"allocations": allocations})
        _require_given(app, note, numbers)  # at once: what isn't decided is nobody's
        app.later(seconds=30)
        _require_given(app, note, numbers)
        assert app.db.invoices.count_documents({"unsettled": True}) == 0
        again = app.post(path, key=key, json={"allocations": allocations})
        assert (again.status_code, again.json["unallocated"]) == (200, "20.00"), again.text
        _require_given(app, note, numbers)
        rest = {"allocations": [{"invoice_number": app.issue().json["invoice_number"], "amount": "20.00"}]}
        assert app.post(path, json=rest).json["unallocated"] == "0.00"
        if len(writes) < write:
            assert write > 4
            return
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_taking_back_killed_at_any_write(app: Client, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    for write in range(1, WRITES_MAX):
        number = app.issue().json["invoice_number"]
        note = credit(app, number).json["credit_note_number"]
        body = {"invoice_number": number, "amount": "30.00", "reason": "mistaken"}
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.post(f"/credit-notes/{note}/release", key=f"r-{write}", json=body)
        _require_given(app, note, [number])
        app.later(seconds=30)
        _require_given(app, note, [number])
        again = app.post(f"/credit-notes/{note}/release", key=f"r-{write}", json=body)
        assert (again.status_code, again.json["unallocated"]) == (200, "30.00")
        _require_given(app, note, [number])
        assert app.invoice(number)["outstanding"] == "930.00"
        if len(writes) < write:
            assert write > 2
            return
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_paying_back_and_voiding_that_killed_at_any_write(
    app: Client, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    for write in range(1, WRITES_MAX):
        note = _left(app)
        parts = [{"credit_note_number": note, "amount": "70.00"}]
        refund = {"direction": "outgoing", "allocations": parts, "key": f"p-{write}"}
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.pay("70.00", **refund)
        _require_paid_back(app, note)
        app.later(seconds=30)
        _require_paid_back(app, note)
        again = app.pay("70.00", **refund)
        assert again.status_code == 201, again.text
        _require_paid_back(app, note)
        path, body = f"/payments/{again.json['payment_number']}/void", {"reason": "bounced"}
        with killed_at_write(monkeypatch, write, after=after) as voiding:
            app.post(path, key=f"v-{write}", json=body)
        _require_paid_back(app, note)
        assert app.post(path, key=f"v-{write}", json=body).status_code == 200
        _require_paid_back(app, note)
        assert app.get(f"/credit-notes/{note}").json["unallocated"] == "100.00"
        assert app.get("/credit-notes", query_string={"unallocated": "true", "limit": "1"}).json["data"]
        assert app.db.credit_notes.count_documents({"unsettled": True}) == 0
        if max(len(writes), len(voiding)) < write:
            assert write > 4
            return
    pytest.fail("it never came to an end")


def _require_paid_back(app: Client, note: str) -> None:
    """Require that a credit note tells of what the recorded payments paid back of it."""
    shown = app.get(f"/credit-notes/{note}").json
    payments = list(app.db.payments.find({"status": "recorded", "allocations.credit_note_number": note}))
    assert [part["payment_number"] for part in shown["allocations"]] == [p["payment_number"] for p in payments]
    assert Decimal(shown["allocated"]) == 70 * len(payments)
    assert Decimal(shown["allocated"]) + Decimal(shown["unallocated"]) == 100


def _left(app: Client) -> str:
    """Return the number of a credit note of which all is left."""
    number = app.issue().json["invoice_number"]
    assert app.pay_invoices([number], "1000.00").status_code == 201
    return str(credit(app, number).json["credit_note_number"])


def _require_given(app: Client, note: str, invoice_numbers: list[str]) -> None:
    """Require that the credit note and its invoices tell the same of what it gave to them."""
    shown = app.get(f"/credit-notes/{note}").json
    given = {part["invoice_number"]: part["amount"] for part in shown["allocations"]}
    assert Decimal(shown["allocated"]) + Decimal(shown["unallocated"]) == 100
    assert sum(map(Decimal, given.values())) == Decimal(shown["allocated"])
    for number in invoice_numbers:
        invoice = app.invoice(number)
        assert invoice["amount_credited"] == given.get(number, "0.00")
        assert Decimal(invoice["outstanding"]) == 1000 - Decimal(invoice["amount_credited"])
