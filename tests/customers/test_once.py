"""What a repeat is known by: were a digest to change, requests stored before would no longer be known again."""

from typing import Any

from bson import ObjectId

from finance.encryption import FieldCipher
from tests.conftest import ENCRYPTION_KEY, Client
from tests.customers.forms import full_form, pan

KEY = {"Idempotency-Key": "k"}
ONBOARDING_DIGEST = "00456a9a564a81631e2efa50eda3a15e0953de9f694f77281aa9b1e6dae76d53"
DEACTIVATION_DIGEST = "c7f314838e0d41e9e3b2e09ddb9f2842b6ef5c10971578c888651eb7a4d8b3c4"


def test_the_digest_of_a_form_with_all_parts_never_changes(client: Client) -> None:
    client.post("/customers", json=full_form(pan_number="AFZPK7190K", customer_code="cust-7"), headers=KEY)

    assert _decrypted(client, client.db.customers.find_one()["request_hash"]) == ONBOARDING_DIGEST


def test_the_digest_of_a_deactivation_never_changes(client: Client) -> None:
    known = {"_id": ObjectId("0123456789abcdef01234567"), "tenant": "acme", "customer_code": "A"}
    client.db.customers.insert_one(known | {"customer_name": "Ada", "version": 1, "history": []})

    client.post("/customers/A/deactivate", json={"reason": "moved"}, headers=KEY)

    assert _decrypted(client, client.db.customers.find_one()["history"][0]["request_hash"]) == DEACTIVATION_DIGEST


def test_a_repeat_is_known_where_another_customer_has_the_same_pan(client: Client) -> None:
    form = full_form(pan_number=pan())
    client.post("/customers", json=form)
    first = client.post("/customers?confirm_duplicate=true", json=form, headers=KEY)

    repeat = client.post("/customers", json=form, headers=KEY)

    assert (first.status_code, repeat.status_code, repeat.json) == (201, 201, first.json)
    assert repeat.headers["Idempotent-Replayed"] == "true"


def _decrypted(client: Client, ciphertext: Any) -> str:
    return FieldCipher(client.db, master_keys=(ENCRYPTION_KEY,)).decrypt(ciphertext)
