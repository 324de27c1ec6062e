"""Whose numbers are whose, and from which day on a shop numbers in another way; on a clock that the tests set."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from finance.maintenance.audit.series import audit
from finance.maintenance.audit.verdict import failures
from finance.shops.claims import LEFT_AFTER
from tests.clients import NOVEMBER, Client

MONTHLY = "{shop}-{year}{month}-{number:04}"
NEARLY_FULL = "finance_nearly_full_numbers_total"
YEARLY = {"reset": "year", "invoice_format": "FAC-{shop}-{year}-{number:04}"}


@pytest.fixture
def app(db: Any) -> Client:
    return Client(db, now=NOVEMBER)


def issued(answer: Any) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json["invoice_number"])


def credited(app: Client, invoice_number: str) -> str:
    answer = app.post(f"/invoices/{invoice_number}/cancel", json={"reason": "wrong"})
    assert answer.status_code == 200, answer.text
    return str(answer.json["credit_note_number"])


def put(app: Client, shop: str = "par", **settings: Any) -> Any:
    answer = app.put_shop(shop, **settings)
    assert answer.status_code in (200, 201), answer.text
    return answer.json


def refused(answer: Any) -> dict[str, str]:
    """Return what is said of each field."""
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json["errors"]}


# --- Two series never write the same number -----------------------------------------------------------------------


def test_two_shops_whose_numbers_meet_are_told_so_when_the_second_is_set_up(app: Client) -> None:
    put(app, "a", invoice_format="{shop}-B-{year}{month}-{number:04}", credit_note_format="X-" + MONTHLY)

    said = refused(app.put_shop("a-b", invoice_format=MONTHLY, credit_note_format="Y-" + MONTHLY))

    assert said.keys() == {"/invoice_format"}
    assert "the shop 'a' writes for its invoices" in said["/invoice_format"]
    assert app.get("/shops/a-b").status_code == 404


def test_credit_notes_do_not_get_the_numbers_of_invoices(app: Client) -> None:
    same = "F-{shop}-{year}{month}-"
    said = refused(app.put_shop(invoice_format=same + "{number:04}", credit_note_format=same + "{number:4}"))
    assert "this shop writes for its invoices" in said["/credit_note_format"]

    put(app, "lyo", invoice_format="F-{year}{month}-{number}")
    said = refused(app.put_shop(invoice_format=MONTHLY, credit_note_format="F-{year}{month}-{number:04}"))
    assert "the shop 'lyo' writes for its invoices" in said["/credit_note_format"]
    assert "must hold {shop}" in said["/credit_note_format"]


def test_what_another_shop_wrote_before_it_was_changed_stays_its_own(app: Client) -> None:
    put(app, "lyo", invoice_format="F-{year}{month}-{number}")
    issued(app.issue("lyo"))
    put(app, "lyo")
    assert "'lyo'" in refused(app.put_shop(invoice_format="F-{year}{month}-{number:04}"))["/invoice_format"]


def test_a_shop_without_numbers_that_is_changed_holds_no_longer_what_it_would_have_written(app: Client) -> None:
    put(app, "lyo", invoice_format="F-{year}{month}-{number}")
    put(app, "lyo")
    app.later(seconds=LEFT_AFTER.total_seconds() + 1)
    put(app, "par", invoice_format="F-{year}{month}-{number}")
    assert "'par'" in refused(app.put_shop("lyo", invoice_format="F-{year}{month}-{number}"))["/invoice_format"]


def test_what_is_refused_claims_nothing(app: Client) -> None:
    put(app, "lyo", invoice_format="F-{year}{month}-{number}")
    refused(
        app.put_shop("par", invoice_format="F-{year}{month}-{number}", credit_note_format="A-{year}{month}-{number}")
    )
    put(app, "abj", invoice_format="A-{year}{month}-{number}")


def test_of_many_shops_that_are_set_up_at_once_one_gets_the_numbers(app: Client) -> None:
    """All formats can write the same, whatever they look like; credit notes are claimed after invoices, or before."""
    formats = ["F-{year}{month}-{number}", "F-{year}{month}-{number:04}", "F-{year}11-{number:02}"]
    invoice, note = formats, [f"A{one}" for one in formats]
    together, answers = threading.Barrier(6), []

    def run(position: int) -> None:
        written = [invoice[position % 3], note[position % 3]][:: 1 if position < 3 else -1]
        names = {"invoice_format": written[0], "credit_note_format": written[1]}
        reset = "year" if "11" in written[0] else "month"
        together.wait()
        answers.append(app.put_shop(f"s{position}", reset=reset, **names).status_code)

    threads = [threading.Thread(target=run, args=(position,)) for position in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 422, 422, 422, 422, 422]
    assert app.db.shops.count_documents({}) == 1


def test_a_request_that_was_killed_between_its_claim_and_its_shop_is_in_the_way_for_a_minute(
    app: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: Any, **_options: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("finance.shops.store.insert_shop", killed)
        with pytest.raises(KeyboardInterrupt):
            app.put_shop("lyo", invoice_format="F-{year}{month}-{number}")
    assert "'lyo'" in refused(app.put_shop(invoice_format="F-{year}{month}-{number}"))["/invoice_format"]

    app.later(seconds=LEFT_AFTER.total_seconds() + 1)
    put(app, invoice_format="F-{year}{month}-{number}")


@pytest.mark.parametrize("shop", ["paris", "marrakech-sud"])
def test_a_shop_with_default_settings_is_set_up_and_numbers_beyond_9999(app: Client, shop: str) -> None:
    assert put(app, shop)["max_length"] == 30
    number = issued(app.issue(shop)).removesuffix("0001")
    app.db.invoices.update_one({}, {"$set": {"number_seq": 9999, "invoice_number": f"{number}9999"}})
    assert issued(app.issue(shop)) == f"{number}10000"


# --- How many numbers are left ------------------------------------------------------------------------------------


def test_the_sequences_of_a_shop_tell_how_many_numbers_are_left(app: Client, caplog: pytest.LogCaptureFixture) -> None:
    """FAC-PAR-202611-0001 has 19 characters, so 9999 is the last of 19."""
    put(app, max_length=19)
    first = issued(app.issue())
    app.db.invoices.update_one({}, {"$set": {"number_seq": 8998, "invoice_number": "FAC-PAR-202611-8998"}})
    counted = REGISTRY.get_sample_value(NEARLY_FULL, {"kind": "invoice"}) or 0

    def left() -> tuple[int | None, bool]:
        (sequence,) = app.get("/shops/par/sequences").json["data"]
        return sequence["capacity_left"], sequence["nearly_full"]

    assert (first, left()) == ("FAC-PAR-202611-0001", (1001, False))
    issued(app.issue())
    assert left() == (1000, False)  # 8999 of 9999
    assert "nearly full" not in caplog.text
    for _more in range(3):
        issued(app.issue())
    assert left() == (997, True)
    assert REGISTRY.get_sample_value(NEARLY_FULL, {"kind": "invoice"}) == counted + 3
    (told,) = [record.getMessage() for record in caplog.records if "nearly full" in record.getMessage()]
    assert "invoice:acme:PAR:2026-11 is nearly full: 999 numbers are left of 9999" in told
    put(app, max_length=60)
    assert left() == (None, False)


# --- From which day on --------------------------------------------------------------------------------------------


def test_a_fiscal_year_that_moves_is_refused_where_its_numbers_would_come_twice(app: Client) -> None:
    put(app, **YEARLY)
    first, second = issued(app.issue()), issued(app.issue())
    assert credited(app, first) == "AV-PAR-2026-0001"

    said = refused(app.put_shop(**YEARLY, fiscal_year_start_month=4))

    assert said.keys() == {"/invoice_format", "/credit_note_format"}
    for detail in said.values():
        assert "the numbers of 2026 once more in FY2026" in detail
        assert "write {fiscal_year}, which is 2026-27, in the place of {year}" in detail
    assert credited(app, second) == "AV-PAR-2026-0002"
    instead = {"reset": "year", "fiscal_year_start_month": 4, "invoice_format": "FAC-{shop}-{fiscal_year}-{number:04}"}
    assert put(app, **instead)["applies_from"] == "2027-01-01"
    assert issued(app.issue()) == "FAC-PAR-2026-0003"
    app.now = datetime(2027, 1, 15, tzinfo=UTC)
    number = issued(app.issue())
    assert number == "FAC-PAR-2026-27-0001"
    assert credited(app, number) == "AV-PAR-2026-27-0001"
    app.now = datetime(2027, 4, 1, tzinfo=UTC)
    assert issued(app.issue()) == "FAC-PAR-2027-28-0001"


def test_numbers_that_never_began_again_do_so_from_the_next_period_on(app: Client) -> None:
    put(app, reset="never", invoice_format="F-{shop}-{number:06}", credit_note_format="A-{shop}-{number:06}")
    first = issued(app.issue())

    assert put(app)["applies_from"] == "2026-12-01"

    assert issued(app.issue()) == "F-PAR-000002"
    assert credited(app, first) == "A-PAR-000001"
    app.now = datetime(2026, 12, 1, tzinfo=UTC)
    number = issued(app.issue())
    assert number == "FAC-PAR-202612-0001"
    assert credited(app, number) == "AV-PAR-202612-0001"
    assert issued(app.issue(issued_on="2026-11-30")) == "F-PAR-000003"
    assert app.get("/shops/par").json["applies_from"] == "2026-12-01"


def test_numbers_that_never_begin_again_are_written_in_a_new_way_from_the_next_one_on(app: Client) -> None:
    put(app, reset="never", invoice_format="F-{shop}-{number:06}")
    issued(app.issue())
    put(app, reset="never", invoice_format="G-{shop}-{number:06}")
    assert issued(app.issue()) == "G-PAR-000002"
    assert failures(audit(app.db, now=NOVEMBER)) == []


def test_invoices_and_credit_notes_change_on_the_same_day_and_never_within_a_period(app: Client) -> None:
    put(app)
    first, second = issued(app.issue()), issued(app.issue())

    assert put(app, **YEARLY)["applies_from"] == "2026-12-01"

    assert credited(app, first) == "AV-PAR-202611-0001"
    app.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert credited(app, second) == "AV-PAR-2026-0001"
    assert issued(app.issue()) == "FAC-PAR-2026-0001"
    assert issued(app.issue(issued_on="2026-11-30")) == "FAC-PAR-202611-0003"
    assert issued(app.issue(issued_on="2026-10-31")) == "FAC-PAR-202610-0001"  # before, so as before


def test_a_credit_note_alone_keeps_its_period_too(app: Client) -> None:
    put(app)
    number = issued(app.issue(issued_on="2026-10-01"))
    assert credited(app, number) == "AV-PAR-202611-0001"
    assert put(app, **YEARLY)["applies_from"] == "2026-12-01"


def test_a_change_waits_for_what_is_dated_ahead(app: Client) -> None:
    put(app, issue_ahead_days=62)
    issued(app.issue(issued_on="2027-01-10", role="accountant"))
    assert put(app, **YEARLY)["applies_from"] == "2027-02-01"


def test_a_month_without_numbers_is_numbered_in_the_new_way_from_its_first_day(app: Client) -> None:
    put(app)
    issued(app.issue(issued_on="2026-10-31"))
    assert put(app, **YEARLY)["applies_from"] == "2026-11-01"
    assert issued(app.issue(issued_on="2026-11-01")) == "FAC-PAR-2026-0001"


def test_a_change_that_is_taken_back_before_it_begins_leaves_nothing(app: Client) -> None:
    put(app)
    issued(app.issue())
    put(app, **YEARLY)
    assert put(app)["applies_from"] is None
    app.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert issued(app.issue()) == "FAC-PAR-202612-0001"


def test_a_fiscal_year_that_moves_from_april_to_july_is_longer_once(app: Client) -> None:
    fiscal: dict[str, Any] = {"reset": "year", "invoice_format": "F-{shop}-{fiscal_year}-{number}"}
    put(app, fiscal_year_start_month=4, **fiscal)
    issued(app.issue())
    assert put(app, fiscal_year_start_month=7, **fiscal)["applies_from"] == "2027-04-01"
    app.now = datetime(2027, 5, 1, tzinfo=UTC)
    assert issued(app.issue()) == "F-PAR-2026-27-2"
    app.now = datetime(2027, 7, 1, tzinfo=UTC)
    assert issued(app.issue()) == "F-PAR-2027-28-1"


def test_months_of_fiscal_years_that_move_are_refused_where_two_get_the_same_numbers(app: Client) -> None:
    """May 2026 is 2026-27-05 in a year from April, and May 2027 is in a year from July."""
    fiscal: dict[str, Any] = {"invoice_format": "F-{shop}-{fiscal_year}-{month}-{number}"}
    put(app, fiscal_year_start_month=4, **fiscal)
    issued(app.issue())
    said = refused(app.put_shop(fiscal_year_start_month=7, **fiscal))
    assert "the numbers of 2026-04 once more in 2027-04 (2027-04-01 to 2027-04-30)" in said["/invoice_format"]
    assert "write another text before {number}" in said["/invoice_format"]


# --- Shops of an earlier version ----------------------------------------------------------------------------------


def older(app: Client, shop: str, *rules: dict[str, Any]) -> None:
    """Store a shop as the version before did."""
    defaults = {"reset": "month", "fiscal_year_start_month": 1, "invoice_format": "FAC-" + MONTHLY}
    defaults["credit_note_format"] = "AV-" + MONTHLY
    stored = {"tenant": "acme", "shop": shop, "name": shop, "timezone": "Europe/Paris", "currency": "EUR"}
    stored |= {"max_length": 20, "history": [], "created_at": NOVEMBER, "created_by": "k"}
    app.db.shops.insert_one({**stored, "rules": [defaults | rule for rule in rules]})


def test_an_older_shop_goes_on_and_claims_what_it_writes(app: Client) -> None:
    older(app, "lyo", {"invoice_format": "F-{year}{month}-{number:04}"})
    assert issued(app.issue("lyo")) == "F-202611-0001"
    assert app.get("/shops/lyo").json["max_length"] == 20
    assert app.get("/shops/lyo").json["issue_ahead_days"] == 1
    assert [rule["claimed"] for rule in app.db.shops.find_one({"shop": "lyo"})["rules"]] == [True]
    assert "'lyo'" in refused(app.put_shop(invoice_format="F-{year}{month}-{number}"))["/invoice_format"]


def test_what_an_older_shop_writes_is_its_own_before_it_has_claimed_it(app: Client) -> None:
    older(app, "lyo", {"invoice_format": "F-{year}{month}-{number:04}"})
    assert "'lyo'" in refused(app.put_shop(invoice_format="F-{year}{month}-{number}"))["/invoice_format"]


def test_an_older_change_takes_effect_when_the_period_ends_for_both_kinds(app: Client) -> None:
    never = {"reset": "never", "invoice_format": "F-{shop}-{number:06}", "credit_note_format": "A-{shop}-{number:06}"}
    older(app, "par", never)
    first = issued(app.issue())
    app.db.shops.delete_many({})
    older(app, "par", never | {"replaced_on": "2026-11-20"}, {})
    assert issued(app.issue()) == "F-PAR-000002"
    assert credited(app, first) == "A-PAR-000001"
    app.now = datetime(2026, 12, 2, tzinfo=UTC)
    assert issued(app.issue()) == "FAC-PAR-202612-0001"
    assert issued(app.issue(issued_on="2026-11-30")) == "F-PAR-000003"


def test_an_older_shop_whose_numbers_come_twice_can_be_put_right(app: Client) -> None:
    year = {"reset": "year", "invoice_format": "FAC-{shop}-{year}-{number:04}"}
    year["credit_note_format"] = "AV-{shop}-{year}-{number:04}"
    older(app, "par", year)
    issued(app.issue())
    rule = app.db.shops.find_one()["rules"][0]
    moved = [rule | {"replaced_on": "2026-11-20"}, rule | {"fiscal_year_start_month": 4}]
    app.db.shops.update_one({}, {"$set": {"rules": moved}})
    app.now = datetime(2027, 1, 15, tzinfo=UTC)
    assert app.issue().json["code"] == "number_taken_elsewhere"
    put(app, fiscal_year_start_month=4, reset="year", invoice_format="FAC-{shop}-{fiscal_year}-{number:04}")
    assert issued(app.issue()) == "FAC-PAR-2026-27-0001"


def test_older_shops_that_meet_stop_nothing_but_the_number_that_would_be_given_twice(
    app: Client, caplog: pytest.LogCaptureFixture
) -> None:
    older(app, "par", {"invoice_format": "F-{year}{month}-{number:04}", "credit_note_format": "A-{number:03}{shop}"})
    older(app, "lyo", {"invoice_format": "B-" + MONTHLY, "credit_note_format": "F-{year}{month}-{number:4}"})
    assert issued(app.issue("par")) == "F-202611-0001"
    number = issued(app.issue("lyo"))

    cancelled = app.post(f"/invoices/{number}/cancel", json={"reason": "wrong"})

    assert (cancelled.status_code, cancelled.json["code"]) == (409, "number_taken_elsewhere")
    assert "F-202611-0001" in cancelled.json["detail"]
    assert app.invoice(number)["status"] == "issued"
    assert "Shop lyo of acme writes its credit_notes as par does its invoices" in caplog.text
    assert issued(app.issue("par")) == "F-202611-0002"
    for path in ("/shops", "/shops/lyo", "/shops/lyo/sequences", "/invoices", "/credit-notes"):
        assert app.get(path).status_code == 200
    assert failures(audit(app.db, now=NOVEMBER)) == []
    assert put(app, "lyo", invoice_format="B-" + MONTHLY)["credit_note_format"] == "AV-B-" + MONTHLY
    assert credited(app, number) == "AV-B-LYO-202611-0001"


def test_kinds_of_one_older_shop_that_meet_get_each_number_once(app: Client) -> None:
    older(app, "par", {"invoice_format": "F-" + MONTHLY, "credit_note_format": "F-{shop}-{year}{month}-{number:4}"})
    numbers = [issued(app.issue()) for _ in range(3)]
    refused_one = app.post(f"/invoices/{numbers[0]}/cancel", json={"reason": "wrong"})
    assert refused_one.json["code"] == "number_taken_elsewhere"
    put(app, invoice_format="F-" + MONTHLY, max_length=20)
    assert credited(app, numbers[0]) == "AV-F-PAR-202611-0001"
