"""Who did what is read by its name wherever it is read, on two workers, and what is told once stays as it is."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest
from pymongo.monitoring import CommandListener

from finance.asked import Asked
from finance.auth import service as keys
from finance.config import Config
from finance.database import Db
from tests.clients import LINES, NOVEMBER, Client, HttpClient, at_once, make_key, poll
from tests.customers.forms import full_form, pan
from tests.journeys.test_keys_are_revoked import PROBE, _connections_to_every_worker, _statuses

pytestmark = pytest.mark.journey

WRITES_OF_EVENTS = {"insert"}
READS = {"find", "getMore", "listIndexes", "createIndexes", "explain"}
SHOP = {"name": "Paris", "timezone": "Europe/Paris", "currency": "EUR"}
INVOICE = {"shop": "par", "customer_name": "Zoë", "lines": LINES}


class People:
    """One client that sends as Grace (an admin), as Ada (an accountant), or as a key without a name."""

    def __init__(self, db: Db) -> None:
        self.client = Client(db, now=NOVEMBER)
        self.keys = {
            "Grace": make_key(db, "admin", name="Grace").key,
            "Ada": make_key(db, "accountant", name="Ada").key,
            None: make_key(db, "admin").key,
        }

    def send(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        self.client.later(seconds=1)
        headers |= {"Authorization": f"Bearer {self.keys[who]}"}
        answer = self.client.call(method, path, headers=headers, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json if answer.is_json else answer


@pytest.fixture
def people(db: Db) -> People:
    return People(db)


def test_a_payment_and_its_invoice_name_who_did_each_thing(people: People) -> None:
    send = people.send
    send("Grace", "PUT", "/shops/par", SHOP)
    invoice = send("Ada", "POST", "/invoices", INVOICE)["invoice_number"]
    allocations = [{"invoice_number": invoice, "amount": "400.00"}]
    payment = {"amount": "400.00", "currency": "EUR", "payer": "Zoë", "method": "card", "allocations": allocations}
    number = send("Grace", "POST", "/payments", payment)["payment_number"]
    send("Ada", "PATCH", f"/payments/{number}", {"note": "corrected"})
    send(None, "POST", f"/payments/{number}/void", {"reason": "bounced"})
    send("Grace", "POST", f"/invoices/{invoice}/cancel", {"reason": "wrong"})

    paid, issued = send("Ada", "GET", f"/payments/{number}"), send("Ada", "GET", f"/invoices/{invoice}")
    note = send("Ada", "GET", f"/credit-notes/{issued['credit_note_number']}")

    assert (paid["created_by_name"], _names(paid)) == ("Grace", [("edited", "Ada"), ("voided", None)])
    assert (issued["created_by_name"], _names(issued)) == (
        "Ada",
        [("paid", "Grace"), ("given_back", None), ("cancelled", "Grace")],
    )
    assert note["created_by_name"] == "Grace"
    listed = send("Ada", "GET", "/payments")["data"] + send("Ada", "GET", "/invoices")["data"]
    listed += send("Ada", "GET", "/credit-notes")["data"]
    assert [row["created_by_name"] for row in listed] == ["Grace", "Ada", "Grace"]


def test_a_shop_and_a_customer_name_who_did_each_thing(people: People) -> None:
    send = people.send
    send("Grace", "PUT", "/shops/par", SHOP)
    send(None, "PUT", "/shops/par", SHOP | {"name": "Lutetia"})
    code = send("Ada", "POST", "/customers", {"customer_name": "Zoë"})["customer_code"]
    send("Grace", "PUT", f"/customers/{code}", {"customer_name": "Zoé"})
    send(None, "POST", f"/customers/{code}/deactivate", {"reason": "gone"})

    shop, customer = send("Ada", "GET", "/shops/par"), send("Ada", "GET", f"/customers/{code}")
    (listed,) = send("Ada", "GET", "/customers")["data"]

    assert (shop["created_by_name"], _names(shop)) == ("Grace", [("changed", None)])
    assert (customer["created_by_name"], _names(customer)) == ("Ada", [("saved", "Grace"), ("deactivated", None)])
    assert (customer["updated_by"], customer["updated_by_name"]) == (people.keys[None].split("_")[1], None)
    assert (listed["created_by_name"], listed["updated_by_name"]) == ("Ada", None)


def test_a_repeat_by_somebody_else_is_answered_with_who_did_it(people: People) -> None:
    body = {"amount": "1.00", "currency": "EUR", "payer": "Zoë", "method": "card"}
    first = people.send("Grace", "POST", "/payments", body, **{"Idempotency-Key": "k"})
    voided = people.send(
        "Grace", "POST", f"/payments/{first['payment_number']}/void", {"reason": "r"}, **{"Idempotency-Key": "v"}
    )

    assert people.send("Ada", "POST", "/payments", body, **{"Idempotency-Key": "k"}) == first
    path = f"/payments/{first['payment_number']}/void"
    assert people.send("Ada", "POST", path, {"reason": "r"}, **{"Idempotency-Key": "v"}) == voided
    assert first["created_by_name"] == voided["history"][0]["by_name"] == "Grace"


def test_an_exported_payment_names_its_maker_after_the_key(people: People) -> None:
    people.send("Grace", "POST", "/payments", {"amount": "1", "currency": "EUR", "payer": "Zoë", "method": "card"})

    (shown,) = csv.DictReader(
        people.send("Ada", "GET", "/payments/export.csv").text.removeprefix("\ufeff").splitlines()
    )

    assert (shown["created_by"], shown["created_by_name"]) == (people.keys["Grace"].split("_")[1], "Grace")


def test_documents_of_earlier_versions_are_answered_without_names(people: People) -> None:
    send, db = people.send, people.client.db
    send("Grace", "PUT", "/shops/par", SHOP)
    send("Grace", "PUT", "/shops/par", SHOP | {"name": "Lutetia"})
    number = send("Grace", "POST", "/payments", {"amount": "1", "currency": "EUR", "payer": "Z", "method": "card"})
    number = number["payment_number"]
    send("Grace", "PATCH", f"/payments/{number}", {"note": "n"})
    invoice = send("Grace", "POST", "/invoices", INVOICE)["invoice_number"]
    send("Grace", "POST", f"/invoices/{invoice}/cancel", {"reason": "r"})
    code = send("Grace", "POST", "/customers", {"customer_name": "Zoë"})["customer_code"]
    send("Grace", "PUT", f"/customers/{code}", {"customer_name": "Zoé"})
    for name in ("payments", "invoices", "credit_notes", "customers", "shops"):
        top = dict.fromkeys(("created_by_name", "updated_by_name", "cancelled_by_name"), "")
        db[name].update_many({}, {"$unset": top})
        db[name].update_many({"history": {"$exists": True}}, {"$unset": {"history.$[].by_name": ""}})

    for path in (f"/payments/{number}", f"/invoices/{invoice}", f"/customers/{code}", "/shops/par"):
        shown = send("Grace", "GET", path)
        assert shown["created_by_name"] is None
        assert {entry["by_name"] for entry in shown["history"]} == {None}, path


def test_nothing_that_is_done_changes_or_removes_an_event(db: Db, mongodb_uri: str) -> None:
    """Every command that reaches the collection during all that is told, and during much that is not, is watched."""
    watched = _Watched()
    config = Config(mongodb_uri=mongodb_uri, database_name=db.name, encryption_keys=(b"only for tests! " * 6,))
    with pymongo.MongoClient(
        mongodb_uri, tz_aware=True, w="majority", readConcernLevel="majority", event_listeners=[watched]
    ) as mongo:
        client = Client(mongo[config.database_name], config)
        key_id = client.post("/keys", role="admin", json={"role": "client"}, key="k").json["key_id"]
        client.post("/keys", role="admin", json={"role": "client"}, key="k")
        client.delete(f"/keys/{key_id}", role="admin")
        code = client.post("/customers", role="accountant", json=full_form()).json["customer_code"]
        client.get(f"/customers/{code}", role="accountant")
        client.put(f"/customers/{code}", role="accountant", json=full_form() | {"banking": []})
        client.get("/payments/export.csv")
        client.get("/invoices/export.xlsx")
        listed = client.get("/audit-events?limit=2", role="admin").json
        client.get(f"/audit-events?limit=2&cursor={listed['next_cursor']}", role="admin")

    assert watched.commands >= {"insert", "find"}
    assert watched.commands <= WRITES_OF_EVENTS | READS
    assert pan(1) not in json.dumps(list(db.audit_events.find()), default=str)


def test_every_worker_refuses_an_ended_key_though_it_remembers_it(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=2, FINANCE_FAILED_KEYS_PER_ADDRESS="off")
    connections = _connections_to_every_worker(api)
    ends = datetime.now(UTC) + timedelta(seconds=2)
    ending, lasting = (make_key(api.db, expires_at=end) for end in (ends, ends + timedelta(days=1)))
    while _statuses(connections, ending) == {404}:  # every worker knows it, and asks for it again and again
        assert datetime.now(UTC) < ends + timedelta(seconds=1.5), "served though it has ended"

    poll(lambda: datetime.now(UTC) >= ends, within_s=5)
    assert _statuses(connections, ending) == {401}
    assert _statuses(connections, lasting) == {404}
    last_used_at = poll(  # what one node has, a majority has a moment later
        lambda: api.db.api_keys.find_one({"_id": lasting.key_id}).get("last_used_at"), within_s=10
    )
    assert last_used_at.minute == 0


def test_two_workers_and_two_admins_make_and_revoke_keys_once(serve_api: Callable[..., Any]) -> None:
    api = serve_api(workers=2)
    admins = [HttpClient(api, role="admin"), HttpClient(api, role="admin")]
    for round_ in range(10):
        clicks = [admins[0].another() for _click in range(4)]
        body = {"role": "client", "name": f"Till {round_}"}
        made = at_once(
            4, lambda n, clicks=clicks, body=body: clicks[n].post("/keys", key=f"click-{body['name'][5:]}", json=body)
        )
        assert sorted(answer.status_code for answer in made) == [201, 409, 409, 409]
        (key_id,) = [answer.json()["key_id"] for answer in made if answer.status_code == 201]

        both = [admin.another() for admin in admins]
        revoked = at_once(2, lambda n, both=both, key_id=key_id: both[n].delete(f"/keys/{key_id}"))

        assert [answer.status_code for answer in revoked] == [204, 204]
        told = list(admins[0].walk("/audit-events", object_kind="key", object_id=key_id, sort="at"))
        assert [event["action"] for event in told].count("key_created") == 1
        stored = api.db.api_keys.find_one({"_id": key_id})
        assert stored["revoked_by"] in {event["by"] for event in told if event["action"] == "key_revoked"}


def test_an_admin_of_another_tenant_sees_and_reaches_nothing(shared_api: Any) -> None:
    mine, theirs = (HttpClient(shared_api, tenant, role="admin") for tenant in ("who-mine", "who-theirs"))
    key_id = theirs.post("/keys", json={"role": "client"}).json()["key_id"]

    assert mine.delete(f"/keys/{key_id}").status_code == 404
    assert key_id not in [key["key_id"] for key in mine.get("/keys").json()["data"]]
    assert mine.get("/audit-events", params={"object_kind": "key", "object_id": key_id}).json()["data"] == []
    assert len(list(theirs.walk("/audit-events", object_kind="key", object_id=key_id))) == 1
    keys.revoke_key(shared_api.db, Asked("who-theirs", "tests", datetime.now(UTC)), key_id=key_id)
    assert mine.get(PROBE).status_code == 404


class _Watched(CommandListener):
    """Remembers the commands that name the collection of the events."""

    def __init__(self) -> None:
        self.commands: set[str] = set()

    def started(self, event: Any) -> None:
        command = event.command
        if "audit_events" in (command.get(event.command_name), command.get("collection")):
            self.commands.add(event.command_name)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


def _names(shown: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(entry["action"], entry["by_name"]) for entry in shown["history"]]


@pytest.mark.parametrize(
    "path",
    [
        "/payments/PAY20260001/void",
        "/invoices/FAC-PAR-202611-0001/cancel",
        "/customers/CUST-000001/deactivate",
        "/customers/CUST-000001/activate",
        "/customers/CUST-000001/erase",
    ],
)
def test_a_reason_that_holds_a_key_is_refused_because_it_could_not_be_taken_back(
    shared_client: Client, path: str
) -> None:
    reason = f"used {shared_client.key('client').upper()} by mistake"

    refused = shared_client.post(path, role="admin", json={"reason": reason})

    assert (refused.status_code, refused.json["errors"]) == (
        422,
        [{"pointer": "/reason", "detail": "must not hold an API key: it is shown to everyone."}],
    )
