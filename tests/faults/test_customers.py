"""Customers when processes are killed, and what can be read off the disk."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embedded_mongodb import EmbeddedMongodb

from tests.clients import UNANSWERED, HttpClient
from tests.conftest import Api
from tests.customers.forms import full_form

pytestmark = pytest.mark.faults

CLIENTS = 12


def test_killing_every_process_under_load_leaves_no_half_customer(serve_api: Callable[..., Api]) -> None:
    api = serve_api(workers=2)
    client = HttpClient(api)
    sent: dict[str, dict[str, Any]] = {}
    answered: dict[str, dict[str, Any]] = {}
    stop = threading.Event()

    def onboard(number: int) -> None:
        mine = client.another()
        for turn in range(10_000):
            key = f"{number}-{turn}"
            sent[key] = full_form(customer_name=key)
            try:
                answer = mine.post("/customers", json=sent[key], key=key)
            except UNANSWERED:  # killed before, or in the middle of, its answer
                return
            if stop.is_set() or answer.status_code != 201:
                return
            answered[key] = answer.json()

    threads = [threading.Thread(target=onboard, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while len(answered) < 60:
        time.sleep(0.01)
    api.kill()
    stop.set()
    for thread in threads:
        thread.join()

    restarted = serve_api(workers=1, FINANCE_DATABASE=api.db.name)
    again = HttpClient(restarted, headers_by_role={"accountant": client.headers("accountant")})
    stored = list(api.db.customers.find({"tenant": "acme"}))
    for document in stored:
        found = again.get(f"/customers/{document['customer_code']}").json()
        form = sent[document["idempotency_key"]]
        assert {name: found[name] for name in form} == form  # whole, whether it was answered or not
    codes = {document["customer_code"] for document in stored}
    assert {customer["customer_code"] for customer in answered.values()} <= codes
    assert len(codes) == len(stored)
    for key in list(sent)[-CLIENTS:]:  # those on their way when it was killed: a retry gives one customer
        assert again.post("/customers", json=sent[key], key=key).status_code == 201
    assert api.db.customers.count_documents({}) == len(
        {*sent} & {d["idempotency_key"] for d in api.db.customers.find()}
    )


def test_no_number_can_be_read_off_the_disk(serve_api: Callable[..., Api], own_mongod: EmbeddedMongodb) -> None:
    api = serve_api(workers=1, MONGODB_URI=own_mongod.uri)
    pan = "QWXYZ4821M"
    form = full_form(
        pan_number=pan,
        banking=[{"account_number": "739154682073915"}, {"iban": "DE89370400440532013000"}],
        terms_conditions={"notes": "plain-text-marker-5512"},
    )
    client = HttpClient(api)
    assert client.post("/customers", json=form, key="k").status_code == 201
    changed = form | {"banking": [{"account_number": "846201937584620"}]}
    assert client.put("/customers/CUST-000001", json=changed).status_code == 200
    found = client.post("/customers/search", json={"pan_number": pan}).json()
    log = api.log
    api.stop()
    api.db.client.admin.command("fsync")
    own_mongod.stop()

    secrets = [pan, form["gst_details"][0]["gstin"], "PDES03028F", "DE89370400440532013000"]
    secrets += ["739154682073915", "846201937584620"]
    assert len(found["data"]) == 1
    assert _occurrences(own_mongod.folder, "plain-text-marker-5512") > 0  # what isn't secret would be found
    assert {secret: _occurrences(own_mongod.folder, secret) for secret in secrets} == dict.fromkeys(secrets, 0)
    assert [secret for secret in secrets if secret in log] == []
    own_mongod.start()  # for those who tidy up after this test


def _occurrences(folder: Path, text: str) -> int:
    return sum(path.read_bytes().count(text.encode()) for path in folder.rglob("*") if path.is_file())
