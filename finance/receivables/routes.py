"""`/customers/{code}/statement` and `/receivables/ageing`: each view loads, calls and dumps."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from flask import Response

from finance.auth.guard import caller, requires
from finance.context import parts
from finance.customers.service import CustomerNotFound
from finance.edge.blueprints import Blueprint
from finance.edge.exports import Table, TooManyExports, exported
from finance.edge.failures import fails
from finance.edge.lists import list_reply
from finance.edge.streams import stream_reply
from finance.invoices.seen import settling
from finance.receivables import examples, service
from finance.receivables.answers import (
    AGEING_AMOUNTS,
    AgeingPageSchema,
    StatementPageSchema,
    dump_exported_line,
    dump_exported_row,
    dump_heading,
    dump_line,
    dump_row,
    dump_total,
)
from finance.receivables.model import Row
from finance.receivables.schemas import AgeingExportSchema, AgeingSchema, StatementExportSchema, StatementSchema
from finance.receivables.service import Question
from finance.receivables.store import ReceivablesBeingPrepared

blueprint = Blueprint("receivables", __name__, url_prefix="/api/v1", description="What customers owe")

STATEMENT = "/customers/<customer_code>/statement"
AGEING = "/receivables/ageing"
STATEMENT_TABLE = Table(
    name="statement",
    columns=("date", "kind", "number", "currency", "debit", "credit", "balance"),
    amounts=frozenset(("debit", "credit", "balance")),
    kinds={"date": "day"},
    sums=("debit", "credit"),
)
AGEING_TABLE = Table(
    name="ageing",
    columns=("customer_code", "customer_name", "currency", *AGEING_AMOUNTS),
    amounts=frozenset(AGEING_AMOUNTS),
)


@blueprint.route(STATEMENT, methods=["GET"])
@requires("accountant")
@fails(CustomerNotFound, ReceivablesBeingPrepared)
@blueprint.arguments(StatementSchema(), location="query")
@blueprint.response(200, StatementPageSchema(), example=examples.STATEMENT)
def show_statement(query: dict[str, Any], customer_code: str) -> Response:
    """Show what a customer owed and owes, line by line"""
    question = _question(query, customer_code)
    dump = partial(dump_line, currency=question.account.currency)
    list_page = partial(service.get_statement, parts().db, question)
    return list_reply(query, list_page, dump, rows_name="lines", beside=lambda page: dump_heading(page.heading))


@exported(blueprint, STATEMENT, STATEMENT_TABLE, dump_exported_line)
@requires("accountant")
@fails(CustomerNotFound, ReceivablesBeingPrepared)
@blueprint.arguments(StatementExportSchema(), location="query")
def export_statement(query: dict[str, Any], customer_code: str) -> Iterator[list[Mapping[str, Any]]]:
    """Export every line of a statement, between its opening and its closing balance"""
    return service.export_statement(parts().db, _question(query, customer_code))


@blueprint.route(AGEING, methods=["GET"])
@requires("accountant")
@fails(ReceivablesBeingPrepared, TooManyExports)
@blueprint.arguments(AgeingSchema(), location="query")
@blueprint.response(200, AgeingPageSchema(), example=examples.AGEING)
def show_ageing(query: dict[str, Any]) -> Response:
    """Show what every customer owes, by how long it is due: all rows, or pages where there is a limit"""
    asked = _ageing(query)
    heading = {"as_of": asked["as_of"], "currency": asked["currency"]}
    dump = partial(dump_row, currency=asked["currency"])
    if "limit" not in query:
        return _streamed(asked, heading, dump)

    def beside(page: service.AgeingPage) -> dict[str, Any]:
        return heading | {"total": dump_total(page.total, page.currency)}

    return list_reply(query, partial(service.list_ageing, parts().db, **asked), dump, beside=beside)


@exported(blueprint, AGEING, AGEING_TABLE, dump_exported_row)
@requires("accountant")
@fails(ReceivablesBeingPrepared)
@blueprint.arguments(AgeingExportSchema(), location="query")
def export_ageing(query: dict[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """Export what every customer owes, by how long it is due"""
    asked = _ageing(query)
    pages = service.each_ageing_page(parts().db, **asked)
    return ([{**row, "currency": asked["currency"]} for row in page] for page in pages)


def _question(query: dict[str, Any], customer_code: str) -> Question:
    return service.understand_statement(
        parts().db,
        tenant=caller().tenant,
        customer_code=customer_code,
        query=query,
        today=_today(),
        settling=settling(),
    )


def _ageing(query: dict[str, Any]) -> dict[str, Any]:
    """Return what an ageing is asked for, as the service takes it."""
    tenant = caller().tenant
    currency, as_of = service.understand_ageing(
        parts().db, tenant=tenant, query=query, today=_today(), settling=settling()
    )
    return {"tenant": tenant, "currency": currency, "as_of": as_of}


def _streamed(asked: dict[str, Any], heading: dict[str, Any], dump: Callable[[Row], dict[str, Any]]) -> Response:
    total = service.no_row()

    def add_and_dump(row: Row) -> dict[str, Any]:
        service.add_to(total, row)
        return dump(row)

    def ending() -> dict[str, Any]:
        return {"total": dump_total(total, asked["currency"]), "has_more": False, "next_cursor": None}

    pages = service.each_ageing_page(parts().db, **asked)
    return stream_reply(pages, add_and_dump, heading=heading, ending=ending)


def _today() -> date:
    """Return the day it is where the books are kept."""
    shared = parts()
    return shared.clock().astimezone(shared.config.timezone).date()
