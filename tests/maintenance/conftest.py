"""Payments as the API stores them, written straight into the database, and the commands as their users call them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from finance.database import Db
from finance.maintenance.audit import command as audit_command
from finance.maintenance.kinds import KINDS
from finance.maintenance.migrate import command as migrate_command
from finance.maintenance.repair import command as repair_command
from finance.maintenance.target import Target, foreign, ours
from finance.payments.model import payment_series

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = 2026
Run = Callable[..., tuple[int, str]]
COMMANDS = {
    "repair_duplicates.py": repair_command.main,
    "migrate_indexes.py": migrate_command.main,
    "audit_numbers.py": audit_command.main,
}


def a_payment(number_seq: int, *, tenant: str = "acme", year: int = YEAR, age_s: float = 3600, **fields: Any) -> dict:
    """Return a stored payment with this number, made `age_s` before NOW."""
    return {
        "_id": ObjectId(),
        "tenant": tenant,
        "payment_number": payment_series(tenant, year).format(number_seq),
        "number_year": year,
        "number_seq": number_seq,
        "amount_minor": 12_50,
        "currency": "EUR",
        "payer": "Ana",
        "payer_folded": "ana",
        "method": "cash",
        "direction": "incoming",
        "paid_on": f"{year}-05-01",
        "status": "recorded",
        "previous_numbers": [],
        "history": [],
        "created_at": NOW - timedelta(seconds=age_s),
        "created_by": "key",
        **fields,
    }


@pytest.fixture
def store(db: Db) -> Callable[..., None]:
    """`store(1, 2, 5, counter=5)` stores payments with these numbers, and the counter, last used `reserved_s` ago."""

    def write(*number_seqs: int, counter: int | None = None, reserved_s: float = 3600, **fields: Any) -> None:
        if number_seqs:
            db.payments.insert_many([a_payment(number_seq, **fields) for number_seq in number_seqs])
        if counter is not None:
            series = payment_series(fields.get("tenant", "acme"), fields.get("year", YEAR))
            db.counters.replace_one(
                {"_id": series.counter_id},
                {"seq": counter, "reserved_at": NOW - timedelta(seconds=reserved_s)},
                upsert=True,
            )

    return write


@pytest.fixture
def run(db: Db, mongodb_uri: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("audit_numbers.py", "--json")` gives the exit code, and all that was printed."""

    def call(name: str, *arguments: str) -> tuple[int, str]:
        try:
            code = COMMANDS[name](["--uri", mongodb_uri, "--database", db.name, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


@pytest.fixture
def payments(db: Db) -> Target:
    """Our payments without the unique index, as another software may have left them."""
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index([("tenant", 1), ("payment_number", 1)])
    return ours(db, KINDS[0])


def an_older_collection(db: Db, documents: list[dict[str, Any]], *, scope: tuple[str, ...] = ("user",)) -> Target:
    db.old.insert_many(documents)
    return foreign(db, collection="old", number_field="paymentNumber", scope_fields=scope, created_field="createdAt")
