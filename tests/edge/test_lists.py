"""What a list takes: pages that end before they are large, and turns, so that one tenant waits for itself alone."""

import threading
from time import sleep
from typing import Any

import pytest
from bson import ObjectId

from finance import database
from finance.edge.lists import PAGE_BYTES_MAX, READ_AT_ONCE, Turns
from finance.errors import TooBusy
from tests.clients import Client, at_once, poll

LONG_S = 30.0
NOTE = "😀" * 1_000
METADATA = {f"key {number}": "😀" * 500 for number in range(20)}


def test_a_page_of_large_rows_ends_early_and_the_next_goes_on_where_it_ends(client: Client) -> None:
    client.db.payments.insert_many([_large_payment(number) for number in range(60)])

    pages = []
    query: dict[str, Any] = {"limit": 50}
    while True:
        answer = client.get("/payments", query_string=query)
        assert answer.status_code == 200, answer.text
        pages.append(answer)
        if not answer.json["has_more"]:
            break
        query["cursor"] = answer.json["next_cursor"]

    listed = [payment["payment_number"] for page in pages for payment in page.json["data"]]
    assert listed == [f"PAY2026{number:04}" for number in reversed(range(1, 61))]
    assert max(len(page.data) for page in pages) < PAGE_BYTES_MAX + 1_000
    assert len(pages[0].json["data"]) < 50


def test_a_row_that_is_larger_than_a_page_is_a_page_of_its_own(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.edge.lists.PAGE_BYTES_MAX", 100)
    client.db.payments.insert_many([_large_payment(number) for number in range(2)])

    page = client.get("/payments").json

    assert ([payment["payment_number"] for payment in page["data"]], page["has_more"]) == (["PAY20260002"], True)


def test_a_tenant_reads_a_few_pages_at_a_time_and_another_does_not_wait_for_it() -> None:
    turns = Turns()
    reading: list[int] = []
    most: list[int] = []
    let_go = threading.Event()

    def read(number: int) -> None:
        with turns.turn("acme"):
            reading.append(number)
            most.append(len(reading))
            let_go.wait(LONG_S)
            reading.remove(number)

    crowd = threading.Thread(target=at_once, args=(12, read))
    crowd.start()
    poll(lambda: len(reading) == READ_AT_ONCE, within_s=LONG_S)
    sleep(0.05)
    with turns.turn("globex"):
        assert len(reading) == READ_AT_ONCE
    with database.deadline(0.05), pytest.raises(TooBusy), turns.turn("acme"):
        pass

    let_go.set()
    crowd.join()
    assert (max(most), len(most)) == (READ_AT_ONCE, 12)
    assert turns._by_tenant == {}


@pytest.mark.parametrize("path", ["/payments?payer=%CC%81", "/customers?customer_name=%CC%81"])
def test_accents_alone_are_no_name_to_search_for(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 422
    assert "not accents alone" in answer.json["errors"][0]["detail"]


def _large_payment(number: int) -> dict[str, Any]:
    return {
        "_id": ObjectId(),
        "tenant": "acme",
        "payment_number": f"PAY2026{number + 1:04}",
        "number_year": 2026,
        "number_seq": number + 1,
        "amount_minor": 100,
        "currency": "EUR",
        "payer": "Ada",
        "status": "recorded",
        "note": NOTE,
        "metadata": METADATA,
        "previous_numbers": [],
        "history": [],
    }
