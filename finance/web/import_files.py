"""Files beside an import: an example of what it takes, and the rows that it did not."""

from collections.abc import Iterator
from typing import Any

from flask import Response

from finance.auth.guard import caller
from finance.context import parts
from finance.edge.cells import guarded, text_of
from finance.edge.files.csv_files import quoted
from finance.errors import NotFound
from finance.imports import service
from finance.imports.model import NOT_STORED, Import
from finance.web.languages import _, readers_text
from finance.web.pages import label, page
from finance.web.words import status_word

FILE_ROWS = 1_000  # read at a time
_EXAMPLES: dict[str, str] = {
    "payments": (
        "amount,currency,payer,method,paid_on,customer_code,reference,note\r\n"
        "1250.50,EUR,Atelier Nord SARL,bank_transfer,2026-11-20,,VIR 2026-881,\r\n"
        "980.00,INR,Bharat Textiles Ltd,upi,2026-11-21,,0012,\r\n"
    ),
    "customers": (
        "customer_name,contact_person,email_address,contact_number,terms_conditions.payment_terms_days\r\n"
        "Atelier Nord SARL,Zoë Martin,zoe@example.org,+33 1 23 45 67 89,30\r\n"
    ),
}


@page("/imports/example-<kind>.csv")
def show_example(kind: str) -> Response:
    """Give a file as it may look."""
    if kind not in _EXAMPLES:
        raise NotFound
    return _csv(iter([_EXAMPLES[kind]]), f"{kind}.csv")


@page("/imports/<import_id>/not-stored.csv")
def download_not_stored(import_id: str) -> Response:
    """Give the rows that are not stored, with their reasons, as a file."""
    upload = service.get_import(parts().db, tenant=caller().tenant, import_id=import_id)
    return _csv(_lines(upload), f"{upload['kind']}-not-stored.csv")


def _lines(upload: Import) -> Iterator[str]:
    """Yield the lines of the file; ROWS_MAX bounds them."""
    names = ("amount", "currency", "payer", "paid_on", "customer_name", "customer_code")
    yield _line([_("Line"), _("Verdict"), *(label(name) for name in names), _("Reason")])
    after = 0
    while rows := service.list_rows(parts().db, upload, verdicts=NOT_STORED, after=after, at_most=FILE_ROWS):
        after = rows[-1]["line"]
        for row in rows:
            shown = row.get("shown", {})
            reason = "; ".join(readers_text(problem) for problem in row.get("problems", []))
            yield _line([row["line"], status_word(row["verdict"]), *(shown.get(name, "") for name in names), reason])


def _line(cells: list[Any]) -> str:
    return ",".join(quoted(guarded(text_of(cell))) for cell in cells) + "\r\n"


def _csv(lines: Iterator[str], name: str) -> Response:
    answer = Response(("\ufeff" + "".join(lines)).encode(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
