"""What is found, who keeps the number, and why. On a real mongod: equality and order are MongoDB's."""

from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from finance.database import Db
from finance.maintenance.duplicates import Group, find_groups, find_walk_index, plan
from finance.maintenance.kinds import KINDS
from finance.maintenance.target import Target, foreign, ours
from tests.maintenance.conftest import NOW, a_payment

PAYMENTS = KINDS[0]


@pytest.fixture
def payments(db: Db) -> Target:
    """Our payments without the unique index, as another software may have left them."""
    db.payments.drop_index("payment_number_unique")
    db.payments.create_index([("tenant", 1), ("payment_number", 1)])
    return ours(db, PAYMENTS)


def legacy(db: Db, documents: list[dict[str, Any]], *, scope: tuple[str, ...] = ("user",)) -> Target:
    db.old.insert_many(documents)
    return foreign(db, collection="old", number_field="paymentNumber", scope_fields=scope, created_field="createdAt")


def losers(target: Target, **options: Any) -> list[Any]:
    return [p.document_id for p in plan(target, find_groups(target), keep=options.get("keep", "oldest"))]


def test_neighbours_of_one_tenant_with_one_number_are_a_group(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(n) for n in (1, 2, 2, 2, 3)] + [a_payment(2, tenant="zeta")])
    assert list(find_groups(payments)) == [Group(("acme",), "PAY20260002", 3)]


def test_a_group_at_the_end_is_found(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(1), a_payment(2), a_payment(2)])
    assert list(find_groups(payments)) == [Group(("acme",), "PAY20260002", 2)]


def test_nothing_is_no_group(db: Db, payments: Target) -> None:
    assert list(find_groups(payments)) == []


def test_the_oldest_keeps_the_number_or_the_newest(db: Db, payments: Target) -> None:
    old, middle, new = (a_payment(1, age_s=age_s) for age_s in (300, 200, 100))
    db.payments.insert_many([middle, new, old])
    assert losers(payments) == [middle["_id"], new["_id"]]
    assert losers(payments, keep="newest") == [middle["_id"], old["_id"]]


def test_equal_creation_times_are_broken_by_id(db: Db, payments: Target) -> None:
    first, second = a_payment(1), a_payment(1)
    db.payments.insert_many([second, first])
    (planned,) = plan(payments, find_groups(payments), keep="oldest")
    assert (planned.document_id, planned.kept_id) == (second["_id"], first["_id"])
    assert "same time" in planned.why


def test_a_voided_one_gives_way_to_a_recorded_one(db: Db, payments: Target) -> None:
    voided, recorded = a_payment(1, age_s=900, status="voided"), a_payment(1, age_s=100)
    db.payments.insert_many([voided, recorded])
    (planned,) = plan(payments, find_groups(payments), keep="oldest")
    assert planned.document_id == voided["_id"]
    assert "voided" in planned.why


def test_an_unknown_creation_time_gives_way_and_an_id_tells_its_own(db: Db) -> None:
    unknown, by_id, dated = "text", ObjectId.from_datetime(NOW), ObjectId()
    number = {"user": 1, "paymentNumber": "PAY20260001"}
    target = legacy(
        db,
        [{"_id": unknown, **number}, {"_id": by_id, **number}, {"_id": dated, **number, "createdAt": "2020-01-01"}],
    )
    assert losers(target) == [by_id, unknown]


def test_ids_of_any_type_and_missing_scopes_are_planned(db: Db) -> None:
    ids = [1, "1", 2.5, ObjectId(), {"a": 1}, b"raw", NOW]
    target = legacy(db, [{"_id": id_, "paymentNumber": "PAY20260001"} for id_ in ids])
    assert len(losers(target)) == len(ids) - 1


def test_equality_is_that_of_an_index(db: Db) -> None:
    one = [1, 1.0, Int64(1), Decimal128("1")]
    target = legacy(db, [{"user": user, "paymentNumber": "A1"} for user in [*one, True]])
    assert [group.documents for group in find_groups(target)] == [4]


def test_documents_without_a_number_are_no_duplicates_elsewhere(db: Db) -> None:
    target = legacy(db, [{"user": 1}, {"user": 1}, {"user": 1, "paymentNumber": None}])
    assert list(find_groups(target)) == []


@pytest.mark.parametrize("number", [20260006, "Überweisung", "PAY1767225600123", ["PAY20260001"]])
def test_numbers_of_other_shapes_are_listed_and_left(db: Db, number: Any) -> None:
    target = legacy(db, [{"user": 1, "paymentNumber": number} for _ in range(2)])
    (planned,) = plan(target, find_groups(target), keep="oldest")
    assert planned.series is None
    assert planned.obstacle


def test_the_walk_reads_the_index_only(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(n) for n in range(1, 100)])
    db.command("profile", 2)
    assert list(find_groups(payments)) == []
    db.command("profile", 0)
    (walk,) = db.system.profile.find({"ns": f"{db.name}.payments", "op": "query"})
    assert (walk["docsExamined"], walk.get("hasSortStage", False)) == (0, False)


@pytest.mark.parametrize(
    ("keys", "options", "serves"),
    [
        (["user", "paymentNumber"], {}, True),
        (["paymentNumber", "user"], {}, True),
        (["user", "paymentNumber", "createdAt"], {}, True),
        (["paymentNumber"], {}, False),
        (["user", "paymentNumber"], {"sparse": True}, False),
        (["user", "paymentNumber"], {"partialFilterExpression": {"user": 1}}, False),
        (["user", "paymentNumber"], {"collation": {"locale": "fr"}}, False),
    ],
)
def test_only_an_index_that_shows_every_document_serves(
    db: Db, keys: list[str], options: dict[str, Any], serves: bool
) -> None:
    target = legacy(db, [{"user": 1, "paymentNumber": "A1"}, {"user": 1, "paymentNumber": "A1"}])
    db.old.create_index([(key, 1) for key in keys], name="made", **options)
    assert (find_walk_index(target) == "made") == serves
    assert len(losers(target)) == 1  # found all the same
