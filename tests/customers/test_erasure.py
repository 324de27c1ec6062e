"""Erasing a customer: nothing of the person is left in the database, and code and books are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from bson.raw_bson import RawBSONDocument

from finance.asked import Asked
from finance.config import Config
from finance.customers.columns import parse_columns
from finance.customers.imports import import_rows
from finance.customers.model import Book
from finance.database import Db
from finance.encryption import FieldCipher
from finance.tables.cells import Cell
from finance.tables.reading import Row
from tests.answers import assert_answer_matches
from tests.clients import ENCRYPTION_KEY, Client, HttpClient, at_once
from tests.conftest import Api
from tests.customers.forms import full_form, gstin

PATH = "/customers/CUST-000001"
PAN = "QWXYZ4821M"
REASON = {"reason": "asked for on 20 November"}
# Each stands in a part of the form of its own, or in the form before.
PERSONAL = {
    "customer_name": "Marisol Quintero",
    "customer_category": "quilters",
    "pan_number": PAN,
    "contact_person": "Xochitl Quintero",
    "email_address": "marisol@quintero.example",
    "contact_number": "+34 911 555 777",
    "gst_details": [{"gstin": gstin(PAN), "state": "Nagaland", "address": "17 Zanzibar Lane\nKohima"}],
    "products_services": [{"name": "Quilts by Marisol"}],
    "tds": {"applicable": True, "section": "194Q", "tan_number": "PDES03028F"},
    "banking": [
        {"bank_name": "Banco Quetzal", "account_number": "739154682073915", "ifsc": "QTZL0000691", "branch": "Zocalo"},
        {"iban": "DE89370400440532013000"},
    ],
    "terms_conditions": {"notes": "call Xochitl after six"},
}
EARLIER = PERSONAL | {
    "customer_name": "Marisol Zubiaga",
    "email_address": "marisol@zubiaga.example",
    "banking": [{"account_number": "846201937584620"}],
}
SOUGHT = [
    *("Marisol", "marisol", "Quintero", "quintero", "Zubiaga", "zubiaga", "quilters", "Xochitl", "+34 911 555 777"),
    *(PAN, "21M", gstin(PAN), "Nagaland", "Zanzibar", "Quilts", "194Q", "PDES03028F", "Quetzal", "739154682073915"),
    *("QTZL0000691", "Zocalo", "DE89370400440532013000", "call Xochitl", "846201937584620", "died of quinsy"),
]


@pytest.fixture
def known(client: Client) -> Client:
    """A client on a database that knows all of PERSONAL and EARLIER, in every way that the API stores something."""
    return _known(client)


def _known(client: Client) -> Client:
    assert client.post("/customers", json=EARLIER, key="onboard").status_code == 201
    assert client.put(PATH, json=PERSONAL).status_code == 200
    for action, reason in (("deactivate", "died of quinsy"), ("activate", "Marisol lives")):
        assert client.post(f"{PATH}/{action}", json={"reason": reason}, key=action).status_code == 200
    client.get(PATH)
    client.post("/customers/search", json={"pan_number": PAN})
    assert _remains(client.db) == {*SOUGHT} - _ENCRYPTED
    return client


_ENCRYPTED = {PAN, "21M", gstin(PAN), "PDES03028F", "739154682073915", "DE89370400440532013000", "846201937584620"}


def _remains(db: Db) -> set[str]:
    """Return what of SOUGHT can be read in the documents of the database, byte for byte."""
    raw = b"".join(_raw_documents(db))
    return {text for text in SOUGHT if text.encode() in raw}


def _raw_documents(db: Db) -> Iterator[bytes]:
    for name in db.list_collection_names():
        options = db.codec_options.with_options(document_class=RawBSONDocument)
        for document in db.get_collection(name, codec_options=options).find():
            yield document.raw


def _erase(client: Client, key: str | None = None, reason: dict[str, str] = REASON, **options: Any) -> Any:
    return client.post(f"{PATH}/erase", json=reason, key=key, role="admin", **options)


# --- What goes, and what stays ------------------------------------------------------------------------------------


def test_nothing_of_the_person_is_left_in_the_whole_database(known: Client) -> None:
    cipher = FieldCipher(known.db, master_keys=(ENCRYPTION_KEY,))
    ciphertext = bytes(cipher.encrypt(PAN, tenant="acme", searchable=True))
    assert ciphertext in b"".join(_raw_documents(known.db))

    assert _erase(known).status_code == 200

    assert _remains(known.db) == set()
    raw = b"".join(_raw_documents(known.db))
    assert ciphertext not in raw
    assert "Binary(" not in str(known.db.customers.find_one())  # nothing encrypted either


def test_code_and_dates_and_who_did_what_stay(known: Client) -> None:
    before = known.get(PATH).json

    answer = _erase(known)

    shown = answer.json
    assert_answer_matches(known.get("/openapi.json").json, "Customer", shown)
    kept = ("id", "customer_code", "created_at", "created_by")
    assert {name: shown[name] for name in kept} == {name: before[name] for name in kept}
    assert (shown["status"], shown["status_reason"], shown["version"]) == ("erased", REASON["reason"], 5)
    assert shown["erased_at"] == shown["updated_at"]
    assert answer.headers["ETag"] == '"5"'
    assert [entry["action"] for entry in shown["history"]] == ["saved", "deactivated", "activated", "erased"]
    assert [entry["changes"] for entry in shown["history"]] == [{}] * 4
    assert [entry.get("reason") for entry in shown["history"]] == [None, None, None, REASON["reason"]]
    for name in ("customer_name", "pan_number", "email_address", "tds", "terms_conditions"):
        assert shown[name] is None
    assert (shown["gst_details"], shown["products_services"], shown["banking"]) == ([], [], [])
    assert known.get(PATH).json == shown


def test_payments_and_invoices_stay_as_they_are(client: Client) -> None:
    client.put_shop()
    client.post("/customers", json={"customer_name": "Marisol Quintero"})
    invoice = client.issue(customer_code="CUST-000001", customer_name="Marisol Quintero").json
    payment = client.pay("5.00", payer="Marisol Quintero", customer_code="CUST-000001").json

    _erase(client)

    assert client.invoice(invoice["invoice_number"]) == invoice
    assert client.get(f"/payments/{payment['payment_number']}").json == payment
    [listed] = client.get(f"{PATH}/payments").json["data"]
    assert listed == payment


def test_it_is_on_record_with_its_reason(known: Client) -> None:
    _erase(known)

    [event] = known.db.audit_events.find({"action": "customer_erased"})
    assert (event["tenant"], event["object_kind"], event["object_id"]) == ("acme", "customer", "CUST-000001")
    assert event["details"] == REASON


def test_it_shows_in_lists_as_erased_in_its_place(known: Client) -> None:
    known.post("/customers", json={"customer_name": "Zoë"})
    _erase(known)

    for sort in ("customer_name", "customer_code", "created_at", "-customer_name"):
        first = known.get(f"/customers?limit=1&sort={sort}").json
        second = known.get(f"/customers?limit=1&sort={sort}&cursor={first['next_cursor']}").json
        both = [*first["data"], *second["data"]][:: -1 if sort.startswith("-") else 1]
        assert [(c["customer_code"], c["status"]) for c in both] == [
            ("CUST-000001", "erased"),
            ("CUST-000002", "active"),
        ]
    assert [c["customer_code"] for c in known.get("/customers?status=erased").json["data"]] == ["CUST-000001"]
    assert known.get("/customers?customer_name=marisol").json["data"] == []
    assert known.post("/customers/search", json={"pan_number": PAN}).json["data"] == []


# --- Afterwards ---------------------------------------------------------------------------------------------------


def test_nothing_of_it_can_be_changed_any_more(known: Client) -> None:
    _erase(known)
    before = list(known.db.customers.find())

    answers = [
        known.put(PATH, json=PERSONAL),
        known.put(PATH, json={"customer_name": "X", "pan_number": "******821M"}),
        known.put(PATH, json=PERSONAL, headers={"If-Match": '"5"'}),
        known.post(f"{PATH}/activate", json={"reason": "back"}),
        known.post(f"{PATH}/activate?confirm_duplicate=true", json={"reason": "back"}),
        known.post(f"{PATH}/deactivate", json={"reason": "gone"}),
        _erase(known),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "customer_erased")] * 7
    assert list(known.db.customers.find()) == before


def test_its_code_is_taken_for_good(known: Client) -> None:
    _erase(known)

    taken = known.post("/customers", json={"customer_name": "Zoë", "customer_code": "CUST-000001"})
    fresh = known.post("/customers", json={"customer_name": "Zoë"})

    assert (taken.status_code, taken.json["code"]) == (409, "customer_code_taken")
    assert fresh.json["customer_code"] not in ("CUST-000001", taken.json["suggested_code"])


def test_new_payments_and_invoices_cannot_name_it(known: Client) -> None:
    known.put_shop()
    _erase(known)

    answers = [
        known.pay("5.00", customer_code="CUST-000001"),
        known.issue(customer_code="CUST-000001"),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (409, "customer_erased")
        assert [error["pointer"] for error in answer.json["errors"]] == ["/customer_code"]
    assert known.db.payments.count_documents({}) == known.db.invoices.count_documents({}) == 0


def test_a_payment_that_named_it_before_is_repeated(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Marisol"})
    first = client.pay("5.00", key="pay", customer_code="CUST-000001")
    _erase(client)

    repeat = client.pay("5.00", key="pay", customer_code="CUST-000001")

    assert (repeat.status_code, repeat.json) == (201, first.json)


def test_the_pan_is_free_for_a_new_customer(known: Client) -> None:
    _erase(known)

    again = known.post("/customers", json=PERSONAL)

    assert (again.status_code, again.json["customer_code"]) == (201, "CUST-000002")


def test_a_late_repeat_of_an_earlier_request_brings_nothing_back(known: Client) -> None:
    _erase(known)

    answers = [
        known.post("/customers", json=EARLIER, key="onboard"),
        known.post(f"{PATH}/deactivate", json={"reason": "died of quinsy"}, key="deactivate"),
        known.post(f"{PATH}/activate", json={"reason": "Marisol lives"}, key="activate"),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "customer_erased")] * 3
    assert known.db.customers.count_documents({}) == 1
    assert _remains(known.db) == set()


@pytest.mark.parametrize("apply", [False, True])
def test_an_import_refuses_its_row_and_takes_its_pan_for_a_new_customer(known: Client, apply: bool) -> None:
    _erase(known)
    book = Book(known.db, FieldCipher(known.db, master_keys=(ENCRYPTION_KEY,)))
    rows = [
        Row(2, {"customer_name": Cell("Marisol Quintero"), "customer_code": Cell("CUST-000001")}),
        Row(3, {"customer_name": Cell("Marisol Quintero"), "pan_number": Cell(PAN)}),
    ]
    columns = parse_columns(["customer_name", "customer_code", "pan_number"])

    asked = Asked("acme", "import", datetime.now(UTC))
    erased, new = import_rows(book, asked, rows=rows, columns=columns, apply=apply, confirmed=False)

    assert (erased.verdict, new.verdict) == ("refused", "created")
    assert "was erased" in erased.problems[0]


# --- Once, roles, tenants -----------------------------------------------------------------------------------------


def test_a_repeat_is_answered_with_the_first_result(known: Client) -> None:
    known.post("/customers", json={"customer_name": "Zoë"})
    first = _erase(known, key="k")

    repeat = _erase(known, key="k")
    other_reason = _erase(known, key="k", reason={"reason": "another"})
    other_customer = known.post("/customers/CUST-000002/erase", json=REASON, key="k", role="admin")
    without_key = _erase(known)

    assert (repeat.status_code, repeat.json, repeat.headers["Idempotent-Replayed"]) == (200, first.json, "true")
    assert [answer.json["code"] for answer in (other_reason, other_customer)] == ["idempotency_key_reused"] * 2
    assert without_key.json["code"] == "customer_erased"
    assert known.get("/customers/CUST-000002").json["status"] == "active"
    assert known.db.audit_events.count_documents({"action": "customer_erased"}) == 1


def test_one_key_serves_each_of_the_actions(known: Client) -> None:
    answers = [known.post(f"{PATH}/deactivate", json=REASON, key="k"), _erase(known, key="k")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].json["status"] == "erased"


@pytest.mark.parametrize(("role", "status"), [("client", 403), ("accountant", 403), ("admin", 200)])
def test_admins_alone_erase(known: Client, role: str, status: int) -> None:
    assert known.post(f"{PATH}/erase", json=REASON, role=role).status_code == status


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": 7}, {"reason": "x", "why": "y"}])
def test_it_needs_a_reason(known: Client, body: dict[str, Any]) -> None:
    answer = _erase(known, reason=body)

    assert answer.status_code == 422
    assert known.get(PATH).json["status"] == "active"


def test_another_tenants_customer_and_no_customer_are_not_found(known: Client) -> None:
    before = list(known.db.customers.find())

    answers = [
        _erase(known, tenant="other"),
        known.post("/customers/CUST-000009/erase", json=REASON, role="admin"),
        known.post("/customers/no%20code/erase", json=REASON, role="admin"),
    ]

    assert [answer.json["code"] for answer in answers] == ["customer_not_found"] * 3
    assert list(known.db.customers.find()) == before
    assert known.db.audit_events.count_documents({"action": "customer_erased"}) == 0


# --- What older versions, older systems and lost keys left ----------------------------------------------------------


@pytest.mark.parametrize(
    "left",
    [
        {},
        {"customer_name": "Marisol", "name_folded": "marisol", "status": "inactive"},
        {"customer_name": "Marisol", "nick": "Xochitl", "documents": [{"passport": "Quintero"}], "version": None},
        {"name": "Quintero", "history": None, "version": 3},
        {"history": [{"at": datetime(2026, 1, 1, tzinfo=UTC), "note": "Marisol"}], "pan_number": PAN},
    ],
)
def test_a_customer_that_another_system_left_is_erased(client: Client, left: dict[str, Any]) -> None:
    client.db.customers.insert_one({"tenant": "acme", "customer_code": "CUST-000001", **left})

    answer = _erase(client)

    assert (answer.status_code, answer.json["status"]) == (200, "erased")
    assert _remains(client.db) == set()
    assert client.get(PATH).json == answer.json
    assert len(client.get("/customers?sort=customer_name").json["data"]) == 1


@pytest.mark.parametrize("keys", [(), (b"another master! " * 6,)], ids=["none", "another"])
def test_what_can_no_more_be_decrypted_can_be_erased(known: Client, keys: tuple[bytes, ...]) -> None:
    without = Client(known.db, Config(encryption_keys=keys))
    assert without.get(PATH).status_code == 503

    answer = _erase(without, key="k")

    assert answer.status_code == 200
    assert _remains(known.db) == set()
    assert without.get(PATH).json == answer.json == _erase(without, key="k").json


def test_a_full_history_is_no_obstacle(known: Client) -> None:
    entry = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "by": "k",
        "action": "saved",
        "changes": {"customer_name": "Marisol"},
    }
    known.db.customers.update_one({}, {"$set": {"history": [entry] * 1_000}})

    assert _erase(known).status_code == 200
    assert _remains(known.db) == set()


def test_a_unique_index_that_an_older_system_left_is_a_conflict_and_nothing_is_changed(known: Client) -> None:
    known.db.customers.insert_one({"tenant": "acme", "customer_code": "OLD-1"})
    known.db.customers.create_index("email_address", unique=True)

    answer = _erase(known)

    assert (answer.status_code, answer.json["code"]) == (409, "refused_by_foreign_index")
    assert known.get(PATH).json["customer_name"] == "Marisol Quintero"


# --- Races --------------------------------------------------------------------------------------------------------


def test_of_requests_that_race_with_an_erasure_none_brings_anything_back(shared_api: Api) -> None:
    client = HttpClient(shared_api, tenant := f"e{uuid4().hex[:8]}", role="admin")
    client.post("/customers", json=full_form())  # makes the tenant's data key, for which all would wait

    for number in range(25):
        code = f"RACE-{number}"
        marked = {"customer_name": f"Marisol {tenant}", "contact_person": f"Marisol {tenant}"}
        client.put(f"/customers/{code}", json=full_form(**marked))
        forms = [full_form(**marked, email_address=f"{n}@example.com") for n in range(3)]
        acts = [
            *[lambda f=f, c=code: client.put(f"/customers/{c}?confirm_duplicate=true", json=f) for f in forms],
            lambda c=code: client.post(f"/customers/{c}/deactivate", json={"reason": f"Marisol {tenant}"}),
            lambda c=code: client.post(f"/customers/{c}/erase", json=REASON),
            lambda c=code: client.post(f"/customers/{c}/erase", json=REASON),
        ]

        answers = at_once(len(acts), lambda place, acts=acts: acts[place]())

        statuses = [answer.status_code for answer in answers]
        assert {*statuses} <= {200, 409}, [answer.text for answer in answers]
        assert sorted(statuses[-2:]) == [200, 409]
        assert client.get(f"/customers/{code}").json()["status"] == "erased"
    raw = b"".join(_raw_documents(shared_api.db))
    assert f"Marisol {tenant}".encode() not in raw
    assert f"marisol {tenant}".encode() not in raw


def test_twice_at_once_with_one_key_is_one_erasure(shared_api: Api) -> None:
    client = HttpClient(shared_api, f"e{uuid4().hex[:8]}", role="admin")
    for number in range(10):
        path = f"/customers/TWICE-{number}"
        client.put(path, json={"customer_name": "Marisol"})

        answers = at_once(6, lambda _place, p=path, n=number: client.post(f"{p}/erase", json=REASON, key=f"k{n}"))

        assert [answer.status_code for answer in answers] == [200] * 6
        assert len({answer.text for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 5
