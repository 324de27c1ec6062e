"""Workbooks made in the background: asked for, waited for, fetched; by whom, how many, and what a kill costs them."""

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finance.auth.model import Role
from finance.config import Config
from finance.database import Db
from finance.edge import exports
from finance.files import model, service, store
from tests.clients import ENCRYPTION_KEY, Client, HttpClient, a_payment, make_key, poll
from tests.spreadsheets import about, sha256_of, workbook

XLSX = "/payments/export.xlsx"
ASYNC = {"Prefer": "respond-async, wait=5"}


def test_a_file_is_asked_for_and_fetched_when_it_is_ready(client: Client) -> None:
    for _each in range(3):
        client.pay("12.50", paid_on="2026-03-01")
    client.pay("1.00", paid_on="2026-04-01")

    asked = client.get(f"{XLSX}?paid_to=2026-03-31&language=fr", headers=ASYNC)
    answer = _when_ready(client, asked)

    assert (asked.status_code, asked.json["rows"], asked.json["table"]) == (202, 0, "payments")
    assert asked.headers["Location"] == asked.json["address"] == f"/api/v1/exports/{asked.json['export_id']}"
    assert 'filename="payments.xlsx"' in answer.headers["Content-Disposition"]
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    book = workbook(answer)
    said = about(book)
    assert (said["Lignes"], said["Filtre"]) == (3, "Payé jusqu'au: 2026-03-31")
    assert said["Établi avec la clé"] == client.key().split("_")[1]
    assert said["SHA-256 des lignes"] == sha256_of(book.worksheets[1])


def test_a_large_file_is_made_in_the_background_without_being_asked_for_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_shop()
    for _each in range(3):
        client.issue()
    small = client.get("/invoices/export.xlsx")
    monkeypatch.setattr(exports, "XLSX_DIRECT_ROWS_MAX", 2)

    asked = client.get("/invoices/export.xlsx", headers={"Accept-Language": "fr"})

    assert (small.status_code, asked.status_code) == (200, 202)
    assert about(workbook(_when_ready(client, asked)))["Lignes"] == 3


def test_a_file_that_took_all_of_its_requests_time_is_made_in_the_background_all_the_same(
    db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(db, Config(encryption_keys=(ENCRYPTION_KEY,), database_deadline_s=1.0))
    for _each in range(3):
        client.pay("1.00")

    def grow_large(rows: int) -> None:
        time.sleep(1.2)  # what other work on the machine makes of seconds
        raise exports._GrowsLarge

    monkeypatch.setattr(exports, "_stay_small", grow_large)

    assert client.get("/payments/export.xlsx").status_code == 202


def test_the_files_address_tells_how_far_it_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    export = _stored(client, status="making", rows=1_400, alive_at=datetime.now(UTC), holder="another")

    answer = client.get(f"/exports/{export}")

    assert (answer.status_code, answer.json["status"], answer.json["rows"]) == (202, "making", 1_400)


@pytest.mark.parametrize("query", ["status=open", "delimiter=;", "language=de"])
def test_what_is_refused_is_refused_at_once_and_nothing_is_kept(client: Client, query: str) -> None:
    assert client.get(f"{XLSX}?{query}", headers=ASYNC).status_code == 422
    assert client.db.exports.count_documents({}) == 0


def test_a_file_is_for_the_key_that_asked_for_it_and_for_admins(client: Client) -> None:
    export = _stored(client, status="failed", failure="A sheet holds too little.")
    other_key = {"Authorization": f"Bearer {make_key(client.db, 'accountant').key}"}

    mine = client.get(f"/exports/{export}")
    assert (mine.status_code, mine.json["code"], mine.json["detail"]) == (
        *(409, "export_failed"),
        "A sheet holds too little.",
    )
    assert client.get(f"/exports/{export}", role="admin").status_code == 409
    assert client.app.test_client().get(f"/api/v1/exports/{export}", headers=other_key).status_code == 404
    assert client.get(f"/exports/{export}", role="admin", tenant="other").status_code == 404


def test_a_revoked_key_gets_no_file(client: Client) -> None:
    revoked = make_key(client.db, "accountant")
    export = _stored(client, key_id=revoked.key_id)
    client.db.api_keys.update_one({"_id": revoked.key_id}, {"$set": {"revoked_at": datetime.now(UTC)}})

    answer = _ended(client, export, role="admin")

    assert (answer.status_code, answer.json["code"]) == (409, "export_failed")
    assert "revoked" in answer.json["detail"]
    assert client.db.export_chunks.count_documents({}) == 0


@pytest.mark.parametrize(
    ("stored", "kept"), [({"status": "waiting"}, model.UNFINISHED_MAX), ({"status": "ready"}, model.KEPT_MAX)]
)
def test_no_tenant_has_more_than_its_part(client: Client, stored: dict[str, Any], kept: int) -> None:
    held = {"alive_at": datetime.now(UTC), "attempts": model.ATTEMPTS_MAX - 1}  # nobody begins them here
    for _each in range(kept):
        _stored(client, **({**stored, **held, "status": "making"} if stored["status"] == "waiting" else stored))

    refused = client.get(XLSX, headers=ASYNC)

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_exports")
    assert client.get(XLSX, headers=ASYNC, tenant="other").status_code == 202


def test_what_a_dead_process_left_is_begun_again_by_who_looks(client: Client) -> None:
    client.pay("5.00")
    long_ago = datetime.now(UTC) - timedelta(seconds=model.DEAD_AFTER_S + 1)
    export = _stored(client, status="making", holder="dead", attempts=1, rows=7, alive_at=long_ago)

    answer = _ended(client, export)

    assert about(workbook(answer))["Rows"] == 1
    assert client.db.exports.find_one({"_id": export})["attempts"] == 2


def test_what_ends_its_process_again_and_again_is_given_up(client: Client) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=model.DEAD_AFTER_S + 1)
    export = _stored(client, status="making", holder="dead", attempts=model.ATTEMPTS_MAX, alive_at=long_ago)

    assert _ended(client, export).status_code == 409


def test_of_two_that_take_a_file_one_has_it(client: Client, db: Db) -> None:
    export = _stored(client)

    first = store.claim_export(db, holder="a")
    second = store.claim_export(db, holder="b")

    assert first is not None
    assert (first["_id"], first["holder"], second) == (export, "a", None)
    assert store.show_life(db, export_id=export, holder="a", rows=5)
    assert not store.show_life(db, export_id=export, holder="b", rows=9)
    assert not store.finish(db, export_id=export, holder="b", values={"status": "ready"})


def test_a_file_that_lost_a_part_breaks_off_and_does_not_look_whole(client: Client) -> None:
    client.pay("5.00")
    asked = client.get(XLSX, headers=ASYNC)
    _when_ready(client, asked)
    client.db.export_chunks.delete_many({})

    with pytest.raises(service.FileIncomplete):
        client.get(asked.headers["Location"])


def test_a_file_too_large_to_be_kept_fails_and_leaves_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FILE_BYTES_MAX", 100)

    asked = client.get(XLSX, headers=ASYNC)
    answer = _ended(client, asked.json["export_id"])

    assert answer.status_code == 409
    assert "narrow the filters" in answer.json["detail"]
    assert client.db.export_chunks.count_documents({}) == 0


def test_files_are_removed_after_a_day_with_all_their_parts(client: Client) -> None:
    asked = client.get(XLSX, headers=ASYNC)
    _when_ready(client, asked)
    export, chunk = client.db.exports.find_one(), client.db.export_chunks.find_one()

    assert chunk["expires_at"] == export["expires_at"] == export["created_at"] + timedelta(hours=24)
    for name in ("exports", "export_chunks"):
        assert client.db[name].index_information()["expires"]["expireAfterSeconds"] == 0


def test_that_a_file_was_asked_for_is_on_record(client: Client) -> None:
    _when_ready(client, client.get(f"{XLSX}?status=voided", headers=ASYNC))

    events = client.get("/audit-events?action=exported", role="admin").json["data"]

    assert [event["details"] for event in events] == [{"format": "xlsx", "filters": {"status": "voided"}}]


@pytest.mark.faults
def test_a_worker_that_is_killed_midway_costs_a_file_nothing(serve_api: Callable[..., Any], db: Db) -> None:
    api = serve_api(workers=1, FINANCE_DATABASE=db.name)
    client = HttpClient(api)
    client.post("/payments", json=a_payment()).raise_for_status()
    payment = db.payments.find_one({}, {"_id": False})
    assert payment is not None
    db.payments.insert_many(
        {**payment, "payment_number": f"PAY2021{n}", "number_seq": n} for n in range(10_000, 50_000)
    )

    address = client.get(XLSX, headers=ASYNC).headers["Location"]
    poll(lambda: (db.exports.find_one() or {}).get("rows"), within_s=30)
    (worker,) = api.worker_pids()
    os.kill(worker, signal.SIGKILL)
    # As if it had died DEAD_AFTER_S ago.
    db.exports.update_one({}, {"$set": {"alive_at": datetime.now(UTC) - timedelta(seconds=model.DEAD_AFTER_S + 1)}})
    answer = poll(lambda: _ready(client, address), within_s=60, every_s=0.3)

    export = db.exports.find_one()
    assert export is not None
    assert (export["attempts"], export["rows"]) == (2, 40_001)
    assert len(answer.content) == export["bytes"]
    assert answer.content.startswith(b"PK")


def _ready(client: HttpClient, address: str) -> Any:
    try:
        answer = client.get(address)
    except OSError:  # the connection of the killed worker
        return None
    return answer if answer.status_code == 200 else None


def _when_ready(client: Client, asked: Any) -> Any:
    assert asked.status_code == 202, asked.text
    answer = _ended(client, asked.json["export_id"])
    assert answer.status_code == 200, answer.text
    return answer


def _ended(client: Client, export: str, role: Role = "accountant") -> Any:
    """Ask until it is no more under way."""
    deadline = time.monotonic() + 30
    while (answer := client.get(f"/exports/{export}", role=role)).status_code == 202:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer


def _stored(client: Client, **changes: Any) -> str:
    """Store a file as it was asked for with the key of this client's accountant."""
    wanted = model.Wanted(
        tenant="acme",
        key_id=client.key().split("_")[1],
        by_name=None,
        role="accountant",
        path=f"/api/v1{XLSX}",
        query="",
        language="en",
        table="payments",
        now=datetime.now(UTC),
    )
    export = service.ask_for(client.db, wanted) if not changes else None
    if export is None:
        kept = {"_id": os.urandom(16).hex(), "status": "waiting", "rows": 0, "attempts": 0}
        asked = {name: value for name, value in vars(wanted).items() if name != "now"}
        times = {"created_at": wanted.now, "expires_at": wanted.now + model.KEPT}
        export = {**kept, **asked, **times, **changes}
        client.db.exports.insert_one(export)
    return str(export["_id"])
