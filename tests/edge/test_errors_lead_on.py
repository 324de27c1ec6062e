"""Each mistake that is easily made is answered with what would be right: a request, and the sentence it gets."""

from typing import Any

import pytest

from finance.edge import hints
from tests.clients import LINES, Client, a_payment

Row = tuple[str, str, Any, str, str]
INVOICE = {"shop": "par", "customer_name": "Zoë", "lines": LINES}

NAMES: list[Row] = [
    ("POST", "/payments", a_payment(payr="Ada"), "/payr", "is not a field here; did you mean payer?"),
    ("POST", "/payments", a_payment(paymentMethod="card"), "/paymentMethod", "did you mean method?"),
    ("POST", "/payments", a_payment(customerCode="C"), "/customerCode", "did you mean customer_code?"),
    ("POST", "/payments", a_payment(zebra="C"), "/zebra", "is not a field here; possible: reference, note, metadata"),
    ("POST", "/payments", a_payment(**{"\u202e": "C"}), "/\u202e", "is not a field here; possible: reference"),
    ("POST", "/payments", a_payment(**{"x" * 101: "C"}), "", "holds a field that is none here; its name has 101"),
    (
        "POST",
        "/payments",
        a_payment(allocations=[{"invoice": "F", "amount": "1"}]),
        "/allocations/0/invoice",
        "did you mean invoice_number?",
    ),
    ("PUT", "/shops/par", {"time_zone": "Europe/Paris"}, "/time_zone", "did you mean timezone?"),
    ("POST", "/customers", {"name": "Ada"}, "/name", "did you mean customer_name?"),
    ("POST", "/customers", {"tds": {"aplicable": True}}, "/tds/aplicable", "did you mean applicable?"),
    ("POST", "/customers", {"banking": [{"ifcs": "S"}]}, "/banking/0/ifcs", "did you mean ifsc?"),
    ("POST", "/invoices", {"lines": [{"price": "1"}]}, "/lines/0/price", "did you mean unit_price?"),
    ("GET", "/payments?payr=Ada", None, "payr", "is not a parameter here; did you mean payer?"),
    ("GET", "/payments?page=2", None, "page", "is not a parameter here; possible: paid_from, paid_to, status"),
    ("GET", "/shops?page=2", None, "page", "is not a parameter of this operation; it takes none."),
]


@pytest.mark.parametrize(("method", "path", "body", "where", "sentence"), NAMES)
def test_a_mistake_is_answered_with_what_would_be_right(
    shared_client: Client, method: str, path: str, body: Any, where: str, sentence: str
) -> None:
    answer = shared_client.call(method, path, role="admin", json=body)

    assert answer.status_code == 422
    said = {error.get("pointer", error.get("parameter")): error["detail"] for error in answer.json["errors"]}
    assert sentence in said.get(where, said)


def test_of_very_many_unknown_names_a_hundred_are_compared(
    shared_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    nearest = hints.nearest
    monkeypatch.setattr(hints, "nearest", lambda word, possible: compared.append(word) or nearest(word, possible))
    body = a_payment(**{f"amuont{number}": "1" for number in range(20_000)})

    answer = shared_client.post("/payments", json=body)

    assert (answer.status_code, len(answer.json["errors"]), len(compared)) == (422, 100, 100)


def test_a_name_of_any_length_is_neither_compared_nor_repeated(shared_client: Client) -> None:
    answer = shared_client.post("/payments", json=a_payment(**{"payer" * 40_000: "Ada"}))

    assert answer.status_code == 422
    assert len(answer.data) < 1_000
