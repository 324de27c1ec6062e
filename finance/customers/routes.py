"""`/customers`: each view loads, calls and dumps."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Response, request

from finance.auth.guard import asked, caller, requires
from finance.context import parts
from finance.customers import activation, changes, codes, erasure, examples, look_up, saving, service
from finance.customers.activation import CustomerAlreadyActive, CustomerAlreadyInactive, StatusChange
from finance.customers.banking import BankDetailsProtected
from finance.customers.changes import CustomerErased
from finance.customers.files import EXPORTED, dump_row
from finance.customers.likeness import PossibleDuplicateCustomer
from finance.customers.model import Book, Customer, PostedForm, version_of
from finance.customers.queries import (
    CustomerExportSchema,
    CustomerListSchema,
    CustomerLookUpSchema,
    CustomerSearchSchema,
    filters_of,
)
from finance.customers.schemas import (
    ConfirmSchema,
    CustomerFormSchema,
    CustomerPageSchema,
    CustomerSchema,
    FoundCustomersSchema,
    HandedOutCodeSchema,
    ReasonSchema,
    dump_customer,
    dump_found_customer,
    dump_listed_customer,
)
from finance.customers.service import CustomerCodeTaken, CustomerNotFound
from finance.database import IndexesMissing
from finance.edge.blueprints import Blueprint
from finance.edge.conditions import asked_condition, is_known, tagged_reply
from finance.edge.exports import exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply, turn_of_caller
from finance.edge.openapi import ETAG, LOCATION
from finance.edge.replies import not_modified, reply
from finance.encryption import EncryptionKeyWrong, EncryptionNotConfigured
from finance.errors import PreconditionFailed, Unavailable
from finance.events import NotRecorded
from finance.numbering.counters import CounterUnreadable
from finance.numbering.drafts import NotStored, NumbersExhausted
from finance.once import IdempotencyKeyReused, RefusedByForeignIndex

blueprint = Blueprint("customers", __name__, url_prefix="/api/v1/customers", description="Customers, saved whole")

READ = (EncryptionKeyWrong, EncryptionNotConfigured, Unavailable, NotRecorded)  # what reading encrypted fields may meet


@blueprint.before_request
def protect() -> None:
    """Before the first write of a process, make sure that the unique indexes stand."""
    if request.method in ("POST", "PUT"):
        parts().protect()


@blueprint.route("", methods=["POST"])
@requires("client")
@fails(CustomerCodeTaken, CustomerErased, PossibleDuplicateCustomer, IdempotencyKeyReused, RefusedByForeignIndex)
@fails(NotStored, NumbersExhausted, CounterUnreadable, IndexesMissing, *READ)
@blueprint.arguments(CustomerFormSchema(), example=examples.FORM)
@blueprint.arguments(ConfirmSchema(), location="query")
@blueprint.response(201, CustomerSchema(), example=examples.CUSTOMER, headers=ETAG | LOCATION)
def onboard_customer(posted: PostedForm, query: dict[str, str]) -> Response:
    """Onboard a customer, all parts of the form at once"""
    answer = service.onboard_customer(_book(), asked(), posted=posted, confirmed=_is_confirmed(query))
    return _customer_reply(answer.document, brought=posted, status=201, replayed=answer.replayed)


@blueprint.route("/codes", methods=["POST"])
@requires("client")
@fails(NumbersExhausted, CounterUnreadable, IndexesMissing)
@blueprint.response(201, HandedOutCodeSchema(), example=examples.CODE)
def hand_out_customer_code() -> Response:
    """Get a fresh code for a form that is being opened"""
    answer = codes.hand_out_code(parts().db, asked())
    return reply({"customer_code": answer.document}, status=201, replayed=answer.replayed)


@blueprint.route("", methods=["GET"])
@requires("accountant")
@fails(*READ)
@blueprint.arguments(CustomerListSchema(), location="query")
@blueprint.response(200, CustomerPageSchema(), example=examples.CUSTOMERS)
def list_customers(query: dict[str, Any]) -> Response:
    """List and search customers, the newest first"""
    list_page = partial(service.list_customers, _book(), tenant=caller().tenant, filters=filters_of(query))
    return list_reply(query, list_page, dump_listed_customer)


@exported(blueprint, "/export", EXPORTED, dump_row)
@requires("accountant")
@fails(*READ)
@blueprint.arguments(CustomerExportSchema(), location="query")
def export_customers(query: dict[str, Any]) -> Iterator[list[Customer]]:
    """Export every customer of a list"""
    return service.export_customers(_book(), tenant=caller().tenant, filters=filters_of(query), sort=query["sort"])


@blueprint.route("/search", methods=["POST"])
@requires("accountant")
@fails(*READ)
@blueprint.arguments(CustomerSearchSchema(), example=examples.SEARCH)
@blueprint.response(200, CustomerPageSchema(), example=examples.CUSTOMERS)
def search_customers(posted: dict[str, Any]) -> Response:
    """Search customers by their PAN or a GSTIN too, which must not stand in an address"""
    list_page = partial(service.search_customers, _book(), asked(), filters=filters_of(posted))
    query = service.sealed_query(_book(), tenant=caller().tenant, query=posted)
    return list_reply(query, list_page, dump_listed_customer)


@blueprint.route("/lookup", methods=["GET"])
@requires("client")
@fails(IndexesMissing)
@blueprint.arguments(CustomerLookUpSchema(), location="query")
@blueprint.response(200, FoundCustomersSchema(), example=examples.FOUND)
def look_up_customers(query: dict[str, str]) -> Response:
    """Look active customers up by words of their names: the five that fit best, the best first"""
    parts().protect()  # it names the indexes that it is answered by
    with turn_of_caller():
        found = look_up.look_up_customers(parts().db, tenant=caller().tenant, name=query["name"])
    return reply({"data": [dump_found_customer(customer) for customer in found]})


@blueprint.route("/<customer_code>", methods=["GET"])
@requires("client")
@fails(CustomerNotFound, *READ)
@blueprint.response(200, CustomerSchema(), example=examples.CUSTOMER, headers=ETAG)
def get_customer(customer_code: str) -> Response:
    """Show a customer"""
    return _customer_reply(service.get_customer(_book(), tenant=caller().tenant, customer_code=customer_code))


@blueprint.route("/<customer_code>", methods=["PUT"])
@requires("client")
@fails(BankDetailsProtected, PreconditionFailed, PossibleDuplicateCustomer, RefusedByForeignIndex)
@fails(*changes.FAILURES, NotStored, IndexesMissing, *READ)
@blueprint.arguments(CustomerFormSchema(), example=examples.SAVED_FORM)
@blueprint.arguments(ConfirmSchema(), location="query")
@blueprint.response(200, CustomerSchema(), example=examples.SAVED, headers=ETAG)
@blueprint.alt_response(
    201, schema=CustomerSchema(), example=examples.SAVED, description="Created under this code", headers=ETAG | LOCATION
)
def save_customer(posted: PostedForm, query: dict[str, str], customer_code: str) -> Response:
    """Save the whole form again; a code that is new and free makes a new customer"""
    customer, created = saving.save_customer(
        _book(),
        asked(),
        customer_code=customer_code,
        posted=posted,
        confirmed=_is_confirmed(query),
        condition=asked_condition(tags_of=_tags_of),
        may_change_banking=caller().may(parts().config.bank_changes),
    )
    return _customer_reply(customer, brought=posted, status=201 if created else 200)


@blueprint.route("/<customer_code>/deactivate", methods=["POST"])
@requires("accountant")
@fails(CustomerNotFound, CustomerAlreadyInactive, PreconditionFailed, IdempotencyKeyReused, RefusedByForeignIndex)
@fails(*changes.FAILURES, IndexesMissing, *READ)
@blueprint.arguments(ReasonSchema(), example=examples.DEACTIVATE)
@blueprint.response(200, CustomerSchema(), example=examples.DEACTIVATED, headers=ETAG)
def deactivate_customer(posted: dict[str, str], customer_code: str) -> Response:
    """Deactivate a customer, with the reason; payments can't name it any more"""
    return _set_status(customer_code, StatusChange("inactive", posted["reason"]))


@blueprint.route("/<customer_code>/activate", methods=["POST"])
@requires("accountant")
@fails(CustomerNotFound, CustomerAlreadyActive, PossibleDuplicateCustomer, PreconditionFailed)
@fails(IdempotencyKeyReused, RefusedByForeignIndex, *changes.FAILURES, IndexesMissing, *READ)
@blueprint.arguments(ReasonSchema(), example=examples.ACTIVATE)
@blueprint.arguments(ConfirmSchema(), location="query")
@blueprint.response(200, CustomerSchema(), example=examples.ACTIVATED, headers=ETAG)
def activate_customer(posted: dict[str, str], query: dict[str, str], customer_code: str) -> Response:
    """Make a deactivated customer active again, with the reason"""
    return _set_status(customer_code, StatusChange("active", posted["reason"], _is_confirmed(query)))


@blueprint.route("/<customer_code>/erase", methods=["POST"])
@requires("admin")
@fails(CustomerNotFound, PreconditionFailed, IdempotencyKeyReused, RefusedByForeignIndex)
@fails(*changes.FAILURES, IndexesMissing, *READ)
@blueprint.arguments(ReasonSchema(), example=examples.ERASE)
@blueprint.response(200, CustomerSchema(), example=examples.ERASED, headers=ETAG)
def erase_customer(posted: dict[str, str], customer_code: str) -> Response:
    """Erase all that a person can be known by, for good; the code and the books stay"""
    answer = erasure.erase_customer(
        _book(),
        asked(),
        customer_code=customer_code,
        reason=posted["reason"],
        condition=asked_condition(tags_of=_tags_of),
    )
    return _customer_reply(answer.document, replayed=answer.replayed)


def _set_status(customer_code: str, change: StatusChange) -> Response:
    condition = asked_condition(tags_of=_tags_of)
    answer = activation.set_status(_book(), asked(), customer_code=customer_code, change=change, condition=condition)
    return _customer_reply(answer.document, replayed=answer.replayed)


def _book() -> Book:
    return Book(parts().db, parts().cipher)


def _is_confirmed(query: dict[str, str]) -> bool:
    return query["confirm_duplicate"] == "true"


def _customer_reply(
    customer: Customer, *, brought: PostedForm | None = None, status: int = 200, replayed: bool = False
) -> Response:
    in_full = caller().may("accountant")
    etag = _tags_of(customer)[not in_full]
    if is_known(etag):
        return not_modified(etag)
    if in_full:
        service.record_numbers_read(parts().db, asked(), customer, brought=brought)
    headers = {"Location": f"/api/v1/customers/{customer['customer_code']}"} if status == 201 else {}
    return tagged_reply(
        dump_customer(customer, in_full=in_full),
        etag=etag,
        status=status,
        headers=headers,
        replayed=replayed,
    )


def _tags_of(customer: Customer) -> tuple[str, str]:
    """Return what the state of a customer is called in full, and as clients see it.

    Every change raises the version. A digest of what is answered would give away the numbers in it: there are few
    enough PANs to try them all.
    """
    version = version_of(customer)
    return f'"{version}"', f'"{version}-masked"'
