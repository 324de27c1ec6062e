"""`/invoices`, `/credit-notes` and the sequences of a shop: each view loads, calls and dumps."""

from collections.abc import Iterator
from typing import Any

from flask import Response

from finance.auth.guard import caller, requires
from finance.context import parts
from finance.exports import XLSX_TYPE, Table, csv_reply, each_in_time, xlsx_reply
from finance.invoices import sequences, service
from finance.invoices.answers import (
    CreditNotePageSchema,
    CreditNoteSchema,
    InvoicePageSchema,
    InvoiceSchema,
    SequenceListSchema,
    dump_credit_note,
    dump_invoice,
    dump_sequence,
)
from finance.invoices.schemas import (
    CancelSchema,
    CreditNoteListSchema,
    InvoiceExportSchema,
    InvoiceListSchema,
    NewInvoiceSchema,
    filters_of,
)
from finance.invoices.service import Settling
from finance.json_api import Blueprint, decode_cursor, encode_cursor, idempotency_key, page_reply, reply

blueprint = Blueprint("invoices", __name__, url_prefix="/api/v1", description="Invoices in series without gaps")

AMOUNTS = ("total_net", "total_tax", "total", "amount_paid", "outstanding")
EXPORTED = Table(
    name="invoices",
    columns=(
        *("invoice_number", "shop", "customer_code", "customer_name", "issued_on", "due_on", "currency"),
        *AMOUNTS,
        *("status", "credit_note_number", "notes", "created_at"),
    ),
    amounts=frozenset(AMOUNTS),
)


@blueprint.route("/invoices", methods=["POST"])
@requires("client")
@blueprint.arguments(NewInvoiceSchema())
@blueprint.response(201, InvoiceSchema())
def issue_invoice(posted: dict[str, Any]) -> Response:
    """Issue an invoice under the next number of its shop's sequence"""
    answer = service.issue_invoice(
        parts().db,
        lane=parts().invoice_lane,
        tenant=caller().tenant,
        posted=posted,
        idempotency_key=idempotency_key(),
        created_by=caller().key_id,
        now=parts().clock(),
        deadline_s=parts().config.commit_deadline_s,
    )
    location = f"/api/v1/invoices/{answer.invoice['invoice_number']}"
    return reply(dump_invoice(answer.invoice), status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>", methods=["GET"])
@requires("client")
@blueprint.response(200, InvoiceSchema())
def get_invoice(invoice_number: str) -> Response:
    """Show an invoice and what is outstanding of it"""
    invoice = service.get_invoice(
        parts().db, tenant=caller().tenant, invoice_number=invoice_number, settling=_settling()
    )
    return reply(dump_invoice(invoice))


@blueprint.route("/invoices", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceListSchema(), location="query")
@blueprint.response(200, InvoicePageSchema())
def list_invoices(query: dict[str, Any]) -> Response:
    """List invoices, the newest day first"""
    after = decode_cursor(query, query["cursor"]) if "cursor" in query else None
    invoices, position = service.list_invoices(
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query),
        sort=query["sort"],
        after=after,
        limit=query["limit"],
        settling=_settling(),
    )
    next_cursor = encode_cursor(query, position) if position else None
    return page_reply([dump_invoice(invoice) for invoice in invoices], next_cursor=next_cursor)


@blueprint.route("/invoices/export.csv", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceExportSchema(), location="query")
@blueprint.response(200, content_type="text/csv")
def export_csv(query: dict[str, Any]) -> Response:
    """Export every invoice of a list as CSV, streamed"""
    return csv_reply(EXPORTED, _exported(query))


@blueprint.route("/invoices/export.xlsx", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceExportSchema(), location="query")
@blueprint.response(200, content_type=XLSX_TYPE)
def export_xlsx(query: dict[str, Any]) -> Response:
    """Export every invoice of a list as XLSX"""
    return xlsx_reply(EXPORTED, _exported(query))


@blueprint.route("/invoices/<invoice_number>/cancel", methods=["POST"])
@requires("accountant")
@blueprint.arguments(CancelSchema())
@blueprint.response(200, InvoiceSchema())
def cancel_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it"""
    answer = service.cancel_invoice(
        parts().db,
        tenant=caller().tenant,
        invoice_number=invoice_number,
        reason=posted["reason"],
        idempotency_key=idempotency_key(),
        cancelled_by=caller().key_id,
        now=parts().clock(),
        settling=_settling(),
    )
    return reply(dump_invoice(answer.invoice), replayed=answer.replayed)


@blueprint.route("/credit-notes/<credit_note_number>", methods=["GET"])
@requires("client")
@blueprint.response(200, CreditNoteSchema())
def get_credit_note(credit_note_number: str) -> Response:
    """Show a credit note"""
    note = service.get_credit_note(parts().db, tenant=caller().tenant, credit_note_number=credit_note_number)
    return reply(dump_credit_note(note))


@blueprint.route("/credit-notes", methods=["GET"])
@requires("accountant")
@blueprint.arguments(CreditNoteListSchema(), location="query")
@blueprint.response(200, CreditNotePageSchema())
def list_credit_notes(query: dict[str, Any]) -> Response:
    """List credit notes, the newest day first"""
    after = decode_cursor(query, query["cursor"]) if "cursor" in query else None
    notes, position = service.list_credit_notes(
        parts().db, tenant=caller().tenant, filters=filters_of(query), after=after, limit=query["limit"]
    )
    next_cursor = encode_cursor(query, position) if position else None
    return page_reply([dump_credit_note(note) for note in notes], next_cursor=next_cursor)


@blueprint.route("/shops/<shop>/sequences", methods=["GET"])
@requires("accountant")
@blueprint.response(200, SequenceListSchema())
def list_sequences(shop: str) -> Response:
    """Show each sequence of a shop: its newest number, its count, and whether no number is missing"""
    found = sequences.list_sequences(parts().db, tenant=caller().tenant, shop=shop.lower())
    return reply({"data": [dump_sequence(sequence) for sequence in found]})


def _settling() -> Settling:
    return Settling(
        lane=parts().invoice_lane,
        settle_claim=parts().settle_claim,
        deadline_s=parts().config.commit_deadline_s,
    )


def _exported(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pages = service.export_invoices(
        parts().db, tenant=caller().tenant, filters=filters_of(query), sort=query["sort"], settling=_settling()
    )
    in_time = each_in_time(pages, deadline_s=parts().config.database_deadline_s)
    return (dump_invoice(invoice) for page in in_time for invoice in page)
