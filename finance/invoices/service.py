"""Reading invoices."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from finance.database import Db
from finance.invoices import store
from finance.invoices.model import Invoice
from finance.invoices.settling import Settling, get_unsettled, settle_all, settled_or_as_it_is
from finance.paging import Page, PageWanted, every_page

EXPORT_PAGE_SIZE = 500


def get_invoice(db: Db, *, tenant: str, invoice_number: str, settling: Settling) -> Invoice:
    """Return the invoice, with what is on its way settled as far as it can be; raises InvoiceNotFound."""
    return settled_or_as_it_is(db, get_unsettled(db, tenant, invoice_number), settling)


def issued_days(db: Db, *, tenant: str, invoice_numbers: Sequence[str]) -> dict[str, str]:
    """Return the day of issue by invoice number."""
    return store.find_issued_days(db, tenant=tenant, invoice_numbers=invoice_numbers) if invoice_numbers else {}


def due_days(db: Db, *, tenant: str, invoice_numbers: Sequence[str]) -> dict[str, str | None]:
    """Return the day on which each falls due, by invoice number."""
    return store.find_due_days(db, tenant=tenant, invoice_numbers=invoice_numbers) if invoice_numbers else {}


def list_invoices(
    db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted, settling: Settling
) -> Page[Invoice]:
    """Return one page of the invoices that the filters mean, after settling what is on its way."""
    settle_all(db, tenant=tenant, settling=settling)
    return store.list_invoices(db, tenant=tenant, filters=filters, wanted=wanted)


def export_invoices(
    db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str, settling: Settling
) -> Iterator[list[Invoice]]:
    """Yield every invoice of a list, a few hundred at a time."""
    list_page = partial(list_invoices, db, tenant=tenant, filters=filters, settling=settling)
    return every_page(list_page, sort=sort, limit=EXPORT_PAGE_SIZE)
