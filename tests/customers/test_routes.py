"""Customers over HTTP: what a form sends, and what it gets back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.clients import Client
from tests.customers.forms import full_form, gstin, pan


def test_a_form_with_all_parts_is_saved_and_answered_whole(client: Client) -> None:
    form = full_form()

    answer = client.post("/customers", json=form)

    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/v1/customers/CUST-000001")
    body = answer.json
    assert {name: body[name] for name in form} == form
    assert (body["customer_code"], body["status"], body["version"], body["history"]) == ("CUST-000001", "active", 1, [])
    assert client.get("/customers/cust-000001").json == body
    assert client.db.customers.count_documents({}) == 1


def test_a_name_is_enough(client: Client) -> None:
    body = client.post("/customers", json={"customer_name": "Ada"}, role="client").json

    assert (body["pan_number"], body["tds"], body["terms_conditions"]) == (None, None, None)
    assert (body["gst_details"], body["products_services"], body["banking"]) == ([], [], [])


def test_codes_count_up_and_a_posted_code_is_kept_in_capitals(client: Client) -> None:
    posted = [{}, {"customer_code": "acme-7.b_2"}, {}]

    codes = [
        client.post("/customers", json={"customer_name": "Ada", **fields}).json["customer_code"] for fields in posted
    ]

    assert codes == ["CUST-000001", "ACME-7.B_2", "CUST-000002"]


@pytest.mark.parametrize("code", ["", " ", "-A", "A B", "A/B", "É", "A" * 41, "A\n", 7])
def test_what_cannot_be_a_code_is_refused(client: Client, code: object) -> None:
    answer = client.post("/customers", json={"customer_name": "Ada", "customer_code": code})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/customer_code"]


# --- Codes -------------------------------------------------------------------------------------------------------


def test_a_taken_code_is_a_conflict_with_a_code_that_is_usable_at_once(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})

    answer = client.post("/customers", json={"customer_name": "Bob", "customer_code": "CUST-000001"})

    problem = answer.json
    assert (answer.status_code, problem["code"]) == (409, "customer_code_taken")
    assert problem["detail"] == "This customer code already exists."
    suggested = problem["suggested_code"]
    assert client.post("/customers", json={"customer_name": "Bob", "customer_code": suggested}).status_code == 201


def test_saving_a_form_twice_under_one_code_is_a_taken_code_and_no_possible_duplicate(client: Client) -> None:
    form = full_form(customer_code="CUST-301819")
    client.post("/customers", json=form)

    answers = [
        client.post("/customers", json=form),
        client.post("/customers", json=form, headers={"Idempotency-Key": "k"}),
    ]

    assert [answer.json["code"] for answer in answers] == ["customer_code_taken"] * 2


def test_codes_handed_out_differ_from_each_other_and_from_those_in_use(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada", "customer_code": "CUST-000002"})

    handed_out = [client.post("/customers/codes", role="client").json["customer_code"] for _ in range(3)]
    issued = client.post("/customers", json={"customer_name": "Bob"}).json["customer_code"]

    assert handed_out == ["CUST-000001", "CUST-000003", "CUST-000004"]
    assert issued == "CUST-000005"


def test_asking_for_a_code_twice_with_one_key_gives_one_code(client: Client) -> None:
    key = {"Idempotency-Key": "open-form-1"}

    first, second = (client.post("/customers/codes", headers=key) for _ in range(2))

    assert first.json == second.json
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_counter_behind_the_data_is_raised_past_the_codes_in_use(client: Client) -> None:
    client.db.customers.insert_many(
        {"tenant": "acme", "customer_code": f"CUST-{n:06}", "number_seq": n} for n in range(1, 301)
    )
    client.db.customers.insert_one({"tenant": "acme", "customer_code": "CUST-999999999", "number_seq": 999_999_999})

    codes = [client.post("/customers", json={"customer_name": "Ada"}).json["customer_code"] for _ in range(2)]

    assert codes == ["CUST-000301", "CUST-000302"]


# --- Once --------------------------------------------------------------------------------------------------------


def test_a_repeat_is_answered_with_the_first_result_whatever_happened_since(client: Client) -> None:
    form, key = full_form(), {"Idempotency-Key": "k"}
    first = client.post("/customers", json=form, headers=key)
    changed = full_form(pan_number=form["pan_number"], banking=[], contact_person="Ravi")
    client.put("/customers/CUST-000001", json=changed)
    client.post("/customers/CUST-000001/deactivate", json={"reason": "moved"})

    second = client.post("/customers", json=form, headers=key)

    assert (second.status_code, second.json, second.headers["ETag"]) == (201, first.json, first.headers["ETag"])
    assert (second.headers.get("Idempotent-Replayed"), first.headers.get("Idempotent-Replayed")) == ("true", None)
    assert client.db.customers.count_documents({}) == 1


def test_a_key_used_for_another_form_is_refused(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"}, headers={"Idempotency-Key": "k"})

    answer = client.post("/customers", json={"customer_name": "Bob"}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_its_tenant(client: Client) -> None:
    key = {"Idempotency-Key": "k"}
    client.post("/customers", json={"customer_name": "Ada"}, headers=key)

    answer = client.post("/customers", json={"customer_name": "Ada"}, headers=key, tenant="other")

    assert "Idempotent-Replayed" not in answer.headers
    assert answer.json["customer_code"] == "CUST-000001"


# --- Saving again ------------------------------------------------------------------------------------------------


def test_saving_the_same_twice_changes_nothing(client: Client) -> None:
    form = full_form()
    client.post("/customers", json=form)
    stored = client.db.customers.find_one()

    again = client.put("/customers/CUST-000001", json=form)

    assert (again.status_code, again.headers["ETag"], again.json["history"]) == (200, '"1"', [])
    assert client.db.customers.find_one() == stored


def test_one_to_one_parts_are_replaced_and_many_parts_become_what_was_sent(client: Client) -> None:
    form = full_form()
    client.post("/customers", json=form)
    saved = {
        "customer_name": "Société Générale Ltd",
        "pan_number": form["pan_number"],
        "tds": {"applicable": False},
        "terms_conditions": {"payment_terms_days": 60},
        "gst_details": form["gst_details"][1:],
    }

    body = client.put("/customers/CUST-000001", json=saved).json

    assert {name: body[name] for name in saved} == saved
    assert (body["banking"], body["products_services"], body["contact_person"]) == ([], [], None)
    assert (body["version"], body["history"][0]["action"]) == (2, "saved")
    assert body["history"][0]["changes"]["tds"]["to"] == {"applicable": False}
    assert client.get("/customers/CUST-000001").json == body


def test_saving_under_a_new_code_creates(client: Client) -> None:
    first = client.put("/customers/new-1", json={"customer_name": "Ada"})
    second = client.put("/customers/NEW-1", json={"customer_name": "Ada", "customer_code": "new-1"})

    assert (first.status_code, first.headers["Location"]) == (201, "/api/v1/customers/NEW-1")
    assert (second.status_code, second.json) == (200, first.json)


def test_a_code_never_changes(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})

    answer = client.put("/customers/CUST-000001", json={"customer_name": "Ada", "customer_code": "CUST-000002"})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/customer_code")


def test_a_save_over_a_newer_one_is_refused(client: Client) -> None:
    tag = client.post("/customers", json={"customer_name": "Ada"}).headers["ETag"]
    newer = client.put("/customers/CUST-000001", json={"customer_name": "Ada B"}, headers={"If-Match": tag})

    stale = client.put("/customers/CUST-000001", json={"customer_name": "Ada C"}, headers={"If-Match": tag})

    assert (newer.status_code, newer.headers["ETag"]) == (200, '"2"')
    assert (stale.status_code, stale.json["code"]) == (412, "precondition_failed")
    assert client.get("/customers/CUST-000001").json["customer_name"] == "Ada B"


@pytest.mark.parametrize(
    ("if_match", "status"), [('"1"', 200), ('"7", "1"', 200), ("*", 200), ('"2"', 412), ('W/"1"', 412), ("", 422)]
)
def test_if_match_is_compared_strongly(client: Client, if_match: str, status: int) -> None:
    client.post("/customers", json={"customer_name": "Ada"})

    answer = client.put("/customers/CUST-000001", json={"customer_name": "Ada B"}, headers={"If-Match": if_match})

    assert answer.status_code == status


def test_if_match_on_a_code_that_is_new_creates_nothing(client: Client) -> None:
    answer = client.put("/customers/NEW-1", json={"customer_name": "Ada"}, headers={"If-Match": "*"})

    assert answer.status_code == 412
    assert client.db.customers.count_documents({}) == 0


def test_repeating_a_save_whose_answer_was_lost_is_no_conflict(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})
    save = {"json": {"customer_name": "Ada B"}, "headers": {"If-Match": '"1"'}}

    first, second = (client.put("/customers/CUST-000001", **save) for _ in range(2))

    assert (second.status_code, second.json) == (200, first.json)


def test_a_history_that_is_full_is_a_conflict_and_never_a_5xx(client: Client) -> None:
    for code in ("A", "B"):
        client.put(f"/customers/{code}", json={"customer_name": code})
    entry = {"at": datetime(2026, 1, 1, tzinfo=UTC), "by": "k", "action": "saved", "changes": {}}
    client.db.customers.update_one({"customer_code": "A"}, {"$set": {"history": [entry] * 1_000}})
    large = [entry | {"changes": {"contact_person": {"from": "x" * 1_048_200, "to": "y"}}}] * 16
    client.db.customers.update_one({"customer_code": "B"}, {"$set": {"history": large}})

    full = client.put("/customers/A", json={"customer_name": "Ada"})
    too_large = client.put("/customers/B", json={"customer_name": "B", "terms_conditions": {"notes": "é" * 2_000}})

    assert [answer.status_code for answer in (full, too_large)] == [409, 409]
    assert [answer.json["code"] for answer in (full, too_large)] == ["customer_history_full"] * 2
    assert client.put("/customers/A", json={"customer_name": "A"}).status_code == 200  # what changes nothing goes on


def test_a_customer_that_another_system_left_incomplete_is_shown_and_can_be_saved(client: Client) -> None:
    client.db.customers.insert_one({"tenant": "acme", "customer_code": "OLD-1"})

    shown = client.get("/customers/OLD-1")
    listed = client.get("/customers").json["data"]
    saved = client.put("/customers/OLD-1", json={"customer_name": "Ada"}, headers={"If-Match": shown.headers["ETag"]})
    inactive = client.post("/customers/OLD-1/deactivate", json={"reason": "gone"})

    assert (shown.json["customer_name"], shown.json["status"], len(listed)) == (None, "active", 1)
    assert (saved.status_code, saved.json["customer_name"], saved.headers["ETag"]) == (200, "Ada", '"1"')
    assert inactive.json["status"] == "inactive"


@pytest.mark.parametrize("left", [{"history": None}, {"version": "v7"}, {"version": 2.0}, {"banking": None}])
def test_a_customer_that_another_system_left_damaged_is_shown_and_erased(client: Client, left: dict[str, Any]) -> None:
    client.db.customers.insert_one({"tenant": "acme", "customer_code": "OLD-1", **left})

    shown = [client.get(path) for path in ("/customers/OLD-1", "/customers")]
    erased = client.post("/customers/OLD-1/erase", json={"reason": "asked for"}, role="admin")

    assert [answer.status_code for answer in (*shown, erased)] == [200] * 3
    assert erased.json["version"] == shown[0].json["version"] + 1


def test_a_unique_index_that_an_older_system_left_behind_is_a_conflict_and_never_a_5xx(client: Client) -> None:
    form = {"customer_name": "Ada", "contact_number": "+91 22 2493 1234"}
    client.post("/customers", json=form)
    client.post("/customers", json={"customer_name": "Bob", "customer_code": "B"})
    client.db.customers.create_index("contact_number", unique=True)  # while this process is at work

    posted = client.post("/customers", json=form)
    saved = client.put("/customers/B", json=form)

    assert [(answer.status_code, answer.json["code"]) for answer in (posted, saved)] == [
        (409, "refused_by_foreign_index")
    ] * 2


@pytest.mark.parametrize(("fields", "tenant"), [("idempotency_key", "acme"), ("customer_code", "other")])
def test_a_unique_index_of_an_older_system_tells_a_request_without_a_key_what_it_is(
    client: Client, fields: str, tenant: str
) -> None:
    client.db.customers.create_index(fields, unique=True)
    client.post("/customers", json={"customer_name": "Ada"}, tenant="acme")

    refused = client.post("/customers", json={"customer_name": "Bob"}, tenant=tenant)

    assert (refused.status_code, refused.json["code"]) == (409, "refused_by_foreign_index")
    assert "CUST-000001" not in refused.text


# --- Personal data -----------------------------------------------------------------------------------------------


def test_a_client_sees_the_last_four_characters_and_an_accountant_all(client: Client) -> None:
    form = full_form(pan_number="AFZPK7190K")
    posted = client.post("/customers", json=form, role="client")

    seen = client.get("/customers/CUST-000001", role="client").json

    assert posted.json == seen
    assert seen["pan_number"] == "******190K"
    assert seen["banking"][0]["account_number"] == "**********7890"
    assert seen["banking"][1]["iban"] == "******************5432"
    assert seen["tds"]["tan_number"] == "******028F"
    assert seen["gst_details"][0]["gstin"].startswith("***********")
    for role in ("accountant", "admin"):
        full = client.get("/customers/CUST-000001", role=role).json
        assert {name: full[name] for name in form} == form


def test_lists_and_histories_are_masked_for_everyone(client: Client) -> None:
    form = full_form()
    client.post("/customers", json=form)
    client.put("/customers/CUST-000001", json={"customer_name": "Ada", "pan_number": pan()})

    listed = client.get("/customers", role="admin").text
    history = str(client.get("/customers/CUST-000001", role="admin").json["history"])

    for secret in (form["pan_number"], "30001234567890", "GB82WEST12345698765432", "PDES03028F"):
        assert secret not in listed
        assert secret not in history
    assert "**********7890" in history


def test_a_client_can_save_again_what_it_was_shown(client: Client) -> None:
    form = full_form()
    client.post("/customers", json=form)
    shown = client.get("/customers/CUST-000001", role="client").json
    loaded = {name: shown[name] for name in form} | {"contact_person": "Ravi"}

    saved = client.put("/customers/CUST-000001", json=loaded, role="client")

    assert saved.status_code == 200
    full = client.get("/customers/CUST-000001").json
    assert {name: full[name] for name in form} == form | {"contact_person": "Ravi"}
    assert list(full["history"][0]["changes"]) == ["contact_person"]


def test_a_masked_number_that_fits_nothing_or_two_is_refused(client: Client) -> None:
    accounts = [{"account_number": "100001234"}, {"account_number": "200001234"}]
    client.post("/customers", json={"customer_name": "Ada", "banking": accounts})
    masked = {"customer_name": "Ada", "banking": [{"account_number": "*****1234"}, {"account_number": "*****9999"}]}

    again = client.put("/customers/CUST-000001", json=masked)
    new = client.post("/customers", json={"customer_name": "Ada", "pan_number": "******190K"})

    assert again.status_code == 422
    pointers = [error["pointer"] for error in again.json["errors"]]
    assert pointers == ["/banking/0/account_number", "/banking/1/account_number"]
    assert (new.status_code, new.json["errors"][0]["pointer"]) == (422, "/pan_number")


def test_without_a_key_only_customers_without_secrets_are_taken(db) -> None:
    from finance.config import Config

    client = Client(db, Config())

    plain = client.post("/customers", json={"customer_name": "Ada"}, headers={"Idempotency-Key": "k"})
    secret = client.post("/customers", json={"customer_name": "Bob", "pan_number": pan()})

    assert plain.status_code == 201
    assert (secret.status_code, secret.json["code"]) == (503, "encryption_not_configured")
    assert db.customers.count_documents({}) == 1
    assert db.counters.find_one({"_id": "customer:acme"})["seq"] == 1


# --- Checks ------------------------------------------------------------------------------------------------------

OTHER_GSTIN = "27AAPFU0939F1ZV"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"customer_name": ""}, "/customer_name"),
    ({"customer_name": None}, "/customer_name"),
    ({"customer_name": "A" * 201}, "/customer_name"),
    ({"pan_number": "AFZPK719K"}, "/pan_number"),
    ({"email_address": "ada@localhost"}, "/email_address"),
    ({"contact_number": "none"}, "/contact_number"),
    ({"gst_details": [{"gstin": "29AAGCB7383J1Z4"}, {"gstin": "27AAPFU0939F1ZO"}]}, "/gst_details/1/gstin"),
    ({"gst_details": [{"state": "Goa"}]}, "/gst_details/0/gstin"),
    ({"pan_number": "AFZPK7190K", "gst_details": [{"gstin": OTHER_GSTIN}]}, "/gst_details/0/gstin"),
    ({"gst_details": [{"gstin": OTHER_GSTIN}, {"gstin": OTHER_GSTIN}]}, "/gst_details/1/gstin"),
    ({"gst_details": [{"gstin": OTHER_GSTIN}] * 51}, "/gst_details"),
    ({"gst_details": {"gstin": OTHER_GSTIN}}, "/gst_details"),
    ({"products_services": [{"name": "Steel", "hsn_sac": "720"}]}, "/products_services/0/hsn_sac"),
    ({"products_services": [{"name": "Steel", "unit_price": "1"}]}, "/products_services/0/currency"),
    (
        {"products_services": [{"name": "S", "unit_price": "1.005", "currency": "INR"}]},
        "/products_services/0/unit_price",
    ),
    ({"products_services": [{"name": "S", "unit_price": "1", "currency": "inr"}]}, "/products_services/0/currency"),
    ({"products_services": [{"name": "S", "tax_rate": 101}]}, "/products_services/0/tax_rate"),
    ({"tds": {"applicable": "yes"}}, "/tds/applicable"),
    ({"tds": {"applicable": True, "tan_number": "AFZPK7190K"}}, "/tds/tan_number"),
    ({"tds": [{"applicable": True}]}, "/tds"),
    ({"banking": [{"account_number": "123456", "ifsc": "SBIN1000691"}]}, "/banking/0/ifsc"),
    ({"banking": [{"iban": "GB82WEST12345698765431"}]}, "/banking/0/iban"),
    ({"banking": [{"bank_name": "SBI"}]}, "/banking/0/account_number"),
    (
        {"banking": [{"account_number": f"12345{n}", "primary": True} for n in range(2)]},
        "/banking/1/primary",
    ),
    ({"terms_conditions": {"payment_terms_days": "30"}}, "/terms_conditions/payment_terms_days"),
    ({"terms_conditions": {"payment_terms_days": -1}}, "/terms_conditions/payment_terms_days"),
    ({"terms_conditions": {"credit_limit": "-5", "currency": "INR"}}, "/terms_conditions/credit_limit"),
    ({"nickname": "Ada"}, "/nickname"),
    ({"tds": {"applicable": True, "rates": 1}}, "/tds/rates"),
]


@pytest.mark.parametrize(("fields", "pointer"), REFUSED)
def test_a_refusal_points_to_its_field_and_repeats_no_number(
    shared_client: Client, fields: dict[str, Any], pointer: str
) -> None:
    answer = shared_client.post("/customers", json={"customer_name": "Ada", **fields}, tenant="refused")

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    for secret in ("27AAPFU0939F1ZO", "GB82WEST12345698765431", "AFZPK719K", OTHER_GSTIN, "ada@localhost"):
        assert secret not in answer.text
    assert shared_client.db.customers.count_documents({"tenant": "refused"}) == 0


def test_a_deductors_gstin_is_compared_with_the_tan(client: Client) -> None:
    by_tan = gstin("PDES03028F")[:13] + "D"
    from finance.customers.checks import gst_check_digit

    by_tan += gst_check_digit(by_tan)
    form = {"customer_name": "Ada", "pan_number": pan(), "gst_details": [{"gstin": by_tan}]}

    own = client.post("/customers", json=form | {"tds": {"applicable": True, "tan_number": "PDES03028F"}})
    anothers = client.post("/customers", json=form | {"tds": {"applicable": True, "tan_number": "DELM12345L"}})

    assert (own.status_code, anothers.status_code) == (201, 422)


# --- Duplicates --------------------------------------------------------------------------------------------------


def test_the_pan_of_another_active_customer_is_a_possible_duplicate(client: Client) -> None:
    one = pan()
    client.post("/customers", json={"customer_name": "Ada", "pan_number": one})

    refused = client.post("/customers", json={"customer_name": "Ada", "pan_number": one})
    confirmed = client.post("/customers?confirm_duplicate=true", json={"customer_name": "Ada", "pan_number": one})

    problem = refused.json
    assert (refused.status_code, problem["code"]) == (409, "possible_duplicate_customer")
    assert "CUST-000001" in problem["detail"]
    assert problem["duplicate_of"] == "CUST-000001"
    assert [error["pointer"] for error in problem["errors"]] == ["/pan_number"]
    assert one not in refused.text
    assert confirmed.status_code == 201


def test_a_gstin_of_another_active_customer_is_a_possible_duplicate_on_a_save_too(client: Client) -> None:
    one = pan()
    client.post("/customers", json={"customer_name": "Ada", "gst_details": [{"gstin": gstin(one)}]})
    client.post("/customers", json={"customer_name": "Bob", "customer_code": "B"})
    save = {"customer_name": "Bob", "gst_details": [{"gstin": gstin(one)}]}

    refused = client.put("/customers/B", json=save)
    created = client.put("/customers/C", json=save)
    confirmed = client.put("/customers/B?confirm_duplicate=true", json=save)
    again = client.put("/customers/B", json=save | {"contact_person": "Ravi"})  # was confirmed before

    assert [answer.status_code for answer in (refused, created, confirmed, again)] == [409, 409, 200, 200]
    assert refused.json["errors"][0]["pointer"] == "/gst_details/0/gstin"


def test_another_tenants_or_an_inactive_customers_pan_is_no_duplicate(client: Client) -> None:
    form = {"customer_name": "Ada", "pan_number": pan()}
    client.post("/customers", json=form)

    other_tenant = client.post("/customers", json=form, tenant="other")
    client.post("/customers/CUST-000001/deactivate", json={"reason": "gone"})
    second = client.post("/customers", json=form)
    back = client.post("/customers/CUST-000001/activate", json={"reason": "came back"})
    confirmed = client.post("/customers/CUST-000001/activate?confirm_duplicate=true", json={"reason": "came back"})

    answers = (other_tenant, second, back, confirmed)
    assert [answer.status_code for answer in answers] == [201, 201, 409, 200]
    assert back.json["duplicate_of"] == second.json["customer_code"]


# --- Status, roles, tenants --------------------------------------------------------------------------------------


def test_deactivating_and_activating_are_recorded_with_their_reasons(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})

    inactive = client.post("/customers/cust-000001/deactivate", json={"reason": "insolvent"})
    twice = client.post("/customers/CUST-000001/deactivate", json={"reason": "insolvent"})
    active = client.post("/customers/CUST-000001/activate", json={"reason": "paid"})
    twice_active = client.post("/customers/CUST-000001/activate", json={"reason": "paid"})

    assert (inactive.json["status"], inactive.json["status_reason"]) == ("inactive", "insolvent")
    assert (twice.status_code, twice.json["code"]) == (409, "customer_already_inactive")
    assert (active.json["status"], active.json["version"], active.headers["ETag"]) == ("active", 3, '"3"')
    assert (twice_active.status_code, twice_active.json["code"]) == (409, "customer_already_active")
    actions = [(entry["action"], entry["reason"]) for entry in active.json["history"]]
    assert actions == [("deactivated", "insolvent"), ("activated", "paid")]


def test_a_repeated_deactivation_is_answered_with_the_first_result(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})
    client.post("/customers", json={"customer_name": "Bob"})
    key = {"Idempotency-Key": "k"}
    first = client.post("/customers/CUST-000001/deactivate", json={"reason": "gone"}, headers=key)
    client.post("/customers/CUST-000001/activate", json={"reason": "back"}, headers=key)

    repeat = client.post("/customers/CUST-000001/deactivate", json={"reason": "gone"}, headers=key)
    other_reason = client.post("/customers/CUST-000001/deactivate", json={"reason": "late"}, headers=key)
    other_customer = client.post("/customers/CUST-000002/deactivate", json={"reason": "gone"}, headers=key)

    assert (repeat.status_code, repeat.json) == (200, first.json)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert [answer.json["code"] for answer in (other_reason, other_customer)] == ["idempotency_key_reused"] * 2
    assert client.get("/customers/CUST-000001").json["status"] == "active"


def test_payments_name_active_customers_only_and_are_listed_with_them(client: Client) -> None:
    payment = {"amount": "5", "currency": "EUR", "payer": "Ada", "method": "cash"}
    for name in ("Ada", "Bob"):
        client.post("/customers", json={"customer_name": name})
    client.post("/customers/CUST-000002/deactivate", json={"reason": "gone"})

    good = client.post("/payments", json=payment | {"customer_code": "cust-000001"})
    client.post("/payments", json=payment)
    inactive = client.post("/payments", json=payment | {"customer_code": "CUST-000002"})
    unknown = client.post("/payments", json=payment | {"customer_code": "CUST-000003"})

    assert (good.status_code, good.json["customer_code"]) == (201, "CUST-000001")
    for answer, why in (
        (inactive, "the customer of this code is deactivated."),
        (unknown, "no customer has this code."),
    ):
        assert (answer.status_code, answer.json["errors"]) == (422, [{"pointer": "/customer_code", "detail": why}])
    page = client.get("/customers/cust-000001/payments?sort=-created_at").json
    assert [found["payment_number"] for found in page["data"]] == [good.json["payment_number"]]
    assert client.get("/customers/CUST-000003/payments").status_code == 404
    assert client.get("/customers/CUST-000001/payments?customer_code=CUST-000002").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/customers", 403),
        ("GET", "/customers/CUST-000001/payments", 403),
        ("POST", "/customers/CUST-000001/deactivate", 403),
        ("POST", "/customers/CUST-000001/activate", 403),
        ("GET", "/customers/CUST-000001", 200),
        ("PUT", "/customers/CUST-000001", 200),
        ("POST", "/customers/codes", 201),
        ("DELETE", "/customers/CUST-000001", 405),
    ],
)
def test_what_a_client_may(client: Client, method: str, path: str, status: int) -> None:
    client.post("/customers", json={"customer_name": "Ada"})
    body = {"json": {"customer_name": "Ada"}} if method == "PUT" else {}

    assert client.call(method, path, role="client", **body).status_code == status


def test_another_tenants_customer_is_not_found(client: Client) -> None:
    client.post("/customers", json={"customer_name": "Ada"})
    reason = {"json": {"reason": "x"}}

    answers = [
        client.get("/customers/CUST-000001", tenant="other"),
        client.get("/customers/CUST-000001/payments", tenant="other"),
        client.post("/customers/CUST-000001/deactivate", tenant="other", **reason),
        client.get("/customers/no%20code", tenant="other"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert client.get("/customers", tenant="other").json["data"] == []
