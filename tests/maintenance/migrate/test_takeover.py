"""The French case, from the wrong unique index to the first invoice here, by the commands that ops run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from finance import database
from finance.config import Config
from finance.database import Db
from finance.maintenance.audit import command as audit_command
from finance.maintenance.kinds import shop_series
from finance.maintenance.migrate import command as migrate_command
from finance.maintenance.migrate import takeover
from tests.clients import NOVEMBER, Client
from tests.commands import Commands
from tests.databases import new_name
from tests.maintenance.conftest import Run
from tests.older_systems import everything_in, mongoose_application

COLLECTION = "sequencefactures"
OPTIONS = ["--collection", COLLECTION, "--wrong", "boutique", "--right", "boutique,annee,mois"]
OPTIONS += ["--keep-max", "dernier_numero", "--take-over", "acme"]


def sequence(boutique: Any, mois: Any, dernier_numero: Any, annee: Any = 2026) -> dict[str, Any]:
    return {"boutique": boutique, "annee": annee, "mois": mois, "dernier_numero": dernier_numero}


@pytest.fixture
def migrate(db: Db, mongodb_uri: str) -> Any:
    def run(*more: str) -> int:
        return migrate_command.main(["--uri", mongodb_uri, "--database", db.name, *OPTIONS, *more])

    return run


@pytest.fixture
def audit(db: Db, mongodb_uri: str, capsys: pytest.CaptureFixture[str]) -> Any:
    def run() -> tuple[int, Any]:
        capsys.readouterr()
        code = audit_command.main(["--uri", mongodb_uri, "--database", db.name, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_second_month_works_and_the_numbers_go_on(db: Db, migrate: Any, audit: Any) -> None:
    old = db[COLLECTION]
    old.create_index("boutique", unique=True)
    old.insert_many([sequence("DKR1", 10, 57), sequence("THIES", 11, 3)])
    with pytest.raises(DuplicateKeyError):  # what the old system died of
        old.insert_one(sequence("DKR1", 11, 1))

    assert migrate() == 1  # only looked
    assert "boutique_1" in old.index_information()
    assert db.counters.count_documents({}) == 0

    assert migrate("--apply") == 0
    assert "boutique_1" not in old.index_information()
    old.insert_one(sequence("DKR1", 11, 12))
    assert migrate("--apply") == 0  # again, when the old system has gone on
    assert {c["_id"]: c["seq"] for c in db.counters.find()} == {
        "invoice:acme:DKR1:2026-10": 57,
        "invoice:acme:DKR1:2026-11": 12,
        "invoice:acme:THIES:2026-11": 3,
    }
    assert audit()[0] == 0

    app = Client(db, now=NOVEMBER)
    app.put_shop("dkr1", timezone="Africa/Dakar", currency="XOF")
    assert app.issue("dkr1").json["invoice_number"] == "FAC-DKR1-202611-0013"
    assert app.issue("dkr1", issued_on="2026-10-31").json["invoice_number"] == "FAC-DKR1-202610-0058"
    sequences = app.call("GET", "/shops/dkr1/sequences").json["data"]
    assert [(s["period"], s["newest_seq"], s["count"], s["taken_over"], s["whole"]) for s in sequences] == [
        ("2026-11", 13, 1, 12, True),
        ("2026-10", 58, 1, 57, True),
    ]
    assert audit()[0] == 0
    assert db.number_gaps.count_documents({"reason": "issued_by_older_system"}) == 57 + 12 + 3


def test_of_several_counts_of_one_month_the_most_advanced_goes_on(db: Db, migrate: Any) -> None:
    db[COLLECTION].insert_many([sequence("DKR1", 11, last) for last in (4, 41.0, 7)])
    assert migrate("--apply") == 0
    assert db.counters.find_one({"_id": "invoice:acme:DKR1:2026-11"})["seq"] == 41
    assert db[f"{COLLECTION}_replaced"].count_documents({}) == 2


def test_what_can_not_be_taken_over_is_named_and_the_rest_is(db: Db, migrate: Any, capsys: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop("dkr1")
    app.issue("dkr1")
    wrong = [sequence("DKR1", 11, 9), sequence("Dakar Plateau", 11, 9), sequence(None, 11, 9)]
    wrong += [sequence("THIES", 13, 9), sequence("THIES", "x", 9), sequence("THIES", 9, -1)]
    db[COLLECTION].insert_many([*wrong, sequence("THIES", "10", "9")])
    assert migrate("--apply") == 1
    assert capsys.readouterr().out.count("not taken over") == len(wrong)
    assert db.counters.find_one({"_id": "invoice:acme:THIES:2026-10"})["seq"] == 9
    assert db.counters.find_one({"_id": "invoice:acme:DKR1:2026-11"})["seq"] == 1
    assert app.issue("dkr1").json["invoice_number"] == "FAC-DKR1-202611-0002"


def test_a_sequence_that_is_taken_over_claims_what_it_writes(db: Db, migrate: Any) -> None:
    db[COLLECTION].insert_one(sequence("THIES", 11, 3))
    assert migrate("--apply") == 0
    app = Client(db, now=NOVEMBER)

    other = app.put_shop("dkr1", invoice_format="FAC-THIES-{year}{month}-{number:04}")

    assert other.status_code == 422
    assert "the shop 'thies' writes for its invoices" in other.json["errors"][0]["detail"]
    app.put_shop("thies")
    assert app.issue("thies").json["invoice_number"] == "FAC-THIES-202611-0004"


def test_a_sequence_whose_numbers_another_shop_writes_is_not_taken_over(db: Db, migrate: Any, capsys: Any) -> None:
    Client(db, now=NOVEMBER).put_shop("dkr1", invoice_format="FAC-THIES-{year}{month}-{number:04}")
    db[COLLECTION].insert_one(sequence("THIES", 11, 3))
    assert migrate("--apply") == 1
    assert "dkr1 writes the same numbers here" in capsys.readouterr().out
    assert db.counters.count_documents({}) == 0


def test_a_month_is_taken_over_until_the_shop_counts_by_year(db: Db, migrate: Any, capsys: Any) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop("dkr1")
    app.issue("dkr1", issued_on="2026-11-02")
    app.put_shop("dkr1", reset="year", invoice_format="F-{shop}-{year}-{number}")
    db[COLLECTION].insert_many([sequence("DKR1", 10, 3), sequence("DKR1", 12, 3)])
    assert migrate("--apply") == 1
    assert capsys.readouterr().out.count("dkr1 doesn't count by month here") == 1
    assert [c["_id"] for c in db.counters.find({"seq": 3})] == ["invoice:acme:DKR1:2026-10"]


SHOP_SYSTEM = ["--collection", COLLECTION, "--right", "boutique_id,annee,mois", "--keep-max", "dernier_numero"]


@pytest.fixture
def shop_system(mongodb_uri: str) -> Iterator[Db]:
    """The sequences as the shop system in MySQL had them, with ids of shops, in a database of their own."""
    old = database.connect(Config(mongodb_uri=mongodb_uri, database_name=new_name()))
    old[COLLECTION].create_index("boutique_id", unique=True)
    rows = [(6, 10, 57), (7, 11, 3)]
    old[COLLECTION].insert_many(
        [{"boutique_id": shop, "annee": 2026, "mois": month, "dernier_numero": last} for shop, month, last in rows]
    )
    yield old
    old.client.drop_database(old.name)
    old.client.close()


def from_shop_system(old: Db, db: Db, *more: str) -> int:
    uri = f"mongodb://{old.client.address[0]}:{old.client.address[1]}/?directConnection=true"
    named = ["--uri", uri, "--database", old.name, *SHOP_SYSTEM, "--take-over", "acme", "--into-database", db.name]
    return migrate_command.main([*named, *more])


@pytest.mark.parametrize("wrong", [[], ["--wrong", "boutique_id"]])
@pytest.mark.parametrize("shop_map", [[], ["--shop-map", "6=dkr1"], ["--shop-map", "6=dkr1,7=abj,8=thies"]])
def test_a_shop_without_a_name_here_is_refused_before_anything_is_dropped(
    shop_system: Db, db: Db, wrong: list[str], shop_map: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything_in(shop_system), everything_in(db)

    for apply in ([], ["--apply"]):
        assert from_shop_system(shop_system, db, *wrong, *shop_map, *apply) == 2

    assert (everything_in(shop_system), everything_in(db)) == before
    assert (
        "=NAME" if len(shop_map) < 2 or "8=" not in shop_map[1] else "no sequence has such"
    ) in capsys.readouterr().err


def test_the_sequences_of_one_database_go_on_in_another(
    shop_system: Db, db: Db, audit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    map_ = ["--shop-map", "6=dkr1,7=abj"]
    before = everything_in(shop_system), everything_in(db)
    assert from_shop_system(shop_system, db, *map_) == 1
    assert "invoice:acme:DKR1:2026-10 would go on after 57" in capsys.readouterr().out
    assert (everything_in(shop_system), everything_in(db)) == before

    assert from_shop_system(shop_system, db, *map_, "--apply") == 0

    assert everything_in(shop_system) == before[0], "without --wrong nothing of theirs is touched"
    assert {c["_id"]: c["seq"] for c in db.counters.find()} == {
        "invoice:acme:DKR1:2026-10": 57,
        "invoice:acme:ABJ:2026-11": 3,
    }
    app = Client(db, now=NOVEMBER)
    app.put_shop("abj", currency="XOF", timezone="Africa/Abidjan")
    assert app.issue("abj").json["invoice_number"] == "FAC-ABJ-202611-0004"
    assert audit()[0] == 0
    assert [event["tenant"] for event in db.audit_events.find({"action": "sequences_taken_over"})] == ["acme"]
    assert from_shop_system(shop_system, db, *map_) == 0, "there is nothing left to do"


def test_a_second_run_writes_nothing_of_what_was_taken_over(
    shop_system: Db, db: Db, watched: Db, commands: Commands
) -> None:
    from_shop_system(shop_system, db, "--shop-map", "6=dkr1,7=abj", "--apply")
    shop_system[COLLECTION].update_one({"boutique_id": 6}, {"$set": {"dernier_numero": 60}})
    series = shop_series("invoice", "acme", "dkr1", "2026-10")
    assert series is not None

    commands.names.clear()
    assert takeover.take_over(watched, {series: 57}, now=NOVEMBER) == 0
    assert takeover.take_over(watched, {series: 60}, now=NOVEMBER) == 3

    assert commands.names == ["find", "update", "find", "update", "update"], "counters, and the three new gaps"
    assert db.number_gaps.count_documents({}) == 60 + 3


def test_a_take_over_that_ends_before_its_counters_is_gone_on_with(
    shop_system: Db, db: Db, monkeypatch: pytest.MonkeyPatch, audit: Any
) -> None:
    def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("finance.numbering.counters.go_on_after_each", killed)
        assert from_shop_system(shop_system, db, "--shop-map", "6=dkr1,7=abj", "--apply") == 2
    assert (db.number_gaps.count_documents({}), db.counters.count_documents({})) == (60, 0)

    assert from_shop_system(shop_system, db, "--shop-map", "6=dkr1,7=abj", "--apply") == 0

    assert sorted(counter["seq"] for counter in db.counters.find()) == [3, 57]
    assert audit()[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "boutique_id,annee,mois,dernier_numero\n6,2026,10,57\n7,2026,11,3\n",
        '"id";"boutique_id";"annee";"mois";"dernier_numero"\r\n"1";"6";"2026";"10";"57"\r\n2;7;2026;11;3\r\n',
        "dernier_numero\tmois\tannee\tboutique_id\n57\t10\t2026\t6\n3\t11\t2026\t7\n",
        "6,2026,10,57\n7,2026,11,3\n7,2026,11,2\n",
    ],
)
def test_a_table_that_mysql_wrote_is_taken_over(
    db: Db, mongodb_uri: str, tmp_path: Path, text: str, audit: Any
) -> None:
    file = tmp_path / "sequencefacture.csv"
    file.write_text(text, newline="")
    named = ["--uri", mongodb_uri, "--database", db.name, *SHOP_SYSTEM[2:], "--csv", str(file), "--take-over", "acme"]
    named += ["--shop-map", "6=dkr1,7=abj"]

    assert migrate_command.main(named) == 1
    assert db.counters.count_documents({}) == 0
    assert migrate_command.main([*named, "--apply"]) == 0

    assert {c["_id"]: c["seq"] for c in db.counters.find()} == {
        "invoice:acme:DKR1:2026-10": 57,
        "invoice:acme:ABJ:2026-11": 3,
    }
    assert audit()[0] == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--csv", "{folder}/wrong.csv"], "must have the columns boutique_id, annee, mois, dernier_numero"),
        (["--csv", "{folder}/latin.csv"], "isn't text in UTF-8"),
        (["--csv", "{folder}/none.csv"], "No such file"),
        (["--collection", "sequences"], "has no such collection"),
        (["--collection", COLLECTION, "--into-database", "finance_test_typo"], "there is no such database"),
        (["--collection", COLLECTION, "--csv", "{folder}/wrong.csv"], "name one of them"),
        (["--collection", COLLECTION, "--shop-map", "6=dkr1,7=dkr1"], "each shop once"),
        (["--collection", COLLECTION, "--shop-map", "6=DKR 1"], "6=dkr1,7=abj"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_made(
    run: Run, db: Db, tmp_path: Path, more: list[str], said: str
) -> None:
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    (tmp_path / "latin.csv").write_bytes(b"boutique_id,annee,mois,dernier_num\xe9ro\n")
    db[COLLECTION].insert_one({"boutique_id": 6, "annee": 2026, "mois": 10, "dernier_numero": 57})
    before = everything_in(db)

    options = [option.format(folder=tmp_path) for option in more]
    code, output = run("migrate_indexes.py", *SHOP_SYSTEM[2:], "--take-over", "acme", *options, "--apply")

    assert (code, said in output) == (2, True), output
    assert everything_in(db) == before
    assert "finance_test_typo" not in db.client.list_database_names()


def test_sequences_do_not_go_on_in_the_database_of_another_software(shop_system: Db, db: Db) -> None:
    db.payments.drop()
    mongoose_application(db)
    before = everything_in(shop_system), everything_in(db)

    assert from_shop_system(shop_system, db, "--shop-map", "6=dkr1,7=abj", "--apply") == 2

    assert (everything_in(shop_system), everything_in(db)) == before


def test_a_shop_that_counts_by_year_here_is_named_and_the_others_go_on(
    shop_system: Db, db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop("dkr1", reset="year", invoice_format="F{year}-{number:04}")

    assert from_shop_system(shop_system, db, "--shop-map", "6=dkr1,7=abj", "--apply") == 1

    assert "dkr1 doesn't count by month here" in capsys.readouterr().out
    assert [counter["_id"] for counter in db.counters.find()] == ["invoice:acme:ABJ:2026-11"]


def test_of_texts_the_largest_number_goes_on_and_one_that_is_none_stops_its_month(db: Db, migrate: Any) -> None:
    db[COLLECTION].insert_many([sequence("DKR1", "11", last) for last in ("9", "10")])
    db[COLLECTION].insert_many([sequence("THIES", 11, last) for last in (3, "x")])

    assert migrate("--apply") == 1

    assert [(c["_id"], c["seq"]) for c in db.counters.find()] == [("invoice:acme:DKR1:2026-11", 10)]
    assert db[COLLECTION].count_documents({"boutique": "THIES"}) == 2


def test_the_audit_finds_a_hole_in_an_invoice_series_and_names_it_as_it_was_written(
    db: Db, mongodb_uri: str, audit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Client(db, now=NOVEMBER)
    app.put_shop("par", invoice_format="F{year}{month}-{number:03}")
    for _ in range(3):
        number = app.issue("par").json["invoice_number"]
    app.call("POST", f"/invoices/{number}/cancel", json={"reason": "wrong"})
    code, found = audit()
    assert code == 0
    assert {(s["kind"], s["scope"], s["period"]) for s in found["series"]} == {
        ("invoice", "PAR", "2026-11"),
        ("credit_note", "PAR", "2026-11"),
    }
    db.invoices.delete_one({"number_seq": 2})
    assert audit_command.main(["--uri", mongodb_uri, "--database", db.name]) == 1
    assert "F202611-002" in capsys.readouterr().out
