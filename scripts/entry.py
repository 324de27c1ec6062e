"""What the ops scripts share: they go on in the Python environment, find the database, and fail in one line.

MONGODB_URI says which; without it, the MongoDB that `scripts/serve` runs on this machine, else the default of the API.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import environment
import encryption_key

EXIT_ERROR = 2

VAR = Path(os.environ.get("FINANCE_VAR") or environment.ROOT / "var").absolute()


def run(main: Callable[[], int]) -> int:
    """Return the exit code of `main`, called where `finance` can be imported; a failure is one line and exit code 2."""
    name = Path(sys.argv[0]).name
    try:
        environment.enter("requirements.txt")
    except environment.EnvironmentFailed as failure:
        environment.say(f"{name}: {failure}")
        return EXIT_ERROR
    sys.path.insert(0, str(environment.ROOT))
    _find_database()
    encryption_key.use(VAR)

    from finance.commands import ending

    return ending.run(main)


def _find_database() -> None:
    from embedded_mongodb import running_uri

    if os.environ.get("MONGODB_URI") or os.environ.get("MONGODB_URI_FILE"):
        return
    uri = running_uri(VAR / "mongodb")
    if uri:
        os.environ["MONGODB_URI"] = uri
