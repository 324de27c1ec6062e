"""Reading the collection `audit_events`; what writes it is finance/events.py alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.cursor import Cursor

from finance.audit_events.model import ORDER_BY_SORT
from finance.database import Db, Document
from finance.events import AuditEvent, events
from finance.paging import Page, PageWanted, page_queries, take_page


def list_events(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[AuditEvent]:
    """Return one page of the events that the filters mean."""
    queries = find_pages(db, tenant=tenant, filters=filters, sort=wanted.sort, after=wanted.after)
    return take_page(queries, order=ORDER_BY_SORT[wanted.sort.removeprefix("-")], limit=wanted.limit)


def find_pages(
    db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str, after: Sequence[Any] | None
) -> Iterator[Cursor[AuditEvent]]:
    """Return the queries of a list; the tests ask them for their indexes."""
    order, descending = ORDER_BY_SORT[sort.removeprefix("-")], sort.startswith("-")
    return page_queries(events(db), query_of(tenant, filters), order=order, descending=descending, after=after)


def query_of(tenant: str, filters: Mapping[str, Any]) -> Document:
    """Return the MongoDB filter of a list's filters."""
    names = ("action", "by", "object_kind", "object_id")
    query: Document = {"tenant": tenant} | {name: filters[name] for name in names if name in filters}
    bounds = {
        operator: filters[name]
        for operator, name in (("$gte", "at_from"), ("$lte", "at_to"), ("$lt", "at_before"))
        if name in filters
    }
    return query | ({"at": bounds} if bounds else {})
