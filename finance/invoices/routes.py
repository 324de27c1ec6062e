"""`/invoices` and the sequences of a shop: each view loads, calls and dumps."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

from flask import Response, current_app

from finance.allocations.model import InvoiceBusy
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers.changes import CustomerErased
from finance.customers.model import Book
from finance.edge.blueprints import Blueprint
from finance.edge.conditions import asked_condition, tagged_reply
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.edge.lists import EXTENSION as LIST_TURNS
from finance.edge.lists import Turns, list_reply
from finance.edge.openapi import ETAG, LOCATION
from finance.edge.replies import reply
from finance.encryption import EncryptionKeyWrong, EncryptionNotConfigured
from finance.errors import PreconditionFailed
from finance.events import NotRecorded
from finance.invoices import (
    cancelling,
    examples,
    issuing,
    sequences,
    service,
    summary,
)
from finance.invoices.answers import (
    InvoicePageSchema,
    InvoiceSchema,
    SequenceListSchema,
    dump_invoice,
    dump_sequence,
)
from finance.invoices.cancelling import (
    InvoiceAlreadyCancelled,
    InvoiceHasCreditNotes,
    InvoiceHasPayments,
    InvoiceHistoryFull,
)
from finance.invoices.credit_limits import OverCreditLimit
from finance.invoices.files import EXPORTED
from finance.invoices.model import Invoice
from finance.invoices.schemas import (
    CancelSchema,
    InvoiceExportSchema,
    InvoiceListSchema,
    NewInvoiceSchema,
    OverLimitSchema,
    filters_of,
)
from finance.invoices.seen import masked_invoice, settling, tags_of_invoice
from finance.invoices.sequences import IssuedOnBeforeLast
from finance.invoices.settling import InvoiceNotFound
from finance.invoices.summary_schemas import InvoiceSummaryFiltersSchema, InvoiceSummarySchema
from finance.invoices.tax_numbers import GSTIN, TAX_NUMBERS, opened, record_read
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.shops.service import ShopDamaged, ShopNotFound

blueprint = Blueprint("invoices", __name__, url_prefix="/api/v1", description="Invoices in series without gaps")


@blueprint.route("/invoices", methods=["POST"])
@requires("client")
@fails(IssuedOnBeforeLast, CustomerErased, OverCreditLimit, ShopDamaged, IdempotencyKeyReused, RefusedByForeignIndex)
@fails(EncryptionKeyWrong, EncryptionNotConfigured, *lane.FAILURES)
@blueprint.arguments(NewInvoiceSchema(), example=examples.NEW_INVOICE)
@blueprint.arguments(OverLimitSchema(), location="query")
@blueprint.response(201, InvoiceSchema(), example=examples.INVOICE, headers=ETAG | LOCATION)
def issue_invoice(posted: dict[str, Any], query: dict[str, str]) -> Response:
    """Issue an invoice under the next number of its shop's sequence"""
    answer = issuing.issue_invoice(
        Book(parts().db, parts().cipher),
        asked(),
        submit=parts().submit_invoice,
        posted=posted,
        over_limit_confirmed=query["confirm_over_limit"] == "true",
    )
    location = f"/api/v1/invoices/{answer.document['invoice_number']}"
    shown = dump_invoice(answer.document, in_full=(GSTIN,))
    return tagged_reply(shown, status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/invoices/<invoice_number>", methods=["GET"])
@requires("client")
@fails(InvoiceNotFound, NotRecorded, *lane.FAILURES)
@blueprint.response(200, InvoiceSchema(), example=examples.PARTLY_PAID, headers=ETAG)
def get_invoice(invoice_number: str) -> Response:
    """Show an invoice and what is outstanding of it"""
    invoice = service.get_invoice(
        parts().db, tenant=caller().tenant, invoice_number=invoice_number, settling=settling()
    )
    read = opened(parts().cipher, invoice)
    if not caller().may("accountant"):
        return tagged_reply(dump_invoice(read))
    record_read(parts().db, asked(), read)
    return tagged_reply(dump_invoice(read, in_full=TAX_NUMBERS))


@blueprint.route("/invoices", methods=["GET"])
@requires("accountant")
@blueprint.arguments(InvoiceListSchema(), location="query")
@blueprint.response(200, InvoicePageSchema(), example=examples.INVOICES)
def list_invoices(query: dict[str, Any]) -> Response:
    """List invoices, the newest day first"""
    list_page = partial(
        service.list_invoices,
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query, today=_today()),
        settling=settling(),
    )
    return list_reply(query, list_page, masked_invoice)


@blueprint.route("/invoices/summary", methods=["GET"])
@requires("accountant")
@fails(summary.SummaryTakesTooLong)
@blueprint.arguments(InvoiceSummaryFiltersSchema(), location="query")
@blueprint.response(200, InvoiceSummarySchema(), example=examples.SUMMARY)
def summarize_invoices(query: dict[str, Any]) -> Response:
    """Show what the invoices of a list come to, and net and tax by month and rate, for a VAT return"""
    shared, tenant = parts(), caller().tenant
    now = shared.clock()
    today = now.astimezone(shared.config.timezone).date()
    turns: Turns = current_app.extensions[LIST_TURNS]
    with turns.turn(tenant):
        found = summary.summarize(
            shared.db, tenant=tenant, filters=filters_of(query, today=today), settling=settling(), now=now, today=today
        )
    return reply({"as_of": found.as_of, "data": found.data, "taxes": found.taxes})


@exported(blueprint, "/invoices/export", EXPORTED, dump_invoice)
@requires("accountant")
@blueprint.arguments(InvoiceExportSchema(), location="query")
def export_invoices(query: dict[str, Any]) -> Iterator[list[Invoice]]:
    """Export every invoice of a list"""
    return service.export_invoices(
        parts().db,
        tenant=caller().tenant,
        filters=filters_of(query, today=_today()),
        sort=query["sort"],
        settling=settling(),
    )


@blueprint.route("/invoices/<invoice_number>/cancel", methods=["POST"])
@requires("accountant")
@fails(InvoiceNotFound, InvoiceAlreadyCancelled, InvoiceHasPayments, InvoiceHasCreditNotes)
@fails(InvoiceHistoryFull, InvoiceBusy, ShopDamaged, PreconditionFailed)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@blueprint.arguments(CancelSchema(), example=examples.CANCEL)
@blueprint.response(200, InvoiceSchema(), example=examples.CANCELLED, headers=ETAG)
def cancel_invoice(posted: dict[str, Any], invoice_number: str) -> Response:
    """Cancel an invoice of which nothing is paid, with a credit note over the whole of it"""
    answer = cancelling.cancel_invoice(
        parts().db,
        asked(),
        invoice_number=invoice_number,
        reason=posted["reason"],
        settling=settling(),
        condition=asked_condition(tags_of=tags_of_invoice),
    )
    return tagged_reply(masked_invoice(answer.document), replayed=answer.replayed)


@blueprint.route("/shops/<shop>/sequences", methods=["GET"], tags=["shops"])
@requires("accountant")
@fails(ShopNotFound)
@blueprint.response(200, SequenceListSchema(), example=examples.SEQUENCES)
def list_sequences(shop: str) -> Response:
    """Show each sequence of a shop: its newest number, its count, and whether no number is missing"""
    found = sequences.list_sequences(parts().db, tenant=caller().tenant, shop=shop.lower())
    return reply({"data": [dump_sequence(sequence) for sequence in found]})


def _today() -> date:
    """Return the day by which invoices are overdue: one for all shops, as payments have one."""
    return parts().clock().astimezone(parts().config.timezone).date()
