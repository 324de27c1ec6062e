"""Numbers of a collection that other software filled, as texts and as numbers."""

import json
from typing import Any

import pytest
from bson import Decimal128

from finance.database import Db
from finance.maintenance.audit import foreign
from finance.maintenance.audit.foreign import audit_foreign
from finance.maintenance.audit.series import SeriesAudit
from finance.maintenance.target import foreign as foreign_target
from finance.numbering import counters
from tests.maintenance.conftest import NOW, Run


def look(db: Db, numbers: list[Any], *, scope: tuple[str, ...] = (), **fields: Any) -> list[SeriesAudit]:
    db.old.insert_many([{"paymentNumber": number, **fields} for number in numbers])
    target = foreign_target(db, collection="old", number_field="paymentNumber", scope_fields=scope, created_field="at")
    return list(audit_foreign(target, foreign.Seen()))


def ranges(found: SeriesAudit) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in found.findings.get("unexplained", [])]


def of_2026(*numbers: int) -> list[str]:
    return [f"PAY2026{number:04}" for number in numbers]


def test_missing_numbers_are_found_where_widths_meet(db: Db) -> None:
    (found,) = look(db, of_2026(*range(2, 9998), *range(10001, 10020), 10022))
    assert ranges(found) == [(1, 1), (9998, 10000), (10020, 10021)]
    assert (found.documents, found.first, found.newest, found.newly_lost) == (9996 + 20, 2, 10022, 6)


def test_numbers_of_a_clock_are_beyond_the_series_and_nothing_is_missing_before_them(db: Db) -> None:
    (found,) = look(db, of_2026(1, 2, 3, 123456, 987654))
    assert (ranges(found), found.beyond_counter, found.newest) == ([], 2, 3)
    assert found.is_accounted_for


def test_each_scope_and_each_prefix_is_a_series(db: Db) -> None:
    look(db, ["INV-1", "INV-3", *of_2026(1, 2), "PAY20250001"], user="ana")
    found = look(db, of_2026(1, 3), scope=("user",), user="bo")
    assert {(one.series.tenant, one.series.prefix): ranges(one) for one in found} == {
        ("ana", "INV-"): [(2, 2)],
        ("ana", "PAY2025"): [],
        ("ana", "PAY2026"): [],
        ("bo", "PAY2026"): [(2, 2)],
    }


@pytest.mark.parametrize("numbers", [[1, 2, 3.0, 5, 9, 10, 11], ["1", "2", "3", "5", "9", "10", "11"]])
def test_numbers_without_letters_are_counted_as_numbers(db: Db, numbers: list[Any]) -> None:
    (found,) = look(db, numbers)
    assert ranges(found) == [(4, 4), (6, 8)]


@pytest.mark.parametrize(
    ("numbers", "missing", "documents"),
    [
        (["1", 2, "3"], [], 3),
        (["1", "2", "3", 4, 5, 6, 7, 8.0, Decimal128("9"), "10"], [], 10),
        ([1, 2, 6, 7, "3", "9"], [(4, 5), (8, 8)], 6),
        ([*range(1, 4999), 5000, "998", "4999", "5001"], [], 5002),
        (
            [
                1,
                Decimal128("2.5"),
                Decimal128("NaN"),
                Decimal128("sNaN"),
                Decimal128("1E+900"),
                float("inf"),
                True,
                "2",
            ],
            [],
            2,
        ),
    ],
)
def test_what_is_written_as_text_is_not_missing_among_numbers(
    db: Db, numbers: list[Any], missing: list[tuple[int, int]], documents: int
) -> None:
    (found,) = look(db, numbers)
    assert (ranges(found), found.documents, found.beyond_counter) == (missing, documents, 0)


def test_one_number_as_text_and_as_number_is_a_duplicate(db: Db) -> None:
    (found,) = look(db, [1, 2, 3, 5, "2", "3", "4"])
    assert (found.counts["duplicates"], ranges(found)) == (2, [])


def test_a_number_that_comes_twice_is_a_duplicate(db: Db) -> None:
    (found,) = look(db, of_2026(1, 2, 2, 2, 3))
    assert (found.counts["duplicates"], found.documents, ranges(found)) == (2, 5, [])


def test_what_a_repair_recorded_explains(db: Db) -> None:
    (found,) = look(db, of_2026(1, 5))
    counters.record_gaps(db, [(found.series, n) for n in (3, 9)], reason="repair_unused", recorded_at=NOW)
    db.old.delete_many({})
    (found,) = look(db, of_2026(1, 5))
    assert (ranges(found), found.recorded_gaps) == ([(2, 2), (4, 4)], 1)


@pytest.mark.parametrize("keys", [["user", "paymentNumber"], ["paymentNumber", "user"], ["user"]])
def test_whatever_index_stands_the_same_is_found(db: Db, keys: list[str]) -> None:
    db.old.create_index([(key, 1) for key in keys])
    look(db, of_2026(1, 3), user="ana")
    found = look(db, of_2026(2, 3, 5), scope=("user",), user="bo")
    assert [ranges(one) for one in found] == [[(2, 2)], [(1, 1), (4, 4)]]


def test_fields_in_documents_are_reached_by_dots(db: Db) -> None:
    db.old.insert_many([{"owner": {"id": 7}, "number": {"text": text}} for text in ("A-1", "A-3")])
    options = {"number_field": "number.text", "scope_fields": ("owner.id",), "created_field": "at"}
    (found,) = audit_foreign(foreign_target(db, collection="old", **options), foreign.Seen())
    assert ranges(found) == [(2, 2)]


def test_the_command_says_what_it_could_not_count_and_changes_nothing(run: Run, db: Db) -> None:
    db.old.insert_many([{"paymentNumber": number} for number in (*of_2026(1, 3), "none", "A-1b")])
    db.old.insert_one({"other": 1})
    before = sorted(db.list_collection_names())
    options = ["--collection", "old", "--number-field", "paymentNumber"]
    code, output = run("audit_numbers.py", "--json", *options)
    told = json.loads(output)
    assert (code, told["failures"]) == (1, ["1 numbers newly lost"])
    assert told["done"] == [
        f"{db.name}.old: paymentNumber: 80.0 % of 5 documents.",
        "2 have a paymentNumber that doesn't end in a counted number.",
    ]
    assert sorted(db.list_collection_names()) == before
    assert run("audit_numbers.py", *options, "--max-lost", "1")[0] == 0


def test_of_numbers_that_come_twice_it_is_said_between_which_they_are(run: Run, db: Db) -> None:
    db.old.insert_many([{"paymentNumber": number} for number in of_2026(1, 2, 2, 3)])
    _code, output = run("audit_numbers.py", "--collection", "old", "--number-field", "paymentNumber")
    assert "duplicates: * 1 among PAY20260001 to PAY20260003" in output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--number-field", "paymentNumbr"],
            "--number-field paymentNumbr: no document of {}.old has it (did you mean paymentNumber?)",
        ),
        (
            ["--number-field", "paymentNumber", "--scope", "usr"],
            "--scope usr: no document of {}.old has it (did you mean user?)",
        ),
        (["--number-field", "paymentNumber", "--record-gaps"], "A collection of other software is only looked at"),
        (["--scope", "user"], "name its --number-field too"),
        (["--collection", "olt", "--number-field", "paymentNumber"], "has no such collection (did you mean old?)"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(run: Run, db: Db, options: list[str], said: str) -> None:
    db.old.insert_one({"user": 1, "paymentNumber": "PAY20260001"})
    code, output = run("audit_numbers.py", "--collection", "old", *options)
    assert code == 2
    assert said.format(db.name) in output
