#!/usr/bin/env python3
"""Create every index that is missing, however long it takes. Run it before a new version is started.

    scripts/create_indexes.py

MONGODB_URI and FINANCE_DATABASE say where. Where all stand already, it changes nothing and takes no time.
"""

from __future__ import annotations

import dataclasses
import sys

import entry

BUILD_S = 24 * 3600.0  # on a database of many millions


def main() -> int:
    return entry.run(_run)


def _run() -> int:
    from finance import database
    from finance.config import Config

    database.create_indexes(database.connect(dataclasses.replace(Config.from_env(), database_deadline_s=BUILD_S)))
    print(f"{len(database.INDEXES)} indexes stand.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
