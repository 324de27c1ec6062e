"""Payments as the Mongoose application wrote them, and the command that takes them over."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from bson import ObjectId

from finance.commands import import_payments
from finance.database import Db, Document

PAID = datetime(2026, 5, 1, 12, tzinfo=UTC)
# As docs/import.md has them.
MAPPED = (
    *("--field", "payment_number=paymentNumber", "--field", "paid_on=paymentDate", "--field", "method=paymentMethod"),
    *("--field", "payer=user", "--set", "currency=EUR", "--value", "method:CASH=cash"),
)
OF_ACME = ("--tenant", "acme", "--from-collection", "payments", *MAPPED)
Run = Callable[..., tuple[int, str]]


def of_acme(*arguments: str) -> tuple[str, ...]:
    """Return OF_ACME and the arguments, without those pairs of OF_ACME that the arguments say otherwise."""
    named = [argument.partition("=")[0] for argument in arguments]
    pairs = zip(OF_ACME[::2], OF_ACME[1::2], strict=True)
    return (*(each for pair in pairs if pair[1].partition("=")[0] not in named for each in pair), *arguments)


def an_old_payment(number: object, **changes: Any) -> Document:
    """Return a payment as Mongoose stores one; a number of a few digits is one of 2026."""
    written = f"PAY2026{number:04}" if isinstance(number, int) else number
    return {
        "_id": ObjectId(),
        "user": ObjectId(),
        "paymentNumber": written,
        "amount": 12.5,
        "paymentDate": PAID,
        "paymentMethod": "CASH",
        "createdAt": PAID,
        "updatedAt": PAID + timedelta(hours=1),
        "__v": 0,
        **changes,
    }


@pytest.fixture
def old(db: Db) -> Iterator[Db]:
    """The database of the old application, with its unique index."""
    database = db.client[f"finance_old_{uuid4().hex[:16]}"]
    database.payments.create_index("paymentNumber", unique=True)
    yield database
    db.client.drop_database(database.name)


@pytest.fixture
def run(db: Db, mongodb_uri: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("--tenant", "acme", …)` gives the exit code, and all that was printed, what is on stdout last."""

    def call(*arguments: str) -> tuple[int, str]:
        try:
            code = import_payments.main(["--uri", mongodb_uri, "--database", db.name, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.err + captured.out

    return call


@pytest.fixture
def take_over(run: Run, old: Db) -> Run:
    """`take_over("--apply")` imports the collection of the old application for acme, with the documented options."""
    return lambda *arguments: run(*of_acme(*arguments), "--from-database", old.name)


def content_of(database: Db) -> Document:
    """Return a digest of all that is in a database."""
    return database.command("dbHash")["collections"]
