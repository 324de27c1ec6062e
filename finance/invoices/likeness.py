"""Looking for an invoice that is like one that is about to be issued: somebody may be issuing it a second time."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from finance import database
from finance.asked import Asked
from finance.damaged import text_of
from finance.database import Db, DriverError
from finance.invoices import store
from finance.invoices.totals import computed
from finance.shops import service as shops

LOOK_S = 0.25  # it is a courtesy: what keeps a request from being stored twice is its Idempotency-Key


def find_like(db: Db, asked: Asked, *, posted: Mapping[str, Any]) -> str | None:
    """Return the number of an invoice of the same customer, total and day that isn't cancelled; None where none is.

    `posted` is a body after validation; what was stored under the request's own key is its repeat, and not like it.
    """
    shop = shops.find_shop(db, tenant=asked.tenant, shop=posted["shop"])
    if shop is None:
        return None
    totals = computed(posted, posted.get("currency") or shop["currency"])
    whose = "customer_code" if "customer_code" in posted else "customer_name"
    issued_on: date = posted.get("issued_on") or asked.now.astimezone(ZoneInfo(shop["timezone"])).date()
    wanted = {
        "currency": totals["currency"],
        "total_minor": totals["total_minor"],
        "issued_on": issued_on.isoformat(),
        whose: posted[whose],
    }
    try:
        with database.deadline(LOOK_S):
            found = store.find_like(db, tenant=asked.tenant, wanted=wanted, other_than_key=asked.key)
    except DriverError as error:
        if error.timeout:
            return None
        raise
    return None if found is None else text_of(found.get("invoice_number"))


def find_number_of_key(db: Db, *, tenant: str, key: str) -> str | None:
    """Return the number of the invoice that was issued under an Idempotency-Key, None where none was."""
    stored = store.find_invoice_by_key(db, tenant=tenant, idempotency_key=key)
    return None if stored is None else text_of(stored.get("invoice_number"))
