"""How a command ends: with its exit code, or with one line that says what to do."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from finance.config import Config
from finance.database import DriverError
from finance.maintenance.cli import FAILED, FORESEEN, in_words


def run(main: Callable[[], int]) -> int:
    """Return the exit code of `main`; a failure that is foreseen is one line on stderr, and code 2."""
    name = Path(sys.argv[0]).name
    try:
        code = main()
        if sys.stdout is not None:  # it isn't closed
            sys.stdout.flush()
        return code
    except FORESEEN as failure:
        line = f"{name}: {in_words(failure)}"
        if isinstance(failure, DriverError):
            line += (
                f". It is the one at {Config.from_env().address}: start it with scripts/serve, or name the right one, "
                "its user and password in MONGODB_URI."
            )
        print(line, file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
    _drop_what_cannot_be_printed()
    return FAILED


def _drop_what_cannot_be_printed() -> None:
    """Keep Python from trying once more at its end, which would say more than our line and change the exit code."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
