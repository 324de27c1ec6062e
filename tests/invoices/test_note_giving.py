"""What is left of a credit note goes to other invoices of its customer, and can be taken back, over HTTP."""

from typing import Any

import pytest

from tests.clients import at_once
from tests.invoices.test_crediting import credit, credited


def a_note(client: Any, amount: str = "100.00", **invoice: Any) -> str:
    """Return the number of a credit note of which all is left: its invoice was paid."""
    number = client.issue(**invoice).json()["invoice_number"]
    assert client.pay_invoices([number], "1000.00").status_code == 201
    return str(credited(client, number, amount)["credit_note_number"])


def give(client: Any, note: str, *parts: tuple[str, str], key: str | None = None) -> Any:
    allocations = [{"invoice_number": number, "amount": amount} for number, amount in parts]
    return client.post(f"/credit-notes/{note}/allocations", key=key, json={"allocations": allocations})


def release(client: Any, note: str, number: str, *, key: str | None = None, **more: str) -> Any:
    body = {"invoice_number": number, "reason": "mistaken", **more}
    return client.post(f"/credit-notes/{note}/release", key=key, json=body)


def numbers(client: Any, count: int, **invoice: Any) -> list[str]:
    return [client.issue(**invoice).json()["invoice_number"] for _ in range(count)]


def test_the_rest_is_given_to_other_invoices(acme: Any) -> None:
    note, (first, second) = a_note(acme), numbers(acme, 2)

    answer = give(acme, note, (first, "60.00"), (second, "30.00"))

    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert [(part["invoice_number"], part["amount"]) for part in shown["allocations"]] == [
        (first, "60.00"),
        (second, "30.00"),
    ]
    assert (shown["allocated"], shown["unallocated"]) == ("90.00", "10.00")
    (entry,) = shown["history"]
    assert (entry["action"], entry["changes"]) == ("allocated", {"allocated": {"from": "0.00", "to": "90.00"}})
    assert entry["allocations"] == shown["allocations"]
    assert "claim" not in entry
    assert acme.get(f"/credit-notes/{note}").json() == shown
    invoice = acme.invoice(first)
    assert (invoice["outstanding"], invoice["amount_credited"], invoice["amount_paid"]) == ("940.00", "60.00", "0.00")
    assert invoice["allocations"] == [{"payment_number": None, "credit_note_number": note, "amount": "60.00"}]
    assert invoice["history"][0]["credit_note_number"] == note
    assert invoice["credit_note_numbers"] == []  # it isn't what is credited


def test_no_more_is_given_than_is_left_nor_than_is_outstanding(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    refused = give(acme, note, (number, "100.01"))
    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_unallocated")
    assert refused.json()["unallocated"] == "100.00"
    acme.pay_invoices([number], "950.00")
    refused = give(acme, note, (number, "50.01"))
    assert (refused.json()["code"], refused.json()["outstanding"]) == ("more_than_outstanding", "50.00")
    assert acme.get(f"/credit-notes/{note}").json()["unallocated"] == "100.00"
    assert give(acme, note, (number, "50.00")).json()["unallocated"] == "50.00"
    assert acme.invoice(number)["status"] == "paid"


def test_twenty_race_for_the_rest_of_one_credit_note(acme: Any) -> None:
    note, (first, second) = a_note(acme), numbers(acme, 2)
    answers = at_once(
        20, lambda place: give(acme, note, ((first, second)[place % 2], "10.00"), key=f"g-{note}-{place}")
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 10
    assert acme.get(f"/credit-notes/{note}").json()["unallocated"] == "0.00"
    assert sum(float(acme.invoice(number)["amount_credited"]) for number in (first, second)) == 100


def test_the_same_key_gives_once_and_credit_notes_with_keys_stand_beside_each_other(acme: Any) -> None:
    notes, (number,) = [a_note(acme), a_note(acme)], numbers(acme, 1)
    for note in notes:
        first, again = (give(acme, note, (number, "10.00"), key=f"g-{note}") for _twice in range(2))
        assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
    assert acme.invoice(number)["amount_credited"] == "20.00"
    reused = give(acme, notes[0], (number, "11.00"), key=f"g-{notes[0]}")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_what_was_given_is_taken_back_in_part_and_whole(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    give(acme, note, (number, "100.00"))
    part = release(acme, note, number, amount="30.00", key=f"r-{note}")
    assert part.status_code == 200, part.text
    assert (part.json()["allocated"], part.json()["unallocated"]) == ("70.00", "30.00")
    assert acme.invoice(number)["outstanding"] == "930.00"
    assert release(acme, note, number, amount="30.00", key=f"r-{note}").json() == part.json()
    assert release(acme, note, number, amount="70.01").status_code == 422
    whole = release(acme, note, number)
    assert (whole.json()["allocations"], whole.json()["unallocated"]) == ([], "100.00")
    shown = acme.invoice(number)
    assert (shown["outstanding"], shown["status"], shown["amount_credited"]) == ("1000.00", "issued", "0.00")
    assert [entry["action"] for entry in shown["history"]] == ["credited", "given_back", "given_back"]
    refused = release(acme, note, number)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_allocated")


def test_what_its_own_invoice_took_can_be_taken_back_and_given_to_another(acme: Any) -> None:
    own, other = numbers(acme, 2)
    note = credited(acme, own, "100.00", key=f"c-{own}")
    assert release(acme, note["credit_note_number"], own).json()["unallocated"] == "100.00"
    assert acme.invoice(own)["outstanding"] == "1000.00"
    assert give(acme, note["credit_note_number"], (other, "100.00")).status_code == 200
    assert acme.invoice(other)["outstanding"] == "900.00"
    assert credit(acme, own, "100.00", key=f"c-{own}").json() == note  # the first result, as it was
    assert credit(acme, own, "900.01").json()["left_to_credit"] == "900.00"


def test_a_cancelled_invoices_credit_note_gives_nothing_and_takes_nothing_back(acme: Any) -> None:
    cancelled, other = numbers(acme, 2)
    note = acme.post(f"/invoices/{cancelled}/cancel", json={"reason": "x"}).json()["credit_note_number"]
    legacy = ("claim", "allocations", "allocated_minor", "fully_allocated_on", "history")
    for _version in range(2):
        refused = give(acme, note, (other, "1.00"))
        assert (refused.json()["code"], refused.json()["unallocated"]) == ("more_than_unallocated", "0.00")
        assert release(acme, note, cancelled).json()["code"] == "invoice_is_cancelled"
        acme.api.db.credit_notes.update_one({"credit_note_number": note}, {"$unset": dict.fromkeys(legacy, 1)})
    assert acme.invoice(other)["outstanding"] == "1000.00"


def test_it_goes_to_invoices_of_its_own_customer_only(acme: Any) -> None:
    code = acme.post("/customers", json={"customer_name": "Zoë"}).json()["customer_code"]
    note, of_customer = a_note(acme), a_note(acme, customer_code=code)
    (own,), (named_otherwise,), (of_code,) = (
        numbers(acme, 1),
        numbers(acme, 1, customer_name="Ada"),
        numbers(acme, 1, customer_code=code),
    )
    for refused in (
        give(acme, note, (own, "1.00"), (named_otherwise, "1.00")),
        give(acme, note, (own, "1.00"), (of_code, "1.00")),
        give(acme, of_customer, (of_code, "1.00"), (own, "1.00")),
    ):
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/allocations/1/invoice_number"]
    assert give(acme, of_customer, (of_code, "1.00")).status_code == 200


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"amount": "0"}, "/allocations/0/amount"),
        ({"amount": "1.001"}, "/allocations/0/amount"),
        ({"invoice_number": "FAC-1"}, "/allocations/0/invoice_number"),
        ({"credit_note_number": "AV-1"}, "/allocations/0/credit_note_number"),
    ],
)
def test_what_is_posted_wrong_is_refused_at_its_place(acme: Any, part: dict[str, str], pointer: str) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1)
    allocations = [{"invoice_number": number, "amount": "1.00"} | part]
    refused = acme.post(f"/credit-notes/{note}/allocations", json={"allocations": allocations})
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


def test_another_currencys_invoice_takes_nothing(acme: Any) -> None:
    note, (number,) = a_note(acme), numbers(acme, 1, currency="USD")
    refused = give(acme, note, (number, "1.00"))
    assert refused.json()["errors"][0]["pointer"] == "/allocations/0/invoice_number"


def test_credit_notes_are_found_by_customer_currency_and_what_is_left(acme: Any) -> None:
    code = acme.post("/customers", json={"customer_name": "Zoë"}).json()["customer_code"]
    left, (number,) = a_note(acme, customer_code=code), numbers(acme, 1)
    used = credited(acme, number, "1.00")["credit_note_number"]
    dollars = credited(acme, numbers(acme, 1, currency="USD")[0], "1.00")["credit_note_number"]

    def found(**query: str) -> set[str]:
        answer = acme.get("/credit-notes", params=query)
        assert answer.status_code == 200, answer.text
        return {note["credit_note_number"] for note in answer.json()["data"]}

    assert found() == {left, used, dollars}
    assert found(customer_code=code) == found(unallocated="true") == {left}
    assert found(currency="USD") == {dollars}
    assert found(invoice_number=number) == {used}
    give(acme, left, (numbers(acme, 1, customer_code=code)[0], "100.00"))
    assert found(unallocated="true") == set()
    assert acme.get("/credit-notes", params={"unallocated": "false"}).status_code == 422
