"""A customer as an invoice names it: what stays on the invoice, and the terms that it is issued on."""

from dataclasses import dataclass
from typing import Any

from finance.customers import store
from finance.customers.masking import mask
from finance.customers.model import Book, Form, GstDetail, form_of, status_of
from finance.customers.service import require_active
from finance.errors import Invalid
from finance.money import is_whole
from finance.said import said

_READ = ("status", "customer_name", "pan_number", "gst_details", "terms_conditions")


@dataclass(frozen=True)
class CreditLimit:
    """How much of a customer's invoices in this currency may be outstanding."""

    currency: str
    amount_minor: int


@dataclass(frozen=True)
class Buyer:
    """What a customer is called, where and under which tax number it buys, and its terms; None where it has none.

    `pan_number` stands where there is no `gstin`, which holds it.
    """

    name: str | None = None
    address: str | None = None
    gstin: str | None = None
    pan_number: str | None = None
    payment_terms_days: int | None = None
    credit_limit: CreditLimit | None = None


def get_buyer(book: Book, *, tenant: str, customer_code: str, gstin: str | None = None) -> Buyer:
    """Return the active customer of this code as an invoice of today names it.

    `gstin` says under which of its registrations it buys, in full or masked as it was shown. Raises Invalid,
    CustomerErased, or EncryptionNotConfigured and EncryptionKeyWrong where its tax numbers can't be read.
    """
    customer = store.find_part(book, tenant=tenant, customer_code=customer_code, fields=_READ)
    require_active(status_of(customer) if customer else None)
    form = form_of(customer)
    registration = _registration(form, gstin)
    terms: dict[str, Any] = dict(form.get("terms_conditions", {}))
    days = terms.get("payment_terms_days")
    return Buyer(
        name=form.get("customer_name"),
        address=registration.get("address") if registration else None,
        gstin=registration["gstin"] if registration else None,
        pan_number=None if registration else form.get("pan_number"),
        payment_terms_days=days if is_whole(days) and days >= 0 else None,
        credit_limit=_credit_limit(terms),
    )


def _registration(form: Form, gstin: str | None) -> GstDetail | None:
    """Return the registration under which the customer buys: the named one, or the only one there is.

    Of several none is guessed: the state of the right one decides which tax is due.
    """
    known = {row["gstin"]: row for row in form.get("gst_details", []) if isinstance(row.get("gstin"), str)}
    if gstin is None:
        return next(iter(known.values())) if len(known) == 1 else None
    fitting = [row for number, row in known.items() if gstin in (number, mask(number))]
    if len(fitting) != 1:
        several = said("is masked, and more than one of the customer's ends so; write it in full.")
        raise Invalid.field(
            "customer_gstin", several if fitting else said("must be one of the customer's, in gst_details.")
        )
    return fitting[0]


def _credit_limit(terms: dict[str, Any]) -> CreditLimit | None:
    amount_minor, currency = terms.get("credit_limit_minor"), terms.get("currency")
    return CreditLimit(currency, amount_minor) if is_whole(amount_minor) and isinstance(currency, str) else None
