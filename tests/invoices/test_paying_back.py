"""What is left of a credit note is paid back to the customer by an outgoing payment, over HTTP."""

from typing import Any

from tests.clients import at_once
from tests.invoices.test_crediting import credited
from tests.invoices.test_note_giving import a_note, give, numbers, release


def pay_back(client: Any, note: str, amount: str, *, key: str | None = None, **payment: Any) -> Any:
    parts = [{"credit_note_number": note, "amount": amount}]
    return client.pay(amount, key=key, direction="outgoing", allocations=parts, **payment)


def shown(client: Any, note: str) -> Any:
    answer = client.get(f"/credit-notes/{note}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_no_real_receipt_has_to_be_voided_to_correct_an_invoice(acme: Any) -> None:
    """An invoice was a euro too high, and is paid. It is credited; a part of the euro goes to the customer's next
    invoice, and the rest is paid back.
    """
    code = acme.post("/customers", json={"customer_name": "Zoë"}).json()["customer_code"]
    first, second = numbers(acme, 2, customer_code=code)
    receipt = acme.pay_invoices([first], "1000.00", customer_code=code).json()
    assert acme.invoice(first)["status"] == "paid"

    euro = {"reason": "A euro too much", "lines": [{"description": "Work", "unit_price": "1.00"}]}
    note = acme.post(f"/invoices/{first}/credit-notes", json=euro).json()["credit_note_number"]
    assert give(acme, note, (second, "0.60")).status_code == 200
    paid_back = pay_back(acme, note, "0.40", customer_code=code)

    assert paid_back.status_code == 201, paid_back.text
    assert paid_back.json()["allocations"] == [{"invoice_number": None, "credit_note_number": note, "amount": "0.40"}]
    corrected, told = acme.invoice(first), shown(acme, note)
    assert (corrected["status"], corrected["outstanding"], corrected["amount_paid"]) == ("paid", "0.00", "1000.00")
    assert corrected["credit_note_numbers"] == [note]
    assert acme.invoice(second)["outstanding"] == "999.40"
    assert (told["allocated"], told["unallocated"]) == ("1.00", "0.00")
    assert sorted(told["allocations"], key=lambda part: part["amount"]) == [
        {"invoice_number": None, "payment_number": paid_back.json()["payment_number"], "amount": "0.40"},
        {"invoice_number": second, "payment_number": None, "amount": "0.60"},
    ]
    unchanged = acme.get(f"/payments/{receipt['payment_number']}").json()
    assert (unchanged["status"], unchanged["amount"], unchanged["allocated"]) == ("recorded", "1000.00", "1000.00")


def test_no_more_is_paid_back_than_is_left(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    give(acme, note, (number, "60.00"))
    refused = pay_back(acme, note, "40.01")
    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_unallocated")
    assert refused.json()["unallocated"] == "40.00"
    assert pay_back(acme, note, "40.00").status_code == 201
    assert give(acme, note, (number, "0.01")).json()["unallocated"] == "0.00"
    assert shown(acme, note)["unallocated"] == "0.00"


def test_what_its_invoice_took_is_not_paid_back(acme: Any) -> None:
    (number,) = numbers(acme, 1)
    note = credited(acme, number, "100.00")["credit_note_number"]
    assert pay_back(acme, note, "0.01").json()["unallocated"] == "0.00"


def test_a_voided_refund_is_left_again(acme: Any) -> None:
    note = a_note(acme)
    payment = pay_back(acme, note, "100.00").json()["payment_number"]
    assert acme.post(f"/payments/{payment}/void", json={"reason": "bounced"}).status_code == 200
    after = shown(acme, note)
    assert (after["allocations"], after["unallocated"]) == ([], "100.00")
    assert [entry["action"] for entry in after["history"]] == ["paid", "given_back"]
    assert after["history"][0]["payment_number"] == payment
    assert pay_back(acme, note, "100.00").status_code == 201


def test_a_stored_refund_pays_a_credit_note_back_later_and_is_taken_back(acme: Any) -> None:
    note = a_note(acme)
    payment = acme.pay("100.00", direction="outgoing").json()["payment_number"]
    parts = {"allocations": [{"credit_note_number": note, "amount": "70.00"}]}
    given = acme.post(f"/payments/{payment}/allocations", json=parts)
    assert given.status_code == 200, given.text
    assert (given.json()["unallocated"], shown(acme, note)["unallocated"]) == ("30.00", "30.00")
    body = {"credit_note_number": note, "amount": "20.00", "reason": "too much"}
    assert acme.post(f"/payments/{payment}/release", json=body).status_code == 200
    assert shown(acme, note)["unallocated"] == "50.00"


def test_giving_and_paying_back_race_for_what_is_left(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)

    def act(place: int) -> int:
        if place % 2:
            return int(give(acme, note, (number, "10.00")).status_code)
        return int(pay_back(acme, note, "10.00").status_code)

    codes = at_once(20, act)
    assert sorted(200 if code == 201 else code for code in codes) == [200] * 10 + [409] * 10
    told = shown(acme, note)
    assert (told["allocated"], told["unallocated"]) == ("100.00", "0.00")
    assert sum(float(part["amount"]) for part in told["allocations"]) == 100
    assert acme.invoice(number)["amount_credited"] == f"{codes.count(200) * 10}.00"


def test_a_credit_note_is_shown_as_it_was_to_a_repeat_of_its_request(acme: Any) -> None:
    (number,) = numbers(acme, 1)
    acme.pay_invoices([number], "1000.00")
    first = credited(acme, number, "100.00", key=f"c-{number}")
    pay_back(acme, first["credit_note_number"], "100.00")
    assert credited(acme, number, "100.00", key=f"c-{number}") == first


def test_a_credit_note_that_took_its_invoice_back_is_not_paid_back(acme: Any) -> None:
    (number,) = numbers(acme, 1)
    note = acme.post(f"/invoices/{number}/cancel", json={"reason": "x"}).json()["credit_note_number"]
    legacy = ("claim", "allocations", "allocated_minor", "fully_allocated_on", "history")
    for _version in range(2):
        refused = pay_back(acme, note, "1.00")
        assert (refused.status_code, refused.json()["unallocated"]) == (409, "0.00")
        acme.api.db.credit_notes.update_one({"credit_note_number": note}, {"$unset": dict.fromkeys(legacy, 1)})
    assert release(acme, note, number).status_code == 409


def test_a_repeat_on_a_credit_note_leaves_out_what_paid_it_back_since(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    given = give(acme, note, (number, "15.00"), key=f"g-{note}")
    released = release(acme, note, number, key=f"r-{note}")
    assert pay_back(acme, note, "100.00").status_code == 201

    for repeat, first in (
        (give(acme, note, (number, "15.00"), key=f"g-{note}"), given),
        (release(acme, note, number, key=f"r-{note}"), released),
    ):
        assert (repeat.status_code, repeat.json()) == (200, first.json())
    assert shown(acme, note)["unallocated"] == "0.00"


def test_a_repeat_on_a_credit_note_shows_what_had_paid_it_back_though_it_was_voided_since(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    refunds = [pay_back(acme, note, amount).json()["payment_number"] for amount in ("7.00", "30.00")]
    body = {"credit_note_number": note, "amount": "10.00", "reason": "too much"}
    assert acme.post(f"/payments/{refunds[1]}/release", json=body).status_code == 200
    first = give(acme, note, (number, "13.00"), key=f"g-{note}").json()
    assert (first["allocated"], first["unallocated"]) == ("40.00", "60.00")
    for payment in refunds:
        assert acme.post(f"/payments/{payment}/void", json={"reason": "bounced"}).status_code == 200

    assert give(acme, note, (number, "13.00"), key=f"g-{note}").json() == first
    assert shown(acme, note)["allocated"] == "13.00"
