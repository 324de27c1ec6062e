"""Databases as other software fills them, and a writer that goes on as its software would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from finance.database import Db

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def mongoose_payment(number: int, *, user: ObjectId | None = None, **fields: Any) -> dict[str, Any]:
    """Return a payment as Mongoose stores it, with `timestamps: true` and its version key."""
    at = BEGAN + timedelta(minutes=number)
    return {
        "_id": ObjectId(),
        "user": user or ObjectId(),
        "paymentNumber": f"PAY2026{number:04d}",
        "amount": 1250.5,
        "paymentDate": at,
        "paymentMethod": "cash",
        "createdAt": at,
        "updatedAt": at,
        "__v": 0,
        **fields,
    }


def mongoose_application(db: Db, *, payments: int = 30, users: int = 3) -> list[ObjectId]:
    """Fill `payments` as the application with the index `paymentNumber_1` did, and return its users."""
    ids = [ObjectId() for _ in range(users)]
    db.payments.create_index("paymentNumber", name="paymentNumber_1", unique=True, background=True)
    if payments:
        db.payments.insert_many([mongoose_payment(n, user=ids[n % users]) for n in range(1, payments + 1)])
    return ids


class Writer:
    """What a software that goes on inserting has stored, and what it was refused."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.refused: list[str] = []
        self.wrote = threading.Event()


@contextmanager
def inserting(collection: "Collection[Any]", *, first: int = 1_001, year: int = 2026) -> Iterator[Writer]:
    """Insert a payment after the other, as the application does, until the block ends; its first one is awaited."""
    writer, ended = Writer(), threading.Event()

    def write() -> None:
        for number in range(first, first + 100_000):
            if ended.is_set():
                return
            payment = mongoose_payment(number, paymentNumber=f"PAY{year}{number:04d}")
            try:
                collection.insert_one(payment)
                writer.stored.append(payment["paymentNumber"])
            except PyMongoError as error:
                writer.refused.append(str(error))
            writer.wrote.set()
            ended.wait(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert writer.wrote.wait(20)
        yield writer
    finally:
        ended.set()
        thread.join()


def everything_in(db: Db) -> dict[str, Any]:
    """Return all that a database holds: each collection with its indexes and its documents."""
    return {
        name: (dict(db[name].index_information()), sorted(db[name].find(), key=lambda document: str(document["_id"])))
        for name in sorted(db.list_collection_names())
    }


def shop_system(db: Db) -> None:
    """Fill `sequencefactures` and `factures` as the shop system counted: its wrong index is on the shop alone."""
    db.sequencefactures.create_index("boutique_id", unique=True)
    counted = [(6, 10, 57), (7, 11, 3)]
    db.sequencefactures.insert_many(
        [{"boutique_id": shop, "annee": 2026, "mois": month, "dernier_numero": last} for shop, month, last in counted]
    )
    db.factures.insert_many([{"boutique_id": 6, "annee": 2026, "mois": 10, "numero": number} for number in (57, 59)])
