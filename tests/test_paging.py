"""Pages by position: what a cursor may hold, and which ranges follow a place."""

from typing import Any

import pytest
from bson import ObjectId

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
        [2026, None, IDENTITY],
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
