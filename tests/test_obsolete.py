"""A database of an earlier version has an index that would refuse what this one stores; it goes, once others stand."""

import pytest
from pymongo.errors import DuplicateKeyError

from finance import database
from finance.database import Db
from finance.maintenance.migrate import indexes
from finance.obsolete import OBSOLETE, find_obsolete
from tests.clients import Client

OF_INVOICE = {"tenant": "acme", "invoice_number": "F-1", "shop": "par", "period": "2025-01", "total_minor": 1}


def a_note(number: int, **more: object) -> dict[str, object]:
    return {**OF_INVOICE, "credit_note_number": f"AV-{number}", "number_seq": number, **more}


@pytest.fixture
def earlier(db: Db) -> Db:
    """A database as the earlier version left it, with the credit note of a cancelled invoice."""
    for name in ("claim_unique", "invoice_number", "customer_code"):
        db.credit_notes.drop_index(name)
    db.invoices.drop_index("credit_key_unique")
    _build_as_earlier(db)
    db.credit_notes.insert_one(a_note(1))
    return db


def _build_as_earlier(db: Db) -> None:
    (index,) = OBSOLETE
    db.credit_notes.create_indexes([index.as_model()])


def _require_upgraded(db: Db) -> None:
    assert find_obsolete(db, "credit_notes") == []
    assert database.find_unprotected(db) == []
    db.credit_notes.insert_many([a_note(2, claim="a"), a_note(3, claim="b")])
    with pytest.raises(DuplicateKeyError):
        db.credit_notes.insert_one(a_note(4, claim="a"))


def test_starting_builds_the_new_and_drops_the_obsolete(earlier: Db) -> None:
    with pytest.raises(DuplicateKeyError):
        earlier.credit_notes.insert_one(a_note(2))

    database.protect(earlier)

    _require_upgraded(earlier)


def test_what_a_worker_of_the_earlier_version_built_again_goes_at_the_next_start(earlier: Db) -> None:
    database.protect(earlier)
    _build_as_earlier(earlier)

    database.protect(earlier)

    _require_upgraded(earlier)


def test_the_migration_does_the_same_and_says_so(earlier: Db) -> None:
    said: list[str] = []
    findings = {finding.name: finding.state for finding in indexes.check(earlier) if finding.state != "right"}
    assert findings["credit_note_invoice_unique"] == "in the way"

    indexes.migrate(earlier, indexes.check(earlier), say=said.append)

    assert said[-1] == "dropped credit_notes.credit_note_invoice_unique"
    _require_upgraded(earlier)


def test_an_obsolete_index_is_dropped_after_the_new_ones_stand(earlier: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    stood: list[list[str]] = []
    drop = database.drop_obsolete

    def drop_after_a_look(db: Db, collections: object) -> None:
        stood.append(database.find_unprotected(db))
        drop(db, ["credit_notes"])

    monkeypatch.setattr(database, "drop_obsolete", drop_after_a_look)
    database.create_indexes(earlier)
    assert stood == [[]]
    _require_upgraded(earlier)


def test_an_index_of_this_name_on_other_fields_is_somebodys_own(db: Db) -> None:
    db.credit_notes.create_index([("tenant", 1), ("reason", 1)], name="credit_note_invoice_unique")
    database.protect(db)
    assert "credit_note_invoice_unique" in db.credit_notes.index_information()


def test_an_api_on_an_earlier_database_is_ready(earlier: Db) -> None:
    app = Client(earlier)
    assert app.put_shop().status_code == 201
    number = app.issue().json["invoice_number"]  # the first write of a process makes sure of the indexes
    assert app.post(f"/invoices/{number}/cancel", json={"reason": "wrong"}).status_code == 200
    assert find_obsolete(earlier, "credit_notes") == []
    assert app.app.test_client().get("/readyz").status_code == 200
