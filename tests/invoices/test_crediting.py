"""Credit notes over parts of invoices, also paid ones, over HTTP."""

from typing import Any

from tests.clients import NOVEMBER, Client, at_once

LINE = {"description": "Too much", "unit_price": "100.00"}


def credit(client: Any, invoice_number: str, amount: str, *, key: str | None = None, **body: Any) -> Any:
    """Credit so much of an invoice."""
    posted = {"reason": "too much", "lines": [LINE | {"unit_price": amount}], **body}
    return client.post(f"/invoices/{invoice_number}/credit-notes", key=key, json=posted)


def credited(client: Any, invoice_number: str, amount: str, **options: Any) -> Any:
    answer = credit(client, invoice_number, amount, **options)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_part_of_what_is_outstanding_is_credited(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]

    answer = credit(acme, number, "100.00")

    note = answer.json()
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/v1/credit-notes/{note['credit_note_number']}"
    assert (note["invoice_number"], note["reason"], note["total"]) == (number, "too much", "100.00")
    assert note["allocations"] == [{"invoice_number": number, "payment_number": None, "amount": "100.00"}]
    assert (note["allocated"], note["unallocated"]) == ("100.00", "0.00")
    assert acme.get(answer.headers["Location"], role="client").json() == note
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"], shown["amount_paid"]) == ("partly_paid", "900.00", "0.00")
    assert shown["credit_note_numbers"] == [note["credit_note_number"]]
    assert shown["credit_note_number"] is None
    (entry,) = shown["history"]
    assert (entry["action"], entry["credit_note_number"]) == ("credited", note["credit_note_number"])
    assert entry["changes"] == {"amount_credited": {"from": "0.00", "to": "100.00"}}


def test_a_paid_invoice_can_be_credited_and_what_it_does_not_take_is_unallocated(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    acme.pay_invoices([number], "1000.00")
    note = credited(acme, number, "1.00")
    assert (note["allocations"], note["allocated"], note["unallocated"]) == ([], "0.00", "1.00")
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"], shown["amount_paid"]) == ("paid", "0.00", "1000.00")
    assert [entry["action"] for entry in shown["history"]] == ["paid", "credited"]


def test_a_partly_paid_invoice_takes_what_is_outstanding_and_leaves_the_rest(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    acme.pay_invoices([number], "950.00")
    note = credited(acme, number, "80.00")
    assert (note["allocated"], note["unallocated"]) == ("50.00", "30.00")
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"], shown["amount_paid"]) == ("paid", "0.00", "950.00")


def test_no_more_than_was_invoiced_is_credited(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    credited(acme, number, "400.00")
    refused = credit(acme, number, "600.01")
    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_invoiced")
    assert refused.json()["left_to_credit"] == "600.00"
    assert "600.00 EUR is left to credit" in refused.json()["detail"]
    credited(acme, number, "600.00")
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"], len(shown["credit_note_numbers"])) == ("paid", "0.00", 2)
    assert credit(acme, number, "0.01").json()["left_to_credit"] == "0.00"


def test_a_repeat_of_the_issue_shows_the_invoice_as_it_was_issued_whatever_was_credited_since(acme: Any) -> None:
    first = acme.issue(key="issue").json()
    credited(acme, first["invoice_number"], "30.00")

    assert acme.issue(key="issue").json() == first


def test_twenty_credit_notes_race_for_one_invoice_and_never_credit_more_than_its_total(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    acme.pay_invoices([number], "250.00")
    answers = at_once(20, lambda place: credit(acme, number, "100.00", key=f"c-{place}"))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 10
    assert {a.json()["left_to_credit"] for a in answers if a.status_code == 409} == {"0.00"}
    notes = [acme.get(answer.headers["Location"]).json() for answer in answers if answer.status_code == 201]
    assert sum(float(note["allocated"]) for note in notes) == 750
    assert sum(float(note["unallocated"]) for note in notes) == 250
    shown = acme.invoice(number)
    assert (shown["outstanding"], len(set(shown["credit_note_numbers"]))) == ("0.00", 10)


def test_the_same_key_credits_once(acme: Any) -> None:
    number, other = (acme.issue().json()["invoice_number"] for _ in range(2))
    answers = at_once(8, lambda _click: credit(acme, number, "100.00", key="k"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["credit_note_number"] for answer in answers}) == 1
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 7
    acme.issue()
    credited(acme, number, "900.00")
    again = credit(acme, number, "100.0", key="k", total="100")
    assert (again.status_code, again.json()) == (201, answers[0].json())
    for reused in (credit(acme, number, "99.00", key="k"), credit(acme, other, "100.00", key="k")):
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_many_without_a_key_and_with_one_stand_beside_each_other(acme: Any) -> None:
    for _invoice in range(2):
        number = acme.issue().json()["invoice_number"]
        for key in (None, f"{number}-a", None, f"{number}-b"):
            credited(acme, number, "100.00", key=key)
        assert acme.invoice(number)["outstanding"] == "600.00"


def test_totals_are_computed_as_those_of_invoices(acme: Any) -> None:
    lines = [{"description": "Rice", "quantity": "3", "unit_price": "700", "tax_rate": "8"}]
    number = acme.issue(currency="JPY", lines=lines).json()["invoice_number"]
    returned = [{"description": "Rice", "unit_price": "700", "tax_rate": "8", "discount": "50"}]
    note = credit(acme, number, "", lines=returned, total="702", total_tax=52).json()
    assert (note["currency"], note["total_net"], note["total_tax"], note["total"]) == ("JPY", "650", "52", "702")
    refused = credit(acme, number, "", lines=returned, total="703")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/total"]


def test_what_is_posted_wrong_is_refused_at_its_place(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]

    def pointers(**body: Any) -> list[str]:
        answer = credit(acme, number, "1.00", **body)
        assert answer.status_code == 422, answer.text
        return [error["pointer"] for error in answer.json()["errors"]]

    assert pointers(reason="") == ["/reason"]
    assert pointers(lines=[]) == ["/lines"]
    assert pointers(lines=[LINE | {"unit_price": "0"}]) == ["/lines"]
    assert pointers(currency="EUR") == ["/currency"]
    assert acme.post("/invoices/FAC-PAR-1/credit-notes", json={"reason": "x", "lines": [LINE]}).status_code == 404
    assert acme.invoice(number)["outstanding"] == "1000.00"


def test_a_cancelled_invoice_is_not_credited_and_a_credited_one_not_cancelled(acme: Any) -> None:
    cancelled, in_part, paid = (acme.issue().json()["invoice_number"] for _ in range(3))
    assert acme.post(f"/invoices/{cancelled}/cancel", json={"reason": "wrong"}).status_code == 200
    assert credit(acme, cancelled, "1.00").json()["code"] == "invoice_is_cancelled"
    credited(acme, in_part, "1.00")
    acme.pay_invoices([paid], "1000.00")
    for number, code in ((in_part, "invoice_has_credit_notes"), (paid, "invoice_has_payments")):
        refused = acme.post(f"/invoices/{number}/cancel", json={"reason": "wrong"})
        assert (refused.status_code, refused.json()["code"]) == (409, code)
        assert "/credit-notes" in refused.json()["detail"]


def test_cancelling_and_crediting_at_once_leaves_one_of_them(acme: Any) -> None:
    for _race in range(6):
        number = acme.issue().json()["invoice_number"]

        def act(place: int, number: str = number) -> int:
            if place:
                return credit(acme, number, "10.00").status_code
            return acme.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).status_code

        assert at_once(2, act) in ([200, 409], [409, 201])
        shown = acme.invoice(number)
        assert len(shown["credit_note_numbers"]) == 1


def test_a_credit_that_can_not_be_numbered_is_not_decided(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    number = app.issue().json["invoice_number"]
    other = {"tenant": "acme", "shop": "other", "period": "all", "number_seq": 1, "total_minor": 1, "claim": "c"}
    db.credit_notes.insert_one({**other, "credit_note_number": "AV-PAR-202611-0001", "invoice_number": "F-1"})
    refused = credit(app, number, "10.00")
    assert (refused.status_code, refused.json["code"]) == (409, "number_taken_elsewhere")
    assert app.invoice(number)["outstanding"] == "1000.00"
    assert app.post(f"/invoices/{number}/cancel", json={"reason": "x"}).json["code"] == "number_taken_elsewhere"


def test_an_index_that_an_earlier_version_built_again_is_in_nobodys_way(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    number = app.issue().json["invoice_number"]
    assert credit(app, number, "10.00").status_code == 201
    db.credit_notes.create_index([("tenant", 1), ("invoice_number", 1)], name="credit_note_invoice_unique", unique=True)
    assert credit(app, number, "10.00").status_code == 201
    assert app.invoice(number)["outstanding"] == "980.00"


def test_a_credit_note_is_dated_in_the_zone_of_its_shop_and_never_before_its_invoice(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    ahead = app.issue(issued_on="2026-11-21").json["invoice_number"]
    assert credit(app, ahead, "10.00").json["issued_on"] == "2026-11-21"


def test_a_credit_note_of_an_earlier_version_took_its_invoice_back_whole(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    number = app.issue().json["invoice_number"]
    note = app.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).json["credit_note_number"]
    now = app.get(f"/credit-notes/{note}").json
    added = ("claim", "allocations", "allocated_minor", "fully_allocated_on", "history")
    db.credit_notes.update_one({}, {"$unset": dict.fromkeys(added, 1)})
    assert app.get(f"/credit-notes/{note}").json == now
    assert (now["allocated"], now["unallocated"]) == ("1000.00", "0.00")
    assert now["allocations"] == [{"invoice_number": number, "payment_number": None, "amount": "1000.00"}]


def test_an_invoice_that_an_earlier_version_saw_paid_keeps_the_day_on_which_it_was(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    number = app.issue().json["invoice_number"]
    assert app.pay_invoices([number], "1000.00", paid_on="2026-12-24").status_code == 201
    (entry,) = db.invoices.find_one()["allocations"]
    legacy = [{name: entry[name] for name in ("claim", "amount_minor", "state")}]
    db.invoices.update_one({}, {"$set": {"allocations": legacy}, "$unset": {"closed_on": 1, "credited_minor": 1}})
    assert credit(app, number, "1.00").json["unallocated"] == "1.00"
    stored = db.invoices.find_one()
    assert (stored["closed_on"], stored["paid_minor"], stored["credited_minor"]) == ("2026-12-24", 100_000, 0)


def test_a_cancellation_that_an_earlier_version_left_half_done_finds_its_credit_note(db: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop()
    number = app.issue().json["invoice_number"]
    note = app.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).json["credit_note_number"]
    db.credit_notes.update_one({}, {"$unset": dict.fromkeys(("claim", "allocations", "allocated_minor"), 1)})
    db.invoices.update_one({}, {"$set": {"unsettled": True}, "$unset": {"credit_note_number": 1}})
    assert app.invoice(number)["credit_note_number"] == note
    assert db.credit_notes.count_documents({}) == 1
