"""A plain ledger of receivables: what invoices, payments, credit notes and allocations must come to.

It knows nothing of the software: amounts are whole cents, days are dates, and every figure is added up anew from the
documents and from who gives how much to whom. Tests tell it what was answered, and compare.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")


@dataclass
class Document:
    """An invoice, payment or credit note. `day` is its own day, not the one on which it was recorded."""

    number: str
    kind: str
    customer: str | None
    day: date
    cents: int
    due: date | None = None
    is_outgoing: bool = False
    is_void: bool = False
    cancelled_on: date | None = None


@dataclass
class Ledger:
    documents: dict[str, Document] = field(default_factory=dict)
    given: Counter[tuple[str, str]] = field(default_factory=Counter)  # (who gives, who gets): cents
    invoice_of_note: dict[str, str] = field(default_factory=dict)

    def add(self, document: Document) -> Document:
        self.documents[document.number] = document
        return document

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents.values() if document.kind == kind and not document.is_void]

    def give(self, source: str, sink: str, cents: int) -> None:
        self.given[source, sink] += cents

    def take_back(self, source: str, sink: str, cents: int | None = None) -> None:
        self.given[source, sink] -= self.given[source, sink] if cents is None else cents

    def void(self, number: str) -> None:
        self.documents[number].is_void = True
        for source, sink in list(self.given):
            if source == number:
                del self.given[source, sink]

    def cancel(self, number: str, note: Document) -> None:
        self.documents[number].cancelled_on = note.day
        self.credit(number, note)

    def credit(self, number: str, note: Document) -> None:
        """Add a credit note, which gives its invoice first what that still takes."""
        takes = min(note.cents, self.outstanding(number))
        self.add(note)
        self.invoice_of_note[note.number] = number
        self.give(note.number, number, takes)

    def credited(self, number: str) -> int:
        """Return what all credit notes of an invoice come to."""
        return sum(self.documents[note].cents for note, invoice in self.invoice_of_note.items() if invoice == number)

    def outstanding(self, number: str, on: date = date.max) -> int:
        """Return what is left to pay of an invoice, as its documents stand now, on a day."""
        invoice = self.documents[number]
        return (invoice.cents if invoice.day <= on else 0) - self._moved(number, on)

    def unallocated(self, number: str, on: date = date.max) -> int:
        """Return what a payment or a credit note has left to give."""
        source = self.documents[number]
        return 0 if source.is_void else (source.cents if source.day <= on else 0) - self._moved(number, on)

    def _moved(self, number: str, on: date) -> int:
        return sum(cents for pair, cents in self.given.items() if number in pair and max(map(self._day, pair)) <= on)

    def _day(self, number: str) -> date:
        return self.documents[number].day

    def balance(self, customer: str, on: date = date.max) -> int:
        """Return what a customer owes on a day: positive where they owe."""
        own = sum(_signed(document) for document in self._until(on) if document.customer == customer)
        return own + sum(self._crossing(customer, on))

    def _crossing(self, customer: str, on: date) -> Iterable[int]:
        """Yield what others' money pays for this customer (-), and what this customer's money pays for others (+)."""
        for (source, sink), cents in self.given.items():
            payers = self.documents[source].customer, self.documents[sink].customer
            if payers[0] != payers[1] and customer in payers and max(self._day(source), self._day(sink)) <= on:
                sign = 1 if self.documents[source].customer == customer else -1
                yield -sign * cents if self.documents[source].is_outgoing else sign * cents

    def _until(self, on: date) -> list[Document]:
        return [document for document in self.documents.values() if document.day <= on and not document.is_void]

    def ageing(self, on: date) -> dict[str | None, dict[str, int]]:
        """Return what each customer owes by days past due, and their money that isn't allocated."""
        rows: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        for document in self._until(on):
            row = rows[document.customer]
            if document.kind == "invoice":
                row[_bucket((on - (document.due or document.day)).days)] += self.outstanding(document.number, on)
            elif document.customer is not None:
                left = self.unallocated(document.number, on)
                row["unallocated_credit"] += -left if document.is_outgoing else left
        return {customer: dict(row) for customer, row in rows.items() if any(row.values())}


def _signed(document: Document) -> int:
    owed = document.kind == "invoice" or document.is_outgoing
    return document.cents if owed else -document.cents


def _bucket(days_late: int) -> str:
    return BUCKETS[0 if days_late <= 0 else min((days_late - 1) // 30 + 1, 4)]
