"""What the payments of a list come to: the same that a reader of the whole list would add up, always."""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from finance.database import Db, create_indexes
from finance.payments import store, summary
from tests.clients import NOVEMBER, Client, at_once
from tests.commands import Commands
from tests.invoices.test_store import stages_of

Row = tuple[Any, ...]
FILTERS = [
    "",
    "paid_from=2026-02-01",
    "paid_to=2026-01-31",
    "paid_from=2025-12-15&paid_to=2026-02-14",
    "paid_from=2026-01-10&paid_to=2026-01-10",
    "paid_from=2027-01-01",
    "currency=EUR",
    "direction=outgoing&paid_from=2026-01-05",
    "status=voided",
    "status=recorded&currency=JPY&paid_to=2026-02-20",
    "method=card",
    "method=card&status=voided&paid_from=2026-01-05",
    "customer_code=CUST-000001",
    "payer=ada",
    "currency=EUR&min_amount=5.00&max_amount=900.00",
    "reference=R3",
]


@pytest.fixture(autouse=True)
def keep_every_month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "KEPT_COUNT_MIN", 1)


@pytest.fixture
def several_days(db: Db) -> Iterator[None]:
    """An index that has ever held a list is read in another way from then on: the next test gets a new one."""
    yield
    db.payments.drop()


def document(seq: int, **changes: Any) -> dict[str, Any]:
    found = {
        "_id": ObjectId(),
        "tenant": "acme",
        "payment_number": f"PAY2026{seq:04}",
        "number_year": 2026,
        "number_seq": seq,
        "amount_minor": seq,
        "currency": "EUR",
        "payer": "Ada",
        "payer_folded": ["ada"],
        "method": "card",
        "direction": "incoming",
        "paid_on": "2026-01-10",
        "status": "recorded",
        "history": [],
        "created_at": datetime(2026, 1, 10, tzinfo=UTC),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def seed(db: Db, count: int = 300) -> None:
    chance = random.Random(7)
    db.payments.insert_many(
        document(
            seq,
            tenant=chance.choice(["acme", "acme", "other"]),
            amount_minor=chance.randrange(1, 10**6),
            currency=chance.choice(["EUR", "EUR", "JPY", "KWD"]),
            direction=chance.choice(["incoming", "outgoing"]),
            method=chance.choice(["card", "cash"]),
            status=chance.choice(["recorded", "recorded", "voided"]),
            customer_code=chance.choice(["CUST-000001", None]),
            reference=chance.choice(["R3", None]),
            paid_on=f"{chance.choice(['2025-12', '2026-01', '2026-02'])}-{chance.randrange(1, 29):02}",
        )
        for seq in range(1, count + 1)
    )


def added_up(client: Client, query: str) -> dict[Row, tuple[int, Decimal]]:
    """Return what somebody finds who reads the whole list."""
    counts: Counter[Row] = Counter()
    totals: dict[Row, Decimal] = {}
    cursor = ""
    while True:
        page = client.get(f"/payments?limit=200&{query}{cursor}").json
        for row in page["data"]:
            key = (row["currency"], row["direction"], row["status"], row["paid_on"][:7])
            counts[key] += 1
            totals[key] = totals.get(key, Decimal(0)) + Decimal(row["amount"])
        if not page["has_more"]:
            return {key: (counts[key], totals[key]) for key in counts}
        cursor = f"&cursor={page['next_cursor']}"


def summed(client: Client, query: str = "") -> dict[Row, tuple[int, Decimal]]:
    answer = client.get(f"/payments/summary?{query}")
    assert answer.status_code == 200, answer.text
    rows = answer.json["data"]
    found = {
        (row["currency"], row["direction"], row["status"], row["month"]): (row["count"], Decimal(row["total"]))
        for row in rows
    }
    assert len(found) == len(rows)
    totals: dict[Row, tuple[int, Decimal]] = {}
    for (*key, _month), (count, total) in found.items():
        before = totals.get(tuple(key), (0, Decimal(0)))
        totals[tuple(key)] = (before[0] + count, before[1] + total)
    assert totals == {
        (row["currency"], row["direction"], row["status"]): (row["count"], Decimal(row["total"]))
        for row in answer.json["totals"]
    }
    return found


def test_it_is_what_the_list_comes_to_at_any_filter(client: Client) -> None:
    seed(client.db)
    for _kept in range(2):
        for query in FILTERS:
            assert summed(client, query) == added_up(client, query), query


def test_it_shows_as_of_when_and_amounts_as_payments_do(db: Db) -> None:
    client = Client(db, now=NOVEMBER)
    client.pay("1250.50", paid_on="2026-11-20")

    assert client.get("/payments/summary").json == {
        "as_of": "2026-11-20T12:00:00Z",
        "data": [
            {
                "currency": "EUR",
                "direction": "incoming",
                "status": "recorded",
                "month": "2026-11",
                "count": 1,
                "total": "1250.50",
            }
        ],
        "totals": [{"currency": "EUR", "direction": "incoming", "status": "recorded", "count": 1, "total": "1250.50"}],
    }


def test_nothing_comes_to_nothing(client: Client) -> None:
    answer = client.get("/payments/summary").json
    assert (answer["data"], answer["totals"]) == ([], [])


def test_a_kept_month_is_read_again_after_a_payment_and_after_a_void(client: Client) -> None:
    seed(client.db, 50)
    before = summed(client)
    number = client.pay("7.00", paid_on="2026-01-10").json["payment_number"]
    key = ("EUR", "incoming", "recorded", "2026-01")

    assert summed(client)[key] == (before[key][0] + 1, before[key][1] + 7)

    client.post(f"/payments/{number}/void", json={"reason": "twice"})

    after = summed(client)
    assert after[key] == before[key]
    assert after == added_up(client, "")


def test_a_month_that_did_not_change_is_counted_and_not_added_up_again(watched: Db, commands: Commands) -> None:
    seed(watched)
    client = Client(watched)
    first = summed(client)
    commands.names.clear()

    assert summed(client) == first
    assert commands.names.count("count") == 6
    assert commands.names.count("aggregate") <= 3  # of what is in no month, before the first and after the last one


def test_what_somebody_changed_by_hand_is_seen_after_an_hour(db: Db) -> None:
    client = Client(db, now=NOVEMBER)
    client.pay("1.00", paid_on="2026-01-10")
    summed(client)
    db.payments.update_one({}, {"$set": {"amount_minor": 200}})

    client.later(hours=1, seconds=1)

    assert list(summed(client).values()) == [(1, Decimal(2))]


def test_sums_beyond_64_bits_are_exact(client: Client) -> None:
    largest = 9_999_999_999_999_999  # 13 digits and two decimals are 15; three decimals are 16
    client.db.payments.insert_many([document(seq, amount_minor=Int64(largest)) for seq in range(1, 1_001)])
    client.db.payments.insert_one(document(1_001, amount_minor=Decimal128("1.5")))

    for query in ("", "method=card"):
        rows = client.get(f"/payments/summary?{query}").json["data"]
        assert [(row["count"], row["total"]) for row in rows] == [(1_000, "99999999999999990.00"), (1, None)]


ODD_AMOUNTS = [
    None,
    "12.50",
    12.5,
    float("nan"),
    Decimal128("12.5"),
    Decimal128("NaN"),
    Decimal128("Infinity"),
    Decimal128("-Infinity"),
    True,
    [1, 2],
    {"a": 1},
    datetime(2026, 1, 1, tzinfo=UTC),
]


def test_amounts_that_cannot_be_read_stand_in_a_row_of_their_own_without_a_total(client: Client) -> None:
    client.db.payments.insert_many([document(seq) for seq in range(1, 4)])
    client.db.payments.insert_many([document(10 + n, amount_minor=odd) for n, odd in enumerate(ODD_AMOUNTS)])

    for query in ("", "method=card", "currency=EUR"):
        answer = client.get(f"/payments/summary?{query}").json
        for rows in (answer["data"], answer["totals"]):
            assert [(row["count"], row["total"]) for row in rows] == [(3, "0.06"), (len(ODD_AMOUNTS), None)], query


DAMAGED: list[dict[str, Any]] = [
    {"currency": None},
    {"currency": "EURO"},
    {"currency": 7},
    {"direction": None},
    {"status": ["voided"]},
    {"paid_on": None},
    {"paid_on": "yesterday"},
    {"paid_on": "2026-13-01"},
    {"paid_on": "1"},
    {"paid_on": "2026-01-1é"},
    {"paid_on": datetime(2026, 1, 1, tzinfo=UTC)},
    {"paid_on": {"a": 1}},
    {"paid_on": ["2026-01-10", "2026-03-02"]},
    {"paid_on": ["2099-01-01"]},
    {"paid_on": [7, "2026-01-10"]},
    {"paid_on": []},
    {"paid_on": "9999-12-31"},
]


@pytest.mark.usefixtures("several_days")
def test_a_damaged_payment_hides_nothing_and_is_counted(client: Client) -> None:
    for number, changes in enumerate(DAMAGED):
        tenant = f"t{number}"
        sound = [document(1, tenant=tenant), document(2, tenant=tenant, paid_on="2026-03-01")]
        client.db.payments.insert_many([*sound, document(3, tenant=tenant, **changes)])

        for query in ("", "payer=ada"):
            answer = client.get(f"/payments/summary?{query}", tenant=tenant).json
            for rows in (answer["data"], answer["totals"]):
                assert sum(row["count"] for row in rows) == 3, changes
            totals = [Decimal(row["total"]) for row in answer["data"] if row["total"] is not None]
            assert sum(totals) in (Decimal("0.03"), Decimal("0.06")), changes


@pytest.mark.usefixtures("several_days")
@pytest.mark.parametrize("kept_count_min", [0, 1, 1_000])
def test_a_payment_with_two_days_is_counted_once_as_of_the_first(
    client: Client, monkeypatch: pytest.MonkeyPatch, kept_count_min: int
) -> None:
    monkeypatch.setattr(summary, "KEPT_COUNT_MIN", kept_count_min)
    client.db.payments.insert_many(
        [document(1), document(2, paid_on="2026-03-01"), document(3, paid_on=["2026-01-10", "2026-03-02"])]
    )

    for _kept in range(2):
        for query, count in (
            ("", 3),
            ("currency=EUR", 3),
            ("paid_from=2026-01-01", 3),
            ("paid_to=2026-01-31", 2),
            ("paid_from=2026-01-11&paid_to=2026-03-31", 1),
        ):
            answer = client.get(f"/payments/summary?{query}")
            assert answer.status_code == 200, query
            assert sum(row["count"] for row in answer.json["data"]) == count, query


def test_others_have_their_turn_while_many_groups_are_added_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two turns no more than some hundred groups are looked at, also where the months are kept."""
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    combinations = [(day, currency) for day in days for currency in ("EUR", "JPY", "KWD")]
    client.db.payments.insert_many(
        [document(seq, paid_on=day, currency=currency) for seq, (day, currency) in enumerate(combinations, 1)]
    )
    turns: list[float] = []
    sleep = time.sleep  # the driver's threads sleep too, but for some time
    monkeypatch.setattr(summary.time, "sleep", lambda for_s: turns.append(for_s) if for_s == 0 else sleep(for_s))

    for query in ("", "method=card"):
        turns.clear()
        client.get(f"/payments/summary?{query}")
        assert len(turns) >= 2 * len(combinations) // summary.AT_ONCE, query

    looked_at: list[str | None] = []
    month_of = summary._month_of
    monkeypatch.setattr(summary, "_month_of", lambda day: looked_at.append(day) or month_of(day))
    answer = client.get("/payments/summary")
    assert sum(row["count"] for row in answer.json["data"]) == len(combinations)
    assert len(looked_at) <= 2 * 12 + 2, "of kept months the days are not looked at again"


def test_months_with_few_payments_are_added_up_together_and_empty_ones_not_at_all(
    watched: Db, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "KEPT_COUNT_MIN", 50)
    days = ["2000-01-01", *(f"{year}-{month:02}-15" for year in (2024, 2025) for month in range(1, 13)), "2027-11-01"]
    many = [document(1_000 + seq, paid_on="2025-06-20") for seq in range(60)]
    watched.payments.insert_many([*(document(seq, paid_on=day) for seq, day in enumerate(days, 1)), *many])
    client = Client(watched)

    for _kept in range(2):
        commands.names.clear()
        assert summed(client) == added_up_of(client)
    assert commands.names.count("aggregate") <= 4
    assert commands.names.count("count") == 2, "of the month that is kept"


def added_up_of(client: Client) -> dict[Row, tuple[int, Decimal]]:
    before = list(client.db.payments.find({"tenant": "acme"}))
    found: dict[Row, tuple[int, Decimal]] = {}
    for payment in before:
        key = (payment["currency"], payment["direction"], payment["status"], payment["paid_on"][:7])
        count, total = found.get(key, (0, Decimal(0)))
        found[key] = (count + 1, total + Decimal(payment["amount_minor"]) / 100)
    return found


def test_no_more_groups_are_kept_than_the_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(client.db)
    monkeypatch.setattr(summary, "KEPT_GROUPS_MAX", 40)
    kept = summary.Kept()

    for _again in range(2):
        summary.summarize(client.db, kept, tenant="acme", filters={}, now=NOVEMBER)

        groups = sum(len(month.by_day) for month in kept._months.values())
        assert groups == kept._groups <= 40


def test_it_holds_what_was_answered_before_it_was_asked_for(serve_api: Callable[..., Any]) -> None:
    """While others post and void, each answer counts every payment once."""
    from tests.clients import HttpClient

    api = serve_api(workers=2)
    clients = [HttpClient(api) for _ in range(4)]

    def act(n: int) -> list[int]:
        client = clients[n]
        if n:
            for _payment in range(6):
                number = client.pay("1.00", paid_on="2026-01-10").json()["payment_number"]
                client.post(f"/payments/{number}/void", json={"reason": "x"})
            return []
        seen = []
        for _look in range(6):
            rows = client.get("/payments/summary").json()["data"]
            assert all(Decimal(row["total"]) == row["count"] for row in rows)
            seen.append(sum(row["count"] for row in rows))
        return seen

    seen = at_once(4, act)[0]
    assert seen == sorted(seen)
    assert [(row["status"], row["count"]) for row in clients[0].get("/payments/summary").json()["data"]] == [
        ("voided", 18)
    ]


def test_months_are_counted_by_the_keys_of_an_index(client: Client) -> None:
    seed(client.db)
    days = {"$gte": "2026-01", "$lt": "2026-02"}
    for query in ({"paid_on": days}, {"paid_on": days, "status": "voided"}):
        command = {"count": "payments", "query": {"tenant": "acme", **query}}
        plan = client.db.command("explain", command, verbosity="queryPlanner")
        assert stages_of(plan) == ["COUNT", "COUNT_SCAN"], query


def test_how_far_few_payments_go_is_told_by_the_keys_of_an_index(client: Client) -> None:
    seed(client.db)
    order = [("paid_on", 1), ("number_seq", 1)]
    for before in (None, "2026-02"):
        found = client.db.payments.find(store.in_days("acme", "", before), {"paid_on": True, "_id": False})
        stages = stages_of(found.sort(order).skip(9).explain())
        assert "IXSCAN" in stages
        assert not {"SORT", "FETCH", "COLLSCAN"} & set(stages)


def test_what_is_in_no_month_is_found_by_an_index(client: Client) -> None:
    seed(client.db)
    query = {"tenant": "acme", "paid_on": {"$not": {"$gte": ""}}}
    command = {"aggregate": "payments", "pipeline": store._totals_pipeline(query, "$amount_minor"), "cursor": {}}
    plan = client.db.command("explain", command, verbosity="executionStats")
    assert "COLLSCAN" not in str(plan)
    [examined] = re.findall(r"'totalKeysExamined': (\d+)", str(plan))[:1]
    assert int(examined) <= 2, "of three hundred"


def test_an_accountant_of_another_tenant_sees_nothing_of_it(client: Client) -> None:
    seed(client.db)
    summed(client)
    assert client.get("/payments/summary", tenant="nobody").json["data"] == []


def test_an_array_that_was_ever_in_a_day_costs_no_tenant_its_index(client: Client) -> None:
    """It marks the index as one of arrays for good; the planner would rather read every payment then."""
    for place in range(30):
        client.pay("1.00", payer=f"Payer {place}", paid_on="2026-03-01")
    payments = client.db.payments
    odd = payments.insert_one({"tenant": "other", "payment_number": "X", "paid_on": ["2026-01-01", "2026-01-02"]})
    payments.delete_one({"_id": odd.inserted_id})
    payments.drop_index("paid_on_order")  # where it is missing, others are taken

    without = client.get("/payments/summary").json["totals"]
    create_indexes(client.db)

    asked: list[Any] = []
    monitored = store._by_index("paid_on_order", lambda **hint: asked.append(hint) or 7)
    assert (monitored, asked) == (7, [{"hint": "paid_on_order"}])
    assert client.get("/payments/summary").json["totals"] == without
    assert without[0]["count"] == 30
    payments.drop()  # for another test its indexes would remember the array


def test_a_database_whose_indexes_are_not_built_yet_has_totals_too(db: Db) -> None:
    db.payments.insert_one({"tenant": "acme", "payment_number": "PAY1", "paid_on": "2026-03-01", "number_seq": 1})

    assert store.count_of_days(db, tenant="acme", days={"$gte": "2026-03-01"}) == 1
    assert store.find_day(db, store.in_days("acme", "2026-01-01", None), skip=0) == "2026-03-01"
