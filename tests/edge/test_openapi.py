"""The OpenAPI document, its pages, and whether the API keeps what the document says."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from finance.app import create_app
from finance.config import Config
from finance.edge.exports import XLSX_TYPE
from finance.edge.failures import operations_of
from finance.edge.problems import status_of
from finance.errors import FinanceError, wire_code
from tests.clients import Client

# What only commands and pages raise.
NOT_OF_REQUESTS = (
    *("finance.customers.template", "finance.payments.mapping", "finance.payments.foreign_rows"),
    *("finance.tables", "finance.maintenance", "finance.imports", "finance.web"),
)


@functools.cache
def served() -> dict[str, Any]:
    document: dict[str, Any] = create_app(Config()).test_client().get("/api/v1/openapi.json").json
    return document


def operations() -> list[tuple[str, dict[str, Any]]]:
    return list(operations_of(served()))


def by_id(name: str) -> dict[str, Any]:
    (found,) = [operation for _method, operation in operations() if operation["operationId"] == name]
    return found


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = served()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return found


def all_failures(kind: type[FinanceError] = FinanceError) -> Iterator[type[FinanceError]]:
    """Yield every kind of failure that a request may meet."""
    for known in kind.__subclasses__():
        if not known.__module__.startswith(NOT_OF_REQUESTS):
            yield known
        yield from all_failures(known)


schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", create_app(Config()))


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_gives_a_5xx_and_every_answer_is_as_documented(shared_client: Client, case) -> None:
    case.call_and_validate(
        app=shared_client.app,
        headers={"Authorization": f"Bearer {shared_client.key('admin', 'schemathesis')}"},
        checks=[
            schemathesis.checks.not_a_server_error,
            schemathesis.checks.status_code_conformance,
            schemathesis.checks.content_type_conformance,
            schemathesis.checks.response_schema_conformance,
        ],
    )


def test_the_document_is_openapi_3_1_of_whatever_host_it_is_read_from() -> None:
    document = served()

    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/"}]


def test_every_operation_is_called_as_what_it_does() -> None:
    names = [operation["operationId"] for _method, operation in operations()]

    assert {"recordPayment", "listPayments", "getPayment", "voidPayment", "exportPaymentsCsv", "issueInvoice"} <= {
        *names
    }
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []


def test_operations_stand_under_the_headings_of_the_readme() -> None:
    document = served()

    names = [tag["name"] for tag in document["tags"]]
    assert names[:6] == ["payments", "customers", "invoices", "credit-notes", "shops", "keys"]
    assert all(tag["description"] for tag in document["tags"])
    assert {tag for _method, operation in operations() for tag in operation["tags"]} == {*names}


@pytest.mark.parametrize(
    ("method", "operation"), operations(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_operation_names_what_it_takes_and_all_that_it_can_answer(method: str, operation: dict[str, Any]) -> None:
    assert operation["security"] == [{"apiKey": []}]
    parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
    assert ("Idempotency-Key" in parameters) == (method == "post")
    assert operation["responses"].keys() >= {"401", "422", "500", "503"}
    assert "403" in operation["responses"] or operation["x-role"] == "client"
    for status, response in operation["responses"].items():
        headers = (resolved(response) if int(status) >= 400 else response)["headers"]
        assert "X-Request-Id" in headers
        assert ("Retry-After" in headers) == (status in ("429", "503"))
    if "requestBody" in operation:
        assert operation["responses"].keys() >= {"400", "411", "413", "415"}


def test_every_failure_is_named_by_an_operation() -> None:
    """One that is raised and documented nowhere belongs into @fails beside the routes that raise it."""
    kinds = {kind for kind in all_failures() if not kind.__subclasses__()}
    named = set(served()["components"]["schemas"]["ProblemCode"]["enum"])

    assert sorted(kind.__name__ for kind in kinds if wire_code(kind) not in named) == []


def test_a_code_stands_under_the_status_that_it_is_answered_with() -> None:
    status_by_code = {wire_code(kind): status_of(kind) for kind in all_failures()}

    for _method, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            examples = resolved(response)["content"]["application/problem+json"]["examples"]
            assert {status_by_code[code] for code in examples} == {int(status)}
            assert {example["value"]["status"] for example in examples.values()} == {int(status)}


def test_the_pages_ask_no_other_host_and_run_no_inline_script() -> None:
    http = create_app(Config()).test_client()

    page = http.get("/api/v1/docs")

    assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/api/v1/docs/")
        assert http.get(address).status_code == 200


def test_only_the_assets_of_the_pages_are_served() -> None:
    http = create_app(Config()).test_client()

    assert http.get("/api/v1/docs/../config.py").status_code == 404
    assert http.get("/api/v1/docs/oauth2-redirect.html").status_code == 404


def test_an_export_says_what_kind_of_file_it_is() -> None:
    paths = create_app(Config()).test_client().get("/api/v1/openapi.json").json["paths"]

    for listed in ("payments", "invoices"):
        for suffix, content_type in (("csv", "text/csv"), ("xlsx", XLSX_TYPE)):
            operation = paths[f"/api/v1/{listed}/export.{suffix}"]["get"]
            assert list(operation["responses"]["200"]["content"]) == [content_type]
            assert operation["summary"].endswith(f"as {suffix.upper()}")


def test_an_enumeration_is_one_type_wherever_it_stands() -> None:
    schemas = served()["components"]["schemas"]

    assert schemas["PaymentStatus"] == {"type": "string", "enum": ["recorded", "voided"]}
    assert schemas["Payment"]["properties"]["status"] == {"$ref": "#/components/schemas/PaymentStatus"}
    (status,) = [parameter for parameter in by_id("listPayments")["parameters"] if parameter["name"] == "status"]
    assert status["schema"] == {"$ref": "#/components/schemas/PaymentStatus"}
    assert "EUR" in schemas["Currency"]["enum"]
    assert schemas["NewInvoice"]["properties"]["currency"]["anyOf"] == [
        {"$ref": "#/components/schemas/Currency"},
        {"type": "null"},
    ]


def test_amounts_are_answered_as_texts_alone() -> None:
    document = served()
    waiting, seen = ["Payment", "PaymentPage", "Invoice", "CreditNote", "Customer", "CustomerPage", "Shop"], set()

    while waiting:
        name = waiting.pop()
        seen.add(name)
        for member, schema in document["components"]["schemas"][name].get("properties", {}).items():
            assert "number" not in schema.get("type", []), f"{name}.{member}"
        waiting += set(re.findall(r"#/components/schemas/(\w+)", str(document["components"]["schemas"][name]))) - seen


def test_a_body_takes_no_other_members_and_tells_its_defaults_in_words() -> None:
    """Generators of clients would take a member that has a `default` for one that has to be sent."""
    schemas = served()["components"]["schemas"]

    for name in ("AllocatedPayment", "Allocation", "NewInvoice", "Line", "CustomerForm", "ShopSettings", "NewKey"):
        assert schemas[name]["additionalProperties"] is False
        assert [member for member, schema in schemas[name]["properties"].items() if "default" in schema] == []
    assert schemas["Line"]["properties"]["tax_rate"]["description"] == "In percent. Default: 0."
    assert "additionalProperties" not in schemas["Payment"]


def test_the_document_holds_only_what_it_refers_to() -> None:
    document = served()

    text = str(document)
    for kind in ("schemas", "responses", "headers"):
        for name in document["components"][kind]:
            assert f"'#/components/{kind}/{name}'" in text


@pytest.mark.parametrize("entrance", ["/api/v1", "/api/v1/"])
def test_the_entrances_lead_to_the_pages_whatever_host_they_are_asked_for_under(entrance: str) -> None:
    http = create_app(Config()).test_client()

    answer = http.get(entrance, headers={"Host": "evil.example"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/api/v1/docs"
    assert "evil" not in answer.text
    assert http.get(answer.headers["Location"]).status_code == 200
