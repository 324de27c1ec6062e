"""Which tenants a database knows: whom a mistyped name could have meant."""

from finance.database import Db
from finance.indexes import INDEXES

# Those in which an index has the tenants one after the other, so that finding them doesn't read the documents.
COLLECTIONS = sorted(
    {index.collection for index in INDEXES if index.keys[0][0] == "tenant" and index.partial is None} - {"audit_events"}
)


def find_tenants(db: Db) -> set[str]:
    """Return every tenant that has a key or documents."""
    found = (tenant for collection in COLLECTIONS for tenant in db[collection].distinct("tenant"))
    return {tenant for tenant in found if isinstance(tenant, str)}
