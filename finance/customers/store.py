"""The collection `customers`: one document a customer."""

from finance.database import Db


def has_customer(db: Db, *, tenant: str, customer_code: str) -> bool:
    return db.customers.find_one({"tenant": tenant, "customer_code": customer_code}, {"_id": True}) is not None
