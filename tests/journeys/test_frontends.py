"""The examples of docs/frontends.md, run against an API that answers as badly as the network does."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.clients import HttpClient
from tests.node import NODE
from tests.scripts.pages import commands_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "frontends.md").read_text(encoding="utf-8")
FORM = {"amount": "1250.50", "currency": "EUR", "payer": "Ada", "method": "card"}

pytestmark = pytest.mark.journey


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return found


def without_types(typescript: str) -> str:
    """Return the example as JavaScript: without its type lines and the annotations of its parameters."""
    lines = [line for line in typescript.splitlines() if not line.startswith("type ")]
    return re.sub(r"(?<=[\w)]): (?:string|number|object|Promise<\w+>)(?=[,)\s])", "", "\n".join(lines))


@pytest.fixture
def bad_network(shared_api: Any) -> Iterator[tuple[str, list[str]]]:
    """A proxy whose first answer is lost, whose second is 503, and which is fine from then on; and what it saw."""
    seen: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers["Idempotency-Key"])
            if len(seen) == 2:
                self.send_response(503)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            sent = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Idempotency-Key")}
            answer = requests.post(f"{shared_api.url}{self.path}", data=body, headers=sent, timeout=20)
            if len(seen) == 1:
                self.connection.close()  # it is stored, and nobody is told
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1/payments", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_python_example_pays_once(shared_api: Any, bad_network: Any) -> None:
    url, seen = bad_network
    tenant = f"t-{uuid4().hex[:12]}"
    names: dict[str, Any] = {}
    exec(example("python"), names)

    answer = names["post_safely"](url, shared_api.key("client", tenant), "form-1", FORM)

    assert answer.status_code == 201
    assert seen == ["form-1"] * 3
    (stored,) = shared_api.db.payments.find({"tenant": tenant})
    assert stored["payment_number"] == answer.json()["payment_number"]
    assert names["post_safely"](url, shared_api.key("client", tenant), "form-2", {}).status_code == 422


def test_the_typescript_example_pays_once(shared_api: Any, bad_network: Any, tmp_path: Path) -> None:
    url, seen = bad_network
    tenant = f"t-{uuid4().hex[:12]}"
    key = shared_api.key("client", tenant)
    script = tmp_path / "example.mjs"
    calls = "\n".join(
        f"console.log(JSON.stringify(await postSafely({json.dumps(url)}, {json.dumps(key)}, {json.dumps(form_key)}, "
        f"{json.dumps(form)})));"
        for form_key, form in (("form-1", FORM), ("form-1", FORM), ("form-2", {}))
    )
    script.write_text(f"{without_types(example('typescript'))}\n{calls}\n", encoding="utf-8")

    ran = subprocess.run([NODE, str(script)], capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr
    first, again, refused = map(json.loads, ran.stdout.splitlines())
    assert first == again
    assert seen == ["form-1"] * 4 + ["form-2"]
    (stored,) = shared_api.db.payments.find({"tenant": tenant})
    assert stored["payment_number"] == first["stored"]["payment_number"]
    assert {error["pointer"] for error in refused["problem"]["errors"]} >= {"/amount", "/payer"}


def test_the_commands_about_tags_answer_as_the_page_says(shared_api: Any, tmp_path: Path) -> None:
    acme = HttpClient(shared_api, f"t-{uuid4().hex[:12]}", role="client")
    acme.put("/customers/CUST-000001", json={"customer_name": "Ada"})
    changed, new, read = commands_of("frontends.md", "Two people with the same thing open")
    names = {"KEY": shared_api.key("client", acme.tenant), "API": f"{shared_api.url}/api/v1"}

    def run(block: str) -> list[dict[str, Any]]:
        ran = subprocess.run(
            ["bash", "-euc", block], env=os.environ | names, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return [json.loads(answer) for answer in re.split(r"(?<=})(?={)|\n", ran.stdout) if answer]

    saved, refused = run(changed)
    assert (saved["customer_name"], refused["status"], refused["code"]) == ("Ada Byron", 412, "precondition_failed")
    (exists,) = run(new)
    assert (exists["status"], exists["code"]) == (412, "precondition_failed")
    assert run(read) == [200, 304]
    assert json.loads((tmp_path / "customer.json").read_text())["customer_name"] == "Ada Byron"


def test_every_code_that_the_page_names_exists() -> None:
    named = set(re.findall(r"\d{3} `([a-z_]+)`", PAGE))
    source = "\n".join(path.read_text() for path in (Path(__file__).resolve().parents[2] / "finance").rglob("*.py"))
    codes = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in re.findall(r"^class (\w+)\(", source, re.MULTILINE)
    }
    assert len(named) >= 3
    assert named <= codes
