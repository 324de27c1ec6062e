"""Listing audit events."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from finance.audit_events import store
from finance.database import Db
from finance.events import AuditEvent
from finance.paging import Page, PageWanted, every_page

EXPORT_PAGE_SIZE = 1_000


def list_events(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[AuditEvent]:
    """Return one page of the tenant's events that the filters mean."""
    return store.list_events(db, tenant=tenant, filters=filters, wanted=wanted)


def export_events(db: Db, *, tenant: str, filters: Mapping[str, Any], sort: str) -> Iterator[list[AuditEvent]]:
    """Yield every event of a list, some at a time."""
    return every_page(partial(list_events, db, tenant=tenant, filters=filters), sort=sort, limit=EXPORT_PAGE_SIZE)
