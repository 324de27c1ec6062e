"""Reading credit notes, with what pays them back settled as far as it can be."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from finance.allocations.claiming import undecided_claims
from finance.allocations.model import CREDIT_NOTE, Place
from finance.database import Db, DriverError
from finance.errors import FinanceError, NotFound
from finance.invoices import store
from finance.invoices.model import CreditNote
from finance.invoices.settling import Settling
from finance.paging import Page, PageWanted, every_page
from finance.said import said

EXPORT_PAGE_SIZE = 500

log = logging.getLogger(__name__)


class CreditNoteNotFound(NotFound):
    detail_default = said("There is no credit note with this number.")
    named_like = said("a credit note number such as AV-DKR1-202611-0001")


def get_credit_note(db: Db, *, tenant: str, credit_note_number: str, settling: Settling) -> CreditNote:
    """Return the credit note; raises CreditNoteNotFound."""
    found = store.find_credit_note(db, tenant=tenant, credit_note_number=credit_note_number)
    if found is None:
        raise CreditNoteNotFound.named(credit_note_number)
    if not found.get("unsettled") or not _settle(found, settling):
        return found
    return store.find_credit_note(db, tenant=tenant, credit_note_number=credit_note_number) or found


def list_credit_notes(
    db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted, settling: Settling
) -> Page[CreditNote]:
    """Return one page of the credit notes that the filters mean."""
    for unsettled in store.list_unsettled_credit_notes(db, tenant=tenant):
        _settle(unsettled, settling)
    return store.list_credit_notes(db, tenant=tenant, filters=filters, wanted=wanted)


def export_credit_notes(
    db: Db, *, tenant: str, filters: Mapping[str, Any], settling: Settling
) -> Iterator[list[CreditNote]]:
    """Yield every credit note of a list, a few hundred at a time."""
    list_page = partial(list_credit_notes, db, tenant=tenant, filters=filters, settling=settling)
    return every_page(list_page, sort="", limit=EXPORT_PAGE_SIZE)


def _settle(note: CreditNote, settling: Settling) -> bool:
    """Let what pays a credit note back be counted, or dropped; where that can't be now, it is shown as it is stored.

    Returns whether there was anything to settle.
    """
    try:
        claims = undecided_claims(note)
        for claim in claims:
            settling.follow(Place(note["tenant"], CREDIT_NOTE, note["credit_note_number"]), claim)
    except DriverError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it must not keep this one and others from being shown
        told = error.detail if isinstance(error, FinanceError) else type(error).__name__
        log.warning("%s could not be settled: %s", note.get("credit_note_number"), told)
        return False
    return bool(claims)
