"""Uploads as people make them, worked off by the app of this process."""

import io
from dataclasses import dataclass
from typing import Any

import pytest
from openpyxl import Workbook

from finance.asked import Asked
from finance.context import parts, utc_now
from finance.imports import receiving, service, store
from finance.imports.making import EXTENSION
from finance.imports.model import Import, Kind
from tests.clients import Client, poll

ENDED = ("checked", "refused", "stopped", "stored")
HEAD = "amount,currency,payer,method,paid_on,reference\n"


def csv_of(*rows: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{row}\n" for row in rows)).encode()


def new_rows(count: int, *, day: str = "2026-05-01") -> bytes:
    return csv_of(*(f"{number}.50,EUR,Payer {number},card,{day},R{number:05}" for number in range(1, count + 1)))


def xlsx_of(*rows: list[Any], title: str = "Payments") -> bytes:
    book, file = Workbook(), io.BytesIO()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


@dataclass
class Uploads:
    """Imports of one tenant, in the app of a client."""

    client: Client
    tenant: str = "acme"

    def asked(self, by: str = "0123456789abcdef") -> Asked:
        return Asked(self.tenant, by, self.client.now or utc_now(), by_name="Ana", role="accountant")

    def receive(self, data: bytes, *, kind: Kind = "payments", name: str = "november.csv") -> receiving.Received:
        with self.client.app.app_context():
            return receiving.receive(
                self.client.db, self.asked(), kind=kind, name=name, pieces=[data], cipher=parts().cipher
            )

    def check(self, data: bytes, *, kind: Kind = "payments", name: str = "november.csv") -> Import:
        return self.ended(self.receive(data, kind=kind, name=name).upload)

    def store(self, upload: Import, *, alike_too: bool = False) -> Import:
        return self.ended(self.press(upload, alike_too=alike_too))

    def press(self, upload: Import, *, alike_too: bool = False) -> Import:
        return service.start_storing(self.client.db, self.asked(), import_id=upload["_id"], alike_too=alike_too)

    def go_on(self, upload: Import) -> Import:
        return self.ended(service.go_on(self.client.db, self.asked(), import_id=upload["_id"]))

    def ended(self, upload: Import) -> Import:
        """Return the upload when the app has done with it what it can."""

        def look() -> Import | None:
            self.client.app.extensions[EXTENSION].look()
            found = self.find(upload)
            return found if found["status"] in ENDED else None

        return poll(look, within_s=60)

    def find(self, upload: Import) -> Import:
        return service.get_import(self.client.db, tenant=self.tenant, import_id=upload["_id"])

    def rows(self, upload: Import) -> list[tuple[int, str, str]]:
        """Return the line, the verdict, and what is said of each row."""
        found = store.list_rows(self.client.db, tenant=self.tenant, rows_of=upload["rows_of"], at_most=0)
        return [(row["line"], row["verdict"], "; ".join(row.get("problems", []))) for row in found]

    def payments(self) -> list[Any]:
        return list(self.client.db.payments.find({"tenant": self.tenant}, sort=[("number_seq", 1)]))

    def events(self) -> list[tuple[str, Any]]:
        found = self.client.db.audit_events.find({"object_kind": "import"}, sort=[("_id", 1)])
        return sorted((event["action"], event["details"]) for event in found)


@pytest.fixture
def uploads(client: Client) -> Uploads:
    return Uploads(client)
