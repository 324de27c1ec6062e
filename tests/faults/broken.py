"""The API with one promise broken, to see that the proof notices: `gunicorn tests.faults.broken:app`.

`BROKEN_SERVER` says which; each replaces one of the product's own functions. The unique index that would help against
it is dropped by the test once this runs.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymongo import WriteConcern

from finance import app as finance_app
from finance import database, logs
from finance.config import Config
from finance.numbering import counters, issue
from finance.receivables import completing

PAUSE_S = 0.02  # between the look for repeats and the insert, so that a race doesn't have to be waited for


def newest_plus_one() -> None:
    """Give the number after the newest document's, as the older system did; the index is missing, too."""

    def newest_and_more(db: Any, counts: Mapping[Any, int]) -> dict[Any, range]:
        numbers = {}
        for series, count in counts.items():
            found = db.payments.find({"tenant": series.tenant, **series.document_filter}).sort("number_seq", -1)
            newest = next((document["number_seq"] for document in found.limit(1)), 0)
            numbers[series] = range(newest + 1, newest + count + 1)
        return numbers

    counters.reserve_each = newest_and_more  # type: ignore[assignment]


def acknowledged_by_one() -> None:
    """Answer when one node has it (w: 1)."""
    connect = database.connect
    database.connect = lambda config: connect(config).with_options(write_concern=WriteConcern(w=1))


def look_then_insert() -> None:
    """Look whether a key is stored, and trust it; the index is missing that refuses the second of two."""


def retry_any_duplicate() -> None:
    """Take every E11000 for a taken number, and try the next one."""
    issue.is_number_collision = lambda numbered, error: error["code"] == database.DUPLICATE_KEY


def _slower(look: Callable[..., Any]) -> Callable[..., Any]:
    def slower(*args: Any) -> Any:
        found = look(*args)
        time.sleep(PAUSE_S)
        return found

    return slower


BROKEN: dict[str, Callable[[], None]] = {
    "newest plus one": newest_plus_one,
    "w:1": acknowledged_by_one,
    "look, then insert": look_then_insert,
    "retry on any E11000": retry_any_duplicate,
}

BROKEN[os.environ["BROKEN_SERVER"]]()
issue.answer_repeats = _slower(issue.answer_repeats)
database.protect = completing.create_indexes = lambda db: None  # builds no index that the test has dropped
config = Config.from_env()
logs.configure(config.log_level)
app = finance_app.create_app(config)
