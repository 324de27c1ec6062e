"""A row of another system as the payment that it would be here, or why it can't be one.

It is held to what a posted payment is held to: the same schema, the same days, a customer that there is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, cast

from marshmallow import ValidationError, validates_schema

from finance.asked import Asked
from finance.customers import service as customers
from finance.database import Db, Document
from finance.edge.fields import Choice, Day, Instant, Text, TextWithoutKey
from finance.edge.hints import in_our_words
from finance.errors import Conflict, FieldError, FinanceError, Invalid
from finance.history import changed
from finance.payments.mapping import FieldMap, text_at
from finance.payments.model import STATUSES, Payment, new_payment
from finance.payments.schemas import NewPaymentSchema
from finance.payments.service import require_possible_day
from finance.payments.sources import Source, SourceRow
from finance.payments.survey import Survey, place_of, require_number
from finance.said import joined, said

KEY_PREFIX = "import"
CUSTOMERS_KNOWN_MAX = 20_000
_DIGITS = re.compile(r"(?=.*[0-9])[-+0-9.,]{1,60}", re.ASCII)


class RowRefused(Invalid):
    """A row that can't be taken over. `problems` says why, `payment_number` is its number where it has one."""

    def __init__(self, problems: tuple[str, ...], payment_number: str | None) -> None:
        super().__init__(joined(problems))
        self.problems = problems
        self.payment_number = payment_number


@dataclass(frozen=True)
class Tenants:
    """Whose payments they are: all of `tenant`, or each of the one that `by_value` has for a field of theirs."""

    tenant: str | None = None
    theirs: str | None = None
    by_value: Mapping[str, str] = field(default_factory=dict)

    def tenant_of(self, row: Mapping[str, Any]) -> str:
        if self.tenant is not None:
            return self.tenant
        value = text_at(row, self.theirs or "")
        if value is None:
            raise Invalid(said("{theirs} is empty, and says whose payment it is.", theirs=self.theirs))
        if value not in self.by_value:
            raise Invalid(said("The value of {theirs} is not in the map of tenants.", theirs=self.theirs))
        return self.by_value[value]


@dataclass(frozen=True)
class Import:
    """One import; `today` is the day of the service's time zone, `asked` says who runs it."""

    db: Db
    asked: Asked
    source: Source
    tenants: Tenants
    fields: FieldMap
    today: date
    customers_known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Drafted:
    """A row as it would be stored."""

    place: str
    row_key: str
    payment: Payment

    @property
    def key(self) -> str:
        return self.payment["idempotency_key"]

    @property
    def tenant(self) -> str:
        return self.payment["tenant"]

    @property
    def payment_number(self) -> str:
        return self.payment["payment_number"]


class ImportedPaymentSchema(NewPaymentSchema):
    """A payment of another system: as one that is posted, with its number, and with what happened to it there."""

    payment_number = Text(40, required=True)
    paid_on = Day(required=True)
    created_at = Instant()
    status = Choice(STATUSES, load_default="recorded")
    void_reason = TextWithoutKey(500, lines=True)
    voided_at = Instant()

    @validates_schema(skip_on_field_errors=True)
    def _check_void(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data["status"] == "voided" and not ("void_reason" in data and "voided_at" in data):
            raise ValidationError({"status": [said("voided needs a void_reason and a voided_at.")]})
        if data["status"] != "voided" and ("void_reason" in data or "voided_at" in data):
            raise ValidationError({"void_reason": [said("and voided_at belong to a status of voided.")]})


_SCHEMA = ImportedPaymentSchema()


def drafted(run: Import, survey: Survey, row: SourceRow) -> Drafted:
    """Return a row as it would be stored; raises RowRefused."""
    number = None
    try:
        if row.problem is not None:
            raise Invalid(row.problem)
        tenant, number, row_key = identity_of(run, row)
        payment = _payment_of(run, survey, row, tenant=tenant, row_key=row_key)
    except ValidationError as error:
        problems = tuple(
            said("{name} {problem}", name=name, problem=in_our_words(problem))
            for name, each in _flat(error.normalized_messages())
            for problem in each
        )
        raise RowRefused(_with_amount(run, row, problems), number) from None
    except (Invalid, Conflict) as error:
        raise RowRefused(_with_amount(run, row, _said(error)), number) from None
    return Drafted(row.place, row_key, payment)


def identity_of(run: Import, row: SourceRow) -> tuple[str, str, str]:
    """Return the tenant, the number and the key of a row; raises Invalid."""
    tenant = run.tenants.tenant_of(row.values)
    number = run.fields.number_of(row.values)
    if number is None:
        raise Invalid.field("payment_number", said("is missing: a payment is taken over with its number."))
    row_key = run.fields.key_of(row.values)
    assert row_key is not None  # there is a number
    return tenant, require_number(number), row_key


def _payment_of(run: Import, survey: Survey, row: SourceRow, *, tenant: str, row_key: str) -> Payment:
    """Return the payment; raises ValidationError, Invalid or Conflict, as a post would be refused."""
    posted = _SCHEMA.load(run.fields.posted_of(row.values))
    paid_on, number = posted["paid_on"], posted["payment_number"]
    require_possible_day(paid_on, today=run.today)
    for name in ("created_at", "voided_at"):
        if name in posted and posted[name] > run.asked.now:
            raise Invalid.field(name, said("must not be in the future."))
    if "customer_code" in posted:
        _require_customer(run, tenant, posted["customer_code"])
    asked = replace(run.asked, tenant=tenant, key=f"{KEY_PREFIX}:{run.source.name}:{row_key}")
    place = place_of(number, today=run.today)
    payment = cast(Document, new_payment(posted, asked, paid_on=paid_on))
    payment |= {
        "payment_number": number,
        "number_year": place.year if place else paid_on.year,
        "number_seq": survey.number_seq_of(tenant, place),
        "status": posted["status"],
        "created_at": posted.get("created_at", asked.now),
        "history": [{**changed(asked, action="imported", changes={}), "reason": f"from {run.source.described}"}],
    }
    return cast(Payment, payment)


def _require_customer(run: Import, tenant: str, customer_code: str) -> None:
    """Raise Invalid unless the tenant has this customer; each code is asked for once."""
    known = run.customers_known
    if (tenant, customer_code) not in known:
        if len(known) >= CUSTOMERS_KNOWN_MAX:
            known.clear()
        try:
            customers.require_customer(run.db, tenant=tenant, customer_code=customer_code)
            known[tenant, customer_code] = ()
        except (Invalid, Conflict) as refused:
            known[tenant, customer_code] = _said(refused)
    if known[tenant, customer_code]:
        raise Invalid(joined(known[tenant, customer_code]))


def _said(error: FinanceError) -> tuple[str, ...]:
    """Return what is wrong, each behind its field where it has one."""
    return tuple(map(_named, error.errors)) or (error.detail,)


def _named(error: FieldError) -> str:
    name = (error.pointer or "").strip("/ ")
    return said("{name} {problem}", name=name, problem=error.detail) if name else error.detail


def _with_amount(run: Import, row: SourceRow, problems: tuple[str, ...]) -> tuple[str, ...]:
    """Return the problems, those of an amount with the digits that were read, as people look for them there."""
    if not any(problem.startswith("amount ") for problem in problems):
        return problems
    try:
        read = run.fields.posted_part(row.values, "amount") or ""
    except Invalid:
        return problems  # it couldn't be read
    if _DIGITS.fullmatch(read) is None:
        return problems
    return tuple(
        said("{problem} {read} was read.", problem=problem, read=read) if problem.startswith("amount ") else problem
        for problem in problems
    )


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flat(inner, f"{path}.{name}".strip("."))
    else:
        yield path, messages if isinstance(messages, list) else [messages]
