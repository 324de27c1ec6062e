#!/usr/bin/env python3
"""A thin entry to finance.commands.import_payments; --help says what it reads and writes."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.commands import import_payments

    return import_payments.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
