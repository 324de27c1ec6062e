"""What is to be checked on a form as a whole, and against what is stored."""

from collections.abc import Mapping, Sequence
from typing import cast

from finance.customers.checks import pan_in_gstin
from finance.customers.masking import is_masked, map_secrets, mask, masked, secrets_in
from finance.customers.model import Form
from finance.encryption import FieldCipher
from finance.errors import FieldError, Invalid
from finance.said import said

_ROWS_WITH_SECRETS = ("gst_details", "banking")
Row = Mapping[str, object]


def unmask(form: Form, stored: Form) -> Form:
    """Return the form with the stored number wherever the posted one is masked as we showed it.

    Who may only see the last four characters can so save a form again that they have loaded. A row that is all as it
    was shown is the stored row. Raises Invalid where nothing stored fits, or more than one number does.
    """
    known = set(secrets_in(stored))
    refused: list[FieldError] = []

    def in_full(name: str, text: str, pointer: str) -> str:
        if not is_masked(text):
            return text
        fitting = [whole for known_name, whole in known if known_name == name and mask(whole) == text]
        if len(fitting) == 1:
            return fitting[0]
        refused.append(
            FieldError(said("is masked, and it is not clear what it stands for; write it in full."), pointer)
        )
        return text

    unmasked = map_secrets(_with_rows_as_stored(form, stored), in_full)
    if refused:
        raise Invalid(errors=refused)
    return unmasked


def _with_rows_as_stored(form: Form, stored: Form) -> Form:
    """Return the form with the stored row in the place of each that is all as it was shown."""
    before, after = cast(Mapping[str, list[Row]], stored), cast(dict[str, list[Row]], dict(form))
    for part in _ROWS_WITH_SECRETS:
        if part in before and part in after:
            shown = [_as_posted(masked(row), part) for row in before[part]]
            after[part] = [_row_as_stored(after[part], place, before[part], shown) for place in range(len(after[part]))]
    return cast(Form, after)


def _row_as_stored(rows: Sequence[Row], place: int, stored: Sequence[Row], shown: Sequence[Row]) -> Row:
    """Return the stored row that was shown as this one; the row itself where none was.

    Rows that look alike are told apart by their order, but only where none of them is missing.
    """
    row = rows[place]
    alike = [candidate for candidate, candidate_shown in zip(stored, shown, strict=True) if candidate_shown == row]
    return alike[rows[:place].count(row)] if len(alike) == rows.count(row) else row


def _as_posted(row: Row, part: str) -> Row:
    """Return a stored row as a form that is posted has it: older versions stored no `primary`."""
    return {"primary": False, **row} if part == "banking" else row


def require_consistent(form: Form) -> None:
    """Raise Invalid unless each GSTIN stands once and belongs to the customer's PAN (or TAN)."""
    pan, tan = form.get("pan_number"), form.get("tds", {}).get("tan_number")
    seen: set[str] = set()
    refused: list[FieldError] = []
    for place, row in enumerate(form.get("gst_details", [])):
        gstin = row["gstin"]
        holder, owner, name = (pan, pan_in_gstin(gstin), "PAN") if pan_in_gstin(gstin) else (tan, gstin[2:12], "TAN")
        problem = None
        if gstin in seen:
            problem = said("stands twice; name each GSTIN once.")
        elif holder is not None and owner != holder:
            problem = said(
                "belongs to another {name} than the customer's: its characters 3 to 12 are the holder's {name}.",
                name=name,
            )
        if problem:
            refused.append(FieldError(problem, f"/gst_details/{place}/gstin"))
        seen.add(gstin)
    if refused:
        raise Invalid(errors=refused)


def require_cipher(cipher: FieldCipher, form: Form) -> None:
    """Raise EncryptionNotConfigured where the form has secrets and this server can't keep any."""
    if any(secrets_in(form)):
        cipher.require_configured()
