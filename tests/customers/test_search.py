"""`POST /customers/search`: as the list, and by numbers that must not stand in an address."""

from typing import Any

import pytest

from finance.edge.cursors import Cursors
from tests.clients import Client
from tests.customers.forms import full_form, gstin, pan


@pytest.fixture
def onboarded(client: Client) -> dict[str, Any]:
    """Three customers of one PAN, which were confirmed, and others; the first one's form."""
    form = full_form()
    for number in range(3):
        body = form | {"customer_name": f"Twin {number}"}
        assert client.post("/customers?confirm_duplicate=true", json=body).status_code == 201
    client.post("/customers", json=full_form(customer_name="Ada Lovelace", customer_category="retail"))
    client.post("/customers", json={"customer_name": "Zoë"})
    return form


def _search(client: Client, role: str = "accountant", tenant: str = "acme", **body: Any) -> Any:
    return client.post("/customers/search", role=role, tenant=tenant, json=body)


def _names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [customer["customer_name"] for customer in answer.json["data"]]


def test_a_pan_and_a_gstin_find_their_customers_masked_as_in_a_list(client: Client, onboarded: dict[str, Any]) -> None:
    by_pan = _search(client, pan_number=onboarded["pan_number"].lower())
    by_gstin = _search(client, gstin=onboarded["gst_details"][1]["gstin"], sort="customer_name")

    assert _names(by_pan) == ["Twin 2", "Twin 1", "Twin 0"]
    assert _names(by_gstin) == ["Twin 0", "Twin 1", "Twin 2"]
    assert (by_pan.json["has_more"], by_pan.json["next_cursor"]) == (False, None)
    listed = {customer["id"]: customer for customer in client.get("/customers").json["data"]}
    assert by_pan.json["data"] == [listed[customer["id"]] for customer in by_pan.json["data"]]
    assert onboarded["pan_number"] not in by_pan.text


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, ["Zoë", "Ada Lovelace", "Twin 2", "Twin 1", "Twin 0"]),
        ({"customer_name": "lovelace"}, ["Ada Lovelace"]),
        ({"customer_category": "retail", "status": "active", "pan_number": None, "limit": None}, ["Ada Lovelace"]),
        ({"customer_code": "cust-000005"}, ["Zoë"]),
        ({"status": "inactive"}, []),
    ],
)
def test_it_takes_the_other_filters_of_the_list(
    client: Client, onboarded: dict[str, Any], body: dict[str, Any], names: list[str]
) -> None:
    assert _names(_search(client, **body)) == names
    assert client.db.audit_events.count_documents({"action": "customers_searched_by_pan"}) == 0


def test_the_cursor_goes_into_the_next_body_and_fits_no_other_pan(client: Client, onboarded: dict[str, Any]) -> None:
    body = {"pan_number": onboarded["pan_number"], "limit": 2}
    first = _search(client, **body)
    cursor = first.json["next_cursor"]

    second = _search(client, **body, cursor=cursor)
    of_another = _search(client, **body | {"pan_number": pan()}, cursor=cursor)

    assert (_names(first), first.json["has_more"], "Link" in first.headers) == (["Twin 2", "Twin 1"], True, False)
    assert (_names(second), second.json["next_cursor"]) == (["Twin 0"], None)
    assert (of_another.status_code, of_another.json["errors"][0]["pointer"]) == (422, "/cursor")


def test_a_cursor_is_made_of_no_number(
    client: Client, onboarded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bound_to: list[str] = []
    encode = Cursors.encode

    def spy(cursors: Cursors, *position: Any, **this_list: Any) -> str:
        bound_to.append(str((position, this_list)))
        return encode(cursors, *position, **this_list)

    monkeypatch.setattr(Cursors, "encode", spy)
    numbers = {"pan_number": onboarded["pan_number"], "gstin": onboarded["gst_details"][0]["gstin"]}

    assert _search(client, **numbers, limit=1).json["has_more"]

    assert bound_to
    assert [number for number in numbers.values() if number in bound_to[0]] == []


@pytest.mark.parametrize("name", ["pan_number", "gstin"])
def test_a_number_in_an_address_is_refused_and_told_where_it_belongs(client: Client, name: str) -> None:
    number = {"pan_number": pan(), "gstin": gstin(pan())}[name]

    answer = client.get("/customers", query_string={name: number, "status": "active"})

    assert answer.status_code == 422
    [error] = answer.json["errors"]
    assert error["parameter"] == name
    assert "POST /customers/search" in error["detail"]
    assert number not in answer.text


def test_no_number_is_a_parameter_of_the_list_in_the_document(client: Client) -> None:
    paths = client.get("/openapi.json").json["paths"]

    names = [parameter["name"] for parameter in paths["/api/v1/customers"]["get"]["parameters"]]

    assert "customer_name" in names
    assert not {"pan_number", "gstin"} & {*names}


def test_a_search_by_a_number_is_on_record_without_it(client: Client, onboarded: dict[str, Any]) -> None:
    _search(client, pan_number=onboarded["pan_number"], limit=2)
    _search(client, gstin=onboarded["gst_details"][0]["gstin"], customer_name="Twin 1")
    _search(client, pan_number=pan())

    events = list(client.db.audit_events.find({"action": "customers_searched_by_pan"}).sort("_id"))
    assert [(event["tenant"], event["object_kind"], event["object_id"]) for event in events] == [
        ("acme", "customer", "search"),
        ("acme", "customer", "CUST-000002"),
        ("acme", "customer", "search"),
    ]
    assert [event["details"] for event in events] == [
        {"by": ["pan_number"], "found": ["CUST-000003", "CUST-000002"]},
        {"by": ["gstin"], "found": ["CUST-000002"]},
        {"by": ["pan_number"], "found": []},
    ]


def test_it_is_a_read_so_a_key_does_not_keep_its_answer(client: Client, onboarded: dict[str, Any]) -> None:
    body = {"pan_number": onboarded["pan_number"]}
    before = client.post("/customers/search", json=body, key="k")
    client.put("/customers/CUST-000001", json=onboarded | {"customer_name": "Renamed"})

    after = client.post("/customers/search", json=body, key="k")
    other = client.post("/customers/search", json={}, key="k")

    assert "Renamed" not in _names(before)
    assert "Renamed" in _names(after)
    assert "Idempotent-Replayed" not in after.headers
    assert other.status_code == 200


def test_another_tenants_customer_is_not_found_and_a_client_may_not_search(
    client: Client, onboarded: dict[str, Any]
) -> None:
    assert _names(_search(client, tenant="other", pan_number=onboarded["pan_number"])) == []
    assert _search(client, role="client", pan_number=onboarded["pan_number"]).status_code == 403
    assert _names(_search(client, role="admin", pan_number=onboarded["pan_number"], limit=1)) == ["Twin 2"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"pan_number": "AAAA"}, "/pan_number"),
        ({"pan_number": ["AFZPK7190K"]}, "/pan_number"),
        ({"gstin": "27AAPFU0939F1ZO"}, "/gstin"),
        ({"limit": "50"}, "/limit"),
        ({"limit": 201}, "/limit"),
        ({"sort": "pan_number"}, "/sort"),
        ({"status": "gone"}, "/status"),
        ({"nickname": "x"}, "/nickname"),
        ({"cursor": "x"}, "/cursor"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(shared_client: Client, body: dict[str, Any], pointer: str) -> None:
    answer = _search(shared_client, **body)

    assert (answer.status_code, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])


def test_a_renamed_customer_is_found_by_its_new_words_only(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada King Lovelace"})
    assert _names(_search(client, customer_name="king l")) == ["Ada King Lovelace"]

    client.put("/customers/CUST-000001", json={"customer_name": "Grace Brewster Hopper"})

    assert _names(_search(client, customer_name="hopper")) == ["Grace Brewster Hopper"]
    assert _names(_search(client, customer_name="lovelace")) == []
