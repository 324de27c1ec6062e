"""API keys: made once, stored as hashes, recognised, ended, revoked; and each of it told by an event."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern

from finance.asked import Asked
from finance.auth import service, store
from finance.auth.model import WantedKey
from finance.auth.service import ApiKeyAlreadyShown, ApiKeyNotFound, KeyRing
from finance.config import Config
from finance.database import Db, connect
from finance.errors import Invalid, Unauthenticated
from finance.events import NotRecorded
from finance.once import IdempotencyKeyReused, NothingStored
from tests.clients import at_once

NOW = datetime(2026, 1, 2, 10, 20, 30, tzinfo=UTC)
ASKED = Asked("acme", "0123456789abcdef", NOW, by_name="Grace")
ADMIN = WantedKey("admin")
CLIENT = WantedKey("client")


class Clocks:
    """What the wall and the stopwatch show, for a KeyRing."""

    def __init__(self) -> None:
        self.now, self.seconds = NOW, 100.0

    def ring(self, db: Db, cache_s: float = 3) -> KeyRing:
        return KeyRing(db, cache_s=cache_s, clock=lambda: self.now, clock_s=lambda: self.seconds)

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_key_tells_its_tenant_its_role_and_its_name(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, WantedKey("accountant", "Ada's laptop"))

    caller = clocks.ring(db).get_caller(made.key)

    assert (caller.tenant, caller.role, caller.key_id, caller.name) == (
        "acme",
        "accountant",
        made.key_id,
        "Ada's laptop",
    )
    assert (caller.may("client"), caller.may("accountant"), caller.may("admin")) == (True, True, False)


def test_a_stored_key_tells_who_made_it(db: Db) -> None:
    service.create_key(db, ASKED, replace(CLIENT, name="Till", expires_at=NOW + timedelta(days=1)))

    (stored,) = service.list_keys(db, tenant="acme")

    assert (stored["created_by"], stored["created_by_name"], stored["created_at"]) == (ASKED.by, "Grace", NOW)
    assert (stored["name"], stored["expires_at"]) == ("Till", NOW + timedelta(days=1))


def test_only_a_hash_is_stored_and_no_list_nor_event_has_it(db: Db) -> None:
    made = service.create_key(db, replace(ASKED, key="k"), ADMIN)

    stored = json.dumps([db.api_keys.find_one(), db.audit_events.find_one()], default=str)

    assert made.key not in stored
    assert made.key.rsplit("_", 1)[1] not in stored
    assert not {"key_hash", "request_hash"} & set(service.list_keys(db, tenant="acme")[0])


def test_a_key_whose_secret_was_changed_is_nobodys(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)

    for wrong in (made.key[:-1] + ("0" if made.key[-1] != "0" else "1"), made.key + "0", made.key.upper(), ""):
        with pytest.raises(Unauthenticated):
            clocks.ring(db).get_caller(wrong)


def test_a_revoked_key_works_no_longer_than_the_cache_holds_it(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    key_ring = clocks.ring(db)
    key_ring.get_caller(made.key)
    service.revoke_key(db, ASKED, key_id=made.key_id)

    clocks.pass_by(2.9)
    assert key_ring.get_caller(made.key)
    clocks.pass_by(0.2)
    with pytest.raises(Unauthenticated):
        key_ring.get_caller(made.key)


def test_a_key_that_ends_while_it_is_cached_is_refused_from_that_moment(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, WantedKey("client", expires_at=NOW + timedelta(seconds=2)))
    key_ring = clocks.ring(db)
    key_ring.get_caller(made.key)

    clocks.pass_by(1.9)
    assert key_ring.get_caller(made.key)
    clocks.pass_by(0.1)
    for ring in (key_ring, clocks.ring(db)):
        with pytest.raises(Unauthenticated):
            ring.get_caller(made.key)


def test_without_a_cache_each_use_is_looked_up(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    key_ring = clocks.ring(db, cache_s=0)
    assert key_ring.get_caller(made.key)

    service.revoke_key(db, ASKED, key_id=made.key_id)

    with pytest.raises(Unauthenticated):
        key_ring.get_caller(made.key)


@pytest.mark.parametrize("expires_at", [NOW, NOW - timedelta(days=1)])
def test_an_end_that_is_not_in_the_future_is_refused_and_leaves_nothing(db: Db, expires_at: datetime) -> None:
    with pytest.raises(Invalid, match="future"):
        service.create_key(db, ASKED, WantedKey("client", expires_at=expires_at))

    assert (db.api_keys.count_documents({}), db.audit_events.count_documents({})) == (0, 0)


def test_revoking_twice_is_fine_and_keeps_who_did_it_first(db: Db) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    service.revoke_key(db, ASKED, key_id=made.key_id)

    service.revoke_key(db, Asked("acme", "another", datetime(2026, 3, 3, tzinfo=UTC)), key_id=made.key_id)

    (stored,) = service.list_keys(db, tenant="acme")
    assert (stored["revoked_at"], stored["revoked_by"], stored["revoked_by_name"]) == (NOW, ASKED.by, "Grace")
    assert db.audit_events.count_documents({"action": "key_revoked"}) == 1


def test_of_two_that_revoke_at_once_the_first_stands_and_both_are_told_of(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    ada = Asked("acme", "fedcba9876543210", NOW + timedelta(seconds=1), by_name="Ada")
    record_event = service.record_event

    def overtaken(*args: Any, **options: Any) -> None:
        """Between Grace's look at the key and her change of it, Ada revokes it."""
        record_event(*args, **options)
        monkeypatch.setattr(service, "record_event", record_event)
        service.revoke_key(db, ada, key_id=made.key_id)

    monkeypatch.setattr(service, "record_event", overtaken)
    service.revoke_key(db, ASKED, key_id=made.key_id)

    stored = db.api_keys.find_one()
    assert (stored["revoked_at"], stored["revoked_by"], stored["revoked_by_name"]) == (ada.now, ada.by, "Ada")
    assert {event["by_name"] for event in db.audit_events.find({"action": "key_revoked"})} == {"Grace", "Ada"}


def test_another_tenants_key_is_not_found_and_no_event_tells_of_it(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)

    with pytest.raises(ApiKeyNotFound):
        service.revoke_key(db, Asked("other", "admin", NOW), key_id=made.key_id)

    assert service.list_keys(db, tenant="other") == []
    assert clocks.ring(db).get_caller(made.key)
    assert db.audit_events.count_documents({"action": "key_revoked"}) == 0


def test_a_key_is_not_shown_twice_and_told_of_once(db: Db) -> None:
    asked = replace(ASKED, key="k")
    made = service.create_key(db, asked, CLIENT)

    with pytest.raises(ApiKeyAlreadyShown):
        service.create_key(db, asked, CLIENT)

    assert [key["_id"] for key in service.list_keys(db, tenant="acme")] == [made.key_id]
    assert [event["object_id"] for event in db.audit_events.find()] == [made.key_id]


def test_the_same_idempotency_key_with_another_body_is_refused(db: Db) -> None:
    asked = replace(ASKED, key="k")
    service.create_key(db, asked, CLIENT)

    for other in (ADMIN, replace(CLIENT, name="Till"), replace(CLIENT, expires_at=NOW + timedelta(days=1))):
        with pytest.raises(IdempotencyKeyReused):
            service.create_key(db, asked, other)

    assert (db.api_keys.count_documents({}), db.audit_events.count_documents({})) == (1, 1)


def test_a_repeat_is_recognised_after_the_end_that_it_asks_for(db: Db) -> None:
    wanted = replace(CLIENT, expires_at=NOW + timedelta(hours=1))
    service.create_key(db, replace(ASKED, key="k"), wanted)

    with pytest.raises(ApiKeyAlreadyShown):
        service.create_key(db, replace(ASKED, key="k", now=NOW + timedelta(hours=2)), wanted)


def test_a_key_of_an_earlier_version_keeps_its_409_whatever_is_asked_for(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, replace(ASKED, key="k"), CLIENT)
    added = ("name", "created_by", "created_by_name", "expires_at", "request_hash")
    db.api_keys.update_one({"_id": made.key_id}, {"$unset": dict.fromkeys(added, "")})

    with pytest.raises(ApiKeyAlreadyShown):
        service.create_key(db, replace(ASKED, key="k"), ADMIN)

    assert clocks.ring(db).get_caller(made.key).name is None
    service.revoke_key(db, ASKED, key_id=made.key_id)
    with pytest.raises(Unauthenticated):
        clocks.ring(db).get_caller(made.key)


def test_a_double_click_makes_one_key_and_one_event(db: Db) -> None:
    for round_ in range(10):
        asked = replace(ASKED, key=f"click {round_}")

        def make(_n: int, asked: Asked = asked) -> str | None:
            try:
                return service.create_key(db, asked, CLIENT).key_id
            except ApiKeyAlreadyShown:
                return None

        made = [key_id for key_id in at_once(4, make) if key_id]

        assert [key["_id"] for key in db.api_keys.find({"idempotency_key": asked.key})] == made
        assert db.audit_events.count_documents({"object_id": made[0]}) == len(made) == 1


def test_killed_between_event_and_key_the_repeat_makes_the_key_that_the_event_names(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "insert_key", _killed)
        with pytest.raises(KeyboardInterrupt):
            service.create_key(db, replace(ASKED, key="k"), CLIENT)
    assert db.api_keys.count_documents({}) == 0

    made = service.create_key(db, replace(ASKED, key="k"), CLIENT)

    assert [event["object_id"] for event in db.audit_events.find()] == [made.key_id]


def test_where_the_event_cannot_be_stored_no_key_is_made_and_none_revoked(db: Db) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    db.command({"collMod": "audit_events", "validator": {"never": True}})

    for act in (
        lambda: service.create_key(db, ASKED, CLIENT),
        lambda: service.revoke_key(db, ASKED, key_id=made.key_id),
    ):
        with pytest.raises(NotRecorded, match=r"nothing was done\. A retry is safe"):
            act()

    assert [key["revoked_at"] for key in db.api_keys.find()] == [None]


def test_the_last_use_is_stored_to_the_hour_and_once_an_hour(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    key_ring, another_process = clocks.ring(db), clocks.ring(db)
    noted = []

    for _use in range(3):
        key_ring.get_caller(made.key)
        another_process.get_caller(made.key)
        noted.append(_last_used(db))
        clocks.pass_by(60)
    clocks.pass_by(3600)
    key_ring.get_caller(made.key)

    assert noted == [datetime(2026, 1, 2, 10, tzinfo=UTC)] * 3
    assert _last_used(db) == datetime(2026, 1, 2, 11, tzinfo=UTC)


def test_within_an_hour_a_process_writes_the_last_use_of_a_key_once(
    db: Db, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    hours: list[datetime] = []
    monkeypatch.setattr(store, "note_use", lambda _db, key_id, hour: hours.append(hour))
    key_ring = clocks.ring(db)

    for _look_up in range(5):
        key_ring.get_caller(made.key)
        clocks.pass_by(600)

    assert [hour.hour for hour in hours] == [10, 11]  # 10:20 to 11:00


def test_a_clock_that_is_behind_does_not_take_a_later_use_back(db: Db, clocks: Clocks) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    store.note_use(db, key_id=made.key_id, hour=datetime(2026, 1, 2, 12, tzinfo=UTC))

    store.note_use(db, key_id=made.key_id, hour=datetime(2026, 1, 2, 11, tzinfo=UTC))

    assert _last_used(db) == datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_last_use_that_cannot_be_stored_fails_nobody(
    db: Db, clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    db.command({"collMod": "api_keys", "validator": {"last_used_at": {"$exists": False}}})

    assert clocks.ring(db).get_caller(made.key).key_id == made.key_id

    assert f"The last use of key {made.key_id} could not be stored" in caplog.text
    assert made.key not in caplog.text


def test_a_database_that_cannot_write_delays_a_request_by_less_than_its_deadline(
    own_mongod: Any, clocks: Clocks
) -> None:
    db = connect(Config(mongodb_uri=own_mongod.uri, database_name="finance_test"))
    made = service.create_key(db, ASKED, CLIENT)
    db.client.admin.command("fsync", lock=True)  # reads go on, every write waits
    try:
        began_s = monotonic()
        assert clocks.ring(db).get_caller(made.key).key_id == made.key_id
        assert monotonic() - began_s < Config.database_deadline_s / 3
    finally:
        db.client.admin.command("fsyncUnlock")


@pytest.mark.parametrize("tenant", ["", "a b", "a:b", "-a", "x" * 41, "ä", "*"])
def test_a_tenant_is_a_slug(db: Db, tenant: str) -> None:
    with pytest.raises(ValueError):
        service.create_key(db, replace(ASKED, tenant=tenant), CLIENT)

    assert db.audit_events.count_documents({}) == 0


def test_a_tenants_name_is_case_folded(db: Db) -> None:
    assert service.create_key(db, replace(ASKED, tenant="ACME"), CLIENT).document["tenant"] == "acme"


def _last_used(db: Db) -> Any:
    """Return it as the primary has it: no majority was waited for."""
    keys = db.get_collection("api_keys", read_concern=ReadConcern("local"))
    return keys.find_one()["last_used_at"]


def _killed(*_args: object, **_options: object) -> None:
    raise KeyboardInterrupt


def test_many_requests_at_once_with_one_key_are_one_look_up(
    db: Db, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.create_key(db, ASKED, CLIENT)
    asked_for: list[str] = []
    find_key = store.find_key

    def slowly(db: Db, *, key_id: str) -> Any:
        asked_for.append(key_id)
        sleep(0.2)
        return find_key(db, key_id=key_id)

    monkeypatch.setattr(store, "find_key", slowly)
    ring = clocks.ring(db)

    callers = at_once(30, lambda _position: ring.get_caller(made.key))

    assert {caller.key_id for caller in callers} == {made.key_id}
    assert asked_for == [made.key_id]


def test_a_look_up_that_fails_stored_nothing_and_fails_for_each_who_waits_for_it(
    db: Db, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = service.create_key(db, ASKED, CLIENT)

    def away(db: Db, *, key_id: str) -> Any:
        sleep(0.2)
        raise ServerSelectionTimeoutError

    monkeypatch.setattr(store, "find_key", away)
    ring = clocks.ring(db)

    def ask(_position: int) -> NothingStored:
        with pytest.raises(NothingStored) as failed:
            ring.get_caller(made.key)
        return failed.value

    failures = at_once(10, ask)

    assert len({id(failure) for failure in failures}) == 10
    monkeypatch.undo()
    assert ring.get_caller(made.key).key_id == made.key_id
