"""What is answered about keys is what the OpenAPI document says."""

from tests.answers import assert_answer_matches
from tests.conftest import Client


def test_keys_are_answered_as_their_schemas_say(client: Client) -> None:
    document = client.get("/openapi.json").json

    made = client.post("/keys", role="admin", json={"role": "client"})
    revoked = client.open("DELETE", f"/keys/{made.json['key_id']}", role="admin")

    assert (made.status_code, revoked.status_code) == (201, 204)
    assert_answer_matches(document, "CreatedKey", made.json)
    assert_answer_matches(document, "KeyList", client.get("/keys", role="admin").json)
