"""`/payments`: each view loads, calls and dumps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response

from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers import service as customers
from finance.customers.changes import CustomerErased
from finance.customers.service import CustomerNotFound
from finance.edge.blueprints import Blueprint
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply
from finance.edge.openapi import LOCATION
from finance.edge.replies import reply
from finance.invoices import service as invoices
from finance.invoices.files import dump_allocation
from finance.numbering import lane
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex
from finance.payments import allocations, examples, service
from finance.payments.files import (
    ALLOCATED_PROJECTION,
    ALLOCATIONS,
    CUSTOMER_PAYMENTS,
    EXPORTED,
    PROJECTION,
    allocations_of,
)
from finance.payments.model import Payment
from finance.payments.schemas import (
    AllocatedPaymentSchema,
    AllocationExportSchema,
    CustomerPaymentExportSchema,
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
from finance.payments.service import PaymentAlreadyVoided, PaymentBusy, PaymentHistoryFull, PaymentNotFound

blueprint = Blueprint("payments", __name__, url_prefix="/api/v1/payments", description="Payments, recorded once")
of_customers = Blueprint("customer_payments", __name__, url_prefix="/api/v1/customers")


@blueprint.route("", methods=["POST"])
@requires("client")
@fails(CustomerErased, IdempotencyKeyReused, RefusedByForeignIndex, *lane.FAILURES, *allocations.FAILURES)
@blueprint.arguments(AllocatedPaymentSchema(), example=examples.NEW_PAYMENT)
@blueprint.response(201, PaymentSchema(), example=examples.PAYMENT, headers=LOCATION)
def record_payment(posted: dict[str, Any]) -> Response:
    """Record a payment under the next number of its year"""
    shared, now_asked = parts(), asked()
    today = now_asked.now.astimezone(shared.config.timezone).date()
    answer = service.record_payment(shared.db, now_asked, submit=shared.submit_payment, posted=posted, today=today)
    location = f"/api/v1/payments/{answer.document['payment_number']}"
    return reply(dump_payment(answer.document), status=201, headers={"Location": location}, replayed=answer.replayed)


@blueprint.route("/<payment_number>", methods=["GET"])
@requires("client")
@fails(PaymentNotFound)
@blueprint.response(200, PaymentSchema(), example=examples.PAYMENT)
def get_payment(payment_number: str) -> Response:
    """Show the payment that has this number, or had it before a repair"""
    payment = service.get_payment(parts().db, tenant=caller().tenant, payment_number=payment_number)
    return reply(dump_payment(payment))


@blueprint.route("", methods=["GET"])
@requires("accountant")
@blueprint.arguments(PaymentListSchema(), location="query")
@blueprint.response(200, PaymentPageSchema(), example=examples.PAYMENTS)
def list_payments(query: dict[str, Any]) -> Response:
    """List payments, the newest number first"""
    return _page(query, filters_of(query))


@exported(blueprint, "/export", EXPORTED, dump_payment)
@requires("accountant")
@blueprint.arguments(PaymentExportSchema(), location="query")
def export_payments(query: dict[str, Any]) -> Iterator[list[Payment]]:
    """Export every payment of a list"""
    return service.export_payments(
        parts().db, tenant=caller().tenant, filters=filters_of(query), sort=query["sort"], projection=PROJECTION
    )


@exported(blueprint, "/allocations/export", ALLOCATIONS, dump_allocation)
@requires("accountant")
@blueprint.arguments(AllocationExportSchema(), location="query")
def export_allocations(query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Export what the payments of a list give to invoices and credit notes, a row each"""
    db, tenant = parts().db, caller().tenant
    filters = {**filters_of(query), "allocated": True}
    pages = service.export_payments(
        db, tenant=tenant, filters=filters, sort="payment_number", projection=ALLOCATED_PROJECTION
    )
    return (allocations_of(page, issued_days=partial(invoices.issued_days, db, tenant=tenant)) for page in pages)


@blueprint.route("/<payment_number>", methods=["PATCH"])
@requires("accountant")
@fails(PaymentNotFound, PaymentHistoryFull, RefusedByForeignIndex, PaymentBusy)
@blueprint.arguments(PaymentEditSchema(), example=examples.EDIT)
@blueprint.response(200, PaymentSchema(), example=examples.EDITED)
def edit_payment(edits: dict[str, Any], payment_number: str) -> Response:
    """Correct note, reference or metadata; nothing else of a payment ever changes"""
    return reply(dump_payment(service.edit_payment(parts().db, asked(), payment_number=payment_number, edits=edits)))


@blueprint.route("/<payment_number>/void", methods=["POST"])
@requires("accountant")
@fails(PaymentNotFound, PaymentAlreadyVoided, PaymentHistoryFull, RefusedByForeignIndex)
@fails(IdempotencyKeyReused, PaymentBusy)
@blueprint.arguments(VoidSchema(), example=examples.VOID)
@blueprint.response(200, PaymentSchema(), example=examples.VOIDED)
def void_payment(posted: dict[str, Any], payment_number: str) -> Response:
    """Void a payment, with the reason; its number stays its own"""
    answer = service.void_payment(parts().db, asked(), payment_number=payment_number, reason=posted["reason"])
    return reply(dump_payment(answer.document), replayed=answer.replayed)


@of_customers.route("/<customer_code>/payments", methods=["GET"], tags=["payments"])
@requires("accountant")
@fails(CustomerNotFound)
@of_customers.arguments(CustomerPaymentListSchema(), location="query")
@of_customers.response(200, PaymentPageSchema(), example=examples.PAYMENTS)
def list_customer_payments(query: dict[str, Any], customer_code: str) -> Response:
    """List the payments of one customer, the newest number first"""
    code = customers.get_code(parts().db, tenant=caller().tenant, customer_code=customer_code)
    return _page(query, {**filters_of(query), "customer_code": code})


@exported(of_customers, "/<customer_code>/payments/export", CUSTOMER_PAYMENTS, dump_payment, tags=["payments"])
@requires("accountant")
@fails(CustomerNotFound)
@of_customers.arguments(CustomerPaymentExportSchema(), location="query")
def export_customer_payments(query: dict[str, Any], customer_code: str) -> Iterator[list[Payment]]:
    """Export every payment of one customer"""
    db, tenant = parts().db, caller().tenant
    code = customers.get_code(db, tenant=tenant, customer_code=customer_code)
    filters = {**filters_of(query), "customer_code": code}
    return service.export_payments(db, tenant=tenant, filters=filters, sort=query["sort"], projection=PROJECTION)


def _page(query: dict[str, Any], filters: dict[str, Any]) -> Response:
    list_page = partial(service.list_payments, parts().db, tenant=caller().tenant, filters=filters)
    return list_reply(query, list_page, dump_payment)
