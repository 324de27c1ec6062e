"""`GET /customers/lookup`: the customers that a form offers while somebody types a name."""

from collections.abc import Iterator
from typing import Any

import pytest

from finance import database
from finance.customers import names
from finance.text import fold, words_of
from tests.clients import ENCRYPTION_KEY, Client
from tests.customers.forms import full_form
from tests.databases import new_name

KNOWN = (
    *("Ada", "Ada King", "Adam Smith", "King Ada", "The Ada Company", "Adalbert & Söhne", "Kings of Ada"),
    *("Élodie Durand", "ELODIE-MARIE DUPONT", "Société Générale", "Générale des Eaux", "O'Brien & Sons", "Łódź 24"),
    *("Sharma & Sons Trading International", "Sharma Steel", "Sharma Trading"),
)


@pytest.fixture(scope="module")
def known(mongodb_uri: str) -> Iterator[Client]:
    """A client on a database with the customers of KNOWN, and as many of another tenant."""
    config = database.Config(mongodb_uri=mongodb_uri, database_name=new_name(), encryption_keys=(ENCRYPTION_KEY,))
    db = database.connect(config)
    client = Client(db, config)
    for tenant in ("acme", "other"):
        for name in KNOWN:
            form = {"customer_name": name if tenant == "acme" else f"{name} Elsewhere"}
            assert client.post("/customers", json=form, tenant=tenant).status_code == 201
    yield client
    db.client.drop_database(db.name)
    db.client.close()


def look_up(client: Client, name: str, role: str = "client", **options: Any) -> list[str]:
    answer = client.get("/customers/lookup", query_string={"name": name}, role=role, **options)
    assert answer.status_code == 200, answer.text
    return [customer["customer_name"] for customer in answer.json["data"]]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ada", ["Ada", "Ada King", "King Ada", "Kings of Ada", "The Ada Company"]),
        ("ADA ", ["Ada", "Ada King", "King Ada", "Kings of Ada", "The Ada Company"]),
        ("adam", ["Adam Smith"]),
        ("adal", ["Adalbert & Söhne"]),
        ("ada king", ["Ada King", "King Ada", "Kings of Ada"]),
        ("king, ada", ["King Ada", "Ada King", "Kings of Ada"]),
        ("kin ad", ["Ada King", "King Ada", "Kings of Ada"]),
        ("elodie", ["Élodie Durand", "ELODIE-MARIE DUPONT"]),
        ("élo du", ["Élodie Durand", "ELODIE-MARIE DUPONT"]),
        ("soehne", []),
        ("SÖHNE", ["Adalbert & Söhne"]),
        ("generale", ["Générale des Eaux", "Société Générale"]),
        ("obrien", []),
        ("o brien", ["O'Brien & Sons"]),
        ("łódź", ["Łódź 24"]),
        ("24", ["Łódź 24"]),
        ("sharma trading", ["Sharma Trading", "Sharma & Sons Trading International"]),
        ("trading sharma", ["Sharma Trading", "Sharma & Sons Trading International"]),
        ("sharma steel trading", []),
        ("&", []),
        ("nobody", []),
        ("elsewhere", []),
    ],
)
def test_the_names_that_fit_best_come_first(known: Client, typed: str, found: list[str]) -> None:
    assert look_up(known, typed) == found


def test_a_tenant_finds_its_own_alone(known: Client) -> None:
    assert look_up(known, "sharma steel", tenant="other") == ["Sharma Steel Elsewhere"]
    assert look_up(known, "sharma steel", tenant="third") == []


def test_a_hit_shows_nothing_that_is_secret(client: Client) -> None:
    form = full_form(customer_name="Bharat Textiles")
    code = client.post("/customers", json=form).json["customer_code"]

    for role in ("client", "accountant", "admin"):
        answer = client.get("/customers/lookup?name=bharat", role=role)
        assert answer.json == {
            "data": [
                {
                    "customer_code": code,
                    "customer_name": "Bharat Textiles",
                    "customer_category": form["customer_category"],
                    "contact_person": form["contact_person"],
                }
            ]
        }
    assert client.db.audit_events.count_documents({"action": "numbers_read_in_full"}) == 0


def test_only_active_customers_are_offered(client: Client) -> None:
    for number in range(3):
        client.post("/customers", json={"customer_name": f"Ada {number}"})
    client.post("/customers/CUST-000001/deactivate", json={"reason": "left"})
    client.post("/customers/CUST-000002/erase", role="admin", json={"reason": "asked"})

    assert look_up(client, "ada") == ["Ada 2"]
    assert look_up(client, "0") == look_up(client, "1") == []
    client.post("/customers/CUST-000001/activate", json={"reason": "came back"})
    assert look_up(client, "ada") == ["Ada 0", "Ada 2"]


def test_what_earlier_versions_and_other_systems_stored_is_found_or_left_out(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})
    client.db.customers.insert_many(
        [
            {"tenant": "acme", "customer_code": "OLD-1", "customer_name": "Zoë King", "name_folded": "zoe king"},
            {"tenant": "acme", "customer_code": "OLD-2", "customer_name": 5, "name_folded": "zoe", "name_words": ["x"]},
            {"tenant": "acme", "customer_code": "OLD-3"},
        ]
    )

    assert look_up(client, "zoe") == look_up(client, "zoë ki") == ["Zoë King"]


@pytest.mark.parametrize("query", ["", "?name=", "?name=%20", "?name=%CC%81", "?name=a&name=b", "?name=a&limit=9"])
def test_what_can_not_be_looked_up_is_told_by_its_parameter(shared_client: Client, query: str) -> None:
    answer = shared_client.get(f"/customers/lookup{query}", role="client")

    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == ("limit" if "limit" in query else "name")


def test_a_customer_may_be_called_lookup(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada", "customer_code": "lookup"})

    assert client.get("/customers/LOOKUP").json["customer_code"] == "LOOKUP"
    assert client.put("/customers/lookup", json={"customer_name": "Ada B"}).json["customer_name"] == "Ada B"


def test_however_many_are_called_alike_few_are_looked_at(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Trading Sharma"})
    common = [f"Sharma {word} Trading" for word in ("Steel", "Rice")]
    client.db.customers.insert_many(
        {"tenant": "acme", "customer_code": f"C-{n}", "customer_name": name, "status": "active"}
        | {"name_folded": fold(name), "name_words": words_of(fold(name))}
        for n in range(2 * names.EXAMINED_MAX)
        for name in [f"{common[n % 2]} {n}"]
    )

    questions = [
        {"begins": "sharma", "where": "name_folded"},
        {"begins": "sharma", "where": "name_words"},
        {"begins": "trading", "where": "name_words", "words": ("sharma", "nobody")},
    ]
    for question in questions:
        pipeline = names.pipeline_of(tenant="acme", **question)
        asked = {"aggregate": "customers", "pipeline": pipeline, "cursor": {}}
        asked["hint"] = {"tenant": 1, question["where"]: 1, "_id": 1}
        stats = str(client.db.command("explain", asked, verbosity="executionStats"))
        assert "COLLSCAN" not in stats
        assert "IXSCAN" in stats
        assert f"'totalDocsExamined': {names.EXAMINED_MAX}" in stats or "'totalDocsExamined': 5" in stats
    assert look_up(client, "trading sharma")[0] == "Trading Sharma"
    assert look_up(client, "sharma rice 1501") == ["Sharma Rice Trading 1501"]
