"""Protect the stored data keys by a new master key. No customer is touched, and the API goes on meanwhile.

    1. add the new key, base64 of 96 random bytes, behind the present one, on every server, and restart them:
         FINANCE_ENCRYPTION_KEY=<present>,<new>
    2. put it first, and restart them again:  FINANCE_ENCRYPTION_KEY=<new>,<present>
    3. with that setting:                     {program}
    4. leave out the old key, and restart:    FINANCE_ENCRYPTION_KEY=<new>

With a single server, begin at step 2. Repeating any step does no harm. The first key of the setting encrypts, all of
them decrypt. MONGODB_URI and FINANCE_DATABASE are those of the API; without them, those of scripts/serve.
"""

import argparse

from finance import database
from finance.commands import ending
from finance.config import Config
from finance.encryption import FieldCipher
from finance.events import EVERY_TENANT, record_event
from finance.maintenance.cli import asked_by, program, server_clock


def main() -> int:
    called = program("rotate_encryption_key.py")
    parser = argparse.ArgumentParser(
        prog=called,
        description=(__doc__ or "").format(program=called),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    return ending.run(_run)


def _run() -> int:
    config = Config.from_env()
    db = database.connect(config)
    database.require_ours(db)
    cipher = FieldCipher(db, master_keys=config.encryption_keys)
    asked = asked_by("rotate_encryption_key.py", tenant=EVERY_TENANT, now=server_clock(db)())
    record_event(db, asked, action="encryption_key_rotated", of=("database", db.name))
    count = cipher.rewrap_data_keys()
    print(f"{count} data key(s) are now protected by the first key of FINANCE_ENCRYPTION_KEY, the others already were.")
    return 0
