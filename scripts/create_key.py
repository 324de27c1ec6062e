#!/usr/bin/env python3
"""A thin entry to finance.commands.create_key; --help says what it reads and writes."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.commands import create_key

    return create_key.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
