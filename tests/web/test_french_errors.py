"""Why a request is refused is said so that it comes to the reader in French."""

import ast
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from finance.database import Db
from finance.edge import problems
from finance.errors import FinanceError
from finance.said import in_language
from tests.clients import Client, a_payment
from tests.web import refused
from tests.web.french import FINANCE, catalog

FOR_OPERATORS = ("maintenance", "commands")  # what these say stands on a command line
TEXTS_OF_KINDS = ("detail_default", "named_like")


def test_what_is_said_is_a_literal_where_it_is_said() -> None:
    """Otherwise it would not be found, and would have no French text."""
    calls = [
        (path, node)
        for path in FINANCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said"
    ]

    assert calls
    assert not [
        f"{path}:{node.lineno}" for path, node in calls if not isinstance(node.args[0], ast.Constant) or node.args[1:]
    ]


def test_why_something_is_refused_is_said() -> None:
    """A plain text in its place would come to no reader in French."""
    assert not [
        f"{path}:{text.lineno} {ast.unparse(text)}"
        for path in FINANCE.rglob("*.py")
        if path.relative_to(FINANCE).parts[0] not in FOR_OPERATORS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for text in _plain_texts(_reason(node))
    ]


# --- Real failures -----------------------------------------------------------------------------------------------


@pytest.fixture
def refusals() -> list[FinanceError]:
    """The failures that the app answered with."""
    return []


@pytest.fixture
def client(db: Db, refusals: list[FinanceError]) -> Client:
    """A client whose app answers as ever, and notes what it answers to."""
    client = Client(db)

    def noted(error: FinanceError) -> Any:
        refusals.append(error)
        return problems.problem_of(error)

    client.app.register_error_handler(FinanceError, noted)
    return client


def test_what_is_wrong_with_a_body_or_a_query_is_said_in_french(client: Client, refusals: list[FinanceError]) -> None:
    for row in refused.by_its_schema():
        method, path, headers, body = refused.parsed(row.sent)
        client.call(method, path, "admin", headers=headers, data=body)

    assert len(refusals) > 200
    _require_french(refusals)


def test_what_a_form_refuses_is_said_in_french(client: Client, refusals: list[FinanceError]) -> None:
    for method, path, form in refused.forms():
        for name, value in product((*form, "odd"), refused.ODD):
            client.call(method, path, "admin", json={**form, name: value})

    assert len(refusals) > 500
    _require_french(refusals)


def test_what_the_state_of_things_refuses_is_said_in_french(client: Client, refusals: list[FinanceError]) -> None:
    """Each of these has reasons of its own beyond its schema."""
    client.put_shop()
    client.put_shop("dkr")
    invoice, other = (client.issue().json["invoice_number"] for _two in range(2))
    customer = client.post("/customers", json={"customer_name": "Ada", "pan_number": "AAPFU0939F"}).json
    payment = client.post("/payments", json=a_payment(amount="10.00")).json["payment_number"]
    client.post(f"/payments/{payment}/void", json={"reason": "Twice"})
    paid = client.pay_invoices([invoice], "900.00").json["payment_number"]
    client.post(f"/invoices/{other}/cancel", role="accountant", json={"reason": "Wrong"})
    client.post("/keys", role="admin", key="once", json={"role": "client", "name": "Ada"})
    refusals.clear()

    made = list(refused.by_the_state_of_things(client, invoice, other, payment, paid, customer["customer_code"]))

    assert [answer.json["detail"] for answer in made] == [error.detail for error in refusals]
    _require_french(refusals)


def _reason(node: ast.AST) -> list[ast.expr]:
    """Return where a node says why something is refused."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return node.args if name in ("FieldError", "ValidationError", "field", "parameter", "parameter_error") else []
    if isinstance(node, ast.Assign):
        return [node.value] if any(getattr(target, "id", "") in TEXTS_OF_KINDS for target in node.targets) else []
    return []


def _plain_texts(within: list[ast.expr]) -> Iterator[ast.expr]:
    """Yield the texts of several words that aren't said."""
    for node in within:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
            continue
        if isinstance(node, ast.Constant | ast.JoinedStr):
            if " " in "".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant)):
                yield node
        else:
            yield from _plain_texts([part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)])


def _require_french(refusals: list[FinanceError]) -> None:
    """Assert that all that was said has a French text, and that none of it stayed as it was in English."""
    translate = _only_known()
    texts = {text for error in refusals for text in (error.detail, *(each.detail for each in error.errors))}

    assert not [text for text in texts if in_language(text, translate) == text]


def _only_known() -> Callable[[str], str]:
    """Return what translates, and raises KeyError for a text that has no French one."""
    return {message.id: message.string for message in catalog() if message.id}.__getitem__
