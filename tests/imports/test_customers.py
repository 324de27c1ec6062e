"""Files of customers: judged and stored as by scripts/import_customers.py, never kept readable."""

import pytest

from finance.config import Config
from finance.database import Db
from finance.encryption import EncryptionNotConfigured, is_ciphertext
from tests.clients import Client
from tests.imports.conftest import Uploads, xlsx_of

PAN = "ABCPE1234F"


def test_customers_are_checked_and_stored(uploads: Uploads) -> None:
    stored = uploads.client.post("/customers", json={"customer_name": "Ada", "contact_person": "Eve"}).json
    data = (
        "Customer name;Customer code;PAN;E-mail;Credit limit;Currency;Status\n"
        f"Zoë SARL;;{PAN};zoe@example.org;1000;EUR;active\n"
        f"Ada;{stored['customer_code']};;ada@example.org;;;\n"
        ";;;nobody@example.org;;;\n"
    )
    upload = uploads.check(data.encode(), kind="customers", name="customers.csv")
    rows = uploads.rows(upload)
    done = uploads.store(upload)

    assert [row[1] for row in rows] == ["new", "changed", "refused"]
    assert rows[1][2] == "Changes email_address."
    assert upload["not_read"] == [{"name": "status"}]
    assert (done["status"], done["stored"], done["counts"]) == ("stored", 2, {"stored": 2, "refused": 1})
    found = uploads.client.get("/customers?sort=created_at").json["data"]
    assert [(one["customer_name"], one["email_address"]) for one in found] == [
        ("Ada", "ada@example.org"),
        ("Zoë SARL", "zoe@example.org"),
    ]
    assert found[1]["terms_conditions"]["credit_limit"] == "1000.00"


def test_secret_numbers_of_a_file_are_nowhere_kept_as_they_are(uploads: Uploads) -> None:
    db = uploads.client.db
    data = f"customer_name,pan_number,banking.1.account_number\nZoë,{PAN},123456789012\nAda,{PAN},x y\n"

    uploads.store(uploads.check(data.encode(), kind="customers"))

    assert all(is_ciphertext(chunk["data"]) for chunk in db.import_chunks.find())
    everything = str([list(db[name].find()) for name in ("imports", "import_rows", "import_chunks", "audit_events")])
    assert PAN not in everything
    assert "123456789012" not in everything


def test_an_export_of_customers_comes_back_unchanged(uploads: Uploads) -> None:
    form = {"customer_name": "Zoë", "pan_number": PAN, "terms_conditions": {"credit_limit": "5.00", "currency": "EUR"}}
    assert uploads.client.post("/customers", json=form).status_code == 201
    for suffix in ("csv", "xlsx"):
        data = uploads.client.get(f"/customers/export.{suffix}?language=fr").data
        upload = uploads.check(data, kind="customers", name=f"customers.{suffix}")
        assert upload.get("counts") == {"unchanged": 1}, (
            upload.get("failure"),
            "rows_of" in upload and uploads.rows(upload),
        )


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("custmer_name\n", "customer_name is missing (is it 'custmer_name'?)."),
        ("notes\n", "customer_name is missing."),
        ("banking.7.ibna,PAN\n", "There is no column"),
    ],
)
def test_a_file_of_something_else_is_refused(uploads: Uploads, head: str, said: str) -> None:
    upload = uploads.check(f"{head}Ada\n".encode(), kind="customers")

    assert (upload["status"], said in upload["failure"]) == ("refused", True), upload["failure"]


def test_a_workbook_of_customers(uploads: Uploads) -> None:
    upload = uploads.check(xlsx_of(["customer_name"], ["Ada"], ["Ada"]), kind="customers", name="c.xlsx")

    assert [row[1] for row in uploads.rows(upload)] == ["new", "refused"]
    assert "line 2" in uploads.rows(upload)[1][2]


def test_without_an_encryption_key_no_file_of_customers_is_kept(db: Db) -> None:
    uploads = Uploads(Client(db, Config()))

    with pytest.raises(EncryptionNotConfigured):
        uploads.receive(b"customer_name\nAda\n", kind="customers")
    assert db.import_chunks.count_documents({}) == 0
