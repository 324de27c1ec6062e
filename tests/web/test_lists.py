"""A list as a page: the API's own list, older and newer, at an address that is short and says all of it."""

import pytest

from tests.clients import Client, a_payment
from tests.web.browser import Browser, Page

ROWS = 57


@pytest.fixture
def browser(client: Client) -> Browser:
    return Browser(client).sign_in("accountant")


@pytest.fixture
def numbers(client: Client) -> list[str]:
    """The numbers of payments of three days, as the API lists them by the day they were paid on."""
    for place in range(ROWS):
        _record(client, paid_on=f"2026-03-0{place % 3 + 1}", amount=f"{place + 1}.00")
    return _listed(client)


@pytest.fixture
def few(client: Client) -> list[str]:
    return [_record(client, amount=f"{amount}.00") for amount in (5, 15, 25)]


def _record(client: Client, **changes: str) -> str:
    return str(client.post("/payments", json=a_payment(**changes)).json["payment_number"])


def _listed(client: Client, sort: str = "-paid_on") -> list[str]:
    rows = client.get("/payments", query_string={"sort": sort, "limit": 200}).json["data"]
    return [row["payment_number"] for row in rows]


def _numbers(page: Page) -> list[str]:
    return page.column("Payment number")


def _walk(browser: Browser, words: str) -> list[list[str]]:
    """Return the pages from this one on, following a link while there is one."""
    pages = [_numbers(browser.page)]
    while browser.page.has_link(words):
        pages.append(_numbers(browser.follow(words)))
        assert len(pages) < 20
    return pages


@pytest.mark.parametrize("sort", ["-paid_on", "paid_on", "-payment_number", "payment_number"])
def test_older_and_newer_walk_the_api_s_list_in_both_directions(
    client: Client, browser: Browser, numbers: list[str], sort: str
) -> None:
    listed = _listed(client, sort)
    browser.get(f"/payments?sort={sort}&limit=25")

    older = _walk(browser, "Older →")
    newer = _walk(browser, "← Newer")

    assert older == [listed[:25], listed[25:50], listed[50:]]
    assert newer == [listed[50:], listed[25:50], listed[:25]]


def test_what_is_recorded_meanwhile_is_met_on_the_way_back_and_moves_nothing(
    client: Client, browser: Browser, numbers: list[str]
) -> None:
    browser.get("/payments?sort=-paid_on&limit=25")
    browser.follow("Older →")
    added = _record(client, paid_on="2026-03-04")
    between = _record(client, paid_on="2026-03-02")

    last = browser.follow("Older →")
    assert _numbers(last)[-7:] == numbers[50:]

    back = _walk(browser, "← Newer")
    assert [*back[-1][:1], *sorted({number for page in back for number in page} - set(numbers))] == [
        added,
        *sorted((added, between)),
    ]
    assert back[-1] == _listed(client)[:25]


def test_of_a_list_that_ends_with_a_full_page_none_leads_to_an_empty_one(
    client: Client, browser: Browser, numbers: list[str]
) -> None:
    browser.get("/payments?paid_to=2026-03-02&paid_from=2026-03-02&limit=25")
    assert len(_numbers(browser.page)) == ROWS // 3
    assert not browser.page.has_link("Older →")
    assert not browser.page.has_link("← Newer")


def test_the_address_is_short_whatever_the_form_sends(browser: Browser) -> None:
    browser.get("/payments")

    page = browser.get(
        "/payments?paid_from=&paid_to=&payer=&currency=EUR&status=&limit=50&sort=-payment_number&min_amount="
    )

    assert page.address == "/payments?currency=EUR"
    assert page.chips == ["Currency: EUR"]


def test_filters_are_typed_shown_as_chips_and_taken_away(client: Client, browser: Browser, few: list[str]) -> None:
    browser.get("/payments?limit=25")
    page = browser.submit("Show", paid_from="2026-03-02", currency="EUR", min_amount="10.00", payer="ada")

    assert set(page.chips) == {"Paid from: 2 Mar 2026", "Currency: EUR", "Amount from: 10.00", "Payer: ada"}
    assert "Paid from: 2 Mar 2026" in page.title
    assert "limit=25" in page.address

    page = browser.follow("Remove filter: Currency: EUR")
    assert "Currency: EUR" not in page.chips
    assert browser.follow("Clear all").address == "/payments"


def test_an_amount_in_a_filter_is_read_as_its_reader_writes_it(
    client: Client, browser: Browser, few: list[str]
) -> None:
    _record(client, amount="1250.50")
    browser.get("/payments", lang="fr-FR")

    page = browser.submit("Afficher", currency="EUR", min_amount="1\u202f250,50")

    assert page.status == 200
    assert page.column("Montant") == ["1\u202f250,50\u00a0EUR"]


def test_a_filter_that_is_refused_shows_why_at_its_field_and_lists_nothing(browser: Browser, few: list[str]) -> None:
    page = browser.get("/payments?currency=EURO&min_amount=12,50&paid_from=yesterday")

    assert page.status == 422
    assert page.field_error("currency")
    assert page.field_error("min_amount") == (
        "can be read as 1250 or as 12.50. Write the one that you mean, as in 1,250.50."
    )
    assert page.field_error("paid_from")
    assert page.rows() == []
    assert (page.field("currency"), page.field("min_amount")) == ("EURO", "12,50")


def test_a_filter_that_no_list_has_is_refused(browser: Browser, few: list[str]) -> None:
    page = browser.get("/payments?nonsense=1")

    assert page.status == 422
    assert "nonsense" in (page.alert or "").lower()
    assert page.rows() == []


@pytest.mark.parametrize("name", ["cursor", "before"])
def test_a_place_in_another_list_leads_to_the_top_of_this_one_and_says_so(
    browser: Browser, numbers: list[str], name: str
) -> None:
    browser.get("/payments?limit=25")
    cursor = browser.page.link("Older →").partition("cursor=")[2]

    page = browser.get(f"/payments?limit=25&currency=EUR&{name}={cursor}")

    assert page.address == "/payments?limit=25&currency=EUR"
    assert page.done == "This list was shown from its top, because its filters or its order had changed."
    assert browser.get("/payments?cursor=nonsense").address == "/payments"


def test_columns_are_chosen_and_stay_in_the_address(browser: Browser, few: list[str]) -> None:
    browser.get("/payments?currency=EUR")
    page = browser.submit("Show", column=["payment_number", "reference", "amount"])

    assert page.address == "/payments?currency=EUR&columns=payment_number%2Creference%2Camount"
    assert list(page.rows()[0]) == ["Payment number", "Reference", "Amount"]
    assert "columns=" in browser.follow("Remove filter: Currency: EUR").address


def test_the_default_columns_are_not_said(browser: Browser, few: list[str]) -> None:
    browser.get("/payments?columns=payment_number,amount")
    default = ["payment_number", "paid_on", "payer", "method", "amount", "status"]
    assert "columns" not in browser.submit("Show", column=default).address


def test_a_header_leads_to_the_other_order_where_the_api_has_one(browser: Browser, few: list[str]) -> None:
    page = browser.get("/payments")
    heads = {head.text: head for head in page.main.all("th", scope="col")}

    assert {text for text, head in heads.items() if head.first("a")} == {"Payment number ↓", "Paid on"}
    assert heads["Payment number ↓"].get("aria-sort") == "descending"
    assert browser.follow("Payment number ↓").address == "/payments?sort=payment_number"
    assert _numbers(browser.page) == sorted(few)
