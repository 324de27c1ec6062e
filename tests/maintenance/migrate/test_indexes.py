"""The expected indexes against those that stand, and the way from one to the other without an unprotected moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from finance.database import Db, find_unprotected
from finance.indexes import INDEXES
from finance.maintenance.migrate import indexes
from finance.maintenance.migrate.indexes import check, migrate
from tests.maintenance.conftest import a_payment

KEYS = [("tenant", 1), ("payment_number", 1)]


def wrong(db: Db) -> dict[str, str]:
    return {f"{f.collection}.{f.name}": f.state for f in check(db) if f.state != "right"}


def apply(db: Db) -> list[str]:
    said: list[str] = []
    migrate(db, check(db), say=said.append)
    return said


@contextmanager
def nothing_gets_through(db: Db, document: dict[str, Any]) -> Iterator[None]:
    """Try all the while to store a duplicate of a payment, and fail where one is stored."""
    stop, stored, tried = threading.Event(), [], [0]

    def keep_trying() -> None:
        while not stop.is_set():
            try:
                db.payments.insert_one({name: value for name, value in document.items() if name != "_id"})
                stored.append(1)
            except DuplicateKeyError:
                tried[0] += 1

    thread = threading.Thread(target=keep_trying)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert tried[0] > 0
    assert not stored, "a duplicate was stored"


def test_a_fresh_database_is_right(db: Db) -> None:
    findings = check(db)
    assert {finding.state for finding in findings} == {"right"}
    assert len(findings) == len(INDEXES)
    assert apply(db) == []


def test_what_is_missing_is_built(db: Db) -> None:
    db.payments.drop_indexes()
    assert wrong(db)["payments.payment_number_unique"] == "missing"
    apply(db)
    assert wrong(db) == {}


def test_an_index_that_is_not_unique_is_made_so(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index(KEYS, name="payment_number_unique")
    assert wrong(db) == {"payments.payment_number_unique": "not unique"}
    apply(db)
    assert wrong(db) == {}


def test_over_duplicates_new_ones_are_refused_and_it_stays_wrong(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1)])
    said = apply(db)
    assert "repair_duplicates.py" in said[0]
    assert wrong(db) == {"payments.payment_number_unique": "not unique"}
    assert find_unprotected(db) == []
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(a_payment(1))


@pytest.mark.parametrize(
    ("keys", "options", "state"),
    [
        (["payment_number", "tenant"], {"name": "payment_number_unique"}, "on other fields"),
        (["tenant"], {"name": "payment_number_unique"}, "on other fields"),
        (["tenant", "payment_number"], {"name": "payment_number_unique", "sparse": True}, "on other fields"),
        (
            ["tenant", "payment_number"],
            {"name": "payment_number_unique", "partialFilterExpression": {"status": "recorded"}},
            "on other fields",
        ),
        (["tenant", "payment_number"], {"name": "called_otherwise"}, "in the way"),
    ],
)
@pytest.mark.parametrize("unique", [True, False])
def test_an_index_in_its_place_is_replaced(
    db: Db, keys: list[str], options: dict[str, Any], state: str, unique: bool
) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index([(key, 1) for key in keys], unique=unique, **options)
    assert state in wrong(db).values()
    apply(db)
    assert wrong(db) == {}
    assert not [name for name in db.payments.index_information() if "migrating" in name or "called" in name]


def test_replacing_a_unique_index_leaves_no_unprotected_moment(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index(KEYS, name="called_otherwise", unique=True)
    payment = a_payment(1)
    db.payments.insert_many([payment, *[a_payment(n) for n in range(2, 3000)]])
    with nothing_gets_through(db, payment):
        apply(db)
    assert wrong(db) == {}


def test_replacing_under_its_own_name_leaves_no_unprotected_moment(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index(KEYS[::-1], name="payment_number_unique", unique=True)
    payment = a_payment(1)
    db.payments.insert_many([payment, *[a_payment(n) for n in range(2, 3000)]])
    with nothing_gets_through(db, payment):
        apply(db)
    assert wrong(db) == {}


def test_a_unique_index_on_fewer_fields_goes_once_the_right_one_stands(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index("payment_number", name="paymentNumber_1", unique=True)
    assert wrong(db) == {
        "payments.payment_number_unique": "missing",
        "payments.paymentNumber_1": "in the way",
    }
    said = apply(db)
    assert said == ["built payments.payment_number_unique, unique", "dropped payments.paymentNumber_1"]
    db.payments.insert_many([a_payment(1), a_payment(1, tenant="zeta")])


def test_somebodys_own_indexes_are_left_alone(db: Db) -> None:
    db.payments.create_index("metadata.order", unique=True, sparse=True, name="their_own")
    db.payments.create_index("paid_on", name="their_other")
    assert wrong(db) == {}


def test_a_stand_in_that_a_killed_run_left_is_dropped(db: Db) -> None:
    index = next(index for index in INDEXES if index.name == "payment_number_unique")
    db.payments.create_indexes([indexes._stand_in(index).as_model()])
    assert wrong(db) == {"payments.payment_number_unique_migrating": "in the way"}
    apply(db)
    assert wrong(db) == {}
