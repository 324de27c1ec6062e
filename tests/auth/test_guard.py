"""The guard on routes: who has sent too many wrong keys, and who has sent too much with a good one."""

import json
import logging
import secrets
import time
from typing import Any

import limits
import pytest

from finance.app import create_app
from finance.asked import Asked
from finance.auth import service as keys
from finance.auth.guard import asked, requires
from finance.config import Config
from finance.context import utc_now
from finance.database import Db
from finance.edge.look_ups import PER_ADDRESS_S
from tests.clients import Client, make_key
from tests.commands import Commands

PATH = "/payments/PAY20260001"  # 404 for whom the guard lets in
FLOOD = 600
ATTEMPTS_MAX = 5


def a_wrong_key() -> str:
    return f"fin_{secrets.token_hex(8)}_{secrets.token_hex(32)}"


def send(client: Client, key: str, path: str = PATH, **environ: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return client.app.test_client().get(f"/api/v1{path}", headers=headers, environ_overrides=environ)


def test_of_600_wrong_keys_from_an_address_30_are_looked_up_and_a_few_a_second(watched: Db, commands: Commands) -> None:
    client, begun = Client(watched), time.monotonic()

    answers = [send(client, a_wrong_key()) for _wrong in range(FLOOD)]

    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * (FLOOD - 30)
    few = PER_ADDRESS_S * (time.monotonic() - begun + 1)
    assert 31 < commands.collections.count(("find", "api_keys")) <= 31 + few
    last = answers[-1]
    assert (last.json["code"], last.content_type) == ("too_many_failed_keys", "application/problem+json")
    assert 1 <= int(last.headers["Retry-After"]) <= 60


def test_who_shares_the_address_of_a_flood_goes_on_working(db: Db) -> None:
    client = Client(db, Config(key_cache_s=0))  # looked up each time
    good = client.key("client")
    assert send(client, good).status_code == 404

    flood(client)

    assert send(client, good).status_code == 404


def test_a_revoked_key_stays_refused_in_a_flood(db: Db) -> None:
    client = Client(db, Config(key_cache_s=0))
    made = make_key(db)
    assert send(client, made.key).status_code == 404
    flood(client)

    keys.revoke_key(db, Asked("acme", "tests", utc_now()), key_id=made.key_id)

    assert {send(client, made.key).status_code for _again in range(3)} <= {401, 429}


def test_a_key_that_is_no_longer_valid_is_401_and_no_guess(watched: Db, commands: Commands) -> None:
    client = Client(watched, Config(key_cache_s=60))
    revoked, ended = make_key(watched), make_key(watched)
    keys.revoke_key(watched, Asked("acme", "tests", utc_now()), key_id=revoked.key_id)
    watched.api_keys.update_one({"_id": ended.key_id}, {"$set": {"expires_at": utc_now()}})
    commands.collections.clear()

    answers = [send(client, made.key) for made in (revoked, ended) * 50]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(401, "unauthenticated")}
    assert commands.collections.count(("find", "api_keys")) == 2
    assert send(client, client.key("client")).status_code == 404  # a new one, from the same address


def test_a_right_id_with_a_wrong_secret_is_a_guess(client: Client) -> None:
    made = make_key(client.db)
    keys.revoke_key(client.db, Asked("acme", "tests", utc_now()), key_id=made.key_id)

    guesses = [f"{made.key[:-64]}{secrets.token_hex(32)}" for _guess in range(31)]

    assert [send(client, guess).status_code for guess in guesses] == [401] * 30 + [429]


def test_a_new_key_gets_in_during_a_flood(client: Client) -> None:
    flood(client)
    new = client.key("client")

    answered = []
    for _second in range(ATTEMPTS_MAX):
        for _wrong in range(20):
            assert send(client, a_wrong_key()).status_code == 429
        answered.append(send(client, new))
        if answered[-1].status_code != 429:
            break
        assert answered[-1].headers["Retry-After"] == "1"
        time.sleep(1)

    assert answered[-1].status_code == 404
    assert len(answered) <= 2


def test_after_a_restart_keys_get_in_during_a_flood_of_one_wrong_key(client: Client) -> None:
    good, wrong = client.key("client"), a_wrong_key()
    while send(client, wrong).status_code != 429:
        pass
    restarted = Client(client.db)

    while send(restarted, wrong).status_code != 429:  # it learns of the limit
        pass
    for _wrong in range(50):
        refused = send(restarted, wrong)

    assert (refused.status_code, int(refused.headers["Retry-After"]) > 1) == (429, True)
    assert send(restarted, good).status_code == 404


def test_another_address_is_not_concerned(client: Client) -> None:
    flood(client)

    assert send(client, client.key("client"), REMOTE_ADDR="203.0.113.7").status_code == 404
    assert send(client, a_wrong_key(), REMOTE_ADDR="203.0.113.7").status_code == 401


def test_an_invented_forwarded_address_does_not_help(client: Client) -> None:
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    for number in range(40):
        last = send(client, a_wrong_key(), HTTP_X_FORWARDED_FOR=f"198.51.100.{number}", **stranger)

    assert last.status_code == 429
    proxied = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.7"}
    assert send(client, a_wrong_key(), **proxied).status_code == 429  # the same client through our proxy


@pytest.mark.parametrize("key", ["", "nonsense", "fin_short_1", "fin_" + "0" * 16 + "_" + "0" * 65])
def test_what_is_no_key_costs_no_look_up_and_is_not_counted(watched: Db, commands: Commands, key: str) -> None:
    client = Client(watched)

    assert {send(client, key).status_code for _again in range(60)} == {401}

    assert commands.names == []


def test_a_key_that_is_known_costs_no_look_up(watched: Db, commands: Commands) -> None:
    client = Client(watched, Config(key_cache_s=60))
    good = client.key("client")
    send(client, good)
    commands.collections.clear()

    for _request in range(50):
        send(client, good)

    assert {collection for _command, collection in commands.collections} == {"payments"}


def test_too_many_requests_with_a_key_are_429_for_that_key_alone(db: Db) -> None:
    client = Client(db, Config(requests_per_key=limits.parse("5/minute")))

    answers = [client.get(PATH, role="client") for _request in range(7)]

    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert (answers[-1].json["code"], answers[-1].content_type) == ("too_many_requests", "application/problem+json")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert client.get(PATH, role="accountant").status_code == 404


def test_a_refused_key_is_logged_with_its_id_and_the_address_and_never_whole(
    client: Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = a_wrong_key()
    with caplog.at_level(logging.INFO, logger="finance.access"):
        send(client, wrong, REMOTE_ADDR="203.0.113.7")

    written = capfd.readouterr().err
    line = json.loads(written)
    assert (line["claimed_key_id"], line["address"], line["status"]) == (wrong.split("_")[1], "203.0.113.7", 401)
    assert "key_id" not in line
    assert wrong.split("_")[2] not in written


def test_what_is_asked_for_knows_the_address(client: Client) -> None:
    app = create_app(Config(), db=client.db)
    app.add_url_rule("/asked", view_func=requires("client")(lambda: {"address": asked().address}))
    headers = {"Authorization": f"Bearer {client.key('client')}", "X-Forwarded-For": "203.0.113.7"}

    assert app.test_client().get("/asked", headers=headers).json == {"address": "203.0.113.7"}


def flood(client: Client) -> None:
    while send(client, a_wrong_key()).status_code != 429:
        pass
