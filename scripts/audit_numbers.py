#!/usr/bin/env python3
"""A thin entry to finance.maintenance.audit.command; --help says what it reads and writes."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.maintenance.audit import command

    return command.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
