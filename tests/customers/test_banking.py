"""Stored bank accounts: who may change them, that an unchanged form can be saved by everyone, and what is on record."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from finance.config import Config
from finance.database import Db
from tests.clients import ENCRYPTION_KEY, Client
from tests.customers.forms import full_form, gstin, pan

PATH = "/customers/CUST-000001"
# Two of one bank whose numbers look the same when they are masked, and one that looks like them of another bank.
ALIKE = [
    {"bank_name": "SBI", "account_number": "100000001234", "ifsc": "SBIN0000691", "primary": True},
    {"bank_name": "SBI", "account_number": "200000001234", "ifsc": "SBIN0000691", "primary": False},
    {"bank_name": "HDFC", "account_number": "300000001234", "primary": False},
]
Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture
def protected(db: Db) -> Client:
    """An app that lets only accountants change stored bank accounts."""
    return Client(db, Config(encryption_keys=(ENCRYPTION_KEY,), bank_changes="accountant"))


def _onboard(client: Client, **fields: Any) -> dict[str, Any]:
    """Onboard CUST-000001 as a client does, and return its form."""
    form = full_form(**fields)
    assert client.post("/customers", role="client", json=form).status_code == 201
    return form


def _loaded(client: Client, form: dict[str, Any], role: str = "client") -> dict[str, Any]:
    """Return the form as this role loads it."""
    shown = client.get(PATH, role=role).json
    return {name: shown[name] for name in form}


def _stored(client: Client) -> list[dict[str, Any]]:
    """Return the bank accounts as they are stored, in full."""
    return client.get(PATH, role="admin").json["banking"]


# --- An unchanged form ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["client", "accountant", "admin"])
def test_an_unchanged_form_is_saved_by_everyone_though_numbers_look_alike(protected: Client, role: str) -> None:
    form = _onboard(protected, banking=ALIKE)

    saved = protected.put(PATH, role=role, json=_loaded(protected, form, role))

    assert (saved.status_code, saved.headers["ETag"]) == (200, '"1-masked"' if role == "client" else '"1"')
    assert _stored(protected) == ALIKE


def test_the_rest_of_a_form_is_changed_by_a_client_beside_accounts_that_stay(protected: Client) -> None:
    form = _onboard(protected, banking=ALIKE)

    saved = protected.put(PATH, role="client", json=_loaded(protected, form) | {"contact_person": "Ravi"})

    assert (saved.status_code, saved.json["contact_person"]) == (200, "Ravi")
    assert _stored(protected) == ALIKE
    assert list(saved.json["history"][0]["changes"]) == ["contact_person"]


def test_gstins_that_look_alike_are_told_apart_by_their_rows(client: Client) -> None:
    own = pan()
    states = [f"{state:02}" for state in range(1, 39)]  # 36 check digits: two of these end alike
    rows = [{"gstin": gstin(own, state), "state": f"State {state}"} for state in states]
    form = _onboard(client, pan_number=own, gst_details=rows)
    loaded = _loaded(client, form)
    assert len({row["gstin"] for row in loaded["gst_details"]}) < len(states)

    again = client.put(PATH, role="client", json=loaded)
    without_first = client.put(PATH, role="client", json=loaded | {"gst_details": loaded["gst_details"][1:]})

    assert [answer.status_code for answer in (again, without_first)] == [200, 200]
    assert client.get(PATH).json["gst_details"] == rows[1:]


def test_rows_that_look_the_same_keep_their_order_and_none_of_them_is_taken_for_another(client: Client) -> None:
    accounts = [{"account_number": f"{digit}00000001234", "primary": False} for digit in (1, 2)]
    form = _onboard(client, banking=[{"account_number": "70001", "primary": True}, *accounts])
    loaded = _loaded(client, form)

    one_of_them = client.put(PATH, role="client", json=loaded | {"banking": loaded["banking"][:2]})
    both = client.put(PATH, role="client", json=loaded | {"banking": loaded["banking"][1:]})

    assert (one_of_them.status_code, one_of_them.json["errors"][0]["pointer"]) == (422, "/banking/1/account_number")
    assert both.status_code == 200
    assert _stored(client) == accounts


def test_rows_that_changed_places_keep_their_own_numbers(client: Client) -> None:
    form = _onboard(client, banking=ALIKE[1:])
    loaded = _loaded(client, form)

    saved = client.put(PATH, role="client", json=loaded | {"banking": loaded["banking"][::-1]})

    assert saved.status_code == 200
    assert _stored(client) == ALIKE[:0:-1]


def test_a_masked_number_in_a_changed_row_that_fits_two_is_refused(client: Client) -> None:
    form = _onboard(client, banking=ALIKE)
    loaded = _loaded(client, form)
    loaded["banking"][2]["branch"] = "Fort"

    saved = client.put(PATH, role="client", json=loaded)

    assert (saved.status_code, saved.json["errors"][0]["pointer"]) == (422, "/banking/2/account_number")
    assert _stored(client) == ALIKE


def test_what_an_older_version_stored_without_its_flag_is_saved_unchanged(protected: Client) -> None:
    form = _onboard(protected)
    protected.db.customers.update_one({}, {"$unset": {"banking.0.primary": "", "banking.1.primary": ""}})

    saved = protected.put(PATH, role="client", json=_loaded(protected, form) | {"contact_person": "Ravi"})

    assert (saved.status_code, saved.json["contact_person"]) == (200, "Ravi")
    assert protected.db.audit_events.count_documents({"action": "bank_details_changed"}) == 0


# --- A changed one -------------------------------------------------------------------------------------------------


def _another_number(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [accounts[0] | {"account_number": "99990000"}, *accounts[1:]]


def _another_bank(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [accounts[0], accounts[1] | {"bank_name": "HDFC"}]


def _another_first(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [account | {"primary": not account["primary"]} for account in accounts]


def _added(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*accounts, {"account_number": "99990000", "primary": False}]


def _removed(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return accounts[:1]


def _all_removed(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return []


def _turned_round(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return accounts[::-1]


CHANGES: list[tuple[Change, list[str]]] = [
    (_another_number, ["/banking/0"]),
    (_another_bank, ["/banking/1"]),
    (_another_first, ["/banking/0", "/banking/1"]),
    (_added, ["/banking/2"]),
    (_removed, ["/banking"]),
    (_all_removed, ["/banking"]),
    (_turned_round, ["/banking/0", "/banking/1"]),
]


@pytest.mark.parametrize(("change", "pointers"), CHANGES)
def test_a_client_may_not_change_stored_accounts_and_nothing_is_written(
    protected: Client, change: Change, pointers: list[str]
) -> None:
    form = _onboard(protected)
    before = _everything(protected)
    loaded = _loaded(protected, form) | {"contact_person": "Ravi"}

    refused = protected.put(PATH, role="client", json=loaded | {"banking": change(loaded["banking"])})

    assert (refused.status_code, refused.json["code"]) == (403, "bank_details_protected")
    assert [error["pointer"] for error in refused.json["errors"]] == pointers
    assert "99990000" not in refused.text
    assert _everything(protected) == before


@pytest.mark.parametrize("role", ["accountant", "admin"])
@pytest.mark.parametrize(("change", "_pointers"), CHANGES)
def test_an_accountant_may(protected: Client, change: Change, _pointers: list[str], role: str) -> None:
    form = _onboard(protected)

    saved = protected.put(PATH, role=role, json=form | {"banking": change(form["banking"])})

    assert saved.status_code == 200
    assert _stored(protected) == change(form["banking"])


def test_a_form_without_the_part_would_remove_the_accounts(protected: Client) -> None:
    form = _onboard(protected)

    refused = protected.put(PATH, role="client", json={"customer_name": form["customer_name"]})

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (403, "/banking")


def test_the_first_accounts_of_a_stored_customer_are_protected_too(protected: Client) -> None:
    _onboard(protected, banking=[])

    refused = protected.put(PATH, role="client", json=full_form(banking=ALIKE))

    assert (refused.status_code, refused.json["code"]) == (403, "bank_details_protected")


def test_a_client_onboards_customers_with_accounts(protected: Client) -> None:
    posted = protected.post("/customers", role="client", json=full_form())
    put = protected.put("/customers/NEW-1", role="client", json=full_form())

    assert [answer.status_code for answer in (posted, put)] == [201, 201]


def test_by_default_a_client_changes_accounts_as_before(client: Client) -> None:
    form = _onboard(client)

    saved = client.put(PATH, role="client", json=_loaded(client, form) | {"banking": ALIKE})

    assert saved.status_code == 200
    assert _stored(client) == ALIKE


# --- On record -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "details"),
    [
        (_another_number, {"added": 1, "removed": 1}),
        (_added, {"added": 1, "removed": 0}),
        (_all_removed, {"added": 0, "removed": 2}),
        (_turned_round, {"added": 0, "removed": 0}),
    ],
)
def test_a_change_is_on_record_without_a_number(client: Client, change: Change, details: dict[str, int]) -> None:
    form = _onboard(client)

    client.put(PATH, role="client", json=form | {"banking": change(copy.deepcopy(form["banking"]))})

    [event] = client.db.audit_events.find({"action": "bank_details_changed"})
    assert (event["object_kind"], event["object_id"], event["details"]) == ("customer", "CUST-000001", details)


def test_what_leaves_the_accounts_as_they_are_is_not_on_record(client: Client) -> None:
    form = _onboard(client)
    client.put(PATH, role="client", json=form | {"contact_person": "Ravi"})
    client.put(PATH, role="client", json=_loaded(client, form))

    assert client.db.audit_events.count_documents({"action": "bank_details_changed"}) == 0


def test_a_change_that_is_refused_since_the_history_is_full_is_not_on_record(client: Client) -> None:
    form = _onboard(client)
    entry = {"at": datetime(2026, 1, 1, tzinfo=UTC), "by": "k", "action": "saved", "changes": {}}
    client.db.customers.update_one({}, {"$set": {"history": [entry] * 1_000}})

    refused = client.put(PATH, role="client", json=form | {"banking": []})

    assert (refused.status_code, refused.json["code"]) == (409, "customer_history_full")
    assert client.db.audit_events.count_documents({"action": "bank_details_changed"}) == 0


def _everything(client: Client) -> list[Any]:
    return [*client.db.customers.find(), *client.db.audit_events.find()]
