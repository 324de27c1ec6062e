"""Payments 1, 2, 3, … with holes between them, and what an audit says."""

from collections.abc import Callable
from typing import Any

from finance.database import Db
from finance.maintenance.audit.checks import UNEXPLAINED, Finding
from finance.maintenance.audit.series import SeriesAudit, audit
from tests.maintenance.conftest import NOW

Store = Callable[..., None]


def audit_one(db: Db, **options: Any) -> SeriesAudit:
    (found,) = audit(db, now=NOW, **options)
    return found


def unexplained(first: int, last: int) -> Finding:
    return Finding(UNEXPLAINED, first, last, last - first + 1)
