"""What belongs to one tenant does not exist for another: not to be seen, changed, voided, listed or repeated."""

from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.clients import HttpClient, a_payment, is_replayed

pytestmark = pytest.mark.journey

PAYMENTS = "/api/v1/payments"


@pytest.fixture
def acme(shared_api: Any) -> HttpClient:
    return HttpClient(shared_api, f"acme-{uuid4().hex[:8]}", role="admin")


@pytest.fixture
def globex(shared_api: Any) -> HttpClient:
    return HttpClient(shared_api, f"globex-{uuid4().hex[:8]}", role="admin")


@pytest.fixture
def of_acme(acme: HttpClient) -> str:
    """The address of acme's only payment."""
    return acme.post(PAYMENTS, json=a_payment(payer="Ada", reference="A-1"), key="order-1").headers["location"]


def test_a_payment_of_another_tenant_is_not_found(globex: HttpClient, of_acme: str) -> None:
    _assert_looks_like_nothing(globex.get(of_acme), globex)


def test_a_payment_of_another_tenant_cannot_be_corrected(acme: HttpClient, globex: HttpClient, of_acme: str) -> None:
    before = acme.get(of_acme).json()

    reply = globex.patch(of_acme, json={"note": "mine"})

    _assert_looks_like_nothing(reply, globex)
    assert acme.get(of_acme).json() == before


def test_a_payment_of_another_tenant_cannot_be_voided(acme: HttpClient, globex: HttpClient, of_acme: str) -> None:
    reply = globex.post(f"{of_acme}/void", json={"reason": "not mine"}, key="void-1")

    _assert_looks_like_nothing(reply, globex)
    assert acme.get(of_acme).json()["status"] == "recorded"


def test_a_number_that_both_have_is_each_ones_own(acme: HttpClient, globex: HttpClient, of_acme: str) -> None:
    own = globex.post(PAYMENTS, json=a_payment(payer="Grace"))
    assert own.headers["location"] == of_acme

    assert globex.post(f"{of_acme}/void", json={"reason": "mistake"}).status_code == 200

    assert (globex.get(of_acme).json()["payer"], globex.get(of_acme).json()["status"]) == ("Grace", "voided")
    assert (acme.get(of_acme).json()["payer"], acme.get(of_acme).json()["status"]) == ("Ada", "recorded")


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"payer": "Ada"},
        {"reference": "A-1"},
        {"idempotency_key": "order-1"},
        {"currency": "EUR", "min_amount": "0.01"},
        {"paid_from": "2000-01-01"},
        {"status": "recorded"},
        {"sort": "created_at"},
    ],
)
def test_a_list_holds_nothing_of_another_tenant(
    acme: HttpClient, globex: HttpClient, of_acme: str, filters: dict[str, str]
) -> None:
    assert len(acme.get(PAYMENTS, params=filters).json()["data"]) == 1
    assert globex.get(PAYMENTS, params=filters).json()["data"] == []


def test_a_cursor_of_another_tenant_is_refused(acme: HttpClient, globex: HttpClient) -> None:
    for client, payer in ((acme, "Ada"), (globex, "Grace")):
        for _three in range(3):
            client.post(PAYMENTS, json=a_payment(payer=payer))
    cursor = acme.get(PAYMENTS, params={"limit": 1}).json()["next_cursor"]

    page = globex.get(PAYMENTS, params={"cursor": cursor})

    assert (page.status_code, page.json()["errors"][0]["parameter"]) == (422, "cursor")


def test_the_same_key_of_two_tenants_is_two_payments(acme: HttpClient, globex: HttpClient, of_acme: str) -> None:
    reply = globex.post(PAYMENTS, json=a_payment(payer="Grace", reference="G-1"), key="order-1")

    assert (reply.status_code, is_replayed(reply)) == (201, False)
    assert globex.get(reply.headers["location"]).json()["payer"] == "Grace"
    assert acme.get(of_acme).json()["payer"] == "Ada"


def test_the_same_key_of_two_tenants_voids_each_ones_own(acme: HttpClient, globex: HttpClient, of_acme: str) -> None:
    globex.post(PAYMENTS, json=a_payment(payer="Grace"))

    voids = [client.post(f"{of_acme}/void", json={"reason": "mistake"}, key="void-1") for client in (acme, globex)]

    assert [(void.status_code, is_replayed(void), void.json()["payer"]) for void in voids] == [
        (200, False, "Ada"),
        (200, False, "Grace"),
    ]


def test_keys_of_another_tenant_are_not_listed_and_not_revoked(acme: HttpClient, globex: HttpClient) -> None:
    key_id = acme.post("/api/v1/keys", json={"role": "client"}).json()["key_id"]

    assert key_id not in [key["key_id"] for key in globex.get("/api/v1/keys").json()["data"]]
    assert globex.delete(f"/api/v1/keys/{key_id}").status_code == 404
    [revoked_at] = [key["revoked_at"] for key in acme.get("/api/v1/keys").json()["data"] if key["key_id"] == key_id]
    assert revoked_at is None


def _assert_looks_like_nothing(reply: requests.Response, client: HttpClient) -> None:
    """Nothing in the reply may tell another tenant's number from one that was never given."""
    never_given = client.get(f"{PAYMENTS}/PAY20219999")
    assert reply.status_code == never_given.status_code == 404
    assert {**reply.json(), "request_id": ""} == {**never_given.json(), "request_id": ""}
