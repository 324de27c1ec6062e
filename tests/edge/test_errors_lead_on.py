"""Each mistake that is easily made is answered with what would be right: a request, and the sentence it gets."""

from decimal import Decimal
from typing import Any

import marshmallow
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema

from finance.edge import fields, hints
from finance.edge.arguments import Arguments, _flatten
from finance.errors import Invalid
from finance.payments.schemas import NewPaymentSchema
from tests.clients import Client, a_payment
from tests.edge.mistakes import ADDRESSES, AMOUNTS, FIXED, KINDS, LISTS, NAMES


@pytest.mark.parametrize(("method", "path", "body", "where", "sentence"), KINDS + NAMES + FIXED + AMOUNTS + LISTS)
def test_a_mistake_is_answered_with_what_would_be_right(
    shared_client: Client, method: str, path: str, body: Any, where: str, sentence: str
) -> None:
    answer = shared_client.call(method, path, role="admin", json=body)

    assert answer.status_code == 422
    said = {error.get("pointer", error.get("parameter")): error["detail"] for error in answer.json["errors"]}
    assert sentence in said.get(where, said)


@pytest.mark.parametrize(("method", "path", "status", "sentence"), ADDRESSES)
def test_an_address_at_which_nothing_is_names_the_one_that_was_meant(
    shared_client: Client, method: str, path: str, status: int, sentence: str
) -> None:
    body = None if method in ("GET", "DELETE") else {}

    answer = shared_client.call(method, path, role="admin", json=body)

    assert (answer.status_code, sentence in answer.json["detail"]) == (status, True), answer.json["detail"]
    assert ("Allow" in answer.headers) == (status == 405)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["api", "v1", "payments", "PAY1", "void", "..", "", "%00", "%2F", "%E2%80%AE", "x" * 300])
    ),
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]),
)
def test_no_address_is_too_strange_to_be_answered(shared_client: Client, segments: list[str], method: str) -> None:
    answer = shared_client.app.test_client().open("/" + "/".join(segments).lstrip("/"), method=method)

    assert answer.status_code < 500
    assert len(answer.data) < 4_000  # a page, with its frame


@pytest.mark.parametrize("path", ["/api/payments", "/api/v2/payments", "/v1/payments/", "/v2/payments"])
def test_an_address_with_another_beginning_is_told_the_whole(shared_client: Client, path: str) -> None:
    answer = shared_client.app.test_client().get(path, headers={"Accept": "application/json"})

    assert answer.json["detail"] == "There is nothing at this address. Did you mean /api/v1/payments?"


JUNK = [None, 5, -5, 10**30, True, Decimal("1.5"), "", "x", "x" * 3_000, [], {}, "\u202e", "2026-13-01"]


@pytest.mark.parametrize(
    "query",
    [
        "/payments?paid_from=2026-02-01&paid_to=2026-02-01",
        "/payments?paid_from=2026-02-01",
        "/payments?currency=EUR&min_amount=10&max_amount=10.00",
        "/payments?currency=EUR&min_amount=9&max_amount=10",
        "/invoices?issued_from=2026-01-31&issued_to=2026-02-01&due_to=2026-01-01",
    ],
)
def test_a_range_whose_ends_are_in_order_is_a_list(shared_client: Client, query: str) -> None:
    assert shared_client.get(query).status_code == 200


def test_where_one_thing_is_wrong_the_detail_says_it_and_never_repeats_a_name_that_may_be_anything(
    shared_client: Client,
) -> None:
    one = shared_client.post("/payments", json=a_payment(amount="0")).json
    two = shared_client.post("/payments", json=a_payment(amount="0", payr="Ada")).json
    hostile = shared_client.post("/payments", json=a_payment(**{"\u202ex": 1})).json

    assert one["detail"] == "amount: must be greater than zero."
    assert two["detail"] == hostile["detail"] == "Some values can't be accepted; see errors."


def test_no_message_is_in_the_words_of_a_library(shared_client: Client) -> None:
    arguments = [
        view._apidoc.get("arguments", {})
        for view in shared_client.app.view_functions.values()
        if hasattr(view, "_apidoc")
    ]
    schemas = [
        parameter["schema"] for found in arguments for parameter in found.get("parameters", []) if "schema" in parameter
    ]

    said = {message for schema in schemas for junk in JUNK for message in _refusals(schema, junk)}

    assert len(schemas) > 10
    assert len(said) > 50
    assert [message for message in said if not message[:1].islower() or message[-1] not in ".?"] == []


def _refusals(schema: Schema, junk: Any) -> set[str]:
    posted = [{name: value} for name in schema.load_fields for value in (junk, [junk], {"x": junk})]
    return {detail for body in posted for _, detail in _flatten(schema.validate(body), "", schema, "field")}


def test_of_very_many_unknown_names_a_hundred_are_compared(
    shared_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    nearest = hints.nearest
    monkeypatch.setattr(hints, "nearest", lambda word, possible: compared.append(word) or nearest(word, possible))
    body = a_payment(allocations=[{f"amuont{number}": "1" for number in range(90)}] * 100)

    answer = shared_client.post("/payments", json=body)

    assert (answer.status_code, len(answer.json["errors"])) == (422, 100)
    assert 90 <= len(compared) <= 100


def test_of_very_many_bad_choices_a_hundred_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(fields, "nearest", lambda word, possible: compared.append(word))
    app = Flask(__name__)
    rows = Schema.from_dict({"rows": marshmallow.fields.List(marshmallow.fields.Nested(NewPaymentSchema()))})()

    with app.test_request_context(json={"rows": [a_payment(method="crad")] * 5_000}), pytest.raises(Invalid) as refused:
        Arguments(rows, location="json").load()

    assert (len(refused.value.errors), len(compared)) == (100, 100)


def test_a_name_of_any_length_is_neither_compared_nor_repeated(shared_client: Client) -> None:
    answer = shared_client.post("/payments", json=a_payment(**{"payer" * 40_000: "Ada"}))

    assert answer.status_code == 422
    assert len(answer.data) < 1_000
