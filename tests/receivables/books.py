"""Documents as they are stored, and what they come to, added up one by one: a plain ledger to compare with."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from finance.database import Db, Document

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNTED = ("settled", "returning", None)
KINDS = ("invoice", "credit_note", "payment", "transfer")
BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")


@dataclass
class Books:
    """Makes documents of one tenant and one currency, and keeps them; `store` inserts them."""

    tenant: str = "acme"
    currency: str = "EUR"
    invoices: list[Document] = field(default_factory=list)
    credit_notes: list[Document] = field(default_factory=list)
    payments: list[Document] = field(default_factory=list)
    _counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def invoice(self, customer: str | None, on: str, minor: int, *, due: str | None = None, **more: Any) -> Document:
        number = next(self._counter)
        document = {
            **self._issued(customer, on, minor, number),
            "invoice_number": f"FAC-DKR1-{number:04}",
            "due_on": due,
            "status": "issued",
            "allocations": [],
            "paid_minor": 0,
            "credited_minor": 0,
            "free_minor": minor,
            "unsettled": False,
            **more,
        }
        self.invoices.append(document)
        return document

    def credit_note(self, invoice: Document, on: str, minor: int) -> Document:
        number = next(self._counter)
        document = {
            **self._issued(invoice.get("customer_code"), on, minor, number),
            "credit_note_number": f"AV-DKR1-{number:04}",
            "invoice_number": invoice["invoice_number"],
            "claim": f"note-{number}",
            "allocations": [],
            "allocated_minor": 0,
        }
        self.credit_notes.append(document)
        return document

    def payment(self, customer: str | None, on: str, minor: int, **more: Any) -> Document:
        number = next(self._counter)
        document = {
            "tenant": self.tenant,
            "payment_number": f"PAY2026{number:04}",
            "number_year": 2026,
            "number_seq": number,
            "amount_minor": minor,
            "currency": self.currency,
            "payer": "Zoë",
            "payer_folded": ["zoe"],
            "method": "card",
            "direction": "incoming",
            "paid_on": on,
            "status": "recorded",
            "previous_numbers": [],
            "history": [],
            "created_at": NOW,
            "created_by": "tests",
            **({} if customer is None else {"customer_code": customer}),
            **more,
        }
        self.payments.append(document)
        return document

    def allocate(
        self, source: Document, sink: Document, minor: int, *, states: tuple[str, str] = ("settled",) * 2
    ) -> None:
        """Give a part of one document to another, and derive again what follows from the entries of both."""
        claim, on = f"claim-{next(self._counter)}", max(_day(source), _day(sink))
        customers = source.get("customer_code"), sink.get("customer_code")
        for document, other, state, theirs in (
            (source, sink, states[0], customers[1]),
            (sink, source, states[1], customers[0]),
        ):
            entry = {"claim": claim, "state": state, "amount_minor": minor, "on": on, **_number(other)}
            if customers[0] != customers[1]:
                entry["customer_code"] = theirs
                document["crossed"] = True
            document.setdefault("allocations", []).append(entry)
            _derive(document)

    def cancel(self, invoice: Document, on: str) -> None:
        """Cancel an invoice with a credit note over the whole of it."""
        note = self.credit_note(invoice, on, invoice["total_minor"])
        entry = {"claim": note["claim"], "state": "settled", "amount_minor": note["total_minor"], "on": on}
        note["allocations"].append({**entry, "invoice_number": invoice["invoice_number"]})
        _derive(note)
        invoice.update(status="cancelled", free_minor=0, closed_on=on, credit_note_number=note["credit_note_number"])

    def store(self, db: Db) -> None:
        for name in ("invoices", "credit_notes", "payments"):
            if getattr(self, name):
                db[name].insert_many(getattr(self, name))

    def customers(self, db: Db, *codes: str) -> None:
        db.customers.insert_many(
            {
                "tenant": self.tenant,
                "customer_code": code,
                "customer_name": f"Customer {code}",
                "identity_claims": [f"{self.tenant}-{code}"],
                "status": "active",
                "created_at": NOW,
            }
            for code in codes
        )

    def lines(self, customer: str) -> list[tuple[str, str, str, int]]:
        """Return (day, kind, number, amount) of each line of a customer's statement, in order."""
        lines = [
            (row["issued_on"], 0, "invoice", row["invoice_number"], row["total_minor"])
            for row in self.invoices
            if row.get("customer_code") == customer
        ]
        lines += [
            (row["issued_on"], 1, "credit_note", row["credit_note_number"], -row["total_minor"])
            for row in self.credit_notes
            if row.get("customer_code") == customer
        ]
        paid = [row for row in self.payments if row["status"] == "recorded"]
        lines += [
            (row["paid_on"], 2, "payment", row["payment_number"], _sign(row) * row["amount_minor"])
            for row in paid
            if row.get("customer_code") == customer
        ]
        for payment in paid:
            crossings: dict[tuple[str, int, str], int] = {}
            for entry in payment.get("allocations", []):
                if entry["state"] not in COUNTED:
                    continue
                sink = self._sink(entry)
                ours, theirs = payment.get("customer_code"), sink.get("customer_code")
                if ours != theirs:
                    minor = _sign(payment) * entry["amount_minor"]
                    for rank, kind, whose, signed in ((3, "payment", theirs, minor), (5, "transfer", ours, -minor)):
                        if whose == customer:
                            rank += rank == 3 and "credit_note_number" in entry
                            place = (entry["on"], rank, kind)
                            crossings[place] = crossings.get(place, 0) + signed
            lines += [
                (on, rank, kind, payment["payment_number"], minor) for (on, rank, kind), minor in crossings.items()
            ]
        return [(on, kind, number, minor) for on, _rank, kind, number, minor in sorted(lines)]

    def balance(self, customer: str, day: str) -> int:
        return sum(minor for on, _kind, _number, minor in self.lines(customer) if on <= day)

    def ageing(self, day: str) -> dict[str | None, tuple[list[int], int]]:
        """Return the amounts by bucket and the unallocated credit of whoever has something open."""
        found: dict[str | None, tuple[list[int], int]] = {}
        for row in self.invoices:
            if row["issued_on"] <= day:
                taken = sum(e["amount_minor"] for e in row["allocations"] if e["state"] in COUNTED and e["on"] <= day)
                if row["status"] == "cancelled":
                    taken = row["total_minor"] if row.get("closed_on", "9") <= day else 0
                late = (date.fromisoformat(day) - date.fromisoformat(row["due_on"] or row["issued_on"])).days
                bucket = 0 if late <= 0 else 1 if late <= 30 else 2 if late <= 60 else 3 if late <= 90 else 4
                buckets, credit = found.setdefault(row.get("customer_code"), ([0] * 5, 0))
                buckets[bucket] += row["total_minor"] - taken
        sources = [row for row in self.payments if row["status"] == "recorded" and "customer_code" in row]
        for row in [*sources, *self.credit_notes]:
            if _day(row) <= day:
                entries = row.get("allocations", [])
                taken = sum(e["amount_minor"] for e in entries if e["state"] in COUNTED and e["on"] <= day)
                rest = (row.get("amount_minor") or row.get("total_minor", 0)) - taken
                buckets, credit = found.setdefault(row.get("customer_code"), ([0] * 5, 0))
                is_outgoing = row.get("direction") == "outgoing"
                found[row.get("customer_code")] = (buckets, credit - rest if is_outgoing else credit + rest)
        return {code: (buckets, credit) for code, (buckets, credit) in found.items() if any(buckets) or credit}

    def _issued(self, customer: str | None, on: str, minor: int, number: int) -> Document:
        return {
            "tenant": self.tenant,
            "shop": "dkr1",
            "period": on[:7],
            "number_seq": number,
            "issued_on": on,
            "currency": self.currency,
            "total_minor": minor,
            "lines": [],
            "created_at": NOW,
            "history": [],
            **({} if customer is None else {"customer_code": customer}),
        }

    def _sink(self, entry: Document) -> Document:
        documents = self.invoices if "invoice_number" in entry else self.credit_notes
        return next(row for row in documents if _number(row).items() <= entry.items())


def _number(document: Document) -> Document:
    """Return the number that names a document; a credit note has its invoice's too."""
    name = next(n for n in ("credit_note_number", "invoice_number", "payment_number") if _names(document, n))
    return {name: document[name]}


def _names(document: Document, name: str) -> bool:
    return name in document and not (name == "credit_note_number" and "due_on" in document)


def _day(document: Document) -> str:
    day: str = document["paid_on"] if "paid_on" in document else document["issued_on"]
    return day


def _sign(payment: Document) -> int:
    return 1 if payment["direction"] == "outgoing" else -1


def _derive(document: Document) -> None:
    counted = [entry for entry in document["allocations"] if entry["state"] in ("settled", "returning")]
    taken, last = sum(entry["amount_minor"] for entry in counted), max([e["on"] for e in counted], default="")
    if "due_on" in document:
        document["paid_minor"] = sum(e["amount_minor"] for e in counted if "payment_number" in e)
        document["credited_minor"] = taken - document["paid_minor"]
        document["free_minor"] = document["total_minor"] - sum(e["amount_minor"] for e in document["allocations"])
        closed = "closed_on"
    else:
        document["allocated_minor"], closed = taken, "fully_allocated_on"
    if taken == document.get("total_minor", document.get("amount_minor")):
        document[closed] = last
