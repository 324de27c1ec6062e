"""Listing audit events."""

from collections.abc import Mapping
from typing import Any

from finance.audit_events import store
from finance.database import Db
from finance.events import AuditEvent
from finance.paging import Page, PageWanted


def list_events(db: Db, *, tenant: str, filters: Mapping[str, Any], wanted: PageWanted) -> Page[AuditEvent]:
    """Return one page of the tenant's events that the filters mean."""
    return store.list_events(db, tenant=tenant, filters=filters, wanted=wanted)
