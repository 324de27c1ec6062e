"""Another software's documents and unique indexes are found before anything of ours is built beside them."""

from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId

from finance import database
from finance.config import Config
from finance.database import Db
from finance.indexes import INDEXES
from finance.ownership import OUR_FIELDS, DatabaseNotOurs, not_ours
from tests.commands import Commands
from tests.databases import new_name
from tests.older_systems import everything_in, mongoose_application, mongoose_payment


@pytest.fixture
def theirs(mongodb_uri: str) -> Iterator[Db]:
    """A database without anything of ours."""
    db = database.connect(Config(mongodb_uri=mongodb_uri, database_name=new_name()))
    yield db
    db.client.drop_database(db.name)
    db.client.close()


@pytest.mark.parametrize("build", [database.create_indexes, database.protect, database.require_ours])
def test_beside_the_documents_of_a_mongoose_application_nothing_is_built(theirs: Db, build: Any) -> None:
    mongoose_application(theirs)
    before = everything_in(theirs)

    with pytest.raises(DatabaseNotOurs, match=r"payments holds documents without our tenant.*FINANCE_DATABASE") as why:
        build(theirs)

    assert everything_in(theirs) == before
    assert "paymentNumber_1 on paymentNumber" in str(why.value)
    assert theirs.name in str(why.value)
    theirs.payments.insert_many([mongoose_payment(900), mongoose_payment(901)])


@pytest.mark.parametrize("collection", ["payments", "customers", "invoices", "counters"])
def test_a_unique_index_of_another_software_is_enough_before_its_first_document(theirs: Db, collection: str) -> None:
    theirs[collection].create_index("theirNumber", unique=True)
    before = everything_in(theirs)

    with pytest.raises(DatabaseNotOurs, match=f"{collection} has the unique index theirNumber_1 on theirNumber"):
        database.create_indexes(theirs)

    assert everything_in(theirs) == before


@pytest.mark.parametrize("tenant", [None, ObjectId(), 7, {"name": "acme"}])
def test_a_document_among_ours_that_cant_be_ours_is_found(db: Db, tenant: Any) -> None:
    db.payments.insert_many([{"tenant": "acme", "payment_number": f"PAY{n}", "number_seq": n} for n in range(50)])
    db.payments.insert_one({"tenant": tenant, "paymentNumber": "PAY20260001"})

    with pytest.raises(DatabaseNotOurs):
        database.require_ours(db)


@pytest.mark.parametrize("collection", OUR_FIELDS)
def test_another_software_s_documents_are_found_also_where_its_tenant_is_a_text(theirs: Db, collection: str) -> None:
    theirs[collection].insert_many([mongoose_payment(n, tenant="shop-a", created_by="ana") for n in (1, 2)])
    before = everything_in(theirs)

    with pytest.raises(DatabaseNotOurs, match=f"{collection} holds documents without our {OUR_FIELDS[collection][0]}"):
        database.create_indexes(theirs)

    assert everything_in(theirs) == before


def test_among_ours_too_another_software_s_documents_are_found_where_its_tenant_is_a_text(db: Db) -> None:
    db.payments.insert_many([{"tenant": "acme", "payment_number": f"PAY{n}", "number_seq": n} for n in range(50)])
    db.payments.insert_one(mongoose_payment(1, tenant="acme"))

    with pytest.raises(DatabaseNotOurs, match="payments holds documents without our payment_number"):
        database.require_ours(db)


@pytest.mark.parametrize(("collection", "lost"), [(name, field) for name, all_ in OUR_FIELDS.items() for field in all_])
def test_a_document_of_ours_that_lost_one_field_is_no_other_software_s(db: Db, collection: str, lost: str) -> None:
    whole = dict.fromkeys(OUR_FIELDS[collection], 1)
    del whole[lost]
    db[collection].insert_one({"tenant": "acme", **whole})

    database.require_ours(db)


@pytest.mark.parametrize("fields", [["tenant", "reference"], ["tenant", "paymentNumber"], ["payment_number"]])
def test_what_an_operator_or_an_earlier_version_put_on_our_own_documents_is_no_other_software(
    db: Db, fields: list[str]
) -> None:
    db.payments.insert_one({"tenant": "acme", "payment_number": "PAY1"})
    db.payments.create_index([(field, 1) for field in fields], unique=True)

    database.require_ours(db)


def test_other_collections_of_the_database_are_no_concern(theirs: Db) -> None:
    theirs.users.create_index("email", unique=True)
    theirs.users.insert_one({"email": "ada@example.org"})

    database.create_indexes(theirs)

    assert database.find_unprotected(theirs) == []


def test_the_look_reads_no_documents_of_ours_however_many_there_are(watched: Db, db: Db, commands: Commands) -> None:
    ours = [{"payment_number": f"PAY{n}", "number_seq": n} for n in range(2_000)]
    db.payments.insert_many([{"tenant": ("acme", "zeta")[n % 2], **payment} for n, payment in enumerate(ours)])

    database.require_ours(watched)

    question = {"find": "payments", "filter": not_ours("payments"), "limit": 1}
    read = db.command("explain", question, verbosity="executionStats")["executionStats"]
    assert (read["totalDocsExamined"], read["totalKeysExamined"] < 20) == (0, True)
    assert commands.names.count("listIndexes") <= len({index.collection for index in INDEXES}) + 2
