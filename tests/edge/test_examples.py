"""The examples in the OpenAPI document are requests that succeed, and what is answered to them.

Where this fails for a new route: give `example=` to its `arguments` and `response`, from `examples.py` of its domain.
"""

from typing import Any

import jsonschema_rs
import pytest

from finance.app import create_app
from finance.config import Config
from finance.database import Db
from finance.edge.failures import operations_of
from tests.clients import NOVEMBER, Client, poll

# What has to be there before an operation can be asked for: what comes before it here, unless said otherwise below.
CHAIN = ("saveShop", "onboardCustomer", "issueInvoice", "recordPayment")
BEFORE = {
    "onboardCustomer": ("saveShop",),
    "activateCustomer": (*CHAIN, "deactivateCustomer"),
    "recordPayments": CHAIN[:3],
    "cancelInvoice": CHAIN[:3],
    "getCreditNote": (*CHAIN[:3], "cancelInvoice"),
    "listCreditNotes": (*CHAIN[:3], "cancelInvoice"),
    "allocatePayment": (*CHAIN, "issueInvoice"),
    "allocateCreditNote": (*CHAIN, "creditInvoice", "issueInvoice"),
    "releaseCreditNote": (*CHAIN, "creditInvoice", "issueInvoice", "allocateCreditNote"),
    "revokeKey": ("createKey",),
    "listAuditEvents": ("createKey",),
}
RANDOM = (
    "id",
    "created_at",
    "created_by",
    "updated_by",
    "by",
    "key_id",
    "key",
    "object_id",
)  # what no two answers share

Operation = dict[str, Any]


def served() -> dict[str, Any]:
    document: dict[str, Any] = create_app(Config()).test_client().get("/api/v1/openapi.json").json
    return document


DOCUMENT = served()
BY_ID: dict[str, tuple[str, str, Operation]] = {
    operation["operationId"]: (path, method, operation)
    for path, found in DOCUMENT["paths"].items()
    for method, operation in operations_of({"paths": {path: found}})
}


@pytest.fixture
def world(db: Db) -> Client:
    return Client(db, now=NOVEMBER)


@pytest.mark.parametrize("name", BY_ID)
def test_an_example_is_a_request_that_succeeds_and_what_is_answered_to_it(world: Client, name: str) -> None:
    made = {}
    for before in BEFORE.get(name, CHAIN[: CHAIN.index(name)] if name in CHAIN else CHAIN):
        answer = ask(world, before, made)
        made |= {"key_id": answer.json.get("key_id")}
    if name == "getExport":
        made["export_id"] = a_file(world)

    answer = ask(world, name, made)

    content = BY_ID[name][2]["responses"][str(answer.status_code)].get("content", {})
    if "application/json" in content:
        documented = content["application/json"].get("example", "no example= in its @blueprint.response")
        assert without_random(answer.json) == without_random(documented)


@pytest.mark.parametrize("name", BY_ID)
def test_an_example_is_as_its_schema_says(name: str) -> None:
    _path, _method, operation = BY_ID[name]
    contents = [response["content"] for response in operation["responses"].values() if "content" in response]
    if "requestBody" in operation:
        contents.append(operation["requestBody"]["content"])

    for content in contents:
        for media_type, described in content.items():
            if media_type == "application/json":
                assert "example" in described, f"{name}: give example= to its arguments and response"
                assert problems_of(described["schema"], described["example"]) == []


def test_the_example_of_a_failure_is_as_its_schema_says() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        described = response["content"]["application/problem+json"]
        for example in described["examples"].values():
            assert problems_of(described["schema"], example["value"]) == []


def test_every_part_of_an_address_has_an_example() -> None:
    without = [
        f"{path} {parameter['name']}"
        for path, found in DOCUMENT["paths"].items()
        for parameter in found.get("parameters", [])
        if "example" not in parameter
    ]
    assert without == []


def ask(world: Client, name: str, made: dict[str, Any]) -> Any:
    """Send the example of an operation, and return its answer, which is a success."""
    path, method, operation = BY_ID[name]
    places = {parameter["name"]: parameter["example"] for parameter in DOCUMENT["paths"][path].get("parameters", [])}
    body = operation["requestBody"]["content"]["application/json"]["example"] if "requestBody" in operation else None
    parameters = operation.get("parameters", [])
    required = (given for given in parameters if given["in"] == "query" and given.get("required"))
    query = {given["name"]: given["schema"]["example"] for given in required}
    needs_key = any(given["name"] == "Idempotency-Key" and given["required"] for given in parameters)
    key = name if needs_key else None
    address = path.format_map(places | made)
    answer = world.call(method.upper(), address, role="admin", key=key, json=body, query_string=query)
    assert answer.status_code < 300, answer.text
    return answer


def a_file(world: Client) -> str:
    """Return a file that is ready, made in the background."""
    asked = world.get("/payments/export.xlsx", role="admin", headers={"Prefer": "respond-async"})
    poll(lambda: world.get(asked.json["address"], role="admin").status_code == 200, within_s=30)
    return str(asked.json["export_id"])


def problems_of(schema: dict[str, Any], example: Any) -> list[str]:
    """Return how an example differs from its schema."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(example)]


def without_random(value: Any) -> Any:
    if isinstance(value, list):
        return [without_random(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: "…" if name in RANDOM and member else without_random(member) for name, member in value.items()}
