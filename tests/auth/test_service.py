"""API keys: made once, stored as hashes, recognised, revoked."""

import json
from datetime import UTC, datetime

import pytest

from finance.auth import service
from finance.auth.service import ApiKeyAlreadyShown, ApiKeyNotFound, KeyRing
from finance.database import Db
from finance.errors import Unauthenticated

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_key_tells_its_tenant_and_role(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="accountant", now=NOW)

    caller = KeyRing(db, cache_s=3).get_caller(made.key)

    assert (caller.tenant, caller.role, caller.key_id) == ("acme", "accountant", made.key_id)
    assert (caller.may("client"), caller.may("accountant"), caller.may("admin")) == (True, True, False)


def test_only_a_hash_is_stored(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="admin", now=NOW)

    stored = json.dumps(db.api_keys.find_one(), default=str)

    assert made.key not in stored
    assert made.key.rsplit("_", 1)[1] not in stored
    assert "key_hash" not in service.list_keys(db, tenant="acme")[0]


def test_a_key_whose_secret_was_changed_is_nobodys(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="client", now=NOW)

    for wrong in (made.key[:-1] + ("0" if made.key[-1] != "0" else "1"), made.key + "0", made.key.upper(), ""):
        with pytest.raises(Unauthenticated):
            KeyRing(db, cache_s=3).get_caller(wrong)


def test_a_revoked_key_works_no_longer_than_the_cache_holds_it(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="client", now=NOW)
    seconds = [100.0]
    key_ring = KeyRing(db, cache_s=3, clock_s=lambda: seconds[0])
    key_ring.get_caller(made.key)
    service.revoke_key(db, tenant="acme", key_id=made.key_id, now=NOW)

    seconds[0] += 2.9
    assert key_ring.get_caller(made.key)
    seconds[0] += 0.2
    with pytest.raises(Unauthenticated):
        key_ring.get_caller(made.key)


def test_revoking_twice_is_fine_and_keeps_the_first_time(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="client", now=NOW)
    service.revoke_key(db, tenant="acme", key_id=made.key_id, now=NOW)

    service.revoke_key(db, tenant="acme", key_id=made.key_id, now=datetime(2026, 3, 3, tzinfo=UTC))

    assert service.list_keys(db, tenant="acme")[0]["revoked_at"] == NOW


def test_another_tenants_key_is_not_found(db: Db) -> None:
    made = service.create_key(db, tenant="acme", role="client", now=NOW)

    with pytest.raises(ApiKeyNotFound):
        service.revoke_key(db, tenant="other", key_id=made.key_id, now=NOW)

    assert service.list_keys(db, tenant="other") == []
    assert KeyRing(db, cache_s=3).get_caller(made.key)


def test_a_key_is_not_shown_twice(db: Db) -> None:
    service.create_key(db, tenant="acme", role="client", now=NOW, idempotency_key="k")

    with pytest.raises(ApiKeyAlreadyShown):
        service.create_key(db, tenant="acme", role="client", now=NOW, idempotency_key="k")

    assert len(service.list_keys(db, tenant="acme")) == 1


@pytest.mark.parametrize("tenant", ["", "a b", "a:b", "-a", "x" * 41, "ä"])
def test_a_tenant_is_a_slug(db: Db, tenant: str) -> None:
    with pytest.raises(ValueError):
        service.create_key(db, tenant=tenant, role="client", now=NOW)


def test_a_tenants_name_is_case_folded(db: Db) -> None:
    assert service.create_key(db, tenant="ACME", role="client", now=NOW).tenant == "acme"
