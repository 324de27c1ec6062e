"""Which numbers of a source are counted, and which a clock made: their payments are kept, the series isn't lifted."""

from datetime import date

import pytest

from finance.config import Config
from finance.database import Db
from finance.errors import Invalid
from finance.payments.survey import Place, Survey, place_of, require_number
from tests.clients import ENCRYPTION_KEY, Client
from tests.maintenance.conftest import COMMANDS
from tests.payments.conftest import Run, an_old_payment

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("PAY20260006", Place(2026, 6)),
        ("PAY20269999", Place(2026, 9999)),
        ("PAY202610000", Place(2026, 10000)),
        ("PAY2026123456", Place(2026, 123456)),
        ("PAY20270001", Place(2027, 1)),
        ("PAY20260000", None),
        ("PAY202600001", None),  # five digits that four would do for: none of ours
        ("PAY20280001", None),
        ("PAY1767225600123", None),  # Date.now()
        ("PAY20261767225600123", None),
        ("pay20260006", None),
        ("RCPT-17", None),
    ],
)
def test_which_place_a_number_names(number: str, place: Place | None) -> None:
    assert place_of(number, today=TODAY) == place


@pytest.mark.parametrize("number", ["", "summary", "a/1", "PAY 1", "-1", "1" * 41, "PAY1\n", "É1", ".1"])
def test_a_number_that_can_t_stand_in_an_address_is_refused(number: str) -> None:
    with pytest.raises(Invalid):
        require_number(number)


@pytest.mark.parametrize(
    ("number_seqs", "taken_over", "last", "clocks"),
    [
        ([1, 2, 300], 0, 300, 0),
        ([5001, 5002], 0, 5002, 0),  # numbers of the usual width are counted, wherever they begin
        ([1, 300, 123456], 0, 300, 1),
        ([1, 300, 123456, 123457, 999999], 0, 300, 3),
        ([9999, 10000, 10001], 0, 10001, 0),
        ([9500, 10400, 11300], 0, 11300, 0),  # no leap is larger than 1,000
        ([9500, 10501], 0, 9500, 1),
        ([12300], 0, 0, 1),
        ([12300], 12000, 12300, 0),  # an earlier import has led there
    ],
)
def test_a_leap_beyond_the_usual_width_is_a_clock(
    number_seqs: list[int], taken_over: int, last: int, clocks: int
) -> None:
    survey = _survey(number_seqs)
    (series,) = survey.close({("acme", 2026): taken_over})

    assert (series.last, series.clocks) == (last, clocks)
    assert [survey.number_seq_of("acme", Place(2026, number_seq)) for number_seq in number_seqs] == [
        number_seq if number_seq <= last else 0 for number_seq in number_seqs
    ]


@pytest.mark.parametrize(("limit", "last", "clocks"), [(123456, 123456, 0), (300, 300, 1), (1, 1, 2)])
def test_the_operator_may_say_how_far_it_counts(limit: int, last: int, clocks: int) -> None:
    (series,) = _survey([1, 300, 123456], limits={2026: limit}).close()

    assert (series.last, series.clocks) == (last, clocks)


def test_what_is_there_twice_is_named_by_its_other_place() -> None:
    survey = Survey(today=TODAY)
    for place in ("line 2", "line 3"):
        survey.add(tenant="acme", number="PAY20260001", row_key=place, place=place)
    survey.add(tenant="other", number="PAY20260001", row_key="line 4", place="line 4")
    survey.close()

    assert survey.other_with_number(tenant="acme", number="PAY20260001", place="line 2") == "line 3"
    assert survey.other_with_number(tenant="other", number="PAY20260001", place="line 4") is None


def _survey(number_seqs: list[int], limits: dict[int, int] | None = None) -> Survey:
    survey = Survey(today=TODAY, limits=limits)
    for number_seq in number_seqs:
        number = f"PAY2026{number_seq:04}"
        survey.add(tenant="acme", number=number, row_key=number, place=number)
    return survey


# --- As they are stored ------------------------------------------------------------------------------------------

CLOCKS = ("PAY2026123456", "PAY1767225600123", "RCPT-17")


def test_a_number_from_a_clock_keeps_its_payment_and_does_not_lift_the_series(
    db: Db, old: Db, take_over: Run, client: Client, mongodb_uri: str
) -> None:
    old.payments.insert_many([an_old_payment(1), an_old_payment(2), *map(an_old_payment, CLOCKS)])

    code, printed = take_over("--apply")

    assert code == 0, printed
    assert "1 from a clock: PAY2026123456\n" in printed
    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY20260003"
    for number in CLOCKS:
        assert client.get(f"/payments/{number}").json["payment_number"] == number
    for sort in ("payment_number", "-payment_number", "paid_on", "created_at"):
        assert {*_numbers(client, sort)} == {"PAY20260001", "PAY20260002", "PAY20260003", *CLOCKS}
    assert _numbers(client, "-payment_number")[:3] == ["PAY20260003", "PAY20260002", "PAY20260001"]
    assert COMMANDS["audit_numbers.py"](["--uri", mongodb_uri, "--database", db.name]) == 0
    assert take_over("--apply")[0] == 0


def test_with_another_last_number_it_is_counted(old: Db, take_over: Run, client: Client) -> None:
    old.payments.insert_many([an_old_payment(1), an_old_payment("PAY2026123456")])

    assert take_over("--apply", "--last-number", "PAY2026123456")[0] == 0
    assert client.pay("1", paid_on="2026-06-01").json["payment_number"] == "PAY2026123457"


@pytest.mark.parametrize("numbering", ["standard", "no_gap"])
def test_a_series_that_comes_to_a_clock_s_number_goes_on_after_it(
    db: Db, old: Db, take_over: Run, mongodb_uri: str, numbering: str
) -> None:
    client = Client(db, Config(encryption_keys=(ENCRYPTION_KEY,), payment_numbering=numbering))
    old.payments.insert_many([an_old_payment(1), an_old_payment("PAY202611002"), an_old_payment("PAY202611003")])
    take_over("--apply")
    db.counters.update_one({"_id": "payment:acme:2026"}, {"$set": {"seq": 11_000}})
    db.payments.update_one({"payment_number": "PAY20260001"}, {"$set": {"number_seq": 11_000}})
    db.number_gaps.delete_many({})

    given = [client.pay("1", paid_on="2026-06-01").json["payment_number"] for _post in range(2)]

    assert given == ["PAY202611001", "PAY202611004"]
    assert {payment["number_seq"] for payment in db.payments.find()} == {*range(11_000, 11_005)}


def _numbers(client: Client, sort: str) -> list[str]:
    found, query = [], f"?sort={sort}&limit=2"
    while True:
        page = client.get(f"/payments{query}").json
        found += [payment["payment_number"] for payment in page["data"]]
        if not page["has_more"]:
            return found
        query = f"?sort={sort}&limit=2&cursor={page['next_cursor']}"
