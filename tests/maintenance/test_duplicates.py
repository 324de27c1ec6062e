"""Which numbers are found. On a real mongod: equality and order are MongoDB's."""

from typing import Any

import pytest
from bson import Decimal128, Int64

from finance.database import Db
from finance.maintenance import duplicates
from finance.maintenance.duplicates import Group, find_groups, find_walk_index, in_batches, read_members
from finance.maintenance.repair.plan import plan
from finance.maintenance.target import Target
from tests.maintenance.conftest import a_payment, an_older_collection


def test_neighbours_of_one_tenant_with_one_number_are_a_group(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(n) for n in (1, 2, 2, 2, 3)] + [a_payment(2, tenant="zeta")])
    assert list(find_groups(payments)) == [Group(("acme",), "PAY20260002", 3)]


def test_a_group_at_the_end_is_found(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(1), a_payment(2), a_payment(2)])
    assert list(find_groups(payments)) == [Group(("acme",), "PAY20260002", 2)]


def test_nothing_is_no_group(db: Db, payments: Target) -> None:
    assert list(find_groups(payments)) == []


def test_equality_is_that_of_an_index(db: Db) -> None:
    one = [1, 1.0, Int64(1), Decimal128("1")]
    target = an_older_collection(db, [{"user": user, "paymentNumber": "A1"} for user in [*one, True]])
    assert [group.documents for group in find_groups(target)] == [4]


def test_documents_without_a_number_are_no_duplicates_elsewhere(db: Db) -> None:
    target = an_older_collection(db, [{"user": 1}, {"user": 1}, {"user": 1, "paymentNumber": None}])
    assert list(find_groups(target)) == []


def test_the_walk_reads_the_index_only(db: Db, payments: Target) -> None:
    db.payments.insert_many([a_payment(n) for n in range(1, 100)])
    db.command("profile", 2)
    assert list(find_groups(payments)) == []
    db.command("profile", 0)
    (walk,) = db.system.profile.find({"ns": f"{db.name}.payments", "op": "query"})
    assert (walk["docsExamined"], walk.get("hasSortStage", False)) == (0, False)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_list_that_holds_the_number_does_not_part_those_that_carry_it(db: Db, indexed: bool) -> None:
    """An index has the list in the order of its members, and sorting has so too."""
    numbers: list[Any] = ["A1", ["A1"], "A1", ["A1", "A2"], "A2"]
    target = an_older_collection(db, [{"user": 7, "paymentNumber": number} for number in numbers])
    if indexed:
        db.old.create_index([("user", 1), ("paymentNumber", 1)])
    groups = list(find_groups(target))
    assert [(group.number, group.documents) for group in groups] == [("A1", 2)]
    assert [planned.number for planned in plan(target, groups, keep="oldest")] == ["A1"]


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
    target = an_older_collection(db, [{"user": 1, "paymentNumber": "A1"}, {"user": 1, "paymentNumber": "A1"}])
    db.old.create_index([(key, 1) for key in keys], name="made", **options)
    assert (find_walk_index(target) == "made") == serves
    (group,) = find_groups(target)  # found all the same
    assert group.ids is None if serves else len(group.ids or ()) == 2
    assert len(list(read_members(target, [group], []))) == 2


@pytest.mark.parametrize("indexed", [True, False])
def test_members_are_read_by_an_index_and_never_planned_branch_by_branch(
    db: Db, payments: Target, indexed: bool
) -> None:
    if not indexed:
        db.payments.drop_index([("tenant", 1), ("payment_number", 1)])
    db.payments.insert_many([a_payment(n // 2, tenant=tenant) for n in range(200) for tenant in ("a", "b")])
    (batch,) = in_batches(find_groups(payments))
    db.command("profile", 2)
    assert len(list(read_members(payments, batch, []))) == 400
    db.command("profile", 0)
    reads = list(db.system.profile.find({"ns": f"{db.name}.payments", "docsExamined": {"$exists": True}}))
    assert sum(read["docsExamined"] for read in reads) == 400
    assert not [read for read in reads if "COLLSCAN" in read.get("planSummary", "") or read.get("fromMultiPlanner")]


def test_a_group_of_very_many_is_read_alone_and_its_ids_are_not_kept(
    db: Db, payments: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.payments.drop_index([("tenant", 1), ("payment_number", 1)])
    monkeypatch.setattr(duplicates, "MEMBERS_BATCH", 3)
    db.payments.insert_many([a_payment(n) for n in (1, 1, 2, 2, 2, 2, 3, 3, 4, 4)])
    batches = list(in_batches(find_groups(payments)))
    assert [[group.documents for group in batch] for batch in batches] == [[2], [4], [2], [2]]
    assert [len(list(read_members(payments, batch, []))) for batch in batches] == [2, 4, 2, 2]
    assert batches[1][0].ids is None
