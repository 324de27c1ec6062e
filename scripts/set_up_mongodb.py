#!/usr/bin/env python3
"""A thin entry to finance.maintenance.set_up; --help says what it does to a MongoDB."""

from __future__ import annotations

import sys

import entry


def main() -> int:
    from finance.maintenance import set_up

    return set_up.main()


if __name__ == "__main__":
    sys.exit(entry.run(main))
