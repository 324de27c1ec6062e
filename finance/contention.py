"""What to do where another request changed the same document meanwhile: read it again, and try again, for a second."""

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from finance.errors import Unavailable

T = TypeVar("T")

ATTEMPTS_MAX = 50
PAUSE_S = 0.02  # what another request changed is read once a majority has it, in a few milliseconds


def until_unchanged_meanwhile(change: Callable[[], T | None], *, busy: type[Unavailable]) -> T:
    """Return what `change` does. It reads, checks and stores; None means that the document changed in between.

    Raises what `change` does, or `busy` where others kept changing it.
    """
    for _attempt in range(ATTEMPTS_MAX):
        changed = change()
        if changed is not None:
            return changed
        sleep(PAUSE_S)
    raise busy
