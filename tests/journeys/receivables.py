"""An accountant and several clients at work on receivables over HTTP, beside a plain ledger of the same.

Every step sends a request, checks that it is answered as the ledger says, and then that all figures of the API agree
with the ledger's: outstanding, unallocated, statements and ageing, today and on a day in the past.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.clients import UNANSWERED, HttpClient, at_once
from tests.journeys.ledger import BUCKETS, Document, Ledger

CUSTOMERS = ("CUST-A", "CUST-B")
CENTS = st.integers(1, 400_00)
DAYS_BACK = st.integers(0, 100)
INDEX = st.integers(0, 1_000)  # which of the documents there are
AT_ONCE = 6
ATTEMPTS_MAX, PAUSE_S = 200, 0.1  # a claim of a killed worker is in the way for twelve seconds


def money(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def cents_of(amount: str) -> int:
    return int(amount.replace(".", ""))


class Receivables(RuleBasedStateMachine):
    """`connect` gives a client of a fresh tenant; `disturb` is called before each request, to kill what it likes."""

    connect: Callable[[], HttpClient]
    disturb: Callable[[], None] = staticmethod(lambda: None)
    has_changed = False

    @initialize()
    def open_books(self) -> None:
        self.client = type(self).connect()
        self.ledger = Ledger()
        self.repeats: list[tuple[str, str, Any, Any, str]] = []
        self.today = datetime.now(UTC).date()
        assert self.client.put_shop("par", currency="EUR", timezone="UTC").status_code == 201
        for code in CUSTOMERS:
            posted = {"customer_name": f"Customer {code}"}
            assert self.client.put(f"/customers/{code}", json=posted).status_code == 201
        for customer, cents, back in ((CUSTOMERS[0], 100_00, 80), (CUSTOMERS[0], 37_31, 40), (CUSTOMERS[1], 250_00, 3)):
            self._issue(customer, cents, back, 30)
        for customer, cents in ((CUSTOMERS[0], 120_00), (None, 55_55)):
            self._pay(customer, cents, 20, [])

    # --- what is done ---------------------------------------------------------------------------------------------

    @rule(customer=st.sampled_from([*CUSTOMERS, None]), cents=CENTS, back=DAYS_BACK, due_after=st.integers(0, 120))
    def issue(self, customer: str | None, cents: int, back: int, due_after: int) -> None:
        self._issue(customer, cents, back, due_after)

    @rule(customer=st.sampled_from([*CUSTOMERS, None]), cents=CENTS, back=DAYS_BACK, pays=st.lists(INDEX, max_size=3))
    def pay(self, customer: str | None, cents: int, back: int, pays: list[int]) -> None:
        self._pay(customer, cents, back, pays)

    @rule(which=INDEX, cents=CENTS, pays=st.lists(INDEX, min_size=1, max_size=3))
    def allocate(self, which: int, cents: int, pays: list[int]) -> None:
        source = self._pick("payment", which) or self._pick("credit_note", which)
        parts = self._parts(cents, pays)
        if source is None or not parts or source.is_outgoing:
            return
        fits = sum(parts.values()) <= self.ledger.unallocated(source.number)
        fits = fits and all(self._takes(number) >= part for number, part in parts.items())
        if source.kind == "credit_note" and any(self._doc(n).customer != source.customer for n in parts):
            return
        path = f"{_path(source)}/allocations?confirm_other_customer=true"
        path = path if source.kind == "payment" else path.partition("?")[0]
        answer = self._sent(path, {"allocations": _wire(parts)}, 200 if fits else 409)
        if fits:
            if source.kind == "payment":
                self._recorded(answer, source.customer, parts)
                source.customer = answer["customer_code"]
            self._give(source.number, parts)

    @rule(which=INDEX, in_part=st.booleans())
    def release(self, which: int, in_part: bool) -> None:
        pairs = sorted((s, i) for (s, i), cents in self.ledger.given.items() if cents and self._may_release(s, i))
        if not pairs:
            return
        source, sink = pairs[which % len(pairs)]
        given = self.ledger.given[source, sink]
        cents = max(1, given // 2) if in_part else given
        name = f"{self._doc(sink).kind}_number"
        body = {name: sink, "reason": "Wrong one"} | ({"amount": money(cents)} if in_part else {})
        self._sent(f"{_path(self._doc(source))}/release", body, 200)
        self.ledger.take_back(source, sink, cents)

    @rule(which=INDEX, cents=CENTS)
    def credit(self, which: int, cents: int) -> None:
        invoice = self._pick("invoice", which)
        if invoice is None:
            return
        fits = invoice.cancelled_on is None and self.ledger.credited(invoice.number) + cents <= invoice.cents
        body = {"reason": "A discount", "lines": [{"description": "Less", "unit_price": money(cents)}]}
        note = self._sent(f"/invoices/{invoice.number}/credit-notes", body, 201 if fits else 409)
        if fits:
            self.ledger.credit(invoice.number, self._note(note))

    @rule(which=INDEX, cents=CENTS, customer=st.booleans())
    def refund(self, which: int, cents: int, customer: bool) -> None:
        note = self._pick("credit_note", which)
        if note is None:
            return
        body = self._payment(note.customer if customer else None, cents, self.today) | {
            "direction": "outgoing",
            "allocations": [{"credit_note_number": note.number, "amount": money(cents)}],
        }
        fits = self.ledger.unallocated(note.number) >= cents
        payment = self._sent("/payments", body, 201 if fits else 409)
        if fits:
            code = payment["customer_code"]
            paid = Document(payment["payment_number"], "payment", code, self.today, cents, is_outgoing=True)
            self.ledger.add(paid)
            self.ledger.give(paid.number, note.number, cents)

    @rule(which=INDEX)
    def void(self, which: int) -> None:
        payment = self._pick("payment", which)
        if payment is not None:
            self._sent(f"/payments/{payment.number}/void", {"reason": "Twice"}, 200)
            self.ledger.void(payment.number)

    @rule(which=INDEX)
    def cancel(self, which: int) -> None:
        invoice = self._pick("invoice", which)
        if invoice is None:
            return
        number = invoice.number
        fits = invoice.cancelled_on is None and self._takes(number) == invoice.cents and not self._has_notes(number)
        answer = self._sent(f"/invoices/{number}/cancel", {"reason": "Wrong"}, 200 if fits else 409)
        if fits:
            note = self._got(f"/credit-notes/{answer['credit_note_number']}")
            self.ledger.cancel(number, self._note(note))

    @precondition(lambda self: self.repeats)
    @rule(which=INDEX)
    def repeat(self, which: int) -> None:
        path, key, body, first, status = self.repeats[which % len(self.repeats)]
        again = self.client.post_until_answered(path, key=key, json=body)
        assert (again.status_code, again.json()) == (status, first)

    @rule(which=INDEX, cents=CENTS)
    def many_want_the_same(self, which: int, cents: int) -> None:
        """Several clients pay one invoice at once; never more is taken than it had."""
        invoice = self._pick("invoice", which)
        if invoice is None:
            return
        self.has_changed = True
        allocations = [{"invoice_number": invoice.number, "amount": money(cents)}]
        body = self._payment(None, cents, self.today) | {"allocations": allocations}
        clients = [self.client.another() for _client in range(AT_ONCE)]
        answers = at_once(AT_ONCE, lambda n: clients[n].post_until_answered("/payments", key=uuid4().hex, json=body))
        taken = [answer.json() for answer in answers if answer.status_code == 201]
        assert len(taken) == min(AT_ONCE, self._takes(invoice.number) // cents)
        assert {answer.status_code for answer in answers} <= {201, 409}
        for payment in taken:
            number, code = payment["payment_number"], payment["customer_code"]
            self.ledger.add(Document(number, "payment", code, self.today, cents))
            self.ledger.give(number, invoice.number, cents)

    # --- what has to agree ----------------------------------------------------------------------------------------

    @invariant()
    def figures_agree(self) -> None:
        if self.has_changed:
            self.has_changed = False
            self._check_documents()
            self._check_reports()

    def _check_documents(self) -> None:
        for document in self.ledger.documents.values():
            shown = self._got(_path(document))
            if document.kind == "invoice":
                assert cents_of(shown["outstanding"]) == self.ledger.outstanding(document.number), shown
            else:
                left = self.ledger.unallocated(document.number)
                assert cents_of(shown["unallocated"]) == left, shown
                assert cents_of(shown["allocated"]) == (0 if document.is_void else document.cents - left), shown

    def _check_reports(self) -> None:
        for day in (self.today, self.today - timedelta(days=45)):
            asked = {"currency": "EUR", "as_of": f"{day}"}
            ageing = self._got("/receivables/ageing", params=asked)
            names = (*BUCKETS, "unallocated_credit")
            rows = {row["customer_code"]: {n: cents_of(row[n]) for n in names} for row in ageing["data"]}
            expected = {code: {n: row.get(n, 0) for n in names} for code, row in self.ledger.ageing(day).items()}
            assert rows == expected, day
            assert {n: cents_of(ageing["total"][n]) for n in names} == {
                n: sum(row[n] for row in expected.values()) for n in names
            }
            for code in CUSTOMERS:
                self._check_statement(code, day)

    def _check_statement(self, code: str, day: date) -> None:
        asked = {"currency": "EUR", "from": f"{day - timedelta(days=20)}", "to": f"{day}"}
        statement = self._got(f"/customers/{code}/statement", params=asked)
        before = self.ledger.balance(code, day - timedelta(days=21))
        assert cents_of(statement["opening_balance"]) == before, statement
        assert cents_of(statement["closing_balance"]) == self.ledger.balance(code, day), statement
        for line in statement["lines"]:
            before += cents_of(line["debit"] or "0.00") - cents_of(line["credit"] or "0.00")
            assert cents_of(line["balance"]) == before, statement
        if not statement["has_more"]:
            assert before == self.ledger.balance(code, day)

    # --- how it is done ---------------------------------------------------------------------------------------------

    def _issue(self, customer: str | None, cents: int, back: int, due_after: int) -> None:
        day = self._possible_day(self.today - timedelta(days=back))
        due = day + timedelta(days=due_after)
        named = {"customer_code": customer} if customer else {"customer_name": "Walk-in"}
        lines = [{"description": "Work", "unit_price": money(cents)}]
        body = {**named, "shop": "par", "lines": lines, "issued_on": f"{day}", "due_on": f"{due}"}
        invoice = self._sent("/invoices", body, 201)
        self.ledger.add(Document(invoice["invoice_number"], "invoice", customer, day, cents, due=due))

    def _pay(self, customer: str | None, cents: int, back: int, pays: list[int]) -> None:
        parts = self._parts(cents, pays)
        day = self.today - timedelta(days=back)
        body = self._payment(customer, cents, day) | ({"allocations": _wire(parts)} if parts else {})
        fits = all(self._takes(number) >= part for number, part in parts.items())
        payment = self._sent("/payments?confirm_other_customer=true", body, 201 if fits else 409)
        if fits:
            self._recorded(payment, customer, parts)
            self.ledger.add(Document(payment["payment_number"], "payment", payment["customer_code"], day, cents))
            self._give(payment["payment_number"], parts)

    # --- below ----------------------------------------------------------------------------------------------------

    def _sent(self, path: str, body: dict[str, Any], status: int) -> Any:
        """Send it as a careful client does, until it is answered; the answer must have this status."""
        key = uuid4().hex
        self.has_changed = True
        type(self).disturb()
        answer = self.client.post_until_answered(path, key=key, json=body)
        assert answer.status_code == status, (path, body, answer.text)
        if status < 300:
            self.repeats.append((path, key, body, answer.json(), answer.status_code))
        return answer.json()

    def _got(self, path: str, **options: Any) -> Any:
        """Read it, as often as it takes: the worker that was asked may have been killed."""
        for _attempt in range(ATTEMPTS_MAX):
            try:
                answer = self.client.get(path, **options)
            except UNANSWERED:
                continue
            if answer.status_code != 503:
                assert answer.status_code == 200, answer.text
                return answer.json()
            sleep(PAUSE_S)
        raise TimeoutError(path)

    def _doc(self, number: str) -> Document:
        return self.ledger.documents[number]

    def _pick(self, kind: str, which: int) -> Document | None:
        found = self.ledger.of_kind(kind)
        return found[which % len(found)] if found else None

    def _takes(self, invoice: str) -> int:
        return self.ledger.outstanding(invoice)

    def _has_notes(self, invoice: str) -> bool:
        return invoice in self.ledger.invoice_of_note.values()

    def _may_release(self, source: str, sink: str) -> bool:
        """A credit note's own invoice keeps what it took."""
        return not self._doc(source).is_void and self.ledger.invoice_of_note.get(source) != sink

    def _parts(self, cents: int, pays: list[int]) -> dict[str, int]:
        """Return the parts of an amount for the invoices that are picked, each invoice once."""
        picked = [self._pick("invoice", which) for which in pays]
        numbers = sorted({invoice.number for invoice in picked if invoice is not None and not invoice.cancelled_on})
        return {number: cents // len(numbers) for number in numbers if cents >= len(numbers)}

    def _give(self, source: str, parts: dict[str, int]) -> None:
        for number, cents in parts.items():
            self.ledger.give(source, number, cents)

    def _recorded(self, payment: dict[str, Any], named: str | None, parts: dict[str, int]) -> None:
        """A payment keeps the customer that it names; without one it may be that of its invoices."""
        possible = [named] if named else [None, *(self._doc(number).customer for number in parts)]
        assert payment["customer_code"] in possible

    def _note(self, note: dict[str, Any]) -> Document:
        day, customer = date.fromisoformat(note["issued_on"]), note["customer_code"]
        return Document(note["credit_note_number"], "credit_note", customer, day, cents_of(note["total"]))

    def _payment(self, customer: str | None, cents: int, day: date) -> dict[str, Any]:
        body = {"amount": money(cents), "currency": "EUR", "payer": "Ada", "method": "card", "paid_on": f"{day}"}
        return body | ({"customer_code": customer} if customer else {})

    def _possible_day(self, wanted: date) -> date:
        """Return the day, or the newest of its month where that is later: each series is chronological."""
        days = [
            i.day for i in self.ledger.of_kind("invoice") if (i.day.year, i.day.month) == (wanted.year, wanted.month)
        ]
        return max([wanted, *days])


def _path(document: Document) -> str:
    return f"/{document.kind.replace('_', '-')}s/{document.number}"


def _wire(parts: dict[str, int]) -> list[dict[str, str]]:
    return [{"invoice_number": number, "amount": money(cents)} for number, cents in parts.items()]
