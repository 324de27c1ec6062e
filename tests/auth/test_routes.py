"""`/keys` over HTTP: what is answered, listed, refused, and told by events."""

from typing import Any

import pytest

from tests.clients import NOVEMBER, Client, make_key

END = "2027-01-31T12:00:00+05:30"
MEMBERS = {
    *("key_id", "tenant", "role", "name", "created_at", "created_by", "created_by_name", "expires_at"),
    *("last_used_at", "revoked_at", "revoked_by", "revoked_by_name"),
}


@pytest.fixture
def november(db: Any) -> Client:
    """A client that makes keys as Grace, at noon on the 20th of November 2026."""
    client = Client(db, now=NOVEMBER)
    client._keys["admin", "acme"] = make_key(db, "admin", name="Grace").key
    return client


def test_a_key_is_answered_with_all_that_is_known_of_it(november: Client) -> None:
    made = _make(november, role="client", name="Shop frontend", expires_at=END)

    assert made.status_code == 201
    assert set(made.json) == MEMBERS | {"key"}
    admin = november.key("admin").split("_")[1]
    assert made.json | {"key": "", "key_id": ""} == {
        **dict.fromkeys(MEMBERS),
        "key": "",
        "key_id": "",
        "tenant": "acme",
        "role": "client",
        "name": "Shop frontend",
        "created_at": "2026-11-20T12:00:00Z",
        "created_by": admin,
        "created_by_name": "Grace",
        "expires_at": "2027-01-31T06:30:00Z",
    }


def test_a_list_shows_who_made_used_and_revoked_a_key(november: Client) -> None:
    made = _make(november, role="accountant", name="Ada").json
    november.get("/payments", headers={"Authorization": f"Bearer {made['key']}"})
    november.later(minutes=5)
    assert november.delete(f"/keys/{made['key_id']}", role="admin").status_code == 204

    listed = november.get("/keys", role="admin").json["data"]

    assert all(set(key) == MEMBERS for key in listed)
    (ada,) = [key for key in listed if key["name"] == "Ada"]
    assert ada == {name: made[name] for name in MEMBERS} | {
        "last_used_at": "2026-11-20T12:00:00Z",
        "revoked_at": "2026-11-20T12:05:00Z",
        "revoked_by": made["created_by"],
        "revoked_by_name": "Grace",
    }


def test_a_key_made_by_an_earlier_version_is_listed_with_nulls(november: Client) -> None:
    old = {"_id": "0" * 16, "tenant": "acme", "role": "client", "created_at": NOVEMBER, "revoked_at": None}
    november.db.api_keys.insert_one(old | {"key_hash": "x"})

    (listed,) = [key for key in november.get("/keys", role="admin").json["data"] if key["key_id"] == "0" * 16]

    assert set(listed) == MEMBERS
    assert {name for name in MEMBERS if listed[name] is None} == MEMBERS - {"key_id", "tenant", "role", "created_at"}


@pytest.mark.parametrize("expires_at", ["2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z", "2026-11-20T17:30:00+05:30"])
def test_an_end_in_the_past_is_refused(november: Client, expires_at: str) -> None:
    _assert_refused(_make(november, role="client", expires_at=expires_at), "/expires_at", "in the future")


@pytest.mark.parametrize(
    "expires_at",
    [
        *("2027-01-31", "2027-01-31T12:00:00", "2027-02-30T12:00:00Z", "tomorrow", "", 1_800_000_000, True, [], {}),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z", "20270131T120000Z"),
        *("2027-01-31T12:00:00+99:99", "2027-01-31T12:00:00Z\n", "２０２７-01-31T12:00:00Z", "2027-W05-1T12:00:00Z"),
    ],
)
def test_an_end_that_is_no_instant_says_what_is_one(shared_client: Client, expires_at: Any) -> None:
    _assert_refused(_make(shared_client, role="client", expires_at=expires_at), "/expires_at", "2027-01-31T12:00:00Z")


@pytest.mark.parametrize("expires_at", ["9999-12-31T23:59:59+23:59", "9999-12-31T23:59:59.999Z", None])
def test_an_end_may_be_as_far_as_there_are_years_or_never(november: Client, expires_at: str | None) -> None:
    made = _make(november, role="client", expires_at=expires_at)

    assert made.status_code == 201
    answer = november.post("/payments", headers={"Authorization": f"Bearer {made.json['key']}"}, json={})
    assert answer.status_code == 422  # let in


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines", "a\tb", 7, f"my fin_{'0a' * 8}_{'1b' * 32}"])
def test_a_name_that_cannot_be_is_refused(shared_client: Client, name: Any) -> None:
    _assert_refused(_make(shared_client, role="client", name=name), "/name", "must")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/role"), ({"role": "root"}, "/role"), ({"role": None}, "/role"), ({"role": "client", "x": 1}, "/x")],
)
def test_what_is_asked_for_must_be_known(november: Client, body: dict[str, Any], pointer: str) -> None:
    refused = november.post("/keys", role="admin", json=body)

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, pointer)
    assert november.db.audit_events.count_documents({}) == 0


def test_the_same_idempotency_key_is_409_with_the_same_body_and_422_with_another(november: Client) -> None:
    first = _make(november, key="k", role="client", name="Till", expires_at=END)

    same = _make(november, key="k", role="client", name="Till", expires_at="2027-01-31T06:30:00.000Z")
    other = _make(november, key="k", role="client", name="Till 2", expires_at=END)

    assert first.status_code == 201
    assert (same.status_code, same.json["code"]) == (409, "api_key_already_shown")
    assert same.json["key_id"] == first.json["key_id"]
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert [event["details"]["name"] for event in _events(november)] == ["Till"]


def test_making_and_revoking_are_told_without_the_key(november: Client) -> None:
    made = _make(november, role="admin", name="Ada", expires_at=END).json
    november.later(seconds=1)
    for _twice in range(2):
        november.delete(f"/keys/{made['key_id']}", role="admin")

    created, revoked = _events(november)

    assert {created["by_name"], revoked["by_name"]} == {"Grace"}
    assert [(event["action"], event["object_kind"], event["object_id"]) for event in (created, revoked)] == [
        ("key_created", "key", made["key_id"]),
        ("key_revoked", "key", made["key_id"]),
    ]
    assert created["details"] == {"role": "admin", "name": "Ada", "expires_at": "2027-01-31T06:30:00Z"}
    assert made["key"].rsplit("_", 1)[1] not in str(list(november.db.audit_events.find()))


def test_a_key_of_another_tenant_is_not_found(november: Client) -> None:
    other = make_key(november.db, tenant="other")

    for key_id in (other.key_id, "0" * 16, "nothing", other.key):
        assert november.delete(f"/keys/{key_id}", role="admin").status_code == 404

    assert november.db.api_keys.find_one({"_id": other.key_id})["revoked_at"] is None
    assert november.db.audit_events.count_documents({}) == 0


@pytest.mark.parametrize("role", ["client", "accountant"])
def test_keys_are_for_admins(shared_client: Client, role: str) -> None:
    assert shared_client.post("/keys", role=role, json={"role": "client"}).status_code == 403
    assert shared_client.get("/keys", role=role).status_code == 403
    assert shared_client.delete(f"/keys/{'0' * 16}", role=role).status_code == 403


def _make(client: Client, *, key: str | None = None, **body: Any) -> Any:
    return client.post("/keys", role="admin", key=key, json=body)


def _events(client: Client) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = client.get("/audit-events?sort=at", role="admin").json["data"]
    return data


def _assert_refused(answer: Any, pointer: str, right: str) -> None:
    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert error["pointer"] == pointer
    assert right in error["detail"]
