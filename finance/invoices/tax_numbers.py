"""The buyer's tax numbers on an invoice: encrypted where they are stored, as the customer's own are.

Who sees them:

- **Whoever issues the document, the GSTIN in full**, in the answer to the POST and to its repeats: it must show the
  registered recipient's (CGST Rules 2017, rules 46(e) and 53), and who issues it hands it to the buyer. Not whoever
  asks for an invoice: a `client` could read the numbers of all customers by asking for one after the other.
- **Accountants and admins, all of them**, on a single invoice or credit note; that is on record before it is shown, as
  with customers.
- Everybody else, and every list and history: the last four characters.

An invoice without a GSTIN keeps the buyer's PAN (Income-tax Rules 1962, rule 114B, asks for it on large sales).
"""

import logging
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from finance.asked import Asked
from finance.customers.masking import is_masked, mask
from finance.database import Db
from finance.encryption import EncryptionKeyWrong, EncryptionNotConfigured, FieldCipher, is_ciphertext
from finance.events import record_event

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Mapping[str, Any])

GSTIN = "customer_gstin"
TAX_NUMBERS = (GSTIN, "customer_pan_number")
UNREADABLE = "*" * 15  # what can't be decrypted; an invoice is shown all the same


def sealed(cipher: FieldCipher, numbers: Mapping[str, str], *, tenant: str) -> dict[str, Any]:
    """Return tax numbers as they are stored. Equal ones are equal, as on customers, so that they can be searched for.

    Raises EncryptionNotConfigured, EncryptionKeyWrong.
    """
    return {name: cipher.encrypt(number, tenant=tenant, searchable=True) for name, number in numbers.items()}


def sealed_request(cipher: FieldCipher, posted: Mapping[str, Any], *, tenant: str) -> Mapping[str, Any]:
    """Return a body as its digest may be made of it: a GSTIN can be found out from a digest by trying all there are."""
    gstin = posted.get(GSTIN)
    if gstin is None or is_masked(gstin):
        return posted
    return {**posted, GSTIN: cipher.encrypt(gstin, tenant=tenant, searchable=True).hex()}


def opened(cipher: FieldCipher, document: T) -> T:
    """Return an invoice or a credit note with its tax numbers decrypted, but for those that can't be."""
    closed = [name for name in TAX_NUMBERS if is_ciphertext(document.get(name))]
    if not closed:
        return document
    try:
        numbers = {name: cipher.decrypt(document[name]) for name in closed}
    except (EncryptionNotConfigured, EncryptionKeyWrong) as error:
        log.warning("The tax numbers of an invoice can't be shown: %s", type(error).__name__)
        return document
    return cast(T, {**document, **numbers})


def shown(number: object, *, in_full: bool) -> str | None:
    """Return a tax number as it is answered: in full, or its last four characters."""
    if number is None:
        return None
    if not isinstance(number, str):
        return UNREADABLE
    return number if in_full else mask(number)


def record_read(db: Db, asked: Asked, document: Mapping[str, Any]) -> None:
    """Put on record which tax numbers of an invoice or a credit note are shown in full; raises NotRecorded."""
    fields = [name for name in TAX_NUMBERS if isinstance(document.get(name), str)]
    if fields:
        kind = "credit_note" if "credit_note_number" in document and "reason" in document else "invoice"
        of = (kind, str(document.get(f"{kind}_number")))
        record_event(db, asked, action="numbers_read_in_full", of=of, details={"fields": fields})
