"""`/payments`: each view loads, calls and dumps."""

from collections.abc import Iterator
from typing import Any

from flask import Response

from finance.auth.guard import caller, requires
from finance.context import parts
from finance.customers import service as customers
from finance.exports import XLSX_TYPE, Table, csv_reply, each_in_time, xlsx_reply
from finance.json_api import Blueprint, decode_cursor, encode_cursor, idempotency_key, page_reply, reply
from finance.payments import service
from finance.payments.schemas import (
    AllocatedPaymentSchema,
    CustomerPaymentListSchema,
    PaymentEditSchema,
    PaymentExportSchema,
    PaymentListSchema,
    PaymentPageSchema,
    PaymentSchema,
    VoidSchema,
    dump_payment,
    filters_of,
)

blueprint = Blueprint("payments", __name__, url_prefix="/api/v1/payments", description="Payments, recorded once")
of_customers = Blueprint("customer_payments", __name__, url_prefix="/api/v1/customers")

EXPORTED = Table(
    name="payments",
    columns=(
        *("payment_number", "paid_on", "direction", "amount", "currency", "payer", "method", "customer_code"),
        *("reference", "note", "status", "void_reason", "voided_at", "previous_numbers", "created_at", "created_by"),
        "id",
    ),
    amounts=frozenset(("amount",)),
)


@blueprint.route("", methods=["POST"])
@requires("client")
@blueprint.arguments(AllocatedPaymentSchema())
@blueprint.response(201, PaymentSchema())
def record_payment(posted: dict[str, Any]) -> Response:
    """Record a payment under the next number of its year"""
    shared, who = parts(), caller()
    now = shared.clock()
    answer = service.record_payment(
        shared.db,
        lane=shared.payment_lane,
        tenant=who.tenant,
        posted=posted,
        today=now.astimezone(shared.config.timezone).date(),
        idempotency_key=idempotency_key(),
        created_by=who.key_id,
        now=now,
        deadline_s=shared.config.commit_deadline_s,
    )
    location = f"/api/v1/payments/{answer.payment['payment_number']}"
    return reply(dump_payment(answer.payment), status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/<payment_number>", methods=["GET"])
@requires("client")
@blueprint.response(200, PaymentSchema())
def get_payment(payment_number: str) -> Response:
    """Show the payment that has this number, or had it before a repair"""
    payment = service.get_payment(parts().db, tenant=caller().tenant, payment_number=payment_number)
    return reply(dump_payment(payment))


@blueprint.route("", methods=["GET"])
@requires("accountant")
@blueprint.arguments(PaymentListSchema(), location="query")
@blueprint.response(200, PaymentPageSchema())
def list_payments(query: dict[str, Any]) -> Response:
    """List payments, the newest number first"""
    return _page(query, filters_of(query))


@blueprint.route("/export.csv", methods=["GET"])
@requires("accountant")
@blueprint.arguments(PaymentExportSchema(), location="query")
@blueprint.response(200, content_type="text/csv")
def export_csv(query: dict[str, Any]) -> Response:
    """Export every payment of a list as CSV, streamed"""
    return csv_reply(EXPORTED, _exported(query))


@blueprint.route("/export.xlsx", methods=["GET"])
@requires("accountant")
@blueprint.arguments(PaymentExportSchema(), location="query")
@blueprint.response(200, content_type=XLSX_TYPE)
def export_xlsx(query: dict[str, Any]) -> Response:
    """Export every payment of a list as XLSX"""
    return xlsx_reply(EXPORTED, _exported(query))


@blueprint.route("/<payment_number>", methods=["PATCH"])
@requires("accountant")
@blueprint.arguments(PaymentEditSchema())
@blueprint.response(200, PaymentSchema())
def edit_payment(edits: dict[str, Any], payment_number: str) -> Response:
    """Correct note, reference or metadata; nothing else of a payment ever changes"""
    payment = service.edit_payment(
        parts().db,
        tenant=caller().tenant,
        payment_number=payment_number,
        edits=edits,
        edited_by=caller().key_id,
        now=parts().clock(),
    )
    return reply(dump_payment(payment))


@blueprint.route("/<payment_number>/void", methods=["POST"])
@requires("accountant")
@blueprint.arguments(VoidSchema())
@blueprint.response(200, PaymentSchema())
def void_payment(posted: dict[str, Any], payment_number: str) -> Response:
    """Void a payment, with the reason; its number stays its own"""
    answer = service.void_payment(
        parts().db,
        tenant=caller().tenant,
        payment_number=payment_number,
        reason=posted["reason"],
        idempotency_key=idempotency_key(),
        voided_by=caller().key_id,
        now=parts().clock(),
    )
    return reply(dump_payment(answer.payment), replayed=answer.replayed)


@of_customers.route("/<customer_code>/payments", methods=["GET"])
@requires("accountant")
@of_customers.arguments(CustomerPaymentListSchema(), location="query")
@of_customers.response(200, PaymentPageSchema())
def list_customer_payments(query: dict[str, Any], customer_code: str) -> Response:
    """List the payments of one customer, the newest number first"""
    code = customers.get_code(parts().db, tenant=caller().tenant, customer_code=customer_code)
    return _page(query, {**filters_of(query), "customer_code": code})


def _page(query: dict[str, Any], filters: dict[str, Any]) -> Response:
    after = decode_cursor(query, query["cursor"]) if "cursor" in query else None
    payments, position = service.list_payments(
        parts().db, tenant=caller().tenant, filters=filters, sort=query["sort"], after=after, limit=query["limit"]
    )
    next_cursor = encode_cursor(query, position) if position else None
    return page_reply([dump_payment(payment) for payment in payments], next_cursor=next_cursor)


def _exported(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pages = service.export_payments(parts().db, tenant=caller().tenant, filters=filters_of(query), sort=query["sort"])
    in_time = each_in_time(pages, deadline_s=parts().config.database_deadline_s)
    return (dump_payment(payment) for page in in_time for payment in page)
