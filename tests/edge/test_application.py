"""Our Flask answers as Flask does, whatever stands in the address and the Host."""

from typing import Any

import pytest
from flask import Flask, request

from finance.edge import application
from finance.edge.application import Application

HOSTS = ("localhost", "localhost:8000", "LOCALHOST", "a..b", "a" * 64, "[::1]", "x y", "ä", "", "1.2.3.4:99999")
ENVIRONS: list[dict[str, Any]] = [
    {"PATH_INFO": "/things/caf\u00c3\u00a9"},
    {"PATH_INFO": "/things/\u00ff"},
    {"PATH_INFO": "//things/1"},
    {"PATH_INFO": ""},
    {"PATH_INFO": "/things"},
    {"PATH_INFO": "/things/1", "SCRIPT_NAME": "/below"},
    {"PATH_INFO": "/things/1", "REQUEST_METHOD": "post"},
    {"PATH_INFO": "/things/1", "REQUEST_METHOD": "OPTIONS"},
    {"PATH_INFO": "/things/1", "HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"},
    {"PATH_INFO": "/folder", "QUERY_STRING": "a=\u00c3\u00a9"},
    *({"PATH_INFO": "/things/1", "HTTP_HOST": host} for host in HOSTS),
]


def answers(app: Flask, environ: dict[str, Any]) -> tuple[int, bytes, Any]:
    def show(thing: str) -> Any:
        return app.response_class(f"{thing} {request.root_path} {request.endpoint}", headers={"X-View": "show"})

    if not app.view_functions:
        app.url_map.merge_slashes = False
        app.add_url_rule("/things/<thing>", view_func=show)
        app.add_url_rule("/folder/", endpoint="folder", view_func=lambda: app.response_class("folder"))
    answer = app.test_client().open(environ_overrides=environ)
    return answer.status_code, answer.data, sorted(answer.headers)


@pytest.mark.parametrize("environ", ENVIRONS, ids=str)
def test_an_address_leads_where_it_leads_in_flask(environ: dict[str, Any]) -> None:
    ours, theirs = Application("ours", static_folder=None), Flask("theirs", static_folder=None)

    for _first_and_again in range(2):
        assert answers(ours, environ) == answers(theirs, environ)


def test_of_any_number_of_hosts_some_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "HOSTS_MAX", 3)
    app = Application("ours", static_folder=None)

    found = {answers(app, {"PATH_INFO": "/things/1", "HTTP_HOST": f"host{number}"})[0] for number in range(9)}

    assert (found, len(app._adapters)) == ({200}, 3)


def test_a_cookie_is_neither_read_nor_set() -> None:
    app = Application("ours", static_folder=None)
    app.secret_key = "secret"

    assert "Set-Cookie" not in dict(answers(app, {"PATH_INFO": "/things/1", "HTTP_COOKIE": "session=x"})[2])
