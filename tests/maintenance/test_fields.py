"""What the options of a foreign collection may name, and which of them its documents and indexes propose."""

from typing import Any

import pytest
from bson import ObjectId

from finance.database import Db, require_ours
from finance.maintenance import fields
from finance.maintenance.fields import FieldUnknown
from finance.ownership import DatabaseNotOurs
from tests.maintenance.conftest import Run, a_payment
from tests.older_systems import everything_in, mongoose_payment

NAMED = {"--collection": "old", "--number-field": "paymentNumber", "--scope": "user", "--created-field": "createdAt"}


@pytest.fixture
def old(db: Db) -> Db:
    """Payments of three users who share numbers as they may, three of which stand twice with one user."""
    users = [ObjectId() for _ in range(3)]
    db.old.insert_many([mongoose_payment(n, user=user) for user in users for n in range(1, 21)])
    db.old.insert_many([mongoose_payment(n, user=users[0]) for n in (3, 4, 5)])
    db.old.update_one({"user": users[1]}, {"$unset": {"paymentDate": ""}})
    return db


def test_how_many_documents_have_each_field_is_printed(run: Run, old: Db) -> None:
    _code, output = run("repair_duplicates.py", *_options(NAMED))

    assert "paymentNumber: 100 %, user: 100 % of 63 documents" in output
    assert fields.coverage(old, "old", ["paymentDate", "user", "nothing"]).in_words() == (
        "paymentDate: 98.4 %, user: 100 %, nothing: 0 % of 63 documents"
    )


@pytest.mark.parametrize("apply", [[], ["--apply"]])
@pytest.mark.parametrize(
    ("option", "mistyped", "meant"),
    [
        ("--collection", "olds", "old"),
        ("--number-field", "paymentNumbr", "paymentNumber"),
        ("--scope", "usr", "user"),
        ("--created-field", "createdAtt", "createdAt"),
    ],
)
def test_a_mistyped_option_is_refused_and_nothing_is_changed(
    run: Run, old: Db, option: str, mistyped: str, meant: str, apply: list[str]
) -> None:
    before = everything_in(old)

    code, output = run("repair_duplicates.py", *_options({**NAMED, option: mistyped}), *apply)

    assert code == 2
    assert f"{option} {mistyped}: " in output
    assert f"did you mean {meant}?" in output
    assert everything_in(old) == before


def test_the_options_for_documents_that_are_not_ours_are_proposed_by_the_data(run: Run, old: Db) -> None:
    old.payments.drop()
    old.old.aggregate([{"$out": "payments"}])
    before = everything_in(old)

    for apply in ([], ["--apply"]):
        code, output = run("repair_duplicates.py", *apply)

        assert code == 2
        whole = "--collection payments --number-field paymentNumber --created-field createdAt"
        assert f"fields, whichever is meant:\n  {whole} --scope user\n  {whole}\n" in output
        assert "the data say: 43 documents have another's number in the whole collection" in output
        assert "the data say: 3 documents have another's number within user" in output
        assert "another software's" in output
        assert everything_in(old) == before


def test_an_audit_proposes_its_own_options_too(run: Run, old: Db) -> None:
    old.payments.drop()
    old.old.aggregate([{"$out": "payments"}])

    for apply in ([], ["--record-gaps"]):
        code, output = run("audit_numbers.py", *apply)

        assert (code, "--collection payments --number-field paymentNumber --scope user\n" in output) == (2, True)
        assert "--created-field" not in output


@pytest.mark.parametrize("lost", [["tenant"], ["tenant", "payment_number"]])
def test_our_own_fields_are_never_proposed(run: Run, db: Db, lost: list[str]) -> None:
    keyed = [a_payment(n, idempotency_key=f"order-{n}") for n in range(1, 30)]
    db.payments.insert_many(keyed)
    db.payments.update_one({"_id": keyed[3]["_id"]}, {"$unset": dict.fromkeys(lost, "")})

    code, output = run("repair_duplicates.py")

    assert (code, "--number-field FIELD" in output) == (2, True)


def test_beside_documents_of_ours_the_fields_of_the_others_are_proposed(run: Run, db: Db) -> None:
    db.payments.insert_many([a_payment(n, idempotency_key=f"order-{n}") for n in range(1, 30)])
    db.payments.insert_one(mongoose_payment(1))

    assert "--number-field paymentNumber --created-field createdAt\n" in run("repair_duplicates.py")[1]


@pytest.mark.parametrize(
    ("unique", "scope", "says"),
    [
        (["paymentNumber"], (), "a unique index says: in the whole collection"),
        (["user", "paymentNumber"], ("user",), "a unique index says: within user"),
    ],
)
def test_a_unique_index_says_what_numbers_are_unique_within(
    db: Db, unique: list[str], scope: tuple[str, ...], says: str
) -> None:
    user = ObjectId()
    db.theirs.create_index([(field, 1) for field in unique], unique=True)
    db.theirs.insert_many([mongoose_payment(n, user=user) for n in range(1, 30)])

    proposed = fields.propose(db, "theirs")

    assert proposed is not None
    assert (proposed.scopes, proposed.why[0]) == ((scope,), says)


def test_a_field_that_is_a_document_s_own_is_no_scope(db: Db) -> None:
    payments = [mongoose_payment(1 + n % 20, user=ObjectId(), transaction=ObjectId()) for n in range(40)]
    db.theirs.insert_many(payments)

    proposed = fields.propose(db, "theirs")

    assert proposed is not None
    assert proposed.options() == ["--number-field paymentNumber --created-field createdAt"]


@pytest.mark.parametrize("document", [{"amount": 5}, {"paymentNumber": 7}, {}])
def test_documents_without_a_number_propose_no_field_and_are_refused_all_the_same(
    run: Run, db: Db, document: dict[str, Any]
) -> None:
    db.payments.drop()
    db.payments.insert_one(document)

    code, output = run("repair_duplicates.py", "--apply")

    assert (code, "--number-field FIELD" in output) == (2, True)
    with pytest.raises(DatabaseNotOurs):
        require_ours(db)


def test_without_a_time_of_creation_that_of_the_id_is_proposed(db: Db) -> None:
    db.theirs.insert_many([{"no": f"A-{n:04d}"} for n in range(5)])

    proposed = fields.propose(db, "theirs")

    assert proposed is not None
    assert proposed.options() == ["--number-field no --created-field _id"]
    with pytest.raises(FieldUnknown, match="it has no"):
        fields.require_fields(db, "theirs", by_option={"--scope": ["zzz"]})


def _options(named: dict[str, str]) -> list[str]:
    return [part for option, value in named.items() for part in (option, value)]
