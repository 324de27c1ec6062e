"""Customers as they are posted, asked for and answered."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema

from finance.customers import checks
from finance.customers.masking import is_masked, masked
from finance.customers.model import (
    BANKING_MAX,
    CODE_HINT,
    GST_DETAILS_MAX,
    PRODUCTS_SERVICES_MAX,
    STATUSES,
    Customer,
    parse_code,
    status_of,
    version_of,
)
from finance.customers.parts import AnsweredProductServiceSchema, AnsweredTdsSchema, AnsweredTermsConditionsSchema
from finance.damaged import documents_in
from finance.edge.answers import HistoryEntrySchema, KeyId, KeyName
from finance.edge.fields import (
    AmountText,
    AnswerSchema,
    Checked,
    Choice,
    CurrencyCode,
    Flag,
    PageSchema,
    Text,
    TextWithoutKey,
    WholeNumber,
)
from finance.edge.hints import given_by_server
from finance.edge.items import Items
from finance.errors import Invalid
from finance.money import DECIMALS_BY_CURRENCY, parse_amount, shown_amount
from finance.said import said

PAYMENT_TERMS_DAYS_MAX = 3_650
_WHEN_AND_BY = ("created_at", "created_by", "updated_at", "updated_by")


def _parse_code(text: str) -> str:
    code = parse_code(text)
    if code is None:
        raise ValueError(CODE_HINT)
    return code


class CustomerCode(Checked):
    """A customer's code; small letters are taken as capitals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_parse_code, 40, **kwargs)
        self.metadata = {**self.metadata, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", "example": "CUST-000001"}


class Secret(Checked):
    """A number that is shown in full to few. One that is masked as we showed it stands for what is stored."""

    def __init__(self, parse: Callable[[str], str], length_max: int, **kwargs: Any) -> None:
        super().__init__(lambda text: text if is_masked(text) else parse(text), length_max, **kwargs)


class GstDetailSchema(Schema):
    gstin = Secret(checks.parse_gstin, 40, required=True)
    state = Text(60, allow_none=True)
    registration_type = Text(60, allow_none=True)
    address = Text(500, lines=True, allow_none=True)


class ProductServiceSchema(Schema):
    name = Text(200, required=True)
    hsn_sac = Checked(checks.parse_hsn_sac, 20, allow_none=True)
    unit_price = AmountText(allow_none=True)
    currency = CurrencyCode(allow_none=True)
    tax_rate = Checked(checks.parse_percent, 8, numeric=True, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_price(self, data: Mapping[str, Any], **kwargs: object) -> None:
        _check_amount(data, "unit_price")


class TdsSchema(Schema):
    applicable = Flag(required=True)
    section = Text(20, allow_none=True)
    rate = Checked(checks.parse_percent, 8, numeric=True, allow_none=True)
    tan_number = Secret(checks.parse_tan, 40, allow_none=True)


class BankingSchema(Schema):
    bank_name = Text(200, allow_none=True)
    account_number = Secret(checks.parse_account_number, 60, allow_none=True)
    ifsc = Checked(checks.parse_ifsc, 20, allow_none=True)
    iban = Secret(checks.parse_iban, 60, allow_none=True)
    branch = Text(200, allow_none=True)
    primary = Flag(load_default=False)

    @validates_schema(skip_on_field_errors=True)
    def _check_account(self, data: Mapping[str, Any], **kwargs: object) -> None:
        if data.get("account_number") is None and data.get("iban") is None:
            raise ValidationError({"account_number": [said("is required where there is no iban.")]})


class TermsConditionsSchema(Schema):
    payment_terms_days = WholeNumber(0, PAYMENT_TERMS_DAYS_MAX, allow_none=True)
    credit_limit = AmountText(allow_none=True)
    currency = CurrencyCode(allow_none=True)
    notes = Text(2000, lines=True, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_limit(self, data: Mapping[str, Any], **kwargs: object) -> None:
        _check_amount(data, "credit_limit")


class CustomerFormSchema(Schema):
    """A customer as posted. Loading leaves out what is null or empty, and gives minor units in the place of amounts."""

    fixed = {
        **given_by_server("id", "status_reason", "version", "history", *_WHEN_AND_BY),
        "status": said("is set by POST /customers/{customer_code}/deactivate and …/activate; leave it out."),
    }
    customer_code = CustomerCode(allow_none=True, metadata={"description": "Default: the next CUST-000123."})
    customer_name = Text(200, required=True)
    customer_category = Text(60, allow_none=True)
    pan_number = Secret(checks.parse_pan, 40, allow_none=True)
    contact_person = Text(200, allow_none=True)
    email_address = Checked(checks.parse_email, checks.EMAIL_LENGTH_MAX, allow_none=True)
    contact_number = Checked(checks.parse_phone, 30, allow_none=True)
    gst_details = Items(GstDetailSchema(), GST_DETAILS_MAX, allow_none=True)
    products_services = Items(ProductServiceSchema(), PRODUCTS_SERVICES_MAX, allow_none=True)
    tds = fields.Nested(TdsSchema, allow_none=True)
    banking = Items(BankingSchema(), BANKING_MAX, allow_none=True)
    terms_conditions = fields.Nested(TermsConditionsSchema, allow_none=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_primary(self, data: Mapping[str, Any], **kwargs: object) -> None:
        primary = [place for place, account in enumerate(data.get("banking") or []) if account["primary"]]
        if len(primary) > 1:
            raise ValidationError({"banking": {primary[1]: {"primary": [said("must be true for one account only.")]}}})

    @post_load
    def _to_form(self, data: dict[str, Any], **kwargs: object) -> dict[str, Any]:
        form: dict[str, Any] = _without_empty(data)
        for product in form.get("products_services", []):
            _to_minor(product, "unit_price")
        _to_minor(form.get("terms_conditions", {}), "credit_limit")
        return form


class ReasonSchema(Schema):
    reason = TextWithoutKey(500, lines=True, required=True)


class ConfirmSchema(Schema):
    """Said by somebody who has seen that another customer has the same PAN or GSTIN."""

    confirm_duplicate = Choice(("true", "false"), load_default="false")


class ListedCustomerSchema(CustomerFormSchema):
    """A customer as listed: numbers that are secret show their last four characters."""

    id = fields.String()
    status = Choice(STATUSES, name="CustomerStatus")
    products_services = Items(AnsweredProductServiceSchema(), PRODUCTS_SERVICES_MAX)
    tds = fields.Nested(AnsweredTdsSchema)
    terms_conditions = fields.Nested(AnsweredTermsConditionsSchema)
    status_reason = fields.String()
    erased_at = fields.DateTime()
    version = fields.Integer()
    created_at = fields.DateTime()
    created_by = KeyId()
    created_by_name = KeyName()
    updated_at = fields.DateTime()
    updated_by = KeyId()
    updated_by_name = KeyName()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Every member is always there; what was left out is null, or an empty list."""
        field_obj.required = True
        field_obj.allow_none = field_name not in _NEVER_NULL


class CustomerSchema(ListedCustomerSchema):
    """A customer as answered. A client sees the last four characters of what is secret, an accountant all of it."""

    history = fields.List(fields.Nested(HistoryEntrySchema))


class CustomerPageSchema(PageSchema):
    data = fields.List(fields.Nested(ListedCustomerSchema))


class FoundCustomerSchema(AnswerSchema):
    """A customer as a form offers it."""

    customer_code = fields.String()
    customer_name = fields.String()
    customer_category = fields.String(allow_none=True)
    contact_person = fields.String(allow_none=True)


class FoundCustomersSchema(AnswerSchema):
    data = fields.List(fields.Nested(FoundCustomerSchema))


class HandedOutCodeSchema(AnswerSchema):
    customer_code = fields.String()


_LISTS = ("gst_details", "products_services", "banking")
_NEVER_NULL = (*_LISTS, "id", "customer_code", "status", "version", "history")
_LISTED = tuple(ListedCustomerSchema().fields)
_FOUND = tuple(FoundCustomerSchema().fields)


def dump_customer(customer: Customer, *, in_full: bool) -> dict[str, Any]:
    """Return a stored customer as it is answered: secrets masked unless `in_full`, and always in the history."""
    history = masked([_dump_entry(entry) for entry in documents_in(customer.get("history"))])
    return dump_listed_customer(customer, in_full=in_full) | {"history": history}


def dump_listed_customer(customer: Customer, *, in_full: bool = False) -> dict[str, Any]:
    """Return a stored customer without its history; what an older system left out is null."""
    known: Mapping[str, object] = customer if in_full else masked(customer)
    shown = {"id": str(customer["_id"])} | {name: _dump_form_value(known.get(name)) for name in _LISTED if name != "id"}
    shown |= {name: shown[name] or [] for name in _LISTS}
    return shown | {"status": status_of(customer), "version": version_of(customer)}


def dump_found_customer(customer: Customer) -> dict[str, Any]:
    """Return a customer as a form offers it: nothing that is secret, for any role."""
    known: Mapping[str, object] = customer
    return {name: known.get(name) for name in _FOUND}


def _dump_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a history entry without what serves repeats only."""
    shown = {name: entry.get(name) for name in ("at", "by", "by_name", "action")}
    if "reason" in entry:
        shown["reason"] = entry["reason"]
    return shown | {"changes": _dump_form_value(entry.get("changes", {}))}


def _dump_form_value(value: Any) -> Any:
    """Return a value of the form with amounts as they are written."""
    if isinstance(value, list):
        return [_dump_form_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {name: _dump_form_value(member) for name, member in value.items() if not name.endswith("_minor")}
    for name in ("unit_price", "credit_limit"):
        if f"{name}_minor" in value:
            shown[name] = shown_amount(value[f"{name}_minor"], value.get("currency"))
    return shown


def _check_amount(data: Mapping[str, Any], name: str) -> None:
    amount, currency = data.get(name), data.get("currency")
    if amount is None:
        return
    if currency is None:
        raise ValidationError({"currency": [said("is required beside {name}.", name=name)]})
    if currency not in DECIMALS_BY_CURRENCY:
        return  # reported for its own field
    try:
        parse_amount(amount, currency, name=name, zero_allowed=True)
    except Invalid as refused:
        raise ValidationError({name: [error.detail for error in refused.errors]}) from None


def _to_minor(part: dict[str, Any], name: str) -> None:
    if name in part:
        part[f"{name}_minor"] = parse_amount(part.pop(name), part["currency"], name=name, zero_allowed=True)


def _without_empty(value: Any) -> Any:
    """Return a copy without members that are null or empty: saying nothing and leaving out are the same."""
    if isinstance(value, dict):
        cleaned = {name: _without_empty(member) for name, member in value.items()}
        return {name: member for name, member in cleaned.items() if member is not None and member not in ([], {})}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
