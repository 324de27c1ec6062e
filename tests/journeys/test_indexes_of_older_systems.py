"""A unique index that an older system left behind refuses payments. It must be named, and never taken for a repeat."""

from typing import Any

import pytest

from tests.clients import a_payment

pytestmark = pytest.mark.journey


def test_a_payment_that_a_foreign_unique_index_refuses_is_a_conflict_and_not_a_repeat(client: Any) -> None:
    client.db.payments.create_index([("tenant", 1), ("reference", 1)], name="reference_1", unique=True)
    client.post("/payments", json=a_payment(reference="R-1", payer="Ada"))

    reply = client.post("/payments", json=a_payment(reference="R-1", payer="Ada"))

    assert (reply.status_code, reply.json["code"]) == (409, "refused_by_foreign_index")
    assert "nothing was stored" in reply.json["detail"].lower()
    assert "Idempotent-Replayed" not in reply.headers
    assert client.db.payments.count_documents({}) == 1


def test_a_foreign_unique_index_without_the_tenant_shows_nothing_of_another_tenant(client: Any) -> None:
    client.db.payments.create_index("paymentNumber", name="paymentNumber_1", unique=True)  # null on every payment
    client.post("/payments", json=a_payment(payer="Ada"), tenant="acme")

    reply = client.post("/payments", json=a_payment(payer="Grace"), tenant="globex", headers={"Idempotency-Key": "k"})

    assert (reply.status_code, reply.json["code"]) == (409, "refused_by_foreign_index")
    assert "Ada" not in reply.text


def test_the_foreign_unique_index_is_named_in_the_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    client.db.payments.create_index("paymentNumber", name="paymentNumber_1", unique=True)
    client.post("/payments", json=a_payment())

    client.post("/payments", json=a_payment())

    assert "paymentNumber" in caplog.text
