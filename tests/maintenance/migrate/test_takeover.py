"""The French case, from the wrong unique index to the first invoice here, by the commands that ops run."""

import json
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from finance.database import Db
from finance.maintenance.audit import command as audit_command
from finance.maintenance.migrate import command as migrate_command
from tests.clients import NOVEMBER, Client

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
