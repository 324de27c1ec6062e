"""What an integration does with the generated client: `program.py URL KEY`.

Mistakes that the types must find stand at the end, with the complaint that mypy has to make.
"""

import datetime
import json
import sys

from finance_client import AuthenticatedClient
from finance_client.api.payments import list_payments, record_payment, void_payment
from finance_client.models import (
    AllocatedPayment,
    Currency,
    IdempotencyKeyReusedOrInvalidProblem,
    InvalidProblem,
    Payment,
    PaymentMethod,
    PaymentPage,
    PaymentStatus,
    RecordPaymentConflictProblem,
    Void,
    VoidPaymentConflictProblem,
)
from finance_client.models.void_payment_conflict_problem_code import VoidPaymentConflictProblemCode
from finance_client.types import Unset


def main(url: str, key: str) -> None:
    client = AuthenticatedClient(base_url=url, token=key)
    new = AllocatedPayment(amount="1250.50", currency=Currency.EUR, payer="Ada Lovelace", method=PaymentMethod.CARD)
    payment = record_payment.sync(client=client, body=new, idempotency_key="form-2")
    assert isinstance(payment, Payment)
    amount: str = payment.amount
    note: str | None = payment.note
    paid_on: datetime.date = payment.paid_on

    page = list_payments.sync(
        client=client, status=PaymentStatus.RECORDED, currency=Currency.EUR, payer="Ada", limit=10
    )
    assert isinstance(page, PaymentPage)

    number, why = payment.payment_number, Void(reason="Bounced.")
    voided = void_payment.sync(number, client=client, body=why)
    assert isinstance(voided, Payment)
    again = void_payment.sync(number, client=client, body=why)
    assert isinstance(again, VoidPaymentConflictProblem)
    assert again.code is VoidPaymentConflictProblemCode.PAYMENT_ALREADY_VOIDED

    nothing = AllocatedPayment(amount="0", currency=Currency.EUR, payer="Ada Lovelace", method=PaymentMethod.CARD)
    wrong = record_payment.sync(client=client, body=nothing)
    assert isinstance(wrong, IdempotencyKeyReusedOrInvalidProblem)

    told = {
        "amount": amount,
        "note": note,
        "paid_on": paid_on.isoformat(),
        "status": payment.status,
        "numbers": [row.payment_number for row in page.data],
        "has_more": page.has_more,
        "voided": voided.status,
        "code": again.code,
        "pointers": [error.pointer for error in wrong.errors],
    }
    sys.stdout.write(json.dumps(told))


def outstanding_of(conflict: RecordPaymentConflictProblem) -> str | Unset:
    """Return what a conflict tells beside its code."""
    return conflict.outstanding


def mistakes(payment: Payment, page: PaymentPage, problem: InvalidProblem) -> None:
    """Never called."""
    AllocatedPayment(amount="1", currency=Currency.EUR, payr="Ada", method=PaymentMethod.CARD)  # type: ignore[call-arg]
    AllocatedPayment(amount="1", currency="EUR", payer="Ada", method=PaymentMethod.CARD)  # type: ignore[arg-type]
    Void()  # type: ignore[call-arg]
    len(payment.note)  # type: ignore[arg-type]
    _sum = payment.amount + 1  # type: ignore[operator]
    _number = page.data[0].number  # type: ignore[attr-defined]
    _code = problem.kode  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
