"""A customer master of six Django tables: as its SELECT gives it, and as `manage.py dumpdata` wrote it."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from finance.asked import Asked
from finance.customers.columns import parse_columns
from finance.customers.dumps import is_dump, read_dump
from finance.customers.imports import IMPORTED_BY, RowVerdict, import_rows
from finance.database import Db
from finance.tables.cells import UnreadableTable
from tests.clients import Client
from tests.customers.forms import gstin
from tests.customers.six_tables import FLAGS, PAN, ROWS, export
from tests.customers.tables import NOW, book_of, import_file


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """The CSV file that the SELECT gives of the six tables."""
    return export(tmp_path / "master.csv")


def _dumped(model: str, row: dict[str, Any]) -> dict[str, Any]:
    fields = {("customer" if name == "customer_id" else name): value for name, value in row.items() if name != "id"}
    fields |= {
        name: bool(fields.get(name)) for name in FLAGS if name in fields or (model, name) == ("bankaccount", FLAGS[0])
    }
    return {"model": f"master.{model}", "pk": row["id"], "fields": fields}


def _dump(path: Path, *, indent: int | None = None, backwards: bool = False, more: tuple[object, ...] = ()) -> Path:
    objects = [*more, *(_dumped(model, row) for model, rows in ROWS.items() for row in rows)]
    if backwards:  # of each model the order of the keys stays, as dumpdata keeps it
        objects = [*more, *(_dumped(model, row) for model in reversed(ROWS) for row in ROWS[model])]
    path.write_text(json.dumps(objects, indent=indent), encoding="utf-8")
    return path


def _import(db: Db, path: Path) -> list[RowVerdict]:
    dump = read_dump(path)
    columns, asked = parse_columns(dump.columns), Asked("acme", IMPORTED_BY, NOW)
    return [*import_rows(book_of(db), asked, rows=dump.rows(), columns=columns, apply=True, confirmed=False)]


EXPECTED = {
    "customer_name": 'Rao "Steel", Société',
    "customer_category": "wholesale",
    "pan_number": PAN,
    "contact_person": "Asha Rao",
    "email_address": "asha@example.com",
    "contact_number": "02224931234",
    "gst_details": [
        {"gstin": gstin(PAN), "state": "Maharashtra", "registration_type": "regular"},
        {"gstin": gstin(PAN, "29"), "state": "Karnataka", "address": "2 Road\nBengaluru"},
    ],
    "tds": {"applicable": True, "section": "194C", "rate": "2", "tan_number": "PDES03028F"},
    "banking": [
        {"bank_name": "SBI", "account_number": "00012345678901", "ifsc": "SBIN0000691", "primary": False},
        {"iban": "GB82WEST12345698765432", "primary": True},
    ],
    "terms_conditions": {"payment_terms_days": 30, "credit_limit": "50000.00", "currency": "INR"},
}


def test_the_documented_select_gives_customers_with_all_their_parts(client: Client, exported: Path) -> None:
    full, ada, three = import_file(client.db, exported)

    found = client.get("/customers/CUST-301819", role="accountant").json
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert full.notes == (
        "1 of its 2 contacts is taken: there is no place for more.",
        "2 of its 3 addresses are taken: there is no place for more.",
    )
    assert (ada.verdict, client.get("/customers/CUST-301820").json["tds"]) == ("created", {"applicable": False})
    assert three.problems == ("banking.count is 3 and the row has 2: add columns for the others.",)
    assert [v.verdict for v in import_file(client.db, exported)] == ["unchanged", "unchanged", "refused"]


def test_an_account_that_was_added_there_is_added_here_and_the_rest_stays(client: Client, exported: Path) -> None:
    import_file(client.db, exported)
    kept = {**EXPECTED, "products_services": [{"name": "Steel"}]}
    client.put("/customers/CUST-301819", role="accountant", json=kept)
    text = exported.read_text(encoding="utf-8")
    exported.write_text(text.replace("SBIN0000691", "SBIN0000300"), encoding="utf-8")

    full, _ada, _three = import_file(client.db, exported)

    assert (full.verdict, full.changed) == ("updated", ("banking.1.ifsc",))
    assert client.get("/customers/CUST-301819").json["products_services"] == [{"name": "Steel"}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_dump_gives_the_same_customers_and_all_the_accounts(
    client: Client, tmp_path: Path, exported: Path, *, indent: int | None, backwards: bool
) -> None:
    path = _dump(tmp_path / "master.json", indent=indent, backwards=backwards)

    verdicts = _import(client.db, path)

    found = client.get("/customers/CUST-301819", role="accountant").json
    in_order = {**EXPECTED, "gst_details": EXPECTED["gst_details"][::-1]}  # dumped with the ids 4 and 3 in this order
    assert {name: found[name] for name in EXPECTED} == in_order
    assert [verdict.verdict for verdict in verdicts] == ["created"] * 3
    assert len(verdicts[0].notes) == 2
    assert len(client.get("/customers/CUST-301821").json["banking"]) == 3
    assert [verdict.verdict for verdict in _import(client.db, path)] == ["unchanged"] * 3


def test_what_of_a_dump_has_no_place_here_is_counted(tmp_path: Path) -> None:
    more = (
        {"model": "auth.user", "pk": 1, "fields": {"username": "asha"}},
        {"model": "master.customer", "pk": 99, "fields": {"code": "X", "name": "X", "is_active": False, "fax": ""}},
        {"model": "master.contact", "pk": 99, "fields": {"customer": 4711, "name": "nobody's"}},
    )

    dump = read_dump(_dump(tmp_path / "master.json", more=more))

    assert dump.left_out == {"user": 1, "customer.is_active": 1, "contact without its customer": 1}
    assert dump.rows_count == 4


def test_two_records_where_there_is_one_are_refused(db: Db, tmp_path: Path) -> None:
    more = ({"model": "master.tds", "pk": 99, "fields": {"customer": 9, "applicable": True}},)

    verdicts = _import(db, _dump(tmp_path / "master.json", more=more))

    assert [verdict.verdict for verdict in verdicts] == ["created", "refused", "created"]
    assert verdicts[1].problems == ("The row has more than one record of tds: keep the one that is right.",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "holds no objects of a model 'customer'"),
        ('[{"model": "master.customer", "pk": 1, "fields": {"name": "Ada"}}', "object 2: the file ends within it"),
        ('[{"model": "master.customer", "pk": 1, "fields": {"na', "object 1: the file ends within it"),
        ('[{"model": "master.customer", "pk": 1, "fields": ' + "[" * 3_000_000, "object 1: it can't be read as JSON"),
        ('["master.customer"]', "object 1 isn't one of manage.py dumpdata"),
        ('[{"model": "master.tds", "pk": 1, "fields": {"customer": ["A"]}}]', "object 1 has no plain key"),
        ('[{"model": "master.customer", "fields": {"name": "Ada"}}]', "object 1 has no plain key"),
        ('[{"model": "master.tds", "pk": 1, "fields": {"customer": 1, "rate": NaN}}]', "holds NaN, which is no number"),
    ],
)
def test_a_file_that_is_no_dump_is_refused_with_what_to_do(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "master.json"
    path.write_text(text)

    assert is_dump(path)
    with pytest.raises(UnreadableTable) as refused:
        read_dump(path)

    assert sentence in str(refused.value)


def test_a_code_that_is_a_number_there_is_refused_in_words_that_fit_json_too(db: Db, tmp_path: Path) -> None:
    path = tmp_path / "master.json"
    path.write_text('[{"model": "master.customer", "pk": 1, "fields": {"code": 5, "name": true}}]')

    (verdict,) = _import(db, path)

    assert verdict.problems == (
        "customer_code is a number, which has lost the zeros it may begin with: write it as a text (in a workbook: "
        "format the column as text and write it again).",
        "customer_name is TRUE or FALSE, and no text: write it as a text (in a workbook: format the column as text and "
        "write it again).",
    )


def test_a_dump_of_many_customers_is_not_held_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "master.json").open("w") as file:
        for place in range(30_000):
            customer = {"model": "master.customer", "pk": place, "fields": {"code": f"C{place}", "name": "Ada" * 20}}
            file.write(("[" if not place else ",") + json.dumps(customer))
        file.write("]")

    tracemalloc.start()
    count = sum(1 for _row in read_dump(tmp_path / "master.json").rows())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 30_000
    assert peak < (tmp_path / "master.json").stat().st_size / 4
