"""Pages by position: what a cursor may hold, and which ranges follow a place."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from finance.database import Db
from finance.errors import Invalid
from finance.paging import page_queries, take_page

ORDER = ("number_year", "number_seq", "_id")
IDENTITY = "6b00bb3405ce2d8deb32491b"


@pytest.mark.parametrize(
    "after",
    [
        [],
        [2026, 1],
        [2026, 1, IDENTITY, 1],
        ["2026", 1, IDENTITY],
        [2026, 1, None],
        [2026, {"bson": "nonsense"}, IDENTITY],
        [2026, 1.5, IDENTITY],
        [True, 1, IDENTITY],
        [2026, 2**63, IDENTITY],
        [2026, 1, "nonsense"],
        [2026, 1, {"$gt": ""}],
    ],
)
def test_what_is_no_place_in_the_order_is_refused(db: Db, after: list[Any]) -> None:
    with pytest.raises(Invalid):
        next(page_queries(db.payments, {}, order=ORDER, descending=False, after=after))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_every_document_is_shown_once_also_where_numbers_are_equal(db: Db, descending: bool, limit: int) -> None:
    places = [(year, seq) for year in (2025, 2026, 2027) for seq in (1, 2, 2, 2, 3)]
    db.things.insert_many([{"_id": ObjectId(), "number_year": year, "number_seq": seq} for year, seq in places])
    shown: list[tuple[int, int, ObjectId]] = []
    position: list[Any] | None = None

    for _page in range(len(places) + 1):
        queries = page_queries(db.things, {}, order=ORDER, descending=descending, after=position)
        page = take_page(queries, order=ORDER, limit=limit)
        shown += [tuple(document[field] for field in ORDER) for document in page.rows]
        position = page.position
        if position is None:
            break

    assert shown == sorted(shown, reverse=descending)
    assert [entry[:2] for entry in sorted(shown)] == places


ODD_DAYS: list[Any] = [
    *(None, "2026-01-01", "2026-01-01", "2026-02-01", 5, 7.5, Decimal128("6"), True, False, b"bytes", IDENTITY),
    *(ObjectId(IDENTITY), datetime(2026, 1, 1, tzinfo=UTC), {}, {"a": 1}, ["2026-01-15"], None, ""),
]


@pytest.mark.parametrize("order", [("paid_on", "number_seq", "_id"), ("paid_on", "_id")])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_documents_that_lack_a_field_or_have_another_type_there_are_shown_once_and_in_order(
    db: Db, order: tuple[str, ...], descending: bool, limit: int
) -> None:
    ids: list[Any] = [ObjectId(), "a text", 12]
    things = [{"paid_on": day, "number_seq": seq} for day in ODD_DAYS for seq in (None, 1, 1, "2")]
    things += [{}, {}, {"paid_on": "2026-01-01"}, {"paid_on": "2026-01-01"}, {"number_seq": 1}]
    things += [{"_id": identity, "paid_on": day, "number_seq": 1} for day in ("2026-01-01", None) for identity in ids]
    for place, thing in enumerate(things):
        if "_id" in thing and thing["paid_on"] is None:
            thing["_id"] = f"{place}" if isinstance(thing["_id"], str) else place
    db.things.insert_many(things)
    expected = [thing["_id"] for thing in db.things.find().sort([(field, -1 if descending else 1) for field in order])]
    shown: list[Any] = []
    position: list[Any] | None = None

    for _page in range(len(things) + 1):
        queries = page_queries(db.things, {}, order=order, descending=descending, after=position)
        page = take_page(queries, order=order, limit=limit)
        shown += [thing["_id"] for thing in page.rows]
        position = json.loads(json.dumps(page.position))  # as a cursor carries it
        if position is None:
            break

    assert shown == expected
