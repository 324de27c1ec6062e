"""Storing the credit notes that follow from what invoices say: whoever meets such an invoice does, each note once."""

import logging
from typing import cast

from finance.asked import Asked
from finance.damaged import documents_in
from finance.database import Db
from finance.errors import Conflict, Unavailable
from finance.history import changed
from finance.invoices import credits, sequences, store
from finance.invoices.model import Credit, CreditNote, Invoice
from finance.invoices.notes import applied, cancelling_claim
from finance.numbering.drafts import Draft, Taken
from finance.numbering.lane import Submit
from finance.once import RefusedByForeignIndex
from finance.said import said
from finance.shops import service as shops

log = logging.getLogger(__name__)

OF_EARLIER_VERSION = frozenset(("tenant", "invoice_number"))  # the fields of an index that is obsolete


class CreditNoteNotStored(Unavailable):
    detail_default = said(
        "The credit is decided, but its credit note can't be stored yet; it will be. A retry "
        "with the same Idempotency-Key is safe."
    )


def finish_credits(db: Db, invoice: Invoice, submit: Submit) -> None:
    """Store the credit note of each credit of an invoice that has none yet."""
    for credit in documents_in(invoice.get("credits")):
        if "note" in credit:
            _store_note(db, invoice, cast(Credit, credit), submit)


def finish_credit(db: Db, invoice: Invoice, credit: Credit, submit: Submit) -> CreditNote:
    """Return the credit note of a credit that is decided, after storing it where that is left to do."""
    if "note" not in credit:
        found = store.find_credit_note(db, tenant=invoice["tenant"], credit_note_number=credit["credit_note_number"])
        if found is None:
            raise CreditNoteNotStored
        return found
    try:
        return _store_note(db, invoice, credit, submit)
    except Conflict as refused:  # it could be numbered when that was asked, and can't be any longer
        log.error("The credit note of %s could not be stored: %s", invoice["invoice_number"], refused.detail)
        raise CreditNoteNotStored from refused


def finish_cancellation(db: Db, invoice: Invoice, submit: Submit) -> None:
    """Store the credit note of a cancelled invoice, and link it; raises why it can't be."""
    tenant, number = invoice["tenant"], invoice["invoice_number"]
    note = credits.find_note_without_claim(db, tenant=tenant, invoice_number=number)
    if note is None:
        shop = shops.get_shop(db, tenant=tenant, shop=invoice["shop"])
        note = _submitted(db, sequences.credit_note_draft(invoice, shop), cancelling_claim(number), submit)
    store.link_credit_note(db, invoice, note=note)


def _store_note(db: Db, invoice: Invoice, credit: Credit, submit: Submit) -> CreditNote:
    tenant, note = invoice["tenant"], credit["note"]
    shop = shops.get_shop(db, tenant=tenant, shop=invoice["shop"])
    draft = sequences.note_draft(applied(note, credit["applied_minor"]), shop, not_before=invoice["issued_on"])
    stored = _submitted(db, draft, credit["claim"], submit)
    asked = Asked(tenant, note["created_by"], note["created_at"], by_name=note.get("created_by_name"))
    told = changed(asked, action="credited", changes={})
    told |= {"reason": note["reason"], "credit_note_number": stored["credit_note_number"]}
    credits.link(db, invoice, credit, note=stored, told=told)
    return stored


def _submitted(db: Db, draft: Draft, claim: str, submit: Submit) -> CreditNote:
    """Return the credit note under this claim, stored now or before."""
    outcome = submit(draft)
    if isinstance(outcome, Taken) and outcome.fields == OF_EARLIER_VERSION:
        credits.drop_obsolete_indexes(db)
        outcome = submit(draft)
    if outcome.document.get("claim") != claim:
        assert isinstance(outcome, Taken)
        raise RefusedByForeignIndex.on("credit_notes", outcome.fields)
    note: CreditNote = outcome.document  # type: ignore[assignment]
    return note
