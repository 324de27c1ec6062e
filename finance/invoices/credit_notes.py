"""Reading credit notes."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from finance.database import Db
from finance.errors import NotFound
from finance.invoices import store
from finance.invoices.model import CreditNote
from finance.paging import Page, PageWanted, every_page

EXPORT_PAGE_SIZE = 500


class CreditNoteNotFound(NotFound):
    detail_default = "There is no credit note with this number."
    named_like = "a credit note number such as AV-DKR1-202611-0001"


def get_credit_note(db: Db, *, tenant: str, credit_note_number: str) -> CreditNote:
    """Return the credit note; raises CreditNoteNotFound."""
    found = store.find_credit_note(db, tenant=tenant, credit_note_number=credit_note_number)
    if found is None:
        raise CreditNoteNotFound.named(credit_note_number)
    return found


def list_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean."""
    return store.list_credit_notes(db, tenant=tenant, filters=filters, wanted=wanted)


def export_credit_notes(db: Db, *, tenant: str, filters: Mapping[str, Any]) -> Iterator[list[CreditNote]]:
    """Yield every credit note of a list, a few hundred at a time."""
    list_page = partial(list_credit_notes, db, tenant=tenant, filters=filters)
    return every_page(list_page, sort="", limit=EXPORT_PAGE_SIZE)
