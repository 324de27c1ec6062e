"""Many who onboard and save at the same time, against real gunicorn processes on a real MongoDB."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.clients import HttpClient, at_once
from tests.conftest import Api
from tests.customers.forms import full_form

CLIENTS = 64
FORMS_EACH = 6
ROUNDS = 100


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Iterator[Api]:
    return shared_api


def _together(calls: list[Callable[[], requests.Response]]) -> list[requests.Response]:
    """Make all calls at the same moment, each in a thread of its own."""
    return at_once(len(calls), lambda position: calls[position]())


def test_64_clients_onboard_at_once_and_a_third_of_them_click_twice(api: Api) -> None:
    client = HttpClient(api, tenant := f"t{uuid4().hex[:8]}")

    def onboard(number: int) -> list[requests.Response]:
        """Send the forms of one client: with a code of its own, with a code handed out, or without."""
        answers = []
        for turn in range(FORMS_EACH):
            form = full_form() if turn % 2 else {"customer_name": f"Customer {number}-{turn}"}
            if (number + turn) % 3 == 0:
                form["customer_code"] = f"OWN-{number}-{turn}"
            elif (number + turn) % 3 == 1:
                form["customer_code"] = client.post("/customers/codes").json()["customer_code"]
            key = f"{number}-{turn}"

            def post(form: dict[str, Any] = form, key: str = key) -> requests.Response:
                return client.post("/customers", key=key, json=form)

            answers += _together([post, post]) if number % 3 == 0 else [post()]
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [answer for answers in pool.map(onboard, range(CLIENTS)) for answer in answers]

    double_clicks = len(range(0, CLIENTS, 3)) * FORMS_EACH
    assert Counter(answer.status_code for answer in answers) == {201: CLIENTS * FORMS_EACH + double_clicks}
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == double_clicks
    codes = Counter(answer.json()["customer_code"] for answer in answers)
    assert len(codes) == CLIENTS * FORMS_EACH
    assert sum(count == 2 for count in codes.values()) == double_clicks
    stored = list(api.db.customers.find({"tenant": tenant}))
    assert {customer["customer_code"] for customer in stored} == set(codes)
    assert len(stored) == CLIENTS * FORMS_EACH
    _every_number_is_accounted_for(api, tenant)


def _every_number_is_accounted_for(api: Api, tenant: str) -> None:
    """Each number that the counter gave is a customer's, was handed out, or is a recorded gap."""
    newest = api.db.counters.find_one({"_id": f"customer:{tenant}"})["seq"]
    known = set(api.db.customers.distinct("number_seq", {"tenant": tenant}))
    known |= set(api.db.customer_codes.distinct("number_seq", {"tenant": tenant}))
    known |= set(api.db.number_gaps.distinct("number_seq", {"tenant": tenant, "kind": "customer"}))
    assert set(range(1, newest + 1)) <= known


def test_codes_handed_out_at_once_are_all_different(api: Api) -> None:
    client = HttpClient(api, f"t{uuid4().hex[:8]}")

    answers = _together([lambda: client.post("/customers/codes")] * CLIENTS)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["customer_code"] for answer in answers}) == CLIENTS


def test_when_saves_race_for_one_code_one_gets_it_and_the_others_a_suggestion(api: Api) -> None:
    client = HttpClient(api, tenant := f"t{uuid4().hex[:8]}")

    answers = _together(
        [
            lambda n=n: client.post("/customers", json={"customer_name": f"C{n}", "customer_code": "CUST-301819"})
            for n in range(32)
        ]
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 31}
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["code"] for problem in refused} == {"customer_code_taken"}
    suggestions = {problem["suggested_code"] for problem in refused}
    assert len(suggestions) == 31
    again = _together(
        [
            lambda code=code: client.post("/customers", json={"customer_name": "C", "customer_code": code})
            for code in suggestions
        ]
    )
    assert {answer.status_code for answer in again} == {201}
    assert api.db.customers.count_documents({"tenant": tenant}) == 32


def test_when_saves_race_with_one_pan_one_is_stored(api: Api) -> None:
    client = HttpClient(api, tenant := f"t{uuid4().hex[:8]}")
    client.post("/customers", json=full_form())  # makes the tenant's data key, for which all would wait

    for form in [full_form() for _ in range(5)]:
        answers = _together([lambda form=form: client.post("/customers", json=form)] * 16)

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 15}
        assert {a.json()["code"] for a in answers if a.status_code == 409} == {"possible_duplicate_customer"}
    assert api.db.customers.count_documents({"tenant": tenant}) == 6
    _every_number_is_accounted_for(api, tenant)


def test_two_saves_at_once_always_leave_one_of_the_two_whole(api: Api) -> None:
    client = HttpClient(api, f"t{uuid4().hex[:8]}")
    forms = [full_form(customer_name="One"), full_form(customer_name="Two", banking=[], contact_person=None)]
    forms[1] |= {"tds": {"applicable": False}, "terms_conditions": None, "products_services": [{"name": "Two"}]}
    shown = [_shown(form) for form in forms]

    for round_number in range(ROUNDS):
        path = f"/customers/RACE-{round_number // 10}"  # the first of ten rounds creates, the others replace
        answers = _together([lambda f=f, p=path: client.put(f"{p}?confirm_duplicate=true", json=f) for f in forms])

        assert all(answer.status_code in (200, 201) for answer in answers), [answer.text for answer in answers]
        found = client.get(path).json()
        assert {name: found[name] for name in shown[0]} in shown


def test_many_saves_of_one_customer_are_all_in_its_history(api: Api) -> None:
    client = HttpClient(api, f"t{uuid4().hex[:8]}")
    client.post("/customers", json={"customer_name": "Zero"})

    answers = _together(
        [lambda n=n: client.put("/customers/CUST-000001", json={"customer_name": f"Name {n}"}) for n in range(12)]
    )

    assert {answer.status_code for answer in answers} == {200}
    history = client.get("/customers/CUST-000001").json()["history"]
    names = [entry["changes"]["customer_name"] for entry in history]
    assert sorted(name["to"] for name in names) == sorted(f"Name {n}" for n in range(12))
    assert [name["from"] for name in names] == ["Zero", *(name["to"] for name in names[:-1])]


def _shown(form: dict[str, Any]) -> dict[str, Any]:
    """Return a form as it is answered: lists that are not there are empty."""
    names = ("gst_details", "products_services", "banking")
    return form | {name: form[name] or [] for name in names}
