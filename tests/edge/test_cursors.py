"""Cursors: signed with one secret for all processes, for one list of one tenant."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finance.database import Db, shared_secret
from finance.edge.cursors import Cursors
from finance.errors import Invalid
from finance.paging import page_queries
from tests.clients import Client, a_payment, at_once

OURS = Cursors(lambda: b"a secret")
LIST = {"tenant": "acme", "path": "/api/v1/payments", "query": {"sort": "paid_on", "currency": "EUR", "limit": 5}}
POSITION = ["2026-01-01", 7, "6b00bb3405ce2d8deb32491b"]


def test_a_cursor_goes_back_to_the_place_it_was_made_for() -> None:
    cursor = OURS.encode(POSITION, **LIST)

    assert OURS.decode(cursor, **LIST) == POSITION
    assert OURS.decode(cursor, **LIST | {"query": LIST["query"] | {"limit": 9, "cursor": "x"}}) == POSITION


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "globex"},
        {"path": "/api/v1/invoices"},
        {"query": {"sort": "paid_on", "currency": "USD"}},
        {"query": {"sort": "-paid_on", "currency": "EUR"}},
        {"query": {"sort": "paid_on"}},
    ],
)
def test_a_cursor_fits_no_other_list(other: dict) -> None:
    with pytest.raises(Invalid, match="belongs to a list with other filters"):
        OURS.decode(OURS.encode(POSITION, **LIST), **LIST | other)


@given(data=st.data())
def test_a_cursor_of_which_anything_is_changed_is_not_ours(data: st.DataObject) -> None:
    cursor = OURS.encode(POSITION, **LIST)
    place = data.draw(st.integers(0, len(cursor)))
    taken_away = data.draw(st.integers(0, 3))
    changed = cursor[:place] + data.draw(st.text(max_size=3)) + cursor[place + taken_away :]

    if changed != cursor:
        with pytest.raises(Invalid, match="Begin the list again"):
            OURS.decode(changed, **LIST)


def test_a_position_of_long_foreign_names_still_fits(client: Client) -> None:
    for number in range(2):
        client.post("/customers", json={"customer_name": "界" * 199 + str(number)})

    page = client.get("/customers?sort=customer_name&limit=1").json
    following = client.get(f"/customers?sort=customer_name&limit=1&cursor={page['next_cursor']}")

    assert [row["customer_name"][-1] for row in page["data"] + following.json["data"]] == ["0", "1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    at=st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59.999"]),
    hours=st.integers(-23, 23),
    minutes=st.integers(0, 59),
)
def test_an_instant_at_the_ends_of_time_is_a_position_or_none(db: Db, at: str, hours: int, minutes: int) -> None:
    offset = f"{'-' if hours < 0 else '+'}{abs(hours):02}:{minutes:02}"
    after = [f"{at}{offset}", "6b00bb3405ce2d8deb32491b"]

    with contextlib.suppress(Invalid):
        pages = page_queries(db.payments, {}, order=("created_at", "_id"), descending=True, after=after)
        assert [row for page in pages for row in page] == []


def test_the_secret_is_made_once_by_whoever_comes_first(db: Db) -> None:
    made = at_once(16, lambda number: shared_secret(db, name="cursors", fresh=b"%d" % number))

    assert len(set(made)) == 1
    assert db.secrets.count_documents({}) == 1
    assert shared_secret(db, name="cursors", fresh=b"later") == made[0]


def test_a_cursor_of_one_process_is_read_by_another(db: Db) -> None:
    one, other = Client(db), Client(db)
    for _two in range(2):
        one.post("/payments", json=a_payment())

    cursor = one.get("/payments?limit=1").json["next_cursor"]

    assert len(other.get(f"/payments?limit=1&cursor={cursor}").json["data"]) == 1


def test_no_link_and_no_location_leads_where_a_client_says_it_is(client: Client) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    posted = [client.post("/payments", json=a_payment(), headers=evil) for _two in range(2)]

    page = client.get("/payments?limit=1", headers=evil)

    assert posted[0].headers["Location"] == f"/api/v1/payments/{posted[0].json['payment_number']}"
    assert page.headers["Link"] == f'</api/v1/payments?limit=1&cursor={page.json["next_cursor"]}>; rel="next"'
