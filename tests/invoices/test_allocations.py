"""Payments that pay invoices, over HTTP: never more than is outstanding, and given back when voided."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def test_a_payment_pays_a_part_and_another_the_rest(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    first = acme.pay_invoices([number], "400.00")
    assert first.status_code == 201, first.text
    part = {"invoice_number": number, "credit_note_number": None, "amount": "400.00"}
    assert first.json()["allocations"] == [part]
    shown = acme.invoice(number)
    assert (shown["status"], shown["amount_paid"], shown["outstanding"]) == ("partly_paid", "400.00", "600.00")
    assert acme.pay_invoices([number], "600.00").status_code == 201
    shown = acme.invoice(number)
    assert (shown["status"], shown["amount_paid"], shown["outstanding"]) == ("paid", "1000.00", "0.00")
    assert [entry["action"] for entry in shown["history"]] == ["paid", "paid"]
    assert shown["history"][1]["changes"] == {"amount_paid": {"from": "400.00", "to": "1000.00"}}


def test_more_than_is_outstanding_is_a_conflict_that_says_how_much_is(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    refused = acme.pay_invoices([number], "1000.01")
    assert refused.status_code == 409
    assert refused.json()["code"] == "more_than_outstanding"
    assert refused.json()["outstanding"] == "1000.00"
    assert acme.invoice(number)["outstanding"] == "1000.00"
    assert acme.api.db.payments.count_documents({"tenant": acme.tenant}) == 0
    assert acme.api.db.payment_intents.count_documents({"tenant": acme.tenant}) == 0


def test_twenty_payments_of_100_race_for_1000_and_ten_succeed(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    start = threading.Barrier(20)

    def pay(position: int) -> Any:
        start.wait()
        return acme.pay_invoices([number], "100.00", key=f"pay-{position}")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(pay, range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 10
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(problem["code"], problem["outstanding"]) for problem in refused} == {("more_than_outstanding", "0.00")}
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"]) == ("paid", "0.00")
    stored = list(acme.api.db.payments.find({"tenant": acme.tenant}))
    assert len(stored) == 10
    assert acme.api.db.payment_intents.count_documents({"tenant": acme.tenant}) == 0


def test_twenty_requests_with_one_key_pay_once(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    start = threading.Barrier(20)

    def pay(_position: int) -> Any:
        start.wait()
        return acme.pay_invoices([number], "1000.00", key="the-same")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(pay, range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["payment_number"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 19
    assert acme.invoice(number)["outstanding"] == "0.00"
    again = acme.pay_invoices([number], "999.00", key="the-same")
    assert (again.status_code, again.json()["code"]) == (422, "idempotency_key_reused")


def test_voiding_gives_back_and_the_invoice_can_be_paid_again(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    payment = acme.pay_invoices([number], "1000.00").json()["payment_number"]
    assert acme.pay_invoices([number], "0.01").status_code == 409
    voided = acme.call("POST", f"/payments/{payment}/void", json={"reason": "bounced"}, key="v1")
    assert voided.status_code == 200, voided.text
    shown = acme.invoice(number)
    assert (shown["status"], shown["outstanding"], shown["amount_paid"]) == ("issued", "1000.00", "0.00")
    assert acme.call("POST", f"/payments/{payment}/void", json={"reason": "bounced"}, key="v1").status_code == 200
    assert acme.invoice(number)["outstanding"] == "1000.00"
    assert acme.pay_invoices([number], "1000.00").status_code == 201
    assert [entry["action"] for entry in acme.invoice(number)["history"]] == ["paid", "given_back", "paid"]


def test_one_payment_pays_several_invoices_or_none(acme: Any) -> None:
    numbers = [acme.issue().json()["invoice_number"] for _ in range(3)]
    parts = [{"invoice_number": number, "amount": "1000.00"} for number in numbers]
    assert acme.pay_invoices([numbers[2]], "0.01").status_code == 201
    refused = acme.pay("3000.00", allocations=parts)
    assert (refused.status_code, refused.json()["invoice_number"]) == (409, numbers[2])
    assert [acme.invoice(number)["outstanding"] for number in numbers] == ["1000.00", "1000.00", "999.99"]
    parts[2]["amount"] = "999.99"
    assert acme.pay("3000.00", allocations=parts).status_code == 201
    assert [acme.invoice(number)["status"] for number in numbers] == ["paid"] * 3


def test_what_can_not_be_allocated_is_refused_at_its_place(acme: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    elsewhere = acme.issue(currency="USD").json()["invoice_number"]

    def pointers(answer: Any) -> list[str]:
        assert answer.status_code == 422, answer.text
        return [error["pointer"] for error in answer.json()["errors"]]

    part = {"invoice_number": number, "amount": "1.00"}
    assert pointers(acme.pay("1.00", allocations=[part, part])) == ["/allocations"]
    assert pointers(acme.pay("0.50", allocations=[part])) == ["/allocations"]
    assert pointers(acme.pay("1.00", allocations=[part], direction="outgoing")) == ["/allocations"]
    assert pointers(acme.pay("1.00", allocations=[{**part, "amount": "0.005"}])) == ["/allocations/0/amount"]
    assert pointers(acme.pay("1.00", allocations=[{**part, "amount": "0"}])) == ["/allocations/0/amount"]
    assert pointers(acme.pay("1.00", allocations=[{**part, "paid": 1}])) == ["/allocations/0/paid"]
    assert pointers(acme.pay("1.00", allocations=[{**part, "invoice_number": elsewhere}])) == [
        "/allocations/0/invoice_number"
    ]
    assert pointers(acme.pay("2.00", allocations=[part, {**part, "invoice_number": "FAC-1"}])) == [
        "/allocations/1/invoice_number"
    ]
    assert acme.invoice(number)["outstanding"] == "1000.00"


def test_another_tenants_invoice_can_not_be_paid(acme: Any, tenant_of: Any) -> None:
    number = acme.issue().json()["invoice_number"]
    refused = tenant_of(acme.api).pay_invoices([number], "1.00")
    assert refused.status_code == 422
    assert acme.invoice(number)["outstanding"] == "1000.00"


def test_a_cancelled_invoice_takes_no_payment_and_a_paid_one_is_not_cancelled(acme: Any) -> None:
    first, second = (acme.issue().json()["invoice_number"] for _ in range(2))
    assert acme.call("POST", f"/invoices/{first}/cancel", json={"reason": "wrong"}).status_code == 200
    refused = acme.pay_invoices([first], "1.00")
    assert (refused.status_code, refused.json()["code"]) == (409, "invoice_is_cancelled")
    payment = acme.pay_invoices([second], "1.00").json()["payment_number"]
    refused = acme.call("POST", f"/invoices/{second}/cancel", json={"reason": "wrong"})
    assert (refused.status_code, refused.json()["code"]) == (409, "invoice_has_payments")
    assert acme.call("POST", f"/payments/{payment}/void", json={"reason": "no"}).status_code == 200
    assert acme.call("POST", f"/invoices/{second}/cancel", json={"reason": "wrong"}).status_code == 200


def test_cancelling_and_paying_at_once_leaves_one_of_them(acme: Any) -> None:
    for _ in range(8):
        number = acme.issue().json()["invoice_number"]
        with ThreadPoolExecutor(2) as pool:
            paid = pool.submit(acme.pay_invoices, [number], "1000.00")
            cancelled = pool.submit(acme.call, "POST", f"/invoices/{number}/cancel", json={"reason": "wrong"})
        codes = (paid.result().status_code, cancelled.result().status_code)
        assert codes in ((201, 409), (409, 200)), (paid.result().text, cancelled.result().text)
        assert acme.invoice(number)["status"] == ("paid" if codes[0] == 201 else "cancelled")
