"""What a file doesn't name stays as it is stored, and what it removes it removes in so many words."""

from pathlib import Path
from typing import Any

import pytest

from finance.database import Db
from tests.clients import Client
from tests.customers.forms import full_form, gstin, pan
from tests.customers.tables import import_file, write_csv, write_xlsx

PARTS = ("gst_details", "products_services", "tds", "banking", "terms_conditions")


@pytest.fixture
def stored(client: Client) -> dict[str, Any]:
    """A customer with every field filled in, under the code A."""
    made: dict[str, Any] = client.post("/customers", json=full_form(customer_code="A")).json
    return made


def _save(client: Client, tmp_path: Path, **cells: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Import one row for the customer A, and return it afterwards with what a look said would change."""
    named = {name.replace("__", "."): text for name, text in cells.items()}
    path = write_csv(tmp_path / "c.csv", {"customer_code": "A", **named})
    (look,), (done,) = import_file(client.db, path, apply=False), import_file(client.db, path)
    assert (look.verdict, look.changed, look.problems) == (done.verdict, done.changed, done.problems)
    (again,) = import_file(client.db, path)
    assert again.verdict == ("refused" if done.verdict == "refused" else "unchanged")
    return client.get("/customers/A", role="accountant").json, look.changed or look.problems


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("tds.rate", "5", "tds"),
        ("terms_conditions.credit_limit", "99.5", "terms_conditions"),
        ("customer_category", "retail", "customer_category"),
    ],
)
def test_a_field_that_is_named_alone_changes_alone(
    client: Client, stored: dict[str, Any], tmp_path: Path, column: str, value: str, part: str
) -> None:
    after, changed = _save(client, tmp_path, **{column: value})

    assert changed == (column,)
    field = column.partition(".")[2]
    expected = {"99.5": "99.50"}.get(value, value)
    assert after[part] == ({**stored[part], field: expected} if field else expected)
    for name in ("customer_name", "pan_number", *PARTS):
        assert name == part or after[name] == stored[name]


def test_a_list_changes_at_the_place_that_is_named(client: Client, stored: dict[str, Any], tmp_path: Path) -> None:
    after, changed = _save(client, tmp_path, banking__1__branch="Colaba", banking__2__bank_name="Barclays")

    assert changed == ("banking.1.branch", "banking.2.bank_name")
    first, second = stored["banking"]
    assert after["banking"] == [{**first, "branch": "Colaba"}, {**second, "bank_name": "Barclays"}]


def test_a_place_after_the_last_is_added(client: Client, stored: dict[str, Any], tmp_path: Path) -> None:
    after, changed = _save(client, tmp_path, banking__3__account_number="000123456")

    assert changed == ("banking.3.account_number",)
    assert after["banking"] == [*stored["banking"], {"account_number": "000123456", "primary": False}]


def test_a_place_that_has_none_before_it_is_refused(client: Client, stored: dict[str, Any], tmp_path: Path) -> None:
    after, problems = _save(client, tmp_path, banking__4__account_number="000123456")

    assert problems == ("banking.4 has no banking.3 before it: fill the places from 1 on, and remove the last.",)
    assert after == stored


def test_an_empty_cell_leaves_what_is_stored(client: Client, stored: dict[str, Any], tmp_path: Path) -> None:
    empty = dict.fromkeys(("customer_category", "tds.section", "banking.1.ifsc", "banking.2.iban", "pan_number"), " ")

    after, _changed = _save(client, tmp_path, customer_name="New", **empty)

    assert {**after, "customer_name": ""} == {**stored, "customer_name": ""} | {
        name: after[name] for name in ("version", "history", "updated_at", "updated_by", "updated_by_name")
    }


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"customer_category": "(remove)"}, {"customer_category": None}),
        ({"tds.section": "(Remove)"}, {"tds": {"applicable": True, "rate": "2", "tan_number": "PDES03028F"}}),
        ({"tds": "(remove)"}, {"tds": None}),
        ({"tds": "(remove)", "tds.applicable": "no"}, {"tds": {"applicable": False}}),
        ({"banking": "(remove)"}, {"banking": []}),
        (
            {"banking": "(remove)", "banking.1.account_number": "000123456"},
            {"banking": [{"account_number": "000123456", "primary": False}]},
        ),
        ({"products_services.1": "(remove)"}, {"products_services": []}),
    ],
)
def test_a_word_removes(
    client: Client, stored: dict[str, Any], tmp_path: Path, cells: dict[str, str], expected: dict[str, Any]
) -> None:
    after, changed = _save(client, tmp_path, **cells)

    assert any(name.endswith(" (removed)") for name in changed)
    for name in ("customer_name", "customer_category", *PARTS):
        assert after[name] == expected.get(name, stored[name])


def test_the_last_place_is_removed_and_one_before_it_is_not(
    client: Client, stored: dict[str, Any], tmp_path: Path
) -> None:
    after, problems = _save(client, tmp_path, banking__1="(remove)")
    assert problems == ("banking.2 has no banking.1 before it: fill the places from 1 on, and remove the last.",)
    assert after == stored

    after, changed = _save(client, tmp_path, banking__2="(remove)")
    assert changed == ("banking.2.iban (removed)",)
    assert after["banking"] == stored["banking"][:1]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"customer_name": "(remove)"}, "customer_code and customer_name can't be removed"),
        ({"tds": "yes"}, "tds takes only (remove)"),
        ({"banking.2": "000123456"}, "banking.2 takes only (remove)"),
        ({"tds.applicable": "(remove)"}, "tds.applicable is required."),
        ({"gst_details.1.gstin": "(remove)"}, "gst_details.1.gstin is required."),
        ({"tds.section": "NULL"}, "tds.section is NULL, with which databases write that there is nothing"),
        ({"tds.section": r"\N"}, r"tds.section is \N, with which"),
        ({"tds.section": "#N/A"}, "tds.section is an error of the spreadsheet"),
        ({"customer_name": "=B2&C2"}, "customer_name is a formula without its value"),
        ({"tds.rate": "18%"}, "tds.rate must be a percentage from 0 to 100"),
        ({"tds.applicable": "perhaps"}, "tds.applicable must be true or false"),
        ({"terms_conditions.payment_terms_days": "soon"}, "terms_conditions.payment_terms_days must be a whole number"),
        ({"terms_conditions.currency": "JPY"}, "terms_conditions.credit_limit"),
        (
            {"banking.count": "3", "banking.1.branch": "Fort"},
            "banking.count is 3 and the row has 1: add columns for the",
        ),
    ],
)
def test_a_cell_that_can_t_be_what_was_meant_refuses_its_row(
    client: Client, stored: dict[str, Any], tmp_path: Path, cells: dict[str, str], problem: str
) -> None:
    if problem.startswith("terms_conditions.credit_limit"):  # in whole yen there are no decimals
        _save(client, tmp_path, **{"terms_conditions.credit_limit": "10.5"})
        stored = client.get("/customers/A", role="accountant").json
    after, problems = _save(client, tmp_path, **cells)

    assert problems[0].startswith(problem)
    assert after == stored


@pytest.mark.parametrize(
    ("column", "value", "shown", "problem"),
    [
        ("banking.1.account_number", 123456789012, "General", "is a number, which has lost the zeros"),
        ("banking.1.account_number", 12345678901234567, "0", "is a long number that the spreadsheet has rounded"),
        ("contact_number", 2224931234, "General", "is a number, which has lost the zeros"),
        ("products_services.1.hsn_sac", 7208, "General", "is a number, which has lost the zeros"),
        ("tds.rate", 0.18, "0%", "is formatted as a percentage, so that 18 % is held as 0.18"),
        ("customer_name", "=A1&A2", "General", "is a formula without its value"),
        ("customer_name", "#N/A", "General", "is an error of the spreadsheet"),
        ("tds.section", True, "General", "is TRUE or FALSE, and no text"),
        ("terms_conditions.notes", 46000, "yyyy-mm-dd", "was made a date by the spreadsheet"),
    ],
)
def test_a_cell_of_a_workbook_that_isn_t_what_was_written_refuses_its_row(
    client: Client, stored: dict[str, Any], tmp_path: Path, column: str, value: object, shown: str, problem: str
) -> None:
    path = write_xlsx(tmp_path / "c.xlsx", {"customer_code": "A", column: value}, B2=shown)

    (verdict,) = import_file(client.db, path)

    assert verdict.verdict == "refused"
    assert verdict.problems[0].startswith(f"{column} {problem}")
    assert not any(digits in verdict.problems[0] for digits in ("1234", "7208"))
    assert client.get("/customers/A", role="accountant").json == stored


def test_numbers_that_are_numbers_are_taken_from_a_workbook(
    client: Client, stored: dict[str, Any], tmp_path: Path
) -> None:
    row = {"customer_code": "A", "tds.rate": 0.18, "terms_conditions.credit_limit": 1e12, "tds.applicable": False}

    (verdict,) = import_file(client.db, write_xlsx(tmp_path / "c.xlsx", row))

    assert verdict.changed == ("tds.applicable", "tds.rate", "terms_conditions.credit_limit")
    after = client.get("/customers/A").json
    assert (after["tds"]["rate"], after["tds"]["applicable"]) == ("0.18", False)
    assert after["terms_conditions"]["credit_limit"] == "1000000000000.00"


def test_a_row_with_a_cell_too_many_is_refused_and_the_others_are_imported(db: Db, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("customer_name,customer_code,customer_category\nLovelace, Ada,A,\nBob,B,\n")

    verdicts = import_file(db, tmp_path / "c.csv")

    assert [verdict.verdict for verdict in verdicts] == ["refused", "created"]
    assert verdicts[0].problems[0].startswith("The row has 4 cells and the first line names 3 columns")
    assert db.customers.distinct("customer_name") == ["Bob"]


def test_what_changes_is_named_and_nothing_of_it_is_shown(
    client: Client, stored: dict[str, Any], tmp_path: Path
) -> None:
    new = pan()
    cells = {
        "pan_number": new,
        "gst_details.1.gstin": gstin(new),
        "gst_details.2.gstin": gstin(new, "29"),
        "banking.1.account_number": "99990000111122",
        "tds.tan_number": "(remove)",
    }
    path = write_csv(tmp_path / "c.csv", {"customer_code": "A", **cells})

    (verdict,) = import_file(client.db, path, apply=False)

    assert verdict.changed == (*[*cells][:4], "tds.tan_number (removed)")


@pytest.mark.parametrize("row", [{"customer_name": "Ada"}, {"customer_name": "Ada", "email_address": "a@b.example"}])
@pytest.mark.parametrize("has_key", [True, False])
def test_a_row_needs_only_a_name_and_is_known_by_it(
    db: Db, tmp_path: Path, row: dict[str, str], *, has_key: bool
) -> None:
    path = write_csv(tmp_path / "c.csv", row)

    verdicts = [import_file(db, path, apply=apply, has_key=has_key)[0] for apply in (False, True, True)]

    assert [verdict.verdict for verdict in verdicts] == ["created", "created", "unchanged"]
    assert db.customers.count_documents({"customer_name": "Ada", "customer_code": "CUST-000001"}) == 1


def test_a_name_that_could_be_two_customers_is_refused(client: Client, tmp_path: Path) -> None:
    for code in ("A", "B"):
        client.post("/customers", json={"customer_name": "Ada", "customer_code": code})
    client.post("/customers", json={"customer_name": "ADA", "customer_code": "C"})

    two = import_file(client.db, write_csv(tmp_path / "c.csv", {"customer_name": "Ada"}))
    one = import_file(client.db, write_csv(tmp_path / "c.csv", {"customer_name": "ADA"}))

    assert two[0].problems == ("More than one customer has this customer_name: name the customer_code.",)
    assert (one[0].verdict, one[0].customer_code) == ("unchanged", "C")


@pytest.mark.parametrize("first", [{"customer_name": "Ada"}, {"customer_name": "Ada", "customer_code": "A"}])
@pytest.mark.parametrize("second", [{"customer_name": "Ada"}, {"customer_name": "Ada", "customer_code": "B"}])
def test_of_two_rows_with_one_name_each_needs_a_code(
    db: Db, tmp_path: Path, first: dict[str, str], second: dict[str, str]
) -> None:
    path = write_csv(tmp_path / "c.csv", {"customer_code": "", **first}, second)
    both_have_codes = "customer_code" in first and "customer_code" in second

    verdicts = import_file(db, path)

    assert [v.verdict for v in verdicts] == ["created", "created" if both_have_codes else "refused"]
    assert [v.verdict for v in import_file(db, path)] == ["unchanged", "unchanged" if both_have_codes else "refused"]


def test_a_customer_is_known_by_its_code_alone_and_a_new_one_needs_a_name(
    client: Client, stored: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"customer_code": "A", "tds.rate": "9"}, {"customer_code": "B", "tds.rate": "9"}]

    known, new = import_file(client.db, write_csv(tmp_path / "c.csv", *rows))

    assert (known.verdict, known.changed) == ("updated", ("tds.rate",))
    assert new.problems == ("customer_name is required.", "tds.applicable is required.")


def test_a_gstin_of_another_customer_is_refused_by_name_and_takes_no_code(client: Client, tmp_path: Path) -> None:
    of_other = gstin(pan())
    client.post("/customers", json={"customer_name": "Other", "gst_details": [{"gstin": of_other}]})
    client.post("/customers", json={"customer_name": "Known"})
    rows = [{"customer_name": name, "gst_details.1.gstin": of_other} for name in ("Known", "New")]

    verdicts = import_file(client.db, write_csv(tmp_path / "c.csv", *rows[:1]))
    verdicts += import_file(client.db, write_csv(tmp_path / "d.csv", *rows[1:]))

    assert {verdict.problems for verdict in verdicts} == {("gst_details.1.gstin is that of customer CUST-000001.",)}
    assert client.post("/customers", json={"customer_name": "Next"}).json["customer_code"] == "CUST-000003"
