"""Crediting, giving and taking back of the state that the caller has seen (If-Match)."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import LINES, Client, at_once

RACERS = 6
Act = Callable[..., Any]


@pytest.fixture
def tenant(shared_client: Client) -> str:
    made = f"t-{uuid4().hex[:12]}"
    settings = {"name": "par", "timezone": "Europe/Paris", "currency": "EUR"}
    shared_client.put("/shops/par", role="admin", tenant=made, json=settings)
    return made


def issue(client: Client, tenant: str) -> str:
    """Return the address of an invoice over 1000.00."""
    invoice = {"shop": "par", "customer_name": "Zoë", "lines": LINES}
    return str(client.post("/invoices", tenant=tenant, json=invoice).headers["Location"])


def a_note_with_a_rest(client: Client, tenant: str) -> str:
    """Return the address of a credit note over 50.00 that no invoice takes anything of."""
    path = issue(client, tenant)
    paid = {"amount": "1000.00", "currency": "EUR", "payer": "Zoë", "method": "card"}
    allocation = {"invoice_number": path.rpartition("/")[2], "amount": "1000.00"}
    assert client.post("/payments", tenant=tenant, json=paid | {"allocations": [allocation]}).status_code == 201
    return str(credit(client, path, tenant).headers["Location"])


def a_note_with_nothing_left(client: Client, tenant: str) -> str:
    path = a_note_with_a_rest(client, tenant)
    assert give(client, path, tenant, amount="50.00").status_code == 200
    return path


def a_payment_of_nothing(client: Client, tenant: str) -> str:
    paid = {"amount": "50.00", "currency": "EUR", "payer": "Zoë", "method": "card"}
    return str(client.post("/payments", tenant=tenant, json=paid).headers["Location"])


def a_payment_of_an_invoice(client: Client, tenant: str) -> str:
    path = a_payment_of_nothing(client, tenant)
    assert give(client, path, tenant, amount="50.00").status_code == 200
    return path


def credit(client: Client, path: str, tenant: str, **options: Any) -> Any:
    lines = [{"description": "Too much", "unit_price": "50.00"}]
    return client.post(f"{path}/credit-notes", tenant=tenant, json={"reason": "wrong", "lines": lines}, **options)


def give(client: Client, path: str, tenant: str, amount: str = "10.00", **options: Any) -> Any:
    allocation = {"invoice_number": issue(client, tenant).rpartition("/")[2], "amount": amount}
    return client.post(f"{path}/allocations", tenant=tenant, json={"allocations": [allocation]}, **options)


def take_back(client: Client, path: str, tenant: str, **options: Any) -> Any:
    given = client.get(path, tenant=tenant).json["allocations"]
    body = {"invoice_number": given[0]["invoice_number"], "amount": "10.00", "reason": "wrong"}
    return client.post(f"{path}/release", tenant=tenant, json=body, **options)


ACTS = {
    "credit": (issue, credit),
    "give": (a_note_with_a_rest, give),
    "take back": (a_note_with_nothing_left, take_back),
    "allocate": (a_payment_of_nothing, give),
    "release": (a_payment_of_an_invoice, take_back),
}
of_all = pytest.mark.parametrize(("make", "act"), ACTS.values(), ids=ACTS)


@of_all
def test_what_was_seen_can_be_changed_and_what_was_not_stays(
    shared_client: Client, make: Act, act: Act, tenant: str
) -> None:
    path = make(shared_client, tenant)
    seen = shared_client.get(path, tenant=tenant)

    stale = act(shared_client, path, tenant, headers={"If-Match": '"older"'})

    assert (stale.status_code, stale.json["code"]) == (412, "precondition_failed")
    assert shared_client.get(path, tenant=tenant).json == seen.json
    done = act(shared_client, path, tenant, headers={"If-Match": seen.headers["ETag"]})
    assert done.status_code in (200, 201), done.text
    shown = shared_client.get(done.headers.get("Location", path), tenant=tenant)
    assert (shown.json, shown.headers["ETag"]) == (done.json, done.headers["ETag"])
    again = act(shared_client, path, tenant, headers={"If-Match": seen.headers["ETag"]})
    assert again.status_code == 412


@of_all
def test_of_many_with_one_tag_one_wins(shared_client: Client, make: Act, act: Act, tenant: str) -> None:
    path = make(shared_client, tenant)
    headers = {"If-Match": shared_client.get(path, tenant=tenant).headers["ETag"]}

    answers = at_once(RACERS, lambda _: act(shared_client, path, tenant, headers=headers))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, *[412] * (RACERS - 1)], [201, *[412] * (RACERS - 1)]), statuses


@of_all
def test_a_repeat_is_answered_though_the_state_is_another(
    shared_client: Client, make: Act, act: Act, tenant: str
) -> None:
    path = make(shared_client, tenant)
    sent = {"headers": {"If-Match": shared_client.get(path, tenant=tenant).headers["ETag"]}, "key": uuid4().hex}

    first = act(shared_client, path, tenant, **sent)
    if act is give:  # to the same invoice
        given = {name: first.json["allocations"][0][name] for name in ("invoice_number", "amount")}
        again = shared_client.post(f"{path}/allocations", tenant=tenant, json={"allocations": [given]}, **sent)
    else:
        again = act(shared_client, path, tenant, **sent)

    assert (again.status_code, again.json) == (first.status_code, first.json), again.text
    assert again.headers["ETag"] == first.headers["ETag"]
