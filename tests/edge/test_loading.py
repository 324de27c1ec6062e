"""The flat loop gives what the schema itself gives: the same result, and the same errors."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, pre_load, validate, validates_schema

from finance.auth import examples as auth
from finance.auth.schemas import NewKeySchema
from finance.customers import examples as customers
from finance.customers.schemas import CustomerFormSchema
from finance.edge.loading import Loader
from finance.invoices import examples as invoices
from finance.invoices.schemas import InvoiceListSchema, NewInvoiceSchema
from finance.payments import examples as payments
from finance.payments.schemas import (
    AllocatedPaymentSchema,
    CustomerPaymentListSchema,
    PaymentEditSchema,
    PaymentListSchema,
    VoidSchema,
)
from finance.shops import examples as shops
from finance.shops.schemas import ShopSettingsSchema

ALLOCATED = payments.NEW_PAYMENT | {
    "direction": "incoming",
    "allocations": [{"invoice_number": "FAC-DKR1-202611-0001", "amount": "1.00"}],
}
BODIES: list[tuple[Schema, dict[str, Any]]] = [
    (AllocatedPaymentSchema(), ALLOCATED),
    (PaymentEditSchema(), payments.EDIT),
    (VoidSchema(), payments.VOID),
    (PaymentListSchema(), {"min_amount": "1", "max_amount": "2", "currency": "EUR", "limit": "7"}),
    (CustomerPaymentListSchema(), {"paid_from": "2026-01-01", "sort": "paid_on"}),
    (NewInvoiceSchema(), invoices.NEW_INVOICE),
    (InvoiceListSchema(), {"limit": "200"}),
    (CustomerFormSchema(), customers.FORM),
    (NewKeySchema(), auth.NEW_KEY),
    (ShopSettingsSchema(), shops.SETTINGS),
]
ODD = (
    None,
    "",
    " ",
    "x",
    "EUR",
    "-1",
    "0",
    "1.005",
    "2026-02-30",
    0,
    1,
    -1,
    True,
    Decimal("1.5"),
    [],
    [{}],
    {},
    {"a": "b"},
)


class RenamedSchema(Schema):
    """What none of ours has, all at once."""

    kept = fields.Integer(data_key="outside", attribute="inside", load_default=5)
    checked = fields.Integer(validate=validate.Range(max=3), allow_none=True)

    @validates_schema
    def _check(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data.get("checked") == data.get("inside"):
            raise ValidationError("are the same", "checked")

    @post_load
    def _pack(self, data: dict[str, Any], **kwargs: Any) -> tuple[Any, ...]:
        return tuple(data.items())


class PreparedSchema(Schema):
    number = fields.Integer(required=True)

    @pre_load
    def _prepare(self, data: Any, **kwargs: Any) -> Any:
        return {"number": 1}


OWN: list[tuple[Schema, dict[str, Any]]] = [(RenamedSchema(), {"outside": 1, "checked": 2}), (PreparedSchema(), {})]


def variants(schema: Schema, body: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the body, and it with each of its fields left out, odd, or beside an unknown one; and what is no body."""
    yield from (dict(body), {}, {**body, "unknown": 1}, [], None, "x")
    for name, field in schema.load_fields.items():
        outside = field.data_key or name
        yield {other: value for other, value in body.items() if other != outside}
        for odd in ODD:
            yield {**body, outside: odd}
            yield {outside: odd, "unknown": odd}


def outcome(load: Any, sent: Any) -> Any:
    try:
        loaded = load(sent)
    except ValidationError as refused:
        return _as_texts(refused.messages)
    return list(loaded.items()) if isinstance(loaded, dict) else loaded


def _as_texts(messages: Any) -> Any:
    if isinstance(messages, Mapping):
        return [(name, _as_texts(inner)) for name, inner in messages.items()]
    return [_as_texts(inner) for inner in messages] if isinstance(messages, list) else str(messages)


@pytest.mark.parametrize(("schema", "body"), BODIES + OWN, ids=lambda value: type(value).__name__)
def test_it_loads_and_refuses_as_the_schema_does(schema: Schema, body: dict[str, Any]) -> None:
    load = Loader(schema).load

    for sent in variants(schema, body):
        assert outcome(load, sent) == outcome(lambda sent: schema.load(sent, unknown=RAISE), sent), sent


def test_what_is_right_is_not_loaded_by_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader(AllocatedPaymentSchema())
    expected = loader.schema.load(payments.NEW_PAYMENT)
    monkeypatch.setattr(loader.schema, "load", None)

    assert loader.load(payments.NEW_PAYMENT) == expected
