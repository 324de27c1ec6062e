"""What the parts of one running app share: `parts()` in a route gives the database, the clock and the lanes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app

from finance.config import Config
from finance.database import Db
from finance.encryption import FieldCipher
from finance.numbering.lane import Submit, SubmitMany

EXTENSION = "finance"

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Parts:
    """The shared parts of an app.

    `clock` tells the instant in UTC; `submit_…` number and store a document; `protect` makes sure that the unique
    indexes stand.
    """

    config: Config
    db: Db
    clock: Clock
    submit_payment: Submit
    submit_payments: SubmitMany
    submit_invoice: Submit
    cipher: FieldCipher
    protect: Callable[[], None]


def parts() -> Parts:
    """Return the parts of the app that answers this request."""
    found: Parts = current_app.extensions[EXTENSION]
    return found


def utc_now() -> datetime:
    """Return the instant in UTC, in whole milliseconds: what MongoDB stores, so that a reply shows what is stored."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
