#!/usr/bin/env python3
"""A thin entry to finance.maintenance.repair.command; --help says what it reads and writes."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.maintenance.repair import command

    return command.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
