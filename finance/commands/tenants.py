"""What a command says of a tenant that nobody knows: it may be a mistyped one."""

import sys
from difflib import get_close_matches

from finance.database import Db
from finance.maintenance.tenants import find_tenants

SHOWN_MAX = 20


def warn_of_new(db: Db, tenant: str) -> str | None:
    """Say so where nothing of this tenant exists, but something of others; return one with nearly the same name."""
    known = sorted(find_tenants(db))
    if tenant in known or not known:
        return None
    listed = ", ".join(known[:SHOWN_MAX]) + (", …" if len(known) > SHOWN_MAX else "")
    nearest = next(iter(get_close_matches(tenant, known, n=1)), None)
    hint = f" (nearest: {nearest})" if nearest else ""
    print(f"No key of tenant '{tenant}' exists yet; existing tenants: {listed}{hint}.", file=sys.stderr)
    return nearest
