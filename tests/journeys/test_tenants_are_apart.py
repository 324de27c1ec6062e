"""What belongs to one tenant does not exist for another: not to be seen, changed, voided, listed or repeated."""

from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Client, Reply, a_payment

pytestmark = pytest.mark.journey

PAYMENTS = "/api/v1/payments"


@pytest.fixture
def acme(shared_api: Any) -> Client:
    return Client(shared_api, shared_api.headers("admin", tenant=f"acme-{uuid4().hex[:8]}"))


@pytest.fixture
def globex(shared_api: Any) -> Client:
    return Client(shared_api, shared_api.headers("admin", tenant=f"globex-{uuid4().hex[:8]}"))


@pytest.fixture
def of_acme(acme: Client) -> str:
    """The address of acme's only payment."""
    return acme.post(PAYMENTS, a_payment(payer="Ada", reference="A-1"), key="order-1").headers["location"]


def test_a_payment_of_another_tenant_is_not_found(globex: Client, of_acme: str) -> None:
    _assert_looks_like_nothing(globex.get(of_acme), globex)


def test_a_payment_of_another_tenant_cannot_be_corrected(acme: Client, globex: Client, of_acme: str) -> None:
    before = acme.get(of_acme).body

    reply = globex.ask("PATCH", of_acme, {"note": "mine"})

    _assert_looks_like_nothing(reply, globex)
    assert acme.get(of_acme).body == before


def test_a_payment_of_another_tenant_cannot_be_voided(acme: Client, globex: Client, of_acme: str) -> None:
    reply = globex.post(f"{of_acme}/void", {"reason": "not mine"}, key="void-1")

    _assert_looks_like_nothing(reply, globex)
    assert acme.get(of_acme).body["status"] == "recorded"


def test_a_number_that_both_have_is_each_ones_own(acme: Client, globex: Client, of_acme: str) -> None:
    own = globex.post(PAYMENTS, a_payment(payer="Grace"))
    assert own.headers["location"] == of_acme

    assert globex.post(f"{of_acme}/void", {"reason": "mistake"}).status == 200

    assert (globex.get(of_acme).body["payer"], globex.get(of_acme).body["status"]) == ("Grace", "voided")
    assert (acme.get(of_acme).body["payer"], acme.get(of_acme).body["status"]) == ("Ada", "recorded")


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
    acme: Client, globex: Client, of_acme: str, filters: dict[str, str]
) -> None:
    assert len(acme.get(PAYMENTS, **filters).body["data"]) == 1
    assert globex.get(PAYMENTS, **filters).body["data"] == []


def test_a_cursor_of_another_tenant_leads_to_ones_own_payments_only(acme: Client, globex: Client) -> None:
    for client, payer in ((acme, "Ada"), (globex, "Grace")):
        for _three in range(3):
            client.post(PAYMENTS, a_payment(payer=payer))
    cursor = acme.get(PAYMENTS, limit=1).body["next_cursor"]

    page = globex.get(PAYMENTS, cursor=cursor)

    assert {payment["payer"] for payment in page.body["data"]} <= {"Grace"}


def test_the_same_key_of_two_tenants_is_two_payments(acme: Client, globex: Client, of_acme: str) -> None:
    reply = globex.post(PAYMENTS, a_payment(payer="Grace", reference="G-1"), key="order-1")

    assert (reply.status, reply.replayed) == (201, False)
    assert globex.get(reply.headers["location"]).body["payer"] == "Grace"
    assert acme.get(of_acme).body["payer"] == "Ada"


def test_the_same_key_of_two_tenants_voids_each_ones_own(acme: Client, globex: Client, of_acme: str) -> None:
    globex.post(PAYMENTS, a_payment(payer="Grace"))

    voids = [client.post(f"{of_acme}/void", {"reason": "mistake"}, key="void-1") for client in (acme, globex)]

    assert [(void.status, void.replayed, void.body["payer"]) for void in voids] == [
        (200, False, "Ada"),
        (200, False, "Grace"),
    ]


def test_keys_of_another_tenant_are_not_listed_and_not_revoked(acme: Client, globex: Client) -> None:
    key_id = acme.post("/api/v1/keys", {"role": "client"}).body["key_id"]

    assert key_id not in [key["key_id"] for key in globex.get("/api/v1/keys").body["data"]]
    assert globex.ask("DELETE", f"/api/v1/keys/{key_id}").status == 404
    [revoked_at] = [key["revoked_at"] for key in acme.get("/api/v1/keys").body["data"] if key["key_id"] == key_id]
    assert revoked_at is None


def _assert_looks_like_nothing(reply: Reply, client: Client) -> None:
    """Nothing in the reply may tell another tenant's number from one that was never given."""
    never_given = client.get(f"{PAYMENTS}/PAY20219999")
    assert reply.status == never_given.status == 404
    assert {**reply.body, "request_id": ""} == {**never_given.body, "request_id": ""}
