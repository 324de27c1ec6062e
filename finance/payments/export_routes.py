"""Payments, and what they pay, as files."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from finance.auth.guard import caller, requires
from finance.context import parts
from finance.customers import service as customers
from finance.customers.service import CustomerNotFound
from finance.edge.blueprints import Blueprint
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.invoices import service as invoices
from finance.invoices.files import dump_allocation
from finance.payments import service
from finance.payments.answers import dump_payment
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
    AllocationExportSchema,
    CustomerPaymentExportSchema,
    PaymentExportSchema,
    filters_of,
)

blueprint = Blueprint("payment_exports", __name__, url_prefix="/api/v1")


@exported(blueprint, "/payments/export", EXPORTED, dump_payment, tags=["payments"])
@requires("accountant")
@blueprint.arguments(PaymentExportSchema(), location="query")
def export_payments(query: dict[str, Any]) -> Iterator[list[Payment]]:
    """Export every payment of a list"""
    return service.export_payments(
        parts().db, tenant=caller().tenant, filters=filters_of(query), sort=query["sort"], projection=PROJECTION
    )


@exported(blueprint, "/payments/allocations/export", ALLOCATIONS, dump_allocation, tags=["payments"])
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


@exported(blueprint, "/customers/<customer_code>/payments/export", CUSTOMER_PAYMENTS, dump_payment, tags=["payments"])
@requires("accountant")
@fails(CustomerNotFound)
@blueprint.arguments(CustomerPaymentExportSchema(), location="query")
def export_customer_payments(query: dict[str, Any], customer_code: str) -> Iterator[list[Payment]]:
    """Export every payment of one customer"""
    db, tenant = parts().db, caller().tenant
    code = customers.get_code(db, tenant=tenant, customer_code=customer_code)
    filters = {**filters_of(query), "customer_code": code}
    return service.export_payments(db, tenant=tenant, filters=filters, sort=query["sort"], projection=PROJECTION)
