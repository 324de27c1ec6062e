"""`/payments`: each view loads, calls and dumps."""

import functools
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from flask import Response, current_app, request
from flask_smorest.utils import deepupdate

from finance.allocations.model import LATER_FAILURES, AllocationsFull, NothingAllocated
from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers import service as customers
from finance.customers.changes import CustomerErased
from finance.customers.service import CustomerNotFound
from finance.edge import headers
from finance.edge.blueprints import Blueprint
from finance.edge.bodies import read_body
from finance.edge.conditions import asked_condition, tagged_reply
from finance.edge.failures import fails
from finance.edge.lists import EXTENSION as LIST_TURNS
from finance.edge.lists import Turns, list_reply
from finance.edge.openapi import ETAG, LOCATION, NEEDS_KEY
from finance.edge.replies import reply
from finance.edge.rows import Rows, rows_reply
from finance.errors import Invalid, PreconditionFailed
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.payments import allocating, allocations, bulk, examples, service, summary
from finance.payments.answers import PaymentPageSchema, PaymentSchema, dump_payment
from finance.payments.bulk_schemas import BODY_BYTES_MAX, BulkPaymentsSchema, BulkSchema
from finance.payments.schemas import (
    AllocatedPaymentSchema,
    AllocationsSchema,
    ConfirmSchema,
    CustomerPaymentListSchema,
    PaymentEditSchema,
    PaymentListSchema,
    ReleaseSchema,
    VoidSchema,
    filters_of,
)
from finance.payments.service import PaymentAlreadyVoided, PaymentBusy, PaymentHistoryFull, PaymentNotFound
from finance.payments.summary_schemas import PaymentSummaryFiltersSchema, PaymentSummarySchema
from finance.said import said

KEPT_TOTALS = "finance-kept-totals"
BULK_TURNS = "finance-bulk-turns"
BULK_RECEIVERS = "finance-bulk-receivers"
BULKS_AT_ONCE = 3  # in one process, each with some ten megabytes; one of a tenant
# Those that are being received, or wait for the one that is stored: a body each, of 4 MiB at most.
RECEIVED_AT_ONCE = 4  # of a tenant
RECEIVED_IN_ALL = 12

blueprint = Blueprint("payments", __name__, url_prefix="/api/v1/payments", description="Payments, recorded once")
of_customers = Blueprint("customer_payments", __name__, url_prefix="/api/v1/customers")


@blueprint.route("", methods=["POST"])
@requires("client")
@fails(CustomerErased, IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES, *allocations.FAILURES)
@blueprint.arguments(AllocatedPaymentSchema(), example=examples.NEW_PAYMENT)
@blueprint.arguments(ConfirmSchema(), location="query")
@blueprint.response(201, PaymentSchema(), example=examples.PAYMENT, headers=ETAG | LOCATION)
def record_payment(posted: dict[str, Any], query: dict[str, str]) -> Response:
    """Record a payment under the next number of its year"""
    shared, now_asked = parts(), asked()
    today = now_asked.now.astimezone(shared.config.timezone).date()
    answer = service.record_payment(
        shared.db,
        now_asked,
        submit=shared.submit_payment,
        posted=posted,
        today=today,
        confirmed=_is_confirmed(query),
    )
    location = f"/api/v1/payments/{answer.document['payment_number']}"
    return tagged_reply(
        dump_payment(answer.document), status=201, headers={"Location": location}, replayed=answer.replayed
    )


def in_turn(view: Callable[..., Response]) -> Callable[..., Response]:
    """Have a view wait for its turn once its body is here, and refuse what has no Idempotency-Key.

    A body that comes slowly holds none but a place among those of its tenant that are being received.
    """

    @functools.wraps(view)
    def taking_turns(*args: Any, **kwargs: Any) -> Response:
        if headers.idempotency_key() is None:
            raise Invalid.parameter(
                "Idempotency-Key", said("is required here: with it a repeat completes what is missing.")
            )
        receivers: Turns = current_app.extensions[BULK_RECEIVERS]
        turns: Turns = current_app.extensions[BULK_TURNS]
        with receivers.turn(caller().tenant):
            received = BytesIO(read_body(bytes_max=BODY_BYTES_MAX))
            request.environ["wsgi.input"] = received  # the view reads it from here
            with turns.turn(caller().tenant):
                return view(*args, **kwargs)

    known = getattr(view, "_apidoc", {})
    taking_turns._apidoc = deepupdate(known, {"manual_doc": {NEEDS_KEY: True}})  # type: ignore[attr-defined]
    return taking_turns


@blueprint.route("/bulk", methods=["POST"])
@requires("client")
@fails(bulk.BulkIncomplete, IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES)
@in_turn
@blueprint.arguments(
    BulkSchema(), load=Rows(BulkSchema(), bytes_max=BODY_BYTES_MAX).load, example=examples.NEW_PAYMENTS
)
@blueprint.response(201, BulkPaymentsSchema(), example=examples.RECORDED)
def record_payments(rows: list[dict[str, Any]]) -> Response:
    """Record up to 5,000 payments, all or none: a repeat with the same key stores what is missing, nothing twice"""
    shared, now_asked = parts(), asked()
    answer = bulk.record_payments(
        shared.db,
        now_asked,
        key=now_asked.key or "",
        submit=shared.submit_payments,
        rows=rows,
        day_of=lambda at: at.astimezone(shared.config.timezone).date(),
    )
    return rows_reply(answer.document, dump_payment, status=201, replayed=answer.replayed)


@blueprint.route("/<payment_number>", methods=["GET"])
@requires("client")
@fails(PaymentNotFound)
@blueprint.response(200, PaymentSchema(), example=examples.PAYMENT, headers=ETAG)
def get_payment(payment_number: str) -> Response:
    """Show the payment that has this number, or had it before a repair"""
    payment = service.get_payment(parts().db, tenant=caller().tenant, payment_number=payment_number)
    return tagged_reply(dump_payment(payment))


@blueprint.route("", methods=["GET"])
@requires("accountant")
@blueprint.arguments(PaymentListSchema(), location="query")
@blueprint.response(200, PaymentPageSchema(), example=examples.PAYMENTS)
def list_payments(query: dict[str, Any]) -> Response:
    """List payments, the newest number first"""
    return _page(query, filters_of(query))


@blueprint.route("/summary", methods=["GET"])
@requires("accountant")
@fails(summary.SummaryTakesTooLong)
@blueprint.arguments(PaymentSummaryFiltersSchema(), location="query")
@blueprint.response(200, PaymentSummarySchema(), example=examples.SUMMARY)
def summarize_payments(query: dict[str, Any]) -> Response:
    """Show what the payments of a list come to, per currency, direction, status and month"""
    shared, tenant = parts(), caller().tenant
    kept: summary.Kept = current_app.extensions[KEPT_TOTALS]
    turns: Turns = current_app.extensions[LIST_TURNS]
    with turns.turn(tenant):
        found = summary.summarize(shared.db, kept, tenant=tenant, filters=filters_of(query), now=shared.clock())
    return reply({"as_of": found.as_of, "data": found.data, "totals": found.totals})


@blueprint.route("/<payment_number>", methods=["PATCH"])
@requires("accountant")
@fails(PaymentNotFound, PaymentHistoryFull, RefusedByForeignIndex, PaymentBusy, PreconditionFailed)
@blueprint.arguments(PaymentEditSchema(), example=examples.EDIT)
@blueprint.response(200, PaymentSchema(), example=examples.EDITED, headers=ETAG)
def edit_payment(edits: dict[str, Any], payment_number: str) -> Response:
    """Correct note, reference or metadata; nothing else of a payment ever changes"""
    payment = service.edit_payment(
        parts().db, asked(), payment_number=payment_number, edits=edits, condition=asked_condition(dump_payment)
    )
    return tagged_reply(dump_payment(payment))


@blueprint.route("/<payment_number>/void", methods=["POST"])
@requires("accountant")
@fails(PaymentNotFound, PaymentAlreadyVoided, PaymentHistoryFull, RefusedByForeignIndex)
@fails(IdempotencyKeyReused, PaymentBusy, PreconditionFailed)
@blueprint.arguments(VoidSchema(), example=examples.VOID)
@blueprint.response(200, PaymentSchema(), example=examples.VOIDED, headers=ETAG)
def void_payment(posted: dict[str, Any], payment_number: str) -> Response:
    """Void a payment, with the reason; its number stays its own"""
    answer = service.void_payment(
        parts().db,
        asked(),
        payment_number=payment_number,
        reason=posted["reason"],
        condition=asked_condition(dump_payment),
    )
    return tagged_reply(dump_payment(answer.document), replayed=answer.replayed)


@blueprint.route("/<payment_number>/allocations", methods=["POST"])
@requires("accountant")
@fails(PaymentNotFound, PaymentAlreadyVoided, PaymentHistoryFull, RefusedByForeignIndex, PaymentBusy)
@fails(PreconditionFailed, IdempotencyKeyReused, *LATER_FAILURES)
@blueprint.arguments(AllocationsSchema(), example=examples.ALLOCATE)
@blueprint.arguments(ConfirmSchema(), location="query")
@blueprint.response(200, PaymentSchema(), example=examples.ALLOCATED, headers=ETAG)
def allocate_payment(posted: dict[str, Any], query: dict[str, str], payment_number: str) -> Response:
    """Allocate more of a payment: to invoices, or an outgoing one to credit notes that it pays back"""
    answer = allocating.allocate_payment(
        parts().db,
        asked(),
        payment_number=payment_number,
        wanted=posted["allocations"],
        confirmed=_is_confirmed(query),
        submit=parts().submit_payment,
        condition=asked_condition(dump_payment),
    )
    return tagged_reply(dump_payment(answer.document), replayed=answer.replayed)


@blueprint.route("/<payment_number>/release", methods=["POST"])
@requires("accountant")
@fails(PaymentNotFound, PaymentAlreadyVoided, PaymentHistoryFull, RefusedByForeignIndex, PaymentBusy)
@fails(PreconditionFailed, IdempotencyKeyReused, NothingAllocated, AllocationsFull)
@blueprint.arguments(ReleaseSchema(), example=examples.RELEASE)
@blueprint.response(200, PaymentSchema(), example=examples.RELEASED, headers=ETAG)
def release_payment(posted: dict[str, Any], payment_number: str) -> Response:
    """Take back what a payment gave to an invoice, or an outgoing one to a credit note: all of it, or a part"""
    answer = allocating.release_payment(
        parts().db,
        asked(),
        payment_number=payment_number,
        sink=posted,
        amount=posted.get("amount"),
        reason=posted["reason"],
        condition=asked_condition(dump_payment),
    )
    return tagged_reply(dump_payment(answer.document), replayed=answer.replayed)


@of_customers.route("/<customer_code>/payments", methods=["GET"], tags=["payments"])
@requires("accountant")
@fails(CustomerNotFound)
@of_customers.arguments(CustomerPaymentListSchema(), location="query")
@of_customers.response(200, PaymentPageSchema(), example=examples.PAYMENTS)
def list_customer_payments(query: dict[str, Any], customer_code: str) -> Response:
    """List the payments of one customer, the newest number first"""
    code = customers.get_code(parts().db, tenant=caller().tenant, customer_code=customer_code)
    return _page(query, {**filters_of(query), "customer_code": code})


def _is_confirmed(query: dict[str, str]) -> bool:
    return query["confirm_other_customer"] == "true"


def _page(query: dict[str, Any], filters: dict[str, Any]) -> Response:
    list_page = partial(service.list_payments, parts().db, tenant=caller().tenant, filters=filters)
    return list_reply(query, list_page, dump_payment)
