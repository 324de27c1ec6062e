"""The indexes: built once, found again, and what happens over data that already breaks them."""

from collections.abc import Callable

import pytest
from pymongo.errors import DuplicateKeyError

from finance import database
from finance.config import Config, ConfigError
from finance.database import Db, IndexesMissing
from finance.indexes import INDEXES


def test_all_indexes_stand_and_building_them_again_changes_nothing(db: Db) -> None:
    before = {name: db[name].index_information() for name in {index.collection for index in INDEXES}}

    database.create_indexes(db)

    after = {name: db[name].index_information() for name in before}
    assert after == before
    for index in INDEXES:
        standing = after[index.collection][index.name]
        assert list(standing["key"]) == list(index.keys)
        assert bool(standing.get("unique")) == index.unique
    assert database.find_unprotected(db) == []


def test_every_unique_index_begins_with_the_tenant_so_that_it_can_be_the_shard_key() -> None:
    key_vault = "encryption_keys"  # MongoDB's own form, with one small document a tenant
    assert {i.keys[0] for i in INDEXES if i.unique and i.collection != key_vault} == {("tenant", 1)}


def test_a_missing_or_plain_index_does_not_protect(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    assert database.find_unprotected(db) == ["payments.payment_number_unique"]

    db.payments.create_index([("tenant", 1), ("payment_number", 1)], name="payment_number_unique")
    assert database.find_unprotected(db) == ["payments.payment_number_unique"]
    with pytest.raises(IndexesMissing, match="migrate_indexes"):
        database.create_indexes(db)


def test_over_old_duplicates_new_ones_are_refused_at_once(db: Db) -> None:
    db.payments.drop_index("payment_number_unique")
    duplicate = {"tenant": "acme", "payment_number": "PAY20260006"}
    db.payments.insert_many([dict(duplicate), dict(duplicate)])

    database.create_indexes(db)
    database.create_indexes(db)  # as the next start does

    assert database.find_unprotected(db) == []
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one(dict(duplicate))
    assert db.payments.count_documents({}) == 2


def test_many_documents_without_an_optional_key_do_not_collide(db: Db) -> None:
    db.payments.insert_many([{"tenant": "acme", "payment_number": f"PAY{n}", "number_seq": n} for n in range(3)])

    db.payments.insert_one({"tenant": "acme", "payment_number": "PAY7", "idempotency_key": "k"})
    with pytest.raises(DuplicateKeyError):
        db.payments.insert_one({"tenant": "acme", "payment_number": "PAY8", "idempotency_key": "k"})


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:s3/cret@db.example/",
        "mongodb://user:s3cret",
        "mongodb://user:s3:cret@db.example/",
        "mongodb://user:s3%cret@db.example/",
        "mongodb://user:12/s3cret/@db.example",
        "mongodb://user:s3cret@db.example:65536/",
        "mongodb://user:s3cret@db.example/?replicaSet",
        "mongodb+srv://user:s3/cret@db.example/",
    ],
)
@pytest.mark.parametrize("read", [database.require_readable, database.connect])
def test_a_uri_that_cannot_be_read_is_told_without_the_password(read: Callable[[Config], object], uri: str) -> None:
    with pytest.raises(ConfigError, match=r"^MONGODB_URI_FILE can't be read: .*%2F") as refused:
        read(Config(mongodb_uri=uri, mongodb_uri_setting="MONGODB_URI_FILE"))

    assert "cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_certificate_that_is_not_there_is_named() -> None:
    uri = "mongodb://user:s3cret@db.example/?tls=true&tlsCAFile=/no/such/ca.pem"

    with pytest.raises(ConfigError, match=r"^MONGODB_URI names a file that can't be read: /no/such/ca\.pem"):
        database.require_readable(Config(mongodb_uri=uri))


def test_a_uri_is_readable_whether_or_not_its_server_is_there() -> None:
    for uri in ("mongodb://user:s%2Fcret@127.0.0.1:1/?replicaSet=name", "mongodb+srv://user:s@no.such.example/"):
        database.require_readable(Config(mongodb_uri=uri))
