"""What the driver warns of in a MongoDB URI, in a line of our log instead of its own two."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def told(setting: str) -> Iterator[None]:
    """Log each warning of the block, naming the setting that holds the URI, without any value of it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for what in dict.fromkeys(_in_our_words(str(one.message)) for one in said):
        log.warning("%s: %s", setting, what)


def _in_our_words(warning: str) -> str:
    unknown = re.match(r"Unknown option: (\w+)", warning, re.ASCII)
    if unknown:
        return f"MongoDB has no option {unknown[1]}, so it isn't used"
    return "an option stands twice, or has a value that MongoDB doesn't take, so it isn't used"
