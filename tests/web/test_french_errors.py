"""Everything that a reader is told has a French text, and why a request is refused comes to the reader in French."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import finance
from finance.database import Db
from finance.edge import problems
from finance.errors import FinanceError
from finance.said import in_language
from tests.clients import Client, a_payment
from tests.web import refused

FINANCE = Path(finance.__file__).parent
FRENCH = FINANCE / "web" / "fr"
METHODS = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
OPTIONS = {"web/templates/**.html": {"silent": "false"}}
KEYWORDS: Mapping[str, Any] = {"said": None, "_": None, "gettext": None, "ngettext": (1, 2)}
OURS = re.compile(r"%\((\w+)\)s")  # of the pages' own texts; those that are said have {name}

FOR_OPERATORS = ("maintenance", "commands")  # what these say stands on a command line
TEXTS_OF_KINDS = ("detail_default", "named_like")

Id = str | tuple[str, ...]


@pytest.fixture(scope="module")
def used() -> dict[Id, str]:
    """Every text in the code and the templates, with a place where it stands."""
    found = extract_from_dir(FINANCE, METHODS, OPTIONS, keywords=KEYWORDS)
    return {message: f"{file}:{line}" for file, line, message, _comments, _context in found}


@pytest.fixture(scope="module")
def french() -> list[Message]:
    """Every entry of the French files."""
    return [message for catalog in _catalogs() for message in catalog if message.id]


def test_every_text_has_a_french_one(used: dict[Id, str], french: list[Message]) -> None:
    whole = {message.id for message in french if not message.fuzzy and all(_texts(message.string))}

    missing = {place: message for message, place in used.items() if message not in whole}
    assert not missing, f"Add them to a file in {FRENCH.relative_to(FINANCE.parent)}"


def test_no_french_text_is_left_over(used: dict[Id, str], french: list[Message]) -> None:
    assert not [message.id for message in french if message.id not in used]
    assert not [entry for catalog in _catalogs() for entry in catalog.obsolete]


def test_a_french_text_has_the_values_of_the_english_one(french: list[Message]) -> None:
    differing = {
        english: text
        for message in french
        for english, text in zip(_texts(message.id), _texts(message.string), strict=True)
        if _values(english) != _values(text)
    }

    assert not differing


def test_a_text_has_one_french_text_in_all_files(french: list[Message]) -> None:
    by_id: dict[Any, set[Any]] = {}
    for message in french:
        by_id.setdefault(message.id, set()).add(message.string)

    assert not {english: texts for english, texts in by_id.items() if len(texts) > 1}


def test_french_is_written_as_it_is_printed(french: list[Message]) -> None:
    """With ’ in words, and with U+00A0, at which no line ends, where French has a space at a sign."""
    badly = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])|(?<=\S) (?=[:;?!%»](\W|$))|« ")

    assert not [text for message in french for text in _texts(message.string) if badly.search(text)]


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
    return {message.id: message.string for catalog in _catalogs() for message in catalog if message.id}.__getitem__


def _catalogs() -> list[Catalog]:
    files = sorted(FRENCH.glob("*.po"))
    assert files
    return [read_po(file.open("rb"), locale="fr", abort_invalid=True) for file in files]


def _texts(of: Any) -> tuple[str, ...]:
    """Return the singular and the plural of what has both."""
    return (of,) if isinstance(of, str) else tuple(of)


def _values(text: str) -> set[str]:
    """Return the names of the values in a text."""
    if OURS.search(text):
        return set(OURS.findall(text))
    return {name for _literal, name, _spec, _conversion in Formatter().parse(text) if name is not None}
