#!/usr/bin/env python3
"""A thin entry to finance.commands.import_customers; --help says what it reads and writes."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.commands import import_customers

    return import_customers.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
