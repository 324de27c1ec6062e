"""What is answered about customers is what the OpenAPI document says."""

import pytest

from tests.answers import assert_answer_matches
from tests.conftest import Client
from tests.customers.forms import full_form


@pytest.mark.parametrize("form", [full_form(), {"customer_name": "Ada"}], ids=["full", "smallest"])
def test_a_customer_is_answered_as_its_schema_says(client: Client, form: dict[str, object]) -> None:
    document = client.get("/openapi.json").json

    onboarded = client.post("/customers", json=form).json
    saved = client.put("/customers/CUST-000001", json=form | {"contact_person": "Ravi"}).json
    inactive = client.post("/customers/CUST-000001/deactivate", json={"reason": "gone"}).json

    for answer in (onboarded, saved, inactive, client.get("/customers/CUST-000001", role="client").json):
        assert_answer_matches(document, "Customer", answer)


def test_what_an_older_system_left_is_answered_as_the_schema_says(client: Client) -> None:
    client.db.customers.insert_one({"tenant": "acme", "customer_code": "OLD-1"})
    document = client.get("/openapi.json").json

    assert_answer_matches(document, "Customer", client.get("/customers/OLD-1").json)
    assert_answer_matches(document, "ListedCustomer", client.get("/customers").json["data"][0])


def test_a_list_and_a_code_are_answered_as_their_schemas_say(client: Client) -> None:
    document = client.get("/openapi.json").json
    for _customer in range(2):
        client.post("/customers", json=full_form())

    assert_answer_matches(document, "CustomerPage", client.get("/customers?limit=1").json)
    assert_answer_matches(document, "CustomerPage", client.get("/customers").json)
    assert_answer_matches(document, "HandedOutCode", client.post("/customers/codes").json)


def test_a_form_needs_no_more_than_a_name(client: Client) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]

    assert schemas["CustomerForm"]["required"] == ["customer_name"]
