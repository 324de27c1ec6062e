"""ETags of single things, 304 where the caller has them already, and changes of the state that the caller has seen."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from finance.conditions import Condition
from finance.edge.failures import operations_of
from tests.clients import Client, HttpClient, a_payment, at_once

FORM = {"customer_name": "Ada"}
RACERS = 8


def a_stored_payment(client: Client, tenant: str) -> str:
    return client.post("/payments", json=a_payment(), tenant=tenant).headers["Location"]


def a_stored_customer(client: Client, tenant: str) -> str:
    return client.post("/customers", json=FORM, tenant=tenant).headers["Location"]


def a_stored_shop(client: Client, tenant: str) -> str:
    return save_shop(client, "/shops/par", tenant, "Paris").request.path


def a_stored_invoice(client: Client, tenant: str) -> str:
    a_stored_shop(client, tenant)
    invoice = {"shop": "par", "customer_name": "Zoë", "lines": [{"description": "Work", "unit_price": "10.00"}]}
    return client.post("/invoices", json=invoice, tenant=tenant).headers["Location"]


def a_stored_credit_note(client: Client, tenant: str) -> str:
    cancelled = client.post(f"{a_stored_invoice(client, tenant)}/cancel", json={"reason": "wrong"}, tenant=tenant)
    return f"/credit-notes/{cancelled.json['credit_note_number']}"


def save_shop(client: Client, path: str, tenant: str, name: str, **options: Any) -> Any:
    body = {"name": name, "timezone": "Europe/Paris", "currency": "EUR"}
    return client.put(path, json=body, tenant=tenant, role="admin", **options)


def save_customer(client: Client, path: str, tenant: str, name: str, **options: Any) -> Any:
    return client.put(path, json={"customer_name": name}, tenant=tenant, **options)


def edit(client: Client, path: str, tenant: str, note: str, **options: Any) -> Any:
    return client.patch(path, json={"note": note}, tenant=tenant, **options)


def act(verb: str) -> Callable[..., Any]:
    def post(client: Client, path: str, tenant: str, reason: str, **options: Any) -> Any:
        return client.post(f"{path}/{verb}", json={"reason": reason}, tenant=tenant, role="admin", **options)

    return post


def an_inactive_customer(client: Client, tenant: str) -> str:
    path = a_stored_customer(client, tenant)
    assert act("deactivate")(client, path, tenant, "left").status_code == 200
    return path


MAKERS = {
    "payment": a_stored_payment,
    "customer": a_stored_customer,
    "shop": a_stored_shop,
    "invoice": a_stored_invoice,
    "credit note": a_stored_credit_note,
}
# What changes a thing, each by a word that is told with it: the same word again would change nothing.
CHANGES = {
    "PUT /shops/{shop}": (a_stored_shop, save_shop),
    "PUT /customers/{customer_code}": (a_stored_customer, save_customer),
    "PATCH /payments/{payment_number}": (a_stored_payment, edit),
    "POST /payments/{payment_number}/void": (a_stored_payment, act("void")),
    "POST /invoices/{invoice_number}/cancel": (a_stored_invoice, act("cancel")),
    "POST /customers/{customer_code}/deactivate": (a_stored_customer, act("deactivate")),
    "POST /customers/{customer_code}/activate": (an_inactive_customer, act("activate")),
    "POST /customers/{customer_code}/erase": (a_stored_customer, act("erase")),
}


of_all_kinds = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
of_all_changes = pytest.mark.parametrize(("make", "change"), CHANGES.values(), ids=CHANGES)


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:12]}"


def tag_of(client: Client, path: str, tenant: str) -> str:
    tag: str = client.get(path, tenant=tenant).headers["ETag"]
    return tag


# --- Reading ------------------------------------------------------------------------------------------------------


@of_all_kinds
def test_whoever_has_a_state_is_not_sent_it_again(shared_client: Client, make: Any, tenant: str) -> None:
    path = make(shared_client, tenant)
    shown = shared_client.get(path, tenant=tenant)
    tag = shown.headers["ETag"]

    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            again = shared_client.call(method, path, tenant=tenant, headers={"If-None-Match": sent})
            assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
            assert "Content-Type" not in again.headers
    for sent in ('"other"', f'"{tag.strip(chr(34))}0"', 'W/"other", "more"'):
        again = shared_client.get(path, tenant=tenant, headers={"If-None-Match": sent})
        assert (again.status_code, again.json, again.headers["ETag"]) == (200, shown.json, tag)


@of_all_changes
def test_a_tag_is_that_of_what_is_answered(shared_client: Client, make: Any, change: Any, tenant: str) -> None:
    path = make(shared_client, tenant)
    before = tag_of(shared_client, path, tenant)

    changed = change(shared_client, path, tenant, "another")

    assert changed.status_code == 200
    assert changed.headers["ETag"] not in (before, None)
    shown = shared_client.get(path, tenant=tenant)
    assert (shown.headers["ETag"], shown.json) == (changed.headers["ETag"], changed.json)
    stale = shared_client.get(path, tenant=tenant, headers={"If-None-Match": before})
    assert stale.status_code == 200


@of_all_kinds
def test_what_is_made_is_answered_with_its_tag(shared_client: Client, make: Any, tenant: str) -> None:
    made: list[Any] = []

    def noting(method: str, path: str, *args: Any, **options: Any) -> Any:
        made.append(Client.call(shared_client, method, path, *args, **options))
        return made[-1]

    client = object.__new__(Client)
    client.__dict__.update(shared_client.__dict__, call=noting)

    path = make(client, tenant)

    assert made[-1].headers["ETag"]
    if made[-1].status_code == 201:
        assert made[-1].headers["ETag"] == tag_of(shared_client, path, tenant)


def test_a_payment_of_an_invoice_changes_its_tag(shared_client: Client, tenant: str) -> None:
    path = a_stored_invoice(shared_client, tenant)
    tag = tag_of(shared_client, path, tenant)
    allocation = {"invoice_number": path.rpartition("/")[2], "amount": "2.50"}

    paid = shared_client.post("/payments", json=a_payment(amount="2.50", allocations=[allocation]), tenant=tenant)

    assert paid.status_code == 201
    shown = shared_client.get(path, tenant=tenant, headers={"If-None-Match": tag})
    assert (shown.status_code, shown.json["outstanding"]) == (200, "7.50")
    stale = shared_client.post(
        f"{path}/cancel", json={"reason": "wrong"}, tenant=tenant, headers={"If-Match": shown.headers["ETag"]}
    )
    assert (stale.status_code, stale.json["code"]) == (409, "invoice_has_payments")


def test_clients_and_accountants_are_shown_a_customer_under_other_tags(shared_client: Client, tenant: str) -> None:
    form = {"customer_name": "Ada", "pan_number": "AFZPK7190K"}
    path = shared_client.post("/customers", json=form, tenant=tenant).headers["Location"]
    masked, in_full = (shared_client.get(path, tenant=tenant, role=role) for role in ("client", "accountant"))

    assert masked.json["pan_number"] != in_full.json["pan_number"]
    assert masked.headers["ETag"] != in_full.headers["ETag"]
    theirs = {"If-None-Match": masked.headers["ETag"]}
    assert shared_client.get(path, tenant=tenant, headers=theirs).json == in_full.json
    as_seen = {"If-Match": masked.headers["ETag"]}  # it is the same state
    assert save_customer(shared_client, path, tenant, "Ada B", headers=as_seen).status_code == 200


def test_numbers_that_are_not_sent_are_not_on_record_as_read(shared_client: Client, tenant: str) -> None:
    form = {"customer_name": "Ada", "pan_number": "AFZPK7190K"}
    path = shared_client.post("/customers", json=form, tenant=tenant, role="client").headers["Location"]
    tag = tag_of(shared_client, path, tenant)

    def reads() -> int:
        events = shared_client.get("/audit-events?action=numbers_read_in_full", tenant=tenant, role="admin")
        return len(events.json["data"])

    assert reads() == 1
    assert shared_client.get(path, tenant=tenant, headers={"If-None-Match": tag}).status_code == 304
    assert reads() == 1


def test_a_connection_goes_on_after_an_answer_without_a_body(shared_api: Any, tenant: str) -> None:
    http = HttpClient(shared_api, tenant)
    path = http.post("/payments", json=a_payment()).headers["Location"]
    tag = http.get(path).headers["ETag"]

    for method in ("GET", "HEAD", "GET"):
        answer = http.call(method, path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
        assert answer.headers.keys().isdisjoint(("Content-Type", "Content-Length", "Transfer-Encoding"))
    assert http.get(path).json()["amount"] == "12.50"


# --- Changing -----------------------------------------------------------------------------------------------------


@of_all_changes
def test_a_change_of_the_state_that_was_seen_is_made(
    shared_client: Client, make: Any, change: Any, tenant: str
) -> None:
    path = make(shared_client, tenant)
    tag = tag_of(shared_client, path, tenant)

    answer = change(shared_client, path, tenant, "another", headers={"If-Match": f'"older", {tag}'})

    assert answer.status_code == 200, answer.text


@of_all_changes
def test_a_change_of_another_state_than_was_seen_is_refused(
    shared_client: Client, make: Any, change: Any, tenant: str
) -> None:
    path = make(shared_client, tenant)
    before = shared_client.get(path, tenant=tenant)
    tag = before.headers["ETag"]

    for sent in ('"older"', f"W/{tag}", '"*"'):
        answer = change(shared_client, path, tenant, "another", headers={"If-Match": sent})
        assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
        assert "othing was stored" in answer.json["detail"]
        assert "end" in answer.json["detail"]
    assert shared_client.get(path, tenant=tenant).json == before.json


@of_all_changes
def test_of_many_with_one_tag_one_wins(shared_client: Client, make: Any, change: Any, tenant: str) -> None:
    path = make(shared_client, tenant)
    shown = shared_client.get(path, tenant=tenant, role="admin")
    headers = {"If-Match": shown.headers["ETag"]}

    answers = at_once(RACERS, lambda n: change(shared_client, path, tenant, f"word {n}", headers=headers))

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1, statuses
    assert {*statuses} - {200} <= {409, 412}, statuses
    after = shared_client.get(path, tenant=tenant).json
    assert len(after["history"]) == len(shown.json["history"]) + 1


def change_otherwise(client: Client, path: str, tenant: str) -> None:
    """Change what stands at the path, as somebody else who doesn't ask for any state."""
    if "/invoices/" in path:
        allocation = {"invoice_number": path.rpartition("/")[2], "amount": "1.00"}
        paid = client.post("/payments", json=a_payment(amount="1.00", allocations=[allocation]), tenant=tenant)
        assert act("void")(client, paid.headers["Location"], tenant, "not theirs").status_code == 200
        return
    other_change = {"shops": save_shop, "customers": save_customer, "payments": edit}[path.split("/")[-2]]
    assert other_change(client, path, tenant, "meanwhile").status_code == 200


@of_all_changes
def test_a_change_after_the_tags_were_compared_is_noticed(
    shared_client: Client, make: Any, change: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(shared_client, tenant)
    tag = tag_of(shared_client, path, tenant)
    compare, compared = Condition.require, []

    def compare_and_pause(condition: Condition, *args: Any, **options: Any) -> None:
        compare(condition, *args, **options)
        compared.append(condition)
        if len(compared) == 1:
            at_once(1, lambda _: change_otherwise(shared_client, path, tenant))  # a request of its own has its thread

    monkeypatch.setattr(Condition, "require", compare_and_pause)

    answer = change(shared_client, path, tenant, "another", headers={"If-Match": tag})

    assert (answer.status_code, len(compared) >= 1) == (412, True)
    history = shared_client.get(path, tenant=tenant).json["history"]
    assert [entry["action"] for entry in history][-1] in ("changed", "saved", "edited", "given_back")


@pytest.mark.parametrize(
    ("make", "change"),
    [of_all for name, of_all in CHANGES.items() if name.startswith("POST")],
    ids=[name for name in CHANGES if name.startswith("POST")],
)
def test_a_repeat_is_answered_though_the_state_is_another_by_then(
    shared_client: Client, make: Any, change: Any, tenant: str
) -> None:
    path = make(shared_client, tenant)
    sent = {"headers": {"If-Match": tag_of(shared_client, path, tenant)}, "key": "once"}

    answers = at_once(RACERS, lambda n: change(shared_client, path, tenant, "another", **sent))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize(("make", "change"), list(CHANGES.values())[:3], ids=list(CHANGES)[:3])
def test_storing_what_is_there_already_is_no_change(shared_client: Client, make: Any, change: Any, tenant: str) -> None:
    path = make(shared_client, tenant)
    headers = {"If-Match": tag_of(shared_client, path, tenant)}
    first = change(shared_client, path, tenant, "another", headers=headers)

    again = change(shared_client, path, tenant, "another", headers=headers)

    assert (again.status_code, again.json, again.headers["ETag"]) == (200, first.json, first.headers["ETag"])


# --- What is new, and what isn't ----------------------------------------------------------------------------------

PUTS = {"customer": ("/customers/NEW-1", save_customer), "shop": ("/shops/new", save_shop)}
of_puts = pytest.mark.parametrize(("path", "put"), PUTS.values(), ids=PUTS)


@of_puts
def test_what_is_wanted_new_is_made_once(shared_client: Client, path: str, put: Any, tenant: str) -> None:
    headers = {"If-None-Match": "*"}

    answers = at_once(RACERS, lambda n: put(shared_client, path, tenant, f"name {n}", headers=headers))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, *[412] * (RACERS - 1)]
    (made,) = [answer.json for answer in answers if answer.status_code == 201]
    assert shared_client.get(path, tenant=tenant).json == made


@of_puts
def test_what_is_wanted_new_does_not_overwrite(shared_client: Client, path: str, put: Any, tenant: str) -> None:
    first = put(shared_client, path, tenant, "first")
    tag = first.headers["ETag"]

    for name, sent in (("second", "*"), ("second", tag), ("second", f'"other", W/{tag}'), ("first", "*")):
        answer = put(shared_client, path, tenant, name, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
        assert "send If-Match" in answer.json["detail"]
    assert shared_client.get(path, tenant=tenant).json == first.json
    assert put(shared_client, path, tenant, "second", headers={"If-None-Match": '"other"'}).status_code == 200


@of_puts
@pytest.mark.parametrize("tags", ["*", '"1"'])
def test_what_is_not_there_can_not_be_changed(
    shared_client: Client, path: str, put: Any, tags: str, tenant: str
) -> None:
    answer = put(shared_client, path, tenant, "new", headers={"If-Match": tags})

    assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
    assert "leave If-Match out" in answer.json["detail"]
    assert shared_client.get(path, tenant=tenant).status_code == 404


# --- The headers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", ["", " ", ",", "1", '"1', 'w/"1"', '"1" "2"', '"1", 2', '*, "1"', '"a b"', '"1",\x01'])
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_what_is_no_tag_is_refused(shared_client: Client, name: str, tags: str, tenant: str) -> None:
    path = a_stored_payment(shared_client, tenant)

    changed = edit(shared_client, path, tenant, "another", headers={name: tags})

    assert (changed.status_code, changed.json["errors"][0]["parameter"]) == (422, name)
    if name == "If-None-Match":
        assert shared_client.get(path, tenant=tenant, headers={name: tags}).status_code == 422
    assert shared_client.get(path, tenant=tenant).json["history"] == []


@pytest.mark.parametrize("around", ["{}", " {} ", ",{}", '"a,b" ,\t{},', '"", {}', 'W/"é", {}'])
def test_a_tag_is_found_wherever_it_stands(shared_client: Client, around: str, tenant: str) -> None:
    path = a_stored_payment(shared_client, tenant)
    headers = {"If-Match": around.format(tag_of(shared_client, path, tenant))}

    assert edit(shared_client, path, tenant, "another", headers=headers).status_code == 200


def test_the_document_tells_of_every_condition(shared_client: Client) -> None:
    document = shared_client.get("/openapi.json").json
    told = {
        operation["operationId"]: {p["name"] for p in operation.get("parameters", []) if p["name"].startswith("If-")}
        for _method, operation in operations_of(document)
    }
    singles = [
        operation
        for method, operation in operations_of(document)
        if method == "get" and "ETag" in operation["responses"]["200"]["headers"]
    ]

    assert {"getPayment", "getCustomer", "getShop", "getInvoice", "getCreditNote"} <= {
        operation["operationId"] for operation in singles
    }
    for operation in singles:
        assert told[operation["operationId"]] == {"If-None-Match"}
        assert "ETag" in operation["responses"]["304"]["headers"]
    for path in CHANGES:
        method, _, template = path.partition(" ")
        operation = document["paths"][f"/api/v1{template}"][method.lower()]
        assert told[operation["operationId"]] == {"If-Match", *(["If-None-Match"] if method == "PUT" else [])}
        assert "412" in operation["responses"]
        assert "ETag" in operation["responses"]["200"]["headers"]
