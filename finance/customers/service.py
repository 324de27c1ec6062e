"""What others may ask about customers."""

from finance.customers import store
from finance.database import Db
from finance.errors import Invalid


def require_customer(db: Db, *, tenant: str, customer_code: str) -> None:
    """Raise Invalid unless the tenant has a customer of this code."""
    if not store.has_customer(db, tenant=tenant, customer_code=customer_code):
        raise Invalid.field("customer_code", "no customer has this code.")
