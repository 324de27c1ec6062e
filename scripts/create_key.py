#!/usr/bin/env python3
"""Make, list and revoke API keys.

    scripts/create_key.py --tenant acme --role accountant     a new key, alone on stdout, shown this once
    scripts/create_key.py --tenant acme --list                the keys of a tenant, without the keys themselves
    scripts/create_key.py --revoke KEY_ID                     within five seconds no worker takes it any more

Only hashes are stored, in the collection api_keys. MONGODB_URI and FINANCE_DATABASE say which database; without
MONGODB_URI it is the MongoDB that scripts/serve runs on this machine, else mongodb://127.0.0.1:27017.
"""

from __future__ import annotations

import argparse
import sys

import entry


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenant", help="1 to 40 of a-z, 0-9 and -, beginning with a letter or digit")
    parser.add_argument("--role", choices=("client", "accountant", "admin"))
    parser.add_argument("--list", action="store_true", help="list keys, of --tenant or of all")
    parser.add_argument("--revoke", metavar="KEY_ID", help="revoke this key (its id is the part between the two _)")
    options = parser.parse_args()
    if not options.list and not options.revoke and not (options.tenant and options.role):
        parser.error("name --tenant and --role for a new key, or --list, or --revoke KEY_ID")
    return entry.run(lambda: _run(options, parser))


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from finance import database
    from finance.auth import service as keys
    from finance.config import Config
    from finance.context import utc_now
    from finance.numbering.series import require_slug

    try:
        tenant = require_slug(options.tenant) if options.tenant else None
    except ValueError as error:
        parser.error(f"--tenant {error}")
    db = database.connect(Config.from_env())
    if options.revoke:
        keys.revoke_key(db, tenant=tenant, key_id=options.revoke, now=utc_now())
        print(f"Revoked {options.revoke}.", file=sys.stderr)
    elif options.list:
        for document in keys.list_keys(db, tenant=tenant):
            state = f"revoked {document['revoked_at']:%Y-%m-%d %H:%M}" if document.get("revoked_at") else "valid"
            print(f"{document['_id']}  {document['tenant']}  {document['role']}  {state}")
    else:
        print(keys.create_key(db, tenant=tenant, role=options.role, now=utc_now()).key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
