"""What is answered about shops is what the OpenAPI document says."""

from tests.answers import assert_answer_matches
from tests.conftest import Client

SETTINGS = {"name": "Dakar", "timezone": "Africa/Dakar", "currency": "XOF"}


def test_shops_are_answered_as_their_schemas_say(client: Client) -> None:
    document = client.get("/openapi.json").json

    made = client.put("/shops/dkr1", role="admin", json=SETTINGS)
    changed = client.put(
        "/shops/dkr1", role="admin", json=SETTINGS | {"reset": "never", "invoice_format": "F-{number}"}
    )

    assert (made.status_code, changed.status_code, len(changed.json["history"])) == (201, 200, 1)
    for answer in (made, changed, client.get("/shops/dkr1")):
        assert_answer_matches(document, "Shop", answer.json)
    assert_answer_matches(document, "ShopList", client.get("/shops").json)
