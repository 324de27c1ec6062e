"""The OpenAPI document, its pages, and whether the API keeps what the document says."""

import re

import schemathesis
from hypothesis import HealthCheck, settings

from finance.app import create_app
from finance.config import Config
from finance.edge.exports import XLSX_TYPE
from tests.clients import Client

schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", create_app(Config()))


@schema.parametrize()
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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


def test_the_document_is_openapi_3_1_and_names_the_problem_of_every_failure() -> None:
    document = create_app(Config()).test_client().get("/api/v1/openapi.json").json

    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/DEFAULT_ERROR"}, path
            assert operation["security"] == [{"apiKey": []}]
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            assert ("Idempotency-Key" in names) == (method == "post")


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
