"""How invoices and credit notes are shown: settled, with tax numbers masked, and what a state of one is called."""

from collections.abc import Collection
from typing import Any

from flask import current_app

from finance.context import parts
from finance.edge.conditions import tag_of
from finance.invoices.answers import dump_credit_note, dump_invoice
from finance.invoices.model import CreditNote, Invoice
from finance.invoices.settling import Settling
from finance.invoices.tax_numbers import GSTIN, TAX_NUMBERS, opened

_SHOWN_IN_FULL = ((), (GSTIN,), TAX_NUMBERS)  # masked, to who issues it, to accountants: see tax_numbers.py
EXTENSION = "finance-settling"  # under which the app keeps what finishes what was left half done


def masked_invoice(invoice: Invoice) -> dict[str, Any]:
    return dump_invoice(opened(parts().cipher, invoice))


def masked_credit_note(note: CreditNote) -> dict[str, Any]:
    return dump_credit_note(opened(parts().cipher, note))


def tags_of_invoice(invoice: Invoice) -> Collection[str]:
    """Return what an invoice's state is called, in each way that it is shown."""
    read = opened(parts().cipher, invoice)
    return [tag_of(dump_invoice(read, in_full=names)) for names in _SHOWN_IN_FULL]


def tags_of_credit_note(note: CreditNote) -> Collection[str]:
    """The same for a credit note."""
    read = opened(parts().cipher, note)
    return [tag_of(dump_credit_note(read, in_full=names)) for names in _SHOWN_IN_FULL]


def settling() -> Settling:
    found: Settling = current_app.extensions[EXTENSION]
    return found
