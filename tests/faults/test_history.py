"""The proof is proven itself: histories that are broken by hand, and servers that are, must be caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.history import Attempt, Evidence, Found, violations
from tests.faults.posting import Habits
from tests.faults.proof import find_violations, posting_to

POSTED = {"amount": "12.50", "currency": "EUR", "payer": "Ada", "method": "card", "paid_on": "2021-03-01"}
REFUSED = {"status": 503, "answer": {"code": "nothing_stored"}}
UNKNOWN = {"status": 503, "answer": {"code": "outcome_unknown"}}
REQUESTS = 120


def attempted(request: str, at_s: float, number_seq: int | None = None, **other: Any) -> Attempt:
    """Return an attempt of one second; with a number it is a success."""
    posted = POSTED | {"reference": request}
    told = {"status": 201, "answer": {**posted, "payment_number": f"PAY2021{number_seq or 0:04d}", "id": request}}
    given = (told if number_seq else {}) | other
    return Attempt(request, f"k-{request}", posted, at_s, at_s + 1, **given)


def stored(request: str, number_seq: int, **other: Any) -> dict[str, Any]:
    return {
        "_id": request,
        "payment_number": f"PAY2021{number_seq:04d}",
        "number_year": 2021,
        "number_seq": number_seq,
        "idempotency_key": f"k-{request}",
        "amount_minor": 1250,
        "reference": request,
        **{name: value for name, value in POSTED.items() if name != "amount"},
        **other,
    }


def whole(**rules: Any) -> Evidence:
    """Return a history in which all is right, with one of each: success, refusal, unknown, double click, lost number.

    `a` and `b` succeed; `c` is refused; `d` is unknown and stored, and repeated; `e` is clicked twice, and one of the
    two finds the other's payment when it has a number already.
    """
    history = (
        attempted("a", 0, 1),
        attempted("b", 2, 2),
        attempted("c", 4, **REFUSED),
        attempted("d", 6, **UNKNOWN),
        attempted("d", 8, 3, replayed=True),
        attempted("e", 10, 5),
        attempted("e", 10.1, 5, replayed=True),
        attempted("f", 12),
        attempted("f", 14, 7),
    )
    documents = [stored(*of) for of in (("a", 1), ("b", 2), ("d", 3), ("e", 5), ("f", 7))]
    found = Found(documents, {2021: 7}, gaps=frozenset({(2021, 4)}), lost=frozenset({(2021, 6)}))
    return Evidence(history, found, **rules)


def with_attempts(*added: Attempt, without: int | None = None) -> Evidence:
    right = whole()
    kept = [attempt for position, attempt in enumerate(right.history) if position != without]
    return replace(right, history=(*kept, *added))


def with_found(**changes: Any) -> Evidence:
    right = whole()
    return replace(right, found=replace(right.found, **changes))


def with_document(position: int, *others: dict[str, Any]) -> Evidence:
    documents = list(whole().found.documents)
    documents[position : position + 1] = others
    return with_found(documents=documents)


def test_a_history_in_which_all_is_right_has_no_violation() -> None:
    assert violations(whole()) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (with_document(0), "a was acknowledged and is stored 0 times"),
        (with_document(0, stored("a", 1, _id="x")), "a was told id a, stored is x"),
        (with_attempts(attempted("a", 20, 9, replayed=True)), "a was told payment_number PAY20210009"),
        (with_document(0, stored("a", 1, amount_minor=1)), "a is stored with another amount_minor"),
        (with_document(1, stored("b", 2), stored("b", 8)), "b is stored 2 times"),
        (with_attempts(attempted("a", 0.5, 1)), "a was told 2 times that it took effect just now"),
        (
            with_attempts(replace(attempted("b", 20, 2, replayed=True), answer={"reference": "a"})),
            "b was answered with another payment: a",
        ),
        (with_found(documents=[*whole().found.documents, stored("c", 8)]), "c was only ever refused, and is stored"),
        (with_found(documents=[*whole().found.documents, stored("z", 8)]), "z is stored, and nobody asked for it"),
        (
            with_attempts(attempted("d", 6, **REFUSED), without=3),
            "d was told that nothing was stored, and then given a first result",
        ),
        (with_attempts(without=4), "d was never answered"),
        (with_attempts(attempted("g", 20, status=500)), "g was answered 500 None, which doesn't say"),
        (with_attempts(attempted("g", 20, status=409)), "g was answered 409 None, though nothing is wrong with it"),
        (
            with_attempts(attempted("g", 20, status=400, is_valid=False)),
            "g was answered 400 None, though it can't be taken",
        ),
        (with_document(1, stored("b", 1)), "(2021, 1) is on 2 documents"),
        (with_document(1, stored("b", 2, payment_number="PAY20210003")), "(2021, 2) is written PAY20210003"),
        (with_found(lost=frozenset()), "(2021, 6) is neither a document nor a recorded gap"),
        (with_found(gaps=frozenset({(2021, 1), (2021, 4)})), "(2021, 1) is a document, and recorded as a gap"),
        (with_found(counted={2021: 6}), "the counter of 2021 is 6, behind 7"),
        (
            with_found(counted={2021: 13}, lost=frozenset((2021, seq) for seq in (6, *range(8, 14)))),
            "8 numbers are unused, and only 5 attempts can have left one",
        ),
        (
            with_attempts(replace(attempted("b", -5, 2), ended_s=-4), without=1),
            "a has 2021-1, begun after b was answered with 2021-2",
        ),
        (whole(no_gap=True), "(2021, 4) is a gap, where there may be none"),
        (whole(undisturbed=True), "c was answered 503 nothing_stored, though nothing was broken"),
        (whole(undisturbed=True), "f was not answered, though nothing was broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_history_is_caught(broken: Evidence, said: str) -> None:
    assert [wrong for wrong in violations(broken) if wrong.startswith(said)], violations(broken)


def test_the_order_is_not_asked_for_where_a_rule_says_so() -> None:
    swapped = with_attempts(replace(attempted("b", -5, 2), ended_s=-4), without=1)
    assert violations(replace(swapped, unordered=((-4.5, -4.4),))) == []


@pytest.mark.faults
@pytest.mark.parametrize(
    ("broken", "without_index", "said"),
    [
        ("newest plus one", "payment_number_unique", "documents"),
        ("look, then insert", "idempotency_key_unique", "times"),
        ("retry on any E11000", None, "numbers were lost, though nothing was broken"),
    ],
)
def test_a_broken_server_is_caught(
    serve_api: Callable[..., Any], broken: str, without_index: str | None, said: str
) -> None:
    api = serve_api(workers=2, app="tests.faults.broken:app", BROKEN_SERVER=broken)
    if without_index:
        api.db.payments.drop_index(without_index)
    posting = posting_to(api, requests=REQUESTS, habits=Habits(double=60, again=0, keyless=0, gives_up=0, invalid=0))

    with posting.running():
        pass

    wrong = find_violations(api, posting, undisturbed=True)
    assert [violation for violation in wrong if said in violation], wrong
