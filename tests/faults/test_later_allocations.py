"""Allocating later, releasing, voiding and paying back, killed before and after each single write, or only slow."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from finance.allocations import store
from finance.payments import service
from tests.allocations.ledger import Ledger
from tests.clients import NOVEMBER, Client
from tests.faults.killed import killed_at_write

pytestmark = pytest.mark.faults

WRITES_MAX = 40
AFTER = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.fixture
def ledger(db: Any) -> Ledger:
    app = Client(db, now=NOVEMBER)
    for role in ("client", "accountant"):
        app.key(role)  # now, so that no test kills the making of an API key
    assert app.put_shop().status_code == 201
    return Ledger(app)


def meanwhile(call: Callable[..., Any], *args: Any) -> Any:
    """Return the answer of a request that another thread makes while this one is in the middle of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, *args).result()


def killed_everywhere(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: bool,
    prepare: Callable[[], Any],
    act: Callable[[Any, str], Any],
    check: Callable[[Any], None],
) -> None:
    """Kill `act` at each of its writes. What is shown is right at once, and later, and what a repeat makes of it."""
    for write in range(1, WRITES_MAX):
        prepared = prepare()
        with killed_at_write(monkeypatch, write, after=after) as writes:
            act(prepared, f"key-{write}")
        ledger.require_right()
        ledger.app.later(seconds=30)
        ledger.require_right()
        require_nothing_left_behind(ledger)
        answer = act(prepared, f"key-{write}")
        assert answer.status_code in (200, 201), answer.text
        check(prepared)
        ledger.require_right()
        require_nothing_left_behind(ledger)
        if len(writes) < write:
            assert write > 3
            return
    pytest.fail("it never came to an end")


def require_nothing_left_behind(ledger: Ledger) -> None:
    """Fail where a list would find something to settle; it settles what it can."""
    assert ledger.app.get("/invoices").status_code == 200
    assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 0


@AFTER
def test_allocating_later(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    def check(prepared: Any) -> None:
        payment, first, second = prepared
        assert ledger.shown(payment)["unallocated"] == "100.00"
        assert ledger.app.invoice(first)["outstanding"] == "400.00"
        # Nothing that was left behind keeps others from the rest, of the payment and of the invoice.
        assert ledger.allocate(payment, (second, "100.00")).status_code == 200
        assert ledger.app.pay_invoices([first], "400.00").status_code == 201

    killed_everywhere(
        ledger,
        monkeypatch,
        after=after,
        prepare=lambda: (ledger.payment("1300.00"), ledger.invoice(), ledger.invoice()),
        act=lambda made, key: ledger.allocate(made[0], (made[1], "600.00"), (made[2], "600.00"), key=key),
        check=check,
    )


@AFTER
@pytest.mark.parametrize("amount", [None, "100.00"], ids=["whole", "part"])
def test_releasing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, after: bool, amount: str | None) -> None:
    def prepare() -> Any:
        first, second = ledger.invoice(), ledger.invoice()
        payment = ledger.app.pay_invoices([first, second], "600.00").json["payment_number"]
        assert ledger.app.pay_invoices([first], "400.00").status_code == 201
        return payment, first

    def check(prepared: Any) -> None:
        payment, first = prepared
        back = amount or "600.00"
        assert ledger.shown(payment)["unallocated"] == back
        assert ledger.app.invoice(first)["outstanding"] == back
        assert ledger.allocate(payment, (first, back)).status_code == 200

    killed_everywhere(
        ledger,
        monkeypatch,
        after=after,
        prepare=prepare,
        act=lambda made, key: ledger.release(made[0], made[1], amount, key=key),
        check=check,
    )


@AFTER
def test_voiding_what_was_allocated_later(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    def prepare() -> Any:
        first, second = ledger.invoice(), ledger.invoice()
        payment = ledger.payment("1300.00", allocations=[{"invoice_number": first, "amount": "200.00"}])
        ledger.allocate(payment, (first, "400.00"), (second, "600.00"))
        ledger.release(payment, second, "100.00")
        return payment, first

    def check(prepared: Any) -> None:
        assert ledger.shown(prepared[0])["status"] == "voided"
        assert ledger.app.invoice(prepared[1])["outstanding"] == "1000.00"

    killed_everywhere(
        ledger,
        monkeypatch,
        after=after,
        prepare=prepare,
        act=lambda made, key: ledger.void(made[0], key=key),
        check=check,
    )


@AFTER
@pytest.mark.parametrize("recorded", [True, False], ids=["when it is recorded", "later"])
def test_paying_a_credit_note_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, after: bool, recorded: bool
) -> None:
    def prepare() -> Any:
        note = ledger.credit_note()
        return note, None if recorded else ledger.payment("700.00", direction="outgoing")

    def act(prepared: Any, key: str) -> Any:
        note, payment = prepared
        if payment is not None:
            return ledger.allocate(payment, (note, "600.00"), key=key)
        part = {"credit_note_number": note, "amount": "600.00"}
        return ledger.app.pay("600.00", direction="outgoing", allocations=[part], key=key)

    def check(prepared: Any) -> None:
        refused = ledger.allocate(ledger.payment(direction="outgoing"), (prepared[0], "400.01"))
        assert (refused.status_code, refused.json["unallocated"]) == (409, "400.00")
        stored = ledger.app.db.credit_notes.find_one({"credit_note_number": prepared[0]})
        assert stored["allocated_minor"] == 60_000

    killed_everywhere(ledger, monkeypatch, after=after, prepare=prepare, act=act, check=check)


def test_a_void_that_ends_between_its_two_writes_is_forgotten(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invoice is marked, the payment never voided: once its request is surely gone, nobody looks again."""
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "600.00").json["payment_number"]
    with killed_at_write(monkeypatch, 1, after=True):
        ledger.void(payment)
    assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 1
    ledger.require_right()
    ledger.app.later(seconds=30)
    require_nothing_left_behind(ledger)

    with killed_at_write(monkeypatch, WRITES_MAX, after=False) as writes:
        assert ledger.app.get("/invoices").status_code == 200

    assert writes == []
    assert ledger.app.invoice(invoice)["amount_paid"] == "600.00"
    assert [entry["action"] for entry in ledger.app.invoice(invoice)["history"]] == ["paid"]


def test_what_an_earlier_version_left_on_its_way_back_is_settled(ledger: Ledger) -> None:
    invoice = ledger.invoice()
    ledger.app.pay_invoices([invoice], "600.00")
    state = {"allocations.0.state": "returning", "unsettled": True}
    ledger.app.db.invoices.update_one({"invoice_number": invoice}, {"$set": state})
    ledger.require_right()
    ledger.app.later(seconds=30)
    require_nothing_left_behind(ledger)
    ledger.require_right()


def test_a_slow_void_begins_again_after_its_mark_was_taken_away(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "600.00").json["payment_number"]
    update = service.store.update_payment

    def update_late(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(service.store, "update_payment", update)
        ledger.app.later(seconds=60)
        assert meanwhile(ledger.app.invoice, invoice)["amount_paid"] == "600.00"
        assert ledger.app.db.invoices.count_documents({"unsettled": True}) == 0
        return update(*args, **kwargs)

    monkeypatch.setattr(service.store, "update_payment", update_late)
    assert ledger.void(payment).status_code == 200
    assert ledger.app.invoice(invoice)["amount_paid"] == "0.00"
    ledger.require_right()


def test_a_slow_release_begins_again_after_its_mark_was_taken_away(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one releases a part meanwhile."""
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "600.00").json["payment_number"]
    replace = store.replace

    def replace_late(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(store, "replace", replace)
        ledger.app.later(seconds=60)
        assert meanwhile(ledger.app.invoice, invoice)["amount_paid"] == "600.00"
        assert meanwhile(ledger.release, payment, invoice, "100.00").status_code == 200
        return replace(*args, **kwargs)

    monkeypatch.setattr(store, "replace", replace_late)
    released = ledger.release(payment, invoice, "200.00")
    assert released.json["allocated"] == "300.00"
    ledger.require_right()
    require_nothing_left_behind(ledger)


def test_a_release_that_meets_anothers_mark_takes_back_its_own_part_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has marked and not decided when the other marks, decides, and is killed before the invoice follows."""
    invoice = ledger.invoice()
    payment = ledger.app.pay_invoices([invoice], "600.00").json["payment_number"]
    with killed_at_write(monkeypatch, 1, after=True):
        ledger.void(payment)
    with killed_at_write(monkeypatch, 2, after=True):
        ledger.release(payment, invoice, "100.00")
    with killed_at_write(monkeypatch, 1, after=True):
        ledger.void(payment)
    ledger.require_right()  # a part is decided, under a mark that isn't there any more
    assert ledger.app.invoice(invoice)["amount_paid"] == "500.00"
    ledger.app.later(seconds=30)
    ledger.require_right()
    require_nothing_left_behind(ledger)
    assert ledger.void(payment).status_code == 200
    ledger.require_right()


def test_an_allocation_that_comes_after_it_was_given_up_is_not_stored(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow before it decides: somebody else pays the invoice, and allocates the payment."""
    invoice, other, payment = ledger.invoice(), ledger.invoice(), ledger.payment("1000.00")
    replace = store.replace

    def replace_late(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(store, "replace", replace)
        ledger.app.later(seconds=60)
        assert meanwhile(ledger.app.pay_invoices, [invoice], "1000.00").status_code == 201
        assert meanwhile(ledger.allocate, payment, (other, "1000.00")).status_code == 200
        return replace(*args, **kwargs)

    monkeypatch.setattr(store, "replace", replace_late)
    late = ledger.allocate(payment, (invoice, "1000.00"))
    assert (late.status_code, late.json["code"]) == (503, "allocation_withdrawn")
    ledger.require_right()
    assert ledger.app.invoice(other)["status"] == "paid"


def test_an_allocation_settled_late_does_not_count_what_was_released_meanwhile(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decided, and slow before the invoice follows: the payment is released and voided by others meanwhile."""
    invoice, payment = ledger.invoice(), ledger.payment("1000.00")
    change_entry = store.change_entry

    def change_late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(store, "change_entry", change_entry)
        assert meanwhile(ledger.release, payment, invoice, "400.00").status_code == 200
        assert meanwhile(ledger.void, payment).status_code == 200
        change_entry(*args, **kwargs)

    monkeypatch.setattr(store, "change_entry", change_late)
    assert ledger.allocate(payment, (invoice, "1000.00")).status_code == 200
    ledger.require_right()
    assert ledger.app.invoice(invoice)["outstanding"] == "1000.00"
