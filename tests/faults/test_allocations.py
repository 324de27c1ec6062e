"""A payment and its invoices are two documents and more. Killed between any two writes, what is shown stays right."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from finance.allocations import claiming, following
from finance.payments import allocations, intents
from tests.clients import NOVEMBER, Client
from tests.faults.killed import killed_at_write

pytestmark = pytest.mark.faults

WRITES_MAX = 40


@pytest.fixture
def app(db: Any) -> Client:
    app = Client(db, now=NOVEMBER)
    for role in ("client", "accountant"):
        app.key(role)  # now, so that no test kills the making of an API key
    assert app.put_shop().status_code == 201
    return app


def meanwhile(call: Callable[..., Any], *args: Any) -> Any:
    """Return the answer of a request that another thread makes while this one is in the middle of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *args).result()


def paid_by_payments(app: Client, invoice_number: str) -> Decimal:
    """Return what the recorded payments pay of an invoice: the truth that the invoice must agree with."""
    found = app.db.payments.find({"status": "recorded", "allocations.invoice_number": invoice_number})
    minor = sum(
        part["amount_minor"]
        for payment in found
        for part in payment["allocations"]
        if part["invoice_number"] == invoice_number and part["state"] == "settled"
    )
    return Decimal(minor) / 100


def require_right(app: Client, invoice_numbers: list[str]) -> None:
    for number in invoice_numbers:
        shown = app.invoice(number)
        paid = paid_by_payments(app, number)
        assert Decimal(shown["amount_paid"]) == paid
        assert Decimal(shown["outstanding"]) == 1000 - paid
        assert shown["status"] == {0: "issued", 1000: "paid"}.get(int(paid), "partly_paid")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("invoices", [1, 2])
@pytest.mark.parametrize("with_key", [False, True], ids=["without key", "with key"])
def test_paying_killed_at_any_write(
    app: Client, monkeypatch: pytest.MonkeyPatch, after: bool, invoices: int, with_key: bool
) -> None:
    for write in range(1, WRITES_MAX):
        numbers = [app.issue().json["invoice_number"] for _ in range(invoices)]
        key = f"pay-{write}" if with_key else None
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.pay_invoices(numbers, "600.00", key=key)
        require_right(app, numbers)  # at once: what is claimed and not decided isn't paid
        app.later(seconds=30)
        require_right(app, numbers)  # later: whoever looks has finished what was left
        assert app.db.invoices.count_documents({"unsettled": True}) == 0
        if with_key:
            again = app.pay_invoices(numbers, "600.00", key=key)
            assert again.status_code == 201, again.text
            assert paid_by_payments(app, numbers[0]) == 600
            require_right(app, numbers)
        # Nothing that was left behind keeps others from paying the rest.
        rest = 1000 - paid_by_payments(app, numbers[0])
        assert app.pay_invoices(numbers, f"{rest:.2f}").status_code == 201
        require_right(app, numbers)
        if len(writes) < write:
            assert write > 4
            return
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_voiding_killed_at_any_write(app: Client, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    for write in range(1, WRITES_MAX):
        numbers = [app.issue().json["invoice_number"] for _ in range(2)]
        payment = app.pay_invoices(numbers, "600.00").json["payment_number"]
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.call("POST", f"/payments/{payment}/void", key=f"void-{write}", json={"reason": "bounced"})
        require_right(app, numbers)
        again = app.call("POST", f"/payments/{payment}/void", key=f"void-{write}", json={"reason": "bounced"})
        assert again.status_code == 200
        require_right(app, numbers)
        assert app.invoice(numbers[0])["outstanding"] == "1000.00"
        assert app.db.invoices.count_documents({"unsettled": True}) == 0
        assert app.pay_invoices(numbers, "1000.00").status_code == 201
        if len(writes) < write:
            assert write > 4
            return
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cancelling_killed_at_any_write(app: Client, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    for write in range(1, WRITES_MAX):
        number = app.issue().json["invoice_number"]
        with killed_at_write(monkeypatch, write, after=after) as writes:
            app.call("POST", f"/invoices/{number}/cancel", key=f"c-{write}", json={"reason": "wrong"})
        shown = app.invoice(number)
        notes = list(app.db.credit_notes.find({"invoice_number": number}))
        assert [note["credit_note_number"] for note in notes] == [shown["credit_note_number"]][: len(notes)]
        assert (shown["status"] == "cancelled") == (len(notes) == 1)
        again = app.call("POST", f"/invoices/{number}/cancel", key=f"c-{write}", json={"reason": "wrong"})
        assert (again.status_code, again.json["status"]) == (200, "cancelled")
        assert app.db.credit_notes.count_documents({"invoice_number": number}) == 1
        sequences = app.call("GET", "/shops/par/sequences").json["data"]
        assert all(sequence["whole"] for sequence in sequences)
        assert app.db.invoices.count_documents({"unsettled": True}) == 0
        if len(writes) < write:
            assert write > 4
            return
    pytest.fail("it never came to an end")


def test_a_payment_that_comes_after_it_was_given_up_is_not_stored(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was not killed, only slow: stopped before it decides, and going on long after."""
    number = app.issue().json["invoice_number"]
    decide = intents.decide_intent

    def decide_late(*args: Any, **kwargs: Any) -> bool:
        monkeypatch.setattr(intents, "decide_intent", decide)
        app.later(seconds=60)
        others = meanwhile(app.pay_invoices, [number], "1000.00")  # somebody else pays all of it meanwhile
        assert others.status_code == 201
        return decide(*args, **kwargs)

    monkeypatch.setattr(intents, "decide_intent", decide_late)
    late = app.pay_invoices([number], "1000.00")
    assert (late.status_code, late.json["code"]) == (503, "allocation_withdrawn")
    require_right(app, [number])
    assert app.db.payments.count_documents({}) == 1


def test_a_payment_that_was_completed_by_another_is_stored_once(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow after it decided: another request completes it, and the slow one finds its own payment."""
    number = app.issue().json["invoice_number"]
    store_decided = allocations._store_decided

    def store_late(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(allocations, "_store_decided", store_decided)
        app.later(seconds=60)
        assert meanwhile(app.invoice, number)["outstanding"] == "0.00"
        return store_decided(*args, **kwargs)

    monkeypatch.setattr(allocations, "_store_decided", store_late)
    slow = app.pay_invoices([number], "1000.00")
    assert slow.status_code == 201
    assert app.db.payments.count_documents({}) == 1
    require_right(app, [number])
    # Its second try for a number is accounted for.
    assert app.db.number_gaps.count_documents({"kind": "payment"}) == 1


def test_a_slow_claim_after_it_was_given_up_is_dropped(app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow between two claims: the intent is withdrawn before the second one is made."""
    first, second = (app.issue().json["invoice_number"] for _ in range(2))
    claim = claiming.store.claim

    def claim_late(*args: Any, **kwargs: Any) -> bool:
        if args[1].number == second:
            monkeypatch.setattr(claiming.store, "claim", claim)
            app.later(seconds=60)
            assert meanwhile(app.invoice, first)["outstanding"] == "1000.00"
        return claim(*args, **kwargs)

    monkeypatch.setattr(claiming.store, "claim", claim_late)
    assert app.pay_invoices([first, second], "1000.00").status_code == 503
    require_right(app, [first, second])
    assert app.pay_invoices([first, second], "1000.00").status_code == 201


def test_a_slow_settling_does_not_count_a_payment_that_was_voided_meanwhile(
    app: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paying is killed before it settles; a reader is about to; the payment is voided, which is killed before it gives
    back; then the reader goes on.
    """
    number = app.issue().json["invoice_number"]
    with monkeypatch.context() as patched:
        patched.setattr(allocations, "_settle", lambda *args, **kwargs: None)
        payment = app.pay_invoices([number], "1000.00").json["payment_number"]
    settle_as = following.settle_as

    def void() -> None:
        with killed_at_write(monkeypatch, 2, after=True) as writes:  # the mark on the invoice, then the payment
            app.call("POST", f"/payments/{payment}/void", json={"reason": "bounced"})
        assert writes == ["invoices.update_one", "payments.find_one_and_update"]

    def settle_late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(following, "settle_as", settle_as)
        meanwhile(void)
        settle_as(*args, **kwargs)

    monkeypatch.setattr(following, "settle_as", settle_late)
    app.invoice(number)
    assert paid_by_payments(app, number) == 0
    require_right(app, [number])
    assert app.pay_invoices([number], "1000.00").status_code == 201
