"""The commands of docs/operations.md, run as they stand there, and what the page says comes out of them.

`mongodump` and `mongorestore` are not on every machine: what they do is done through the driver.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.indexes import INDEXES
from tests.clients import NOVEMBER, Client
from tests.customers import six_tables
from tests.databases import new_name
from tests.maintenance.conftest import a_payment
from tests.older_systems import everything_in, mongoose_application, mongoose_payment, shop_system
from tests.scripts import pages
from tests.scripts.pages import Ran

PAGE = "operations.md"
Paste = Callable[..., Ran]


def commands_of(*headings: str) -> list[str]:
    return pages.commands_of(PAGE, *headings)


@pytest.fixture
def old(db: Db) -> Iterator[Db]:
    """The database of an older system."""
    database = db.client[new_name()]
    yield database
    db.client.drop_database(database.name)


@pytest.fixture
def paste(db: Db, old: Db, mongodb_uri: str, tmp_path: Path) -> Paste:
    """`paste(block, RUN="…")` runs a block with `old` in the place of any older system, `db` as our database."""
    files = ("plan.jsonl", "sequencefacture.csv", "master.csv")
    names = {name: str(tmp_path / name) for name in files}
    names['"audit-$(date +%F).json"'] = str(tmp_path / "audit.json")
    names |= {"/var/lib/node_exporter/finance.prom": str(tmp_path / "finance.prom"), "finance": db.name}
    names |= dict.fromkeys(("finance_suite", "finance_copy", "boutique", "kyc"), old.name)

    def run(block: str, **more: str) -> Ran:
        return pages.run(block, mongodb_uri, names | more, database="finance")

    return run


WHOSE = "Whose database is this?"


def test_anothers_is_named_and_left_and_ours_gets_a_name_of_its_own(db: Db, old: Db, paste: Paste) -> None:
    mongoose_application(old)
    before = everything_in(old)
    look, make_ours, *_ = commands_of(WHOSE)

    looked = paste(look)

    assert looked.codes == [2]
    assert "Whose documents: another software's: payments holds documents without our" in looked.output
    assert "payments has the unique index paymentNumber_1 on paymentNumber" in looked.in_one_line
    assert Client(old).app.test_client().get("/readyz").json["code"] == "database_not_ours"
    assert everything_in(old) == before
    for collection in db.list_collection_names():
        db.drop_collection(collection)
    assert paste(make_ours).codes == [0, 0]
    assert paste(look, finance_suite=db.name).codes == [0]
    assert Client(db).pay("1").status_code == 201


def test_collections_of_other_names_are_named(old: Db, paste: Paste) -> None:
    shop_system(old)
    (look, *_) = commands_of(WHOSE)
    assert "nothing of ours is here yet; it holds factures, sequencefactures" in paste(look).in_one_line


def test_what_an_earlier_version_built_is_taken_off_and_the_application_goes_on(old: Db, paste: Paste) -> None:
    mongoose_application(old, payments=1)
    ours = next(index for index in INDEXES if index.name == "payment_number_unique")
    old.payments.create_index(ours.keys, name=ours.name, unique=True)
    with pytest.raises(DuplicateKeyError, match=re.escape("dup key: { tenant: null, payment_number: null }")):
        old.payments.insert_one(mongoose_payment(2))
    _look, _make_ours, withdraw = commands_of(WHOSE)

    assert paste(withdraw).codes == [1, 0]

    old.payments.insert_one(mongoose_payment(2))
    assert set(old.payments.index_information()) == {"_id_", "paymentNumber_1"}


def test_a_unique_index_of_ones_own_counts_as_anothers_unless_it_begins_with_the_tenant(db: Db, paste: Paste) -> None:
    (look, *_) = commands_of(WHOSE)
    db.payments.create_index(["tenant", "reference", "payer"], unique=True)
    assert paste(look, finance_suite=db.name).codes == [0]
    db.payments.create_index("payment_number", unique=True)
    assert paste(look, finance_suite=db.name).codes == [0]
    migrate = commands_of(OURS, "Look, then repair")[1].splitlines()[0]
    assert paste(migrate).codes == [0]
    assert "payment_number_1" not in db.payments.index_information()
    db.payments.create_index("reference", unique=True)
    assert paste(look, finance_suite=db.name).codes == [2]
    assert Client(db).app.test_client().get("/readyz").json["code"] == "database_not_ours"


MONGOOSE = "The Mongoose application"


@pytest.fixture
def doubled(old: Db) -> Db:
    """Its unique index was never built, and PAY20260006 was given three times."""
    mongoose_application(old)
    old.payments.drop_index("paymentNumber_1")
    old.payments.insert_many([mongoose_payment(6), mongoose_payment(6)])
    return old


def test_a_look_names_the_options_and_changes_nothing(doubled: Db, paste: Paste, tmp_path: Path) -> None:
    before = everything_in(doubled)
    first, look = commands_of(MONGOOSE, "2. Look")

    proposed, looked = paste(first), paste(look)

    assert proposed.codes == [2]
    assert "--collection payments --number-field paymentNumber --created-field createdAt" in proposed.output
    assert "2 documents have another's number in the whole collection" in proposed.output
    assert looked.codes == [1, 1]
    assert "paymentNumber: 100 % of 32 documents" in looked.output
    assert "1 duplicate groups, 2 documents to renumber" in looked.output
    assert len((tmp_path / "plan.jsonl").read_text().splitlines()) == 2
    assert everything_in(doubled) == before


def test_numbers_that_begin_anew_for_each_user_are_looked_at_within_the_user(old: Db, paste: Paste) -> None:
    users = mongoose_application(old, payments=0)
    old.payments.drop_index("paymentNumber_1")
    old.payments.insert_many([mongoose_payment(number, user=user) for user in users for number in range(1, 11)])
    first, look = commands_of(MONGOOSE, "2. Look")

    assert "--created-field createdAt --scope user" in paste(first).output
    assert paste(look).codes == [1, 1]
    in_scope = look.replace("--number-field paymentNumber", "--number-field paymentNumber --scope user")
    assert paste(in_scope).codes == [0, 0]


def test_a_repair_leaves_unique_numbers_and_is_taken_back(doubled: Db, paste: Paste) -> None:
    before = doubled.payments.distinct("paymentNumber", {"previous_numbers": None})
    repair, undo = commands_of(MONGOOSE, "3. Repair its duplicates, if it stays")

    repaired = paste(repair)

    assert repaired.codes == [0, 0]
    assert "is unique (read back from the server)" in repaired.output
    numbers = [payment["paymentNumber"] for payment in doubled.payments.find()]
    assert sorted(numbers) == sorted({*before, "PAY20260031", "PAY20260032"})
    (run,) = doubled.number_repairs.distinct("_id")
    assert f"2 can be undone: --undo {run}" in repaired.output
    assert paste(undo, RUN=run).codes == [1, 0]
    assert doubled.payments.count_documents({"paymentNumber": "PAY20260006"}) == 3
    written = {"payments", "counters", "number_gaps", "number_repairs", "number_repair_changes"}
    assert set(doubled.list_collection_names()) <= written | {"maintenance_leases"}


SHOP_SYSTEM = "The shop system"


def test_the_numbers_of_a_table_go_on_here(db: Db, paste: Paste, tmp_path: Path) -> None:
    table = "boutique_id,annee,mois,dernier_numero\n6,2026,10,57\n7,2026,11,3\n"
    (tmp_path / "sequencefacture.csv").write_text(table)
    look, apply = commands_of(SHOP_SYSTEM, "From a table that MySQL wrote")

    looked = paste(look)
    nameless = paste(look.replace(",7=abj", ""))

    assert looked.codes == [0, 1]
    assert "invoice:acme:DKR1:2026-10 would go on after 57" in looked.output
    assert (nameless.codes, "what is it called here?" in nameless.output) == ([0, 2], True)
    assert db.counters.count_documents({}) == 0
    applied = paste(apply)
    assert (applied.codes, "60 issued_by_older_system" in applied.output) == ([0, 0], True)
    app = Client(db, now=NOVEMBER)
    app.put_shop("dkr1")
    assert app.issue("dkr1", issued_on="2026-10-31").json["invoice_number"] == "FAC-DKR1-202610-0058"
    assert app.get("/shops/dkr1/sequences").json["data"][0]["taken_over"] == 57


def test_the_numbers_of_a_collection_go_on_here_and_it_is_only_read(db: Db, old: Db, paste: Paste) -> None:
    shop_system(old)
    before = everything_in(old)
    (block,) = commands_of(SHOP_SYSTEM, "From a collection")

    assert paste(block).codes == [1, 0]

    assert everything_in(old) == before
    assert {counter["_id"]: counter["seq"] for counter in db.counters.find()} == {
        "invoice:acme:DKR1:2026-10": 57,
        "invoice:acme:ABJ:2026-11": 3,
    }
    old.sequencefactures.update_one({"boutique_id": 7}, {"$set": {"dernier_numero": 5}})
    assert paste(block).codes == [1, 0]
    assert db.counters.find_one({"_id": "invoice:acme:ABJ:2026-11"})["seq"] == 5


def test_the_wrong_index_gives_way_to_the_right_one(old: Db, paste: Paste) -> None:
    shop_system(old)
    second_month = {"boutique_id": 6, "annee": 2026, "mois": 11, "dernier_numero": 1}
    with pytest.raises(DuplicateKeyError):
        old.sequencefactures.insert_one(dict(second_month))
    (block,) = commands_of(SHOP_SYSTEM, "Its wrong index, if it stays")

    assert paste(block).codes == [1, 0]

    old.sequencefactures.insert_one(dict(second_month))
    with pytest.raises(DuplicateKeyError):
        old.sequencefactures.insert_one(dict(second_month))
    assert old.sequencefactures.find_one({"boutique_id": 6, "mois": 10})["dernier_numero"] == 59


CUSTOMERS = "The customer master"


def test_its_customers_are_taken_over_with_their_codes(db: Db, paste: Paste, tmp_path: Path) -> None:
    six_tables.export(tmp_path / "master.csv")
    import_, _repair = commands_of(CUSTOMERS)

    ran = paste(import_)

    assert ran.codes == [0, 1, 1, 0], "one customer has more accounts than the SELECT has columns"
    assert "banking.count is 3 and the row has 2" in ran.output
    assert sorted(db.customers.distinct("customer_code")) == ["CUST-301819", "CUST-301820"]
    assert paste(import_).codes == [0, 1, 1, 0]
    assert db.customers.count_documents({}) == 2


def test_codes_that_stand_twice_are_repaired_there(old: Db, paste: Paste) -> None:
    old.legacy_customers.insert_many([{"tenantId": "acme", "customerCode": "CUST-301819"} for _ in range(2)])
    _import, repair = commands_of(CUSTOMERS)

    assert paste(repair).codes == [1, 0]

    assert sorted(old.legacy_customers.distinct("customerCode")) == ["CUST-301819", "CUST-301820"]


RESTORE = "After a restore"


def test_nothing_is_given_twice_and_what_is_lost_is_recorded(db: Db, paste: Paste) -> None:
    db.payments.insert_many([a_payment(number) for number in range(1, 7)])
    db.counters.insert_one({"_id": "payment:acme:2026", "seq": 4})
    db.payments.drop_index("payment_number_order")
    (follow,) = commands_of(RESTORE, "3. Let the indexes stand, and counters follow their data")
    (record,) = commands_of(RESTORE, "5. Record what is lost")
    (keys,) = commands_of(RESTORE, "6. Revoke again")

    followed = paste(follow)
    _raise_counters(db)
    recorded = paste(record)

    assert followed.codes == [0, 0]
    assert "Counter payment:acme:2026 raised from 4 to 6." in followed.output
    assert "payment_number_order" in db.payments.index_information()
    assert (recorded.codes, "newly lost" in recorded.output) == ([1, 0], True)
    assert db.number_gaps.count_documents({"kind": "payment", "reason": "lost"}) == 20_500 - 6
    client = Client(db)
    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY202620501"
    listed = paste(keys)
    assert (listed.codes, "acme" in listed.output) == ([0], True)


def _raise_counters(db: Db) -> None:
    """Do what the lines for `mongosh` say: JSON, but for names without quotes and NumberLong."""
    (block,) = commands_of("After a restore", "4. Raise the counters to the numbers that are known elsewhere")
    for line in block.splitlines():
        arguments = re.sub(r"NumberLong\((\d+)\)", r"\1", line.strip().removeprefix("db.counters.updateOne")[1:-1])
        condition, change, options = json.loads(re.sub(r"([{ ])([$\w]+):", r'\1"\2":', f"[{arguments}]"))
        db.counters.update_one(condition, change, **options)


NIGHTLY = "The nightly check"


def test_what_is_newly_lost_rings_once_and_is_told_to_prometheus(db: Db, paste: Paste, tmp_path: Path) -> None:
    (check,) = commands_of(NIGHTLY)
    db.payments.insert_many([a_payment(number) for number in (1, 2, 9)])
    db.counters.insert_one({"_id": "payment:acme:2026", "seq": 9})

    assert paste(check).codes == [1]
    told = json.loads((tmp_path / "audit.json").read_text())
    assert told["failures"] == ["6 numbers newly lost"]
    assert told["series"][0]["newly_lost_ranges"] == [[3, 8]]
    assert 'finance_audit_passed{database="' + db.name + '"} 0.0' in (tmp_path / "finance.prom").read_text()
    assert paste(check).codes == [0]
    assert 'finance_audit_passed{database="' + db.name + '"} 1.0' in (tmp_path / "finance.prom").read_text()
    assert db.number_gaps.distinct("reason") == ["lost"]


@pytest.mark.parametrize(("tolerated", "code"), [("--max-lost 5", 1), ("--max-lost 6", 0)])
def test_some_are_tolerated(db: Db, paste: Paste, tolerated: str, code: int) -> None:
    (check,) = commands_of(NIGHTLY)
    db.payments.insert_many([a_payment(number) for number in (1, 2, 9)])
    db.counters.insert_one({"_id": "payment:acme:2026", "seq": 9})
    assert paste(check.replace(" >", f" {tolerated} >")).codes == [code]


def test_where_it_could_not_look_it_ends_with_2_and_writes_no_metrics(old: Db, paste: Paste, tmp_path: Path) -> None:
    mongoose_application(old)
    (check,) = commands_of(NIGHTLY)
    assert paste(check, finance=old.name).codes == [2]
    assert not (tmp_path / "finance.prom").exists()


OURS = "Our own database, after an older version"


def test_it_is_looked_at_repaired_and_taken_back(db: Db, paste: Paste, tmp_path: Path) -> None:
    db.payments.drop_index("payment_number_unique")
    db.payments.insert_many([a_payment(1), a_payment(1), a_payment(4)])
    before = everything_in(db)
    look, repair = commands_of(OURS, "Look, then repair")
    (undo,) = commands_of(OURS, "Take a repair back")

    assert paste(look).codes == [1, 1, 1]
    assert everything_in(db) == before
    assert len((tmp_path / "plan.jsonl").read_text().splitlines()) == 1

    assert paste(repair).codes == [1, 0, 1]
    assert paste(repair).codes == [0, 0, 0]
    assert sorted(db.payments.distinct("payment_number")) == ["PAY20260001", "PAY20260004", "PAY20260005"]
    moved = db.payments.find_one({"previous_numbers": "PAY20260001"})["payment_number"]
    (run,) = db.number_repairs.distinct("_id", {"result.renumbered": 1})

    assert paste(undo, RUN=run).codes == [0, 1, 0]
    assert db.payments.count_documents({"payment_number": "PAY20260001"}) == 2
    assert db.number_gaps.find_one({"number": moved})["reason"] == "repair_undone"
    assert "payment_number_unique_undone" in db.payments.index_information()
    ready = Client(db).app.test_client().get("/readyz")
    assert ready.status_code == 200
