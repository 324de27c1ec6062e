"""What surrounds each request."""

import pytest

from finance.edge import frames, waiting
from tests.clients import Client


def test_more_than_a_worker_can_have_waiting_are_refused_at_once_but_for_the_probes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Authorization": f"Bearer {client.key('client')}"}
    monkeypatch.setattr(waiting, "WAITING_MAX", 0)

    refused = client.app.test_client().get("/api/v1/payments/PAY20260001", headers=headers)

    assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (503, "too_busy", "1")
    assert "Nothing was stored" in refused.json["detail"]
    assert client.app.test_client().get("/healthz").status_code == 200
    monkeypatch.undo()
    assert client.get("/payments/PAY20260001", role="client").status_code == 404


@pytest.mark.parametrize("path", ["/payments/PAY20260001", "/nothing", "/payments?limit=0", "/payments/PAY20260001/x"])
def test_whatever_becomes_of_a_request_it_waits_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 2)  # the test itself asks for the document meanwhile

    assert {client.get(path).status_code for _again in range(5)} <= {404, 422}


def test_the_crowd_of_one_key_leaves_room_for_another() -> None:
    waiting_now = waiting.Waiting()
    crowd = [waiting.Place(waiting_now, "a") for _request in range(waiting.WAITING_MAX)]
    taken = [place for place in crowd if place.is_free() and place.take() is None]

    assert len(taken) == waiting.WAITING_MAX // 2
    assert waiting.Place(waiting_now, "b").is_free()

    taken[0].leave()
    assert crowd[-1].is_free()


def test_a_key_is_one_however_its_scheme_is_written(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    class Noted(waiting.Place):
        def __init__(self, waiting_now: waiting.Waiting, key: str) -> None:
            counted.append(key)
            super().__init__(waiting_now, key)

    monkeypatch.setattr(frames, "Place", Noted)
    key = client.key("client")
    for scheme in ("Bearer ", "bearer ", "BEARER   "):
        client.app.test_client().get("/api/v1/payments/PAY20260001", headers={"Authorization": f"{scheme}{key}"})

    assert set(counted) == {key}


def test_connections_are_paused_once_refusing_is_a_load_itself(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITING_MAX", 0)
    monkeypatch.setattr(frames, "REFUSALS_MAX", 3)
    monkeypatch.setattr(frames, "monotonic", lambda: 7.5)
    paused: list[bool] = []

    for _request in range(5):
        environ = {waiting.LEAVE: lambda *, pauses: paused.append(pauses)}
        assert client.app.test_client().get("/api/v1/payments", environ_overrides=environ).status_code == 503

    assert paused == [False, False, False, True, True]
